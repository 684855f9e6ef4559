// SPDX-License-Identifier: LGPL-2.1-or-later

#include "peer.h"

#include <gst/reactor/gstreactorframemeta.h>
#include <gst/rtp/rtp.h>

#include <cstring>
#include <optional>
#include <utility>

#include "branch.h"
#include "debug.h"
#include "gstreactorspread.h"

namespace reactor::webrtc {

namespace {

constexpr std::chrono::milliseconds kGatherTimeout{2'000};  // host candidates take 1 ms

// Data channels a viewer may open: each costs webrtcbin two threads, and two of them have a use.
constexpr unsigned kMaxChannels = 16;

constexpr const char* kMaxMessageSize = "131072";  // bytes; twice a value's limit

const char* enum_nick(GObject* object, const char* property) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value,
               G_OBJECT_CLASS(G_OBJECT_GET_CLASS(object))
                   ? g_object_class_find_property(G_OBJECT_GET_CLASS(object), property)->value_type
                   : G_TYPE_INT);
  g_object_get_property(object, property, &value);
  auto* klass = static_cast<GEnumClass*>(g_type_class_ref(G_VALUE_TYPE(&value)));
  const GEnumValue* entry = g_enum_get_value(klass, g_value_get_enum(&value));
  const char* nick = entry ? entry->value_nick : "unknown";
  g_type_class_unref(klass);
  g_value_unset(&value);
  return nick;
}

// Says how large a message may be, for the data channel. Without it both the peer and webrtcbin
// itself take 64 KiB for the limit, each for what it sends, and a value of that size has an
// envelope on top.
void allow_messages(const GstSDPMessage* sdp) {
  for (guint i = 0; i < gst_sdp_message_medias_len(sdp); i++) {
    auto* media = const_cast<GstSDPMedia*>(gst_sdp_message_get_media(sdp, i));
    if (g_strcmp0(gst_sdp_media_get_media(media), "application") == 0 &&
        !gst_sdp_media_get_attribute_val(media, "max-message-size"))
      gst_sdp_media_add_attribute(media, "max-message-size", kMaxMessageSize);
  }
}

template <typename Ref>
gulong connect(gpointer object, const char* signal, GCallback callback, const Ref& ref) {
  return g_signal_connect_data(
      object, signal, callback, new Ref(ref),
      [](gpointer data, GClosure*) { delete static_cast<Ref*>(data); },
      static_cast<GConnectFlags>(0));
}

}  // namespace

// What the callbacks in foreign threads see: it lives as long as one of them may run.
struct Peer::Shared {
  std::shared_ptr<Service> service;
  Peer* peer = nullptr;        // service thread only; null when gone
  Channel* channel = nullptr;  // attach() only, before the peer is gone
  Channel* control = nullptr;
  std::mutex mutex;  // keeps channel and control while a callback attaches one
  std::atomic<std::int64_t> last_heard{0};  // monotonic, us
  // Those that the viewer has opened, kept until webrtcbin is freed and this with it: in GStreamer
  // 1.22 what is inside webrtcbin for a channel uses it while webrtcbin stops, whoever held it.
  std::vector<std::shared_ptr<GstWebRTCDataChannel>> opened;  // guarded by mutex
  // Of the frame that the payloader works on; its streaming thread only.
  std::optional<FrameNote> note;
  std::uint64_t last_block = G_MAXUINT64;

  template <typename F>
  void post(const Ref& self, F f) {
    service->post([self, f = std::move(f)] {
      if (self->peer) f(*self->peer);
    });
  }
};

Peer::Peer(std::shared_ptr<Service> service, GstBin* bin, GstElement* tee, Setup setup,
           Events events)
    : service_(std::move(service)),
      bin_(bin),
      tee_(tee),
      setup_(std::move(setup)),
      events_(std::move(events)),
      shared_(std::make_shared<Shared>()) {
  shared_->service = service_;
  shared_->peer = this;
  Channel::Events data;
  data.opened = [this] { events_.channel_open(); };
  data.closed = [this] { lose("the viewer closed its data channel"); };
  data.message = [this](std::string text) { events_.message(std::move(text)); };
  data.flooded = [this](std::uint64_t count) { events_.flooded(count); };
  channel_ =
      std::make_unique<Channel>(service_, setup_.channel, setup_.plan.max_message, std::move(data));
  Channel::Events control;
  control.opened = [] {};
  control.closed = [] {};
  control.message = [this](std::string text) { events_.control(std::move(text)); };
  control.flooded = [](std::uint64_t) {};
  control_ = std::make_unique<Channel>(service_, setup_.channel, setup_.plan.max_message,
                                       std::move(control));
  shared_->channel = channel_.get();
  shared_->control = control_.get();
}

Peer::~Peer() {
  shared_->peer = nullptr;
  {
    std::lock_guard lock(shared_->mutex);
    shared_->channel = nullptr;
    shared_->control = nullptr;
  }
  service_->cancel(gather_timer_);
  service_->cancel(connect_timer_);
}

bool Peer::start() {
  if (!build()) return false;
  negotiate();
  return true;
}

// The agent gathers on the addresses we name and uses UDP alone: UPnP costs 200 ms, and TCP
// candidates only make the list longer.
void Peer::configure_agent() {
  g_autoptr(GObject) ice = nullptr;
  g_object_get(webrtc_, "ice-agent", &ice, nullptr);
  if (!ice) return;
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(ice), "agent")) {
    g_autoptr(GObject) agent = nullptr;
    g_object_get(ice, "agent", &agent, nullptr);
    if (agent) g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, nullptr);
  }
  for (const std::string& address : setup_.addresses) {
    gboolean added = FALSE;
    g_signal_emit_by_name(ice, "add-local-ip-address", address.c_str(), &added);
    if (!added) GST_WARNING("cannot gather candidates on %s", address.c_str());
  }
}

bool Peer::build() {
  const char* payloader_name = names_of(setup_.codec).payloader;
  webrtc_ = gst_element_factory_make("webrtcbin", "webrtc");
  GstElement* payloader = gst_element_factory_make(payloader_name, "pay");
  GstElement* filter = gst_element_factory_make("capsfilter", "filter");
  GstElement* gate = gate_new("gate", setup_.gate);
  GstElement* spread = spread_new("spread");
  if (!webrtc_ || !payloader || !filter) {
    for (GstElement* element : {webrtc_, payloader, filter, gate, spread})
      if (element) gst_object_unref(gst_object_ref_sink(element));
    webrtc_ = nullptr;
    refuse({500, "no-element",
            std::string("the machine lacks webrtcbin, capsfilter or ") + payloader_name});
    return false;
  }
  gate_ = GST_REACTOR_GATE(gate);
  gate_set_request(
      gate_,
      [](gpointer data) {
        const Ref& ref = *static_cast<Ref*>(data);
        ref->post(ref, [](Peer& peer) { peer.events_.wants_key(); });
      },
      new Ref(shared_), [](gpointer data) { delete static_cast<Ref*>(data); });

  // The SSRC stands in the caps before the answer is made: without RTP so far (a model that has
  // just begun) webrtcbin would write 0, and browsers would show nothing.
  do ssrc_ = g_random_int();
  while (ssrc_ == 0);
  g_object_set(payloader, "pt", static_cast<guint>(setup_.plan.payload), "ssrc", ssrc_, "mtu",
               static_cast<guint>(1200), nullptr);
  configure_payloader(payloader, setup_.codec);
  GstCaps* caps = gst_caps_copy(setup_.plan.caps.get());
  gst_caps_set_simple(caps, "ssrc", G_TYPE_UINT, ssrc_, nullptr);
  g_object_set(filter, "caps", caps, nullptr);

  g_object_set(webrtc_, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, nullptr);
  if (!setup_.stun_server.empty())
    g_object_set(webrtc_, "stun-server", setup_.stun_server.c_str(), nullptr);
  if (!setup_.turn_server.empty())
    g_object_set(webrtc_, "turn-server", setup_.turn_server.c_str(), nullptr);
  configure_agent();

  branch_ = gst_bin_new(setup_.name.c_str());
  // The sink's end of stream and latency do not depend on viewers.
  gst_bin_set_suppressed_flags(
      GST_BIN(branch_),
      static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE));
  gst_bin_add_many(GST_BIN(branch_), gate, payloader, spread, filter, webrtc_, nullptr);

  const std::string pad_name = "sink_" + std::to_string(setup_.plan.video);
  g_autoptr(GstPad) webrtc_pad = gst_element_request_pad(
      webrtc_, gst_element_get_pad_template(webrtc_, "sink_%u"), pad_name.c_str(), caps);
  gst_caps_unref(caps);
  if (webrtc_pad) {
    g_autoptr(GObject) transceiver = nullptr;
    g_object_get(webrtc_pad, "transceiver", &transceiver, nullptr);
    if (transceiver)
      g_object_set(transceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                   "do-nack", TRUE, nullptr);
    g_object_set(webrtc_pad, "msid", "reactor", nullptr);
  }
  g_autoptr(GstPad) filter_src = gst_element_get_static_pad(filter, "src");
  g_autoptr(GstPad) pay_sink = gst_element_get_static_pad(payloader, "sink");
  g_autoptr(GstPad) pay_src = gst_element_get_static_pad(payloader, "src");
  g_autoptr(GstPad) gate_sink = gst_element_get_static_pad(gate, "sink");
  if (!webrtc_pad || !gst_element_link_many(gate, payloader, spread, filter, nullptr) ||
      gst_pad_link(filter_src, webrtc_pad) != GST_PAD_LINK_OK) {
    gst_object_unref(gst_object_ref_sink(branch_));
    branch_ = nullptr;
    webrtc_ = nullptr;
    gate_ = nullptr;
    refuse({500, "no-branch", "the viewer's branch cannot be linked"});
    return false;
  }
  gst_element_add_pad(branch_, gst_ghost_pad_new("sink", gate_sink));

  gst_pad_add_probe(pay_sink, GST_PAD_PROBE_TYPE_BUFFER, note_frame, new Ref(shared_),
                    [](gpointer data) { delete static_cast<Ref*>(data); });
  gst_pad_add_probe(
      pay_src,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      note_packet, new Ref(shared_), [](gpointer data) { delete static_cast<Ref*>(data); });

  connect(webrtc_, "notify::connection-state", G_CALLBACK(on_state), shared_);
  connect(webrtc_, "notify::ice-connection-state", G_CALLBACK(on_state), shared_);
  connect(webrtc_, "notify::ice-gathering-state", G_CALLBACK(on_gathering), shared_);
  connect(webrtc_, "on-data-channel", G_CALLBACK(on_data_channel), shared_);
  g_autoptr(GstElement) rtpbin = gst_bin_get_by_name(GST_BIN(webrtc_), "rtpbin");
  if (rtpbin) connect(rtpbin, "on-ssrc-active", G_CALLBACK(on_rtcp), shared_);

  gst_bin_add(bin_, branch_);
  gst_element_sync_state_with_parent(branch_);
  tee_pad_.reset(gst_element_request_pad_simple(tee_, "src_%u"));
  g_autoptr(GstPad) branch_sink = gst_element_get_static_pad(branch_, "sink");
  gst_pad_link(tee_pad_.get(), branch_sink);
  return true;
}

GstPadProbeReturn Peer::note_frame(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  ref->note.reset();
  const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
  if (!meta || meta->flags & GST_REACTOR_FRAME_REPEAT) return GST_PAD_PROBE_OK;
  const bool black = meta->flags & GST_REACTOR_FRAME_BLACK;
  // Once a block, and for every frame that has something of its own to say.
  if (!black && meta->block == ref->last_block && !meta->json) return GST_PAD_PROBE_OK;
  ref->last_block = meta->block;
  FrameNote note;
  note.black = black;
  note.block = meta->block;
  note.index = meta->index;
  note.count = meta->count;
  note.command = meta->command;
  note.emitted = meta->emitted;
  note.released = GST_CLOCK_TIME_NONE;
  if (g_autoptr(GstEvent) event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0)) {
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(event, &segment);
    note.released = gst_segment_to_running_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  }
  if (meta->json) note.json = meta->json;
  ref->note = std::move(note);
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Peer::note_packet(GstPad*, GstPadProbeInfo* info, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  if (!ref->note) return GST_PAD_PROBE_OK;
  GstBuffer* packet = nullptr;
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
    GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    if (gst_buffer_list_length(list) > 0) packet = gst_buffer_list_get(list, 0);
  } else {
    packet = GST_PAD_PROBE_INFO_BUFFER(info);
  }
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  if (!packet || !gst_rtp_buffer_map(packet, GST_MAP_READ, &rtp)) return GST_PAD_PROBE_OK;
  ref->note->rtp = gst_rtp_buffer_get_timestamp(&rtp);
  gst_rtp_buffer_unmap(&rtp);
  ref->post(ref, [note = *std::exchange(ref->note, std::nullopt)](Peer& peer) {
    peer.events_.frame(note);
  });
  return GST_PAD_PROBE_OK;
}

void Peer::on_state(GObject*, GParamSpec*, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  ref->post(ref, [](Peer& peer) { peer.state_changed(); });
}

void Peer::on_gathering(GObject*, GParamSpec*, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  ref->post(ref, [](Peer& peer) { peer.gathered(); });
}

void Peer::on_rtcp(GstElement*, guint, guint, gpointer data) {
  (*static_cast<Ref*>(data))->last_heard = g_get_monotonic_time();
}

void Peer::on_data_channel(GstElement*, GstWebRTCDataChannel* channel, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  g_autofree gchar* label = nullptr;
  g_object_get(channel, "label", &label, nullptr);
  std::lock_guard lock(ref->mutex);
  if (ref->opened.size() == kMaxChannels)
    ref->post(ref, [](Peer& peer) {
      peer.lose("the viewer opened more than " + std::to_string(kMaxChannels) + " data channels");
    });
  ref->opened.emplace_back(static_cast<GstWebRTCDataChannel*>(g_object_ref(channel)),
                           g_object_unref);
  if (g_strcmp0(label, "data") == 0 && ref->channel)
    ref->channel->attach(channel);
  else if (g_strcmp0(label, "control") == 0 && ref->control)
    ref->control->attach(channel);
}

GstPromise* Peer::promise(Step step) {
  struct Waiting {
    Ref ref;
    Step step;
  };
  return gst_promise_new_with_change_func(
      [](GstPromise* promise, gpointer data) {
        auto* waiting = static_cast<Waiting*>(data);
        StructurePtr reply;
        if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
          const GstStructure* structure = gst_promise_get_reply(promise);
          reply.reset(structure ? gst_structure_copy(structure) : nullptr);
        }
        // std::function needs what it holds to be copyable.
        std::shared_ptr<GstStructure> held(reply.release(), [](GstStructure* s) {
          if (s) gst_structure_free(s);
        });
        waiting->ref->post(waiting->ref, [step = waiting->step, held](Peer& peer) {
          peer.after(step, held.get());
        });
        gst_promise_unref(promise);
      },
      new Waiting{shared_, step}, [](gpointer data) { delete static_cast<Waiting*>(data); });
}

void Peer::negotiate() {
  connect_timer_ = service_->after(setup_.connect_timeout, [this] {
    connect_timer_ = 0;
    if (connected_) return;
    if (answered_)
      lose("no connection within " + std::to_string(setup_.connect_timeout.count() / 1000) + " s");
    else
      refuse({504, "negotiation-timeout", "webrtcbin did not answer the offer in time"});
  });
  GstSDPMessage* copy = nullptr;
  gst_sdp_message_copy(setup_.plan.sdp.get(), &copy);
  g_autoptr(GstWebRTCSessionDescription) offer =
      gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_OFFER, copy);
  g_signal_emit_by_name(webrtc_, "set-remote-description", offer, promise(Step::kRemote));
}

void Peer::after(Step step, const GstStructure* reply) {
  if (lost_ || !branch_) return;
  if (reply && gst_structure_has_field(reply, "error")) {
    g_autoptr(GError) error = nullptr;
    gst_structure_get(reply, "error", G_TYPE_ERROR, &error, nullptr);
    return refuse({400, "bad-sdp",
                   std::string("not a usable SDP offer: ") +
                       (error ? error->message : "webrtcbin refuses it")});
  }
  switch (step) {
    case Step::kRemote:
      g_signal_emit_by_name(webrtc_, "create-answer", nullptr, promise(Step::kAnswer));
      return;
    case Step::kAnswer: {
      g_autoptr(GstWebRTCSessionDescription) answer = nullptr;
      if (reply)
        gst_structure_get(reply, "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer, nullptr);
      const GstSDPMedia* media =
          answer && gst_sdp_message_medias_len(answer->sdp) > setup_.plan.video
              ? gst_sdp_message_get_media(answer->sdp, setup_.plan.video)
              : nullptr;
      if (answer) {
        g_autofree gchar* text = gst_sdp_message_as_text(answer->sdp);
        GST_LOG("answer:\n%s", text);
      }
      // webrtcbin answers what it cannot play with success and a dead m-line.
      if (!media || gst_sdp_media_get_port(media) == 0 ||
          !gst_sdp_media_get_attribute_val(media, "sendonly"))
        return refuse({422, "not-negotiable", "webrtcbin cannot answer this offer's video m-line"});
      allow_messages(answer->sdp);
      g_signal_emit_by_name(webrtc_, "set-local-description", answer, promise(Step::kLocal));
      return;
    }
    case Step::kLocal:
      gather_timer_ = service_->after(kGatherTimeout, [this] {
        gather_timer_ = 0;
        gathered();
      });
      gathered();
      return;
  }
}

// The answer is complete when gathering is, or when the wait for it is over.
void Peer::gathered() {
  if (answered_ || lost_ || !webrtc_) return;
  GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
  g_autoptr(GstWebRTCSessionDescription) local = nullptr;
  g_object_get(webrtc_, "ice-gathering-state", &state, "local-description", &local, nullptr);
  if (!local) return;
  if (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE && gather_timer_ != 0) return;
  service_->cancel(std::exchange(gather_timer_, 0));
  answered_ = true;
  allow_messages(local->sdp);
  g_autofree gchar* text = gst_sdp_message_as_text(local->sdp);
  events_.answered(text);
}

void Peer::state_changed() {
  if (lost_ || !webrtc_) return;
  GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
  GstWebRTCICEConnectionState ice = GST_WEBRTC_ICE_CONNECTION_STATE_NEW;
  g_object_get(webrtc_, "connection-state", &state, "ice-connection-state", &ice, nullptr);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED && !connected_) {
    connected_ = true;
    connected_at_ = g_get_monotonic_time();
    service_->cancel(std::exchange(connect_timer_, 0));
    tell_latency();
    update_gate();
    events_.connected();
  } else if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED ||
             ice == GST_WEBRTC_ICE_CONNECTION_STATE_FAILED) {
    lose(connected_ ? "the connection failed" : "no network path to the viewer (ICE failed)");
  } else if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED) {
    lose("the viewer closed the connection");
  }
}

// The branch takes no part in the pipeline's latency, but its RTP session has to hear of one before
// it can tell running time in sender reports.
void Peer::tell_latency() {
  GstIterator* sinks = gst_bin_iterate_all_by_element_factory_name(GST_BIN(webrtc_), "nicesink");
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(sinks, &item) == GST_ITERATOR_OK) {
    gst_element_send_event(GST_ELEMENT(g_value_get_object(&item)), gst_event_new_latency(0));
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(sinks);
}

void Peer::update_gate() {
  gate_set_shut(gate_, !connected_ || paused_ || muted_);
}

void Peer::set_paused(bool paused) {
  paused_ = paused;
  if (branch_) update_gate();
}

void Peer::mute() {
  muted_ = true;
  if (branch_) update_gate();
}

void Peer::add_candidate(unsigned mline, const std::string& candidate) {
  if (webrtc_) g_signal_emit_by_name(webrtc_, "add-ice-candidate", mline, candidate.c_str());
}

void Peer::lose(std::string reason) {
  if (std::exchange(lost_, true)) return;
  if (!answered_) {
    events_.refused({500, "connection-lost", std::move(reason)});
    return;
  }
  events_.lost(std::move(reason));
}

void Peer::refuse(Refusal refusal) {
  if (std::exchange(lost_, true)) return;
  if (answered_)
    events_.lost(std::move(refusal.message));
  else
    events_.refused(std::move(refusal));
}

void Peer::tick() {
  if (lost_ || !connected_) return;
  const std::int64_t now = g_get_monotonic_time();
  const std::int64_t heard =
      std::max({connected_at_, shared_->last_heard.load(), channel_->last_heard()});
  const auto silence = std::chrono::microseconds(now - heard);
  if (silence > setup_.silence_timeout) {
    lose("no sign of life for " +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(silence).count()) + " s");
    return;
  }
  GstPromise* stats = gst_promise_new_with_change_func(
      [](GstPromise* done, gpointer data) {
        const Ref& ref = *static_cast<Ref*>(data);
        if (gst_promise_wait(done) == GST_PROMISE_RESULT_REPLIED && gst_promise_get_reply(done)) {
          std::shared_ptr<GstStructure> reply(gst_structure_copy(gst_promise_get_reply(done)),
                                              gst_structure_free);
          ref->post(ref, [reply](Peer& peer) { peer.read_stats(reply.get()); });
        }
        gst_promise_unref(done);
      },
      new Ref(shared_), [](gpointer data) { delete static_cast<Ref*>(data); });
  g_signal_emit_by_name(webrtc_, "get-stats", nullptr, stats);
}

void Peer::read_stats(const GstStructure* stats) {
  const std::uint64_t bytes_before = stats_.bytes_sent;
  for (gint i = 0; i < gst_structure_n_fields(stats); i++) {
    const GValue* value = gst_structure_get_value(stats, gst_structure_nth_field_name(stats, i));
    if (!GST_VALUE_HOLDS_STRUCTURE(value)) continue;
    const GstStructure* entry = gst_value_get_structure(value);
    const std::string_view name = gst_structure_get_name(entry);
    const auto number = [&](const char* field, auto fallback) {
      using T = decltype(fallback);
      const GValue* v = gst_structure_get_value(entry, field);
      if (!v) return fallback;
      GValue converted = G_VALUE_INIT;
      g_value_init(&converted, G_TYPE_DOUBLE);
      T result = fallback;
      if (g_value_transform(v, &converted)) result = static_cast<T>(g_value_get_double(&converted));
      g_value_unset(&converted);
      return result;
    };
    if (name == "remote-inbound-rtp") {
      stats_.rtt = number("round-trip-time", stats_.rtt);
      stats_.fraction_lost = number("fraction-lost", stats_.fraction_lost);
      stats_.packets_lost = number("packets-lost", stats_.packets_lost);
    } else if (name == "outbound-rtp") {
      stats_.packets_sent = number("packets-sent", stats_.packets_sent);
      stats_.bytes_sent = number("bytes-sent", stats_.bytes_sent);
      stats_.nacks = number("nack-count", stats_.nacks);
      stats_.plis = number("pli-count", stats_.plis);
    }
  }
  const std::int64_t now = g_get_monotonic_time();
  if (stats_at_ != 0 && now > stats_at_ && stats_.bytes_sent >= bytes_before)
    stats_.bitrate = static_cast<double>(stats_.bytes_sent - bytes_before) * 8e6 /
                     static_cast<double>(now - stats_at_);
  stats_at_ = now;
}

const char* Peer::ice_state() const {
  return webrtc_ ? enum_nick(G_OBJECT(webrtc_), "ice-connection-state") : "new";
}

const char* Peer::connection_state() const {
  return webrtc_ ? enum_nick(G_OBJECT(webrtc_), "connection-state") : "new";
}

bool Peer::is_this(GstObject* object) const {
  return branch_ && gst_object_has_as_ancestor(object, GST_OBJECT(branch_));
}

void Peer::leave(const std::shared_ptr<Worker>& worker, std::function<void()> done) {
  lost_ = true;
  shared_->peer = nullptr;
  if (!branch_) {
    worker->post(std::move(done));
    return;
  }
  struct Leaving {
    std::shared_ptr<Worker> worker;
    ObjectPtr<GstBin> bin;
    ElementPtr tee;
    ElementPtr branch;
    PadPtr tee_pad;
    std::function<void()> done;
  };
  const auto reference = [](auto* object) {
    return static_cast<decltype(object)>(gst_object_ref(object));
  };
  auto leaving = std::make_shared<Leaving>();
  leaving->worker = worker;
  leaving->bin.reset(reference(bin_));
  leaving->tee.reset(reference(tee_));
  leaving->branch.reset(reference(branch_));
  leaving->tee_pad = std::move(tee_pad_);
  leaving->done = std::move(done);
  branch_ = nullptr;
  webrtc_ = nullptr;
  GstPad* pad = leaving->tee_pad.get();
  // Between two buffers: nothing of the tee is inside the branch when it is cut off.
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_IDLE,
      [](GstPad* at, GstPadProbeInfo*, gpointer data) -> GstPadProbeReturn {
        auto& self = *static_cast<std::shared_ptr<Leaving>*>(data);
        g_autoptr(GstPad) peer = gst_pad_get_peer(at);
        if (peer) gst_pad_unlink(at, peer);
        self->worker->post([self] {
          gst_element_set_locked_state(self->branch.get(), TRUE);
          gst_element_set_state(self->branch.get(), GST_STATE_NULL);
          gst_element_release_request_pad(self->tee.get(), self->tee_pad.get());
          gst_bin_remove(self->bin.get(), self->branch.get());
          self->done();
        });
        return GST_PAD_PROBE_REMOVE;
      },
      new std::shared_ptr<Leaving>(std::move(leaving)),
      [](gpointer data) { delete static_cast<std::shared_ptr<Leaving>*>(data); });
}

}  // namespace reactor::webrtc
