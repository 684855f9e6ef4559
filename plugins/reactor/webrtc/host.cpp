// SPDX-License-Identifier: LGPL-2.1-or-later

#include "host.h"

#include <gst/reactor/gstreactorevent.h>
#include <gst/video/video.h>

#include <algorithm>
#include <utility>

#include "debug.h"
#include "envelope.h"
#include "gst/wire/json.h"
#include "http/randomid.h"
#include "jsonspan.h"
#include "warmup.h"

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxUpstream = 1024;       // events waiting for handlers upstream
constexpr std::size_t kMaxModelMessages = 4096;  // on their way to the service thread
// Beyond max-viewers: pages that are loaded again, and second offers.
constexpr std::size_t kLeavingSlack = 16;
constexpr std::size_t kDepartures = 32;  // remembered for /stats
// Nothing of an application's runs in the reaper, so it comes to an end; longer than a warm-up.
constexpr std::chrono::seconds kReaperPatience{10};
// How long the message that the session is over has before the data channel is closed, and the
// closing of the channel before the connection goes.
constexpr std::chrono::milliseconds kFarewell{250};

SessionTime monotonic() {
  return std::chrono::microseconds(g_get_monotonic_time());
}

OfferResult refused(Refusal refusal) {
  return {std::nullopt, std::move(refusal)};
}

SharedText shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

std::optional<std::string> missing_elements() {
  // webrtcbin itself says nothing when one of these is missing, it just never connects.
  static const char* const kNeeded[][2] = {
      {"webrtcbin", "gstreamer1.0-plugins-bad"},    {"nicesink", "gstreamer1.0-nice"},
      {"dtlsenc", "gstreamer1.0-plugins-bad"},      {"srtpenc", "gstreamer1.0-plugins-bad"},
      {"sctpenc", "gstreamer1.0-plugins-bad"},      {"rtpbin", "gstreamer1.0-plugins-good"},
      {"videoconvert", "gstreamer1.0-plugins-base"}};
  for (const auto& [element, package] : kNeeded) {
    g_autoptr(GstElementFactory) factory = gst_element_factory_find(element);
    if (!factory)
      return std::string("the element ") + element + " is missing: install the package " + package;
  }
  return std::nullopt;
}

Host::Host(GstElement* sink, GstPad* sinkpad, Branch& branch, HostConfig config)
    : sink_(sink),
      sinkpad_(sinkpad),
      branch_(branch),
      config_(std::move(config)),
      service_(std::make_shared<Service>()),
      reaper_(std::make_shared<Worker>("reactor-reaper", kReaperPatience)),
      upstream_(std::make_unique<Worker>("reactor-events")),
      keys_(std::make_unique<Worker>("reactor-keys")),
      // The viewer's own timeout comes first, and says what happened.
      session_(config_.session_grace, config_.connect_timeout + std::chrono::seconds(1), random_id,
               {[this](const std::string& id) { session_started(id); },
                [this](const std::string& id, const std::string& reason, bool started) {
                  session_ended(id, reason, started);
                }}),
      keyframes_(config_.keyframe_interval) {}

Host::~Host() {
  stop();
}

HttpStart Host::start() {
  HttpStart result;
  config_.http.interface_addresses = interface_addresses();
  service_->call([&] {
    http_ = std::make_unique<HttpServer>();
    result = http_->start(config_.http, *this);
    if (result.port == 0) http_.reset();
  });
  if (result.port != 0) reaper_->post([] { warm_up(); });
  return result;
}

void Host::set_running(bool running) {
  if (running) {
    service_->call([this] {
      running_ = true;
      ended_ = false;
      any_frame_ = false;
      frame_seen_ = false;
      tick_timer_ = service_->every(std::chrono::seconds(1), [this] { tick(); });
    });
    return;
  }
  service_->call([this] {
    running_ = false;
    service_->cancel(std::exchange(tick_timer_, 0));
    session_.stop("the pipeline stopped");
    arm_session_timer();
    // Viewers that were admitted without a session, and those that say goodbye.
    while (!viewers_.empty()) drop(viewers_.begin()->first, "the pipeline stopped");
    for (auto& [serial, peer] : closing_) leave(std::move(peer));
    closing_.clear();
    service_->cancel(std::exchange(keyframe_timer_, 0));
  });
  std::unique_lock lock(leaving_mutex_);
  left_.wait(lock, [this] { return leaving_ == 0; });
}

void Host::stop() {
  service_->call([this] {
    if (http_) http_->stop();
    http_.reset();
  });
  if (service_->post([] {})) set_running(false);
  service_->stop();
  keys_->stop();
  upstream_->stop();
  reaper_->stop();
}

void Host::claim_sessions() {
  bool started = false;
  service_->call([&] { started = session_.started(); });
  if (!started)
    gst_pad_push_event(sinkpad_, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "",
                                                               "nobody watches yet"));
}

std::string Host::url() {
  std::string text;
  service_->call([&] {
    if (http_) text = http_->url();
  });
  return text;
}

// ---- what the model says ----

void Host::model_message(const char* json, const char* viewer) {
  if (pending_.load() >= kMaxModelMessages) {
    messages_lost_++;
    return;
  }
  pending_++;
  const bool posted = service_->post(
      [this, text = application_message(json), id = std::string(viewer ? viewer : "")]() mutable {
        pending_--;
        totals_.messages++;
        const SharedText message = shared(std::move(text));
        if (id.empty()) {
          send_all(message);
        } else if (Viewer* to = find(id)) {
          to->current.peer->send(message);
        }
      });
  if (!posted) pending_--;
}

void Host::model_monitoring(bool enabled) {
  service_->post([this, enabled] {
    monitoring_ = enabled;
    state_changed();
  });
}

void Host::model_frame() {
  if (frame_seen_.exchange(true)) return;
  service_->post([this] {
    any_frame_ = true;
    state_changed();
  });
}

void Host::model_runtime(const char* json) {
  if (pending_.load() >= kMaxModelMessages) {
    messages_lost_++;
    return;
  }
  pending_++;
  const bool posted = service_->post([this, text = std::string(json)] {
    pending_--;
    take_runtime(text);
  });
  if (!posted) pending_--;
}

void Host::take_runtime(std::string_view json) {
  const wire::JsonCheck check = wire::check_json(json);
  if (!check.ok || check.kind != wire::JsonKind::kObject) {
    GST_WARNING_OBJECT(sink_, "runtime event of the model: %s",
                       check.problem ? check.problem : "expected a JSON object");
    return;
  }
  const std::string type = json_text(json, "type");
  const std::string_view data = json_member(json, "data").value_or("{}");
  if (type == "capabilities") {
    if (data.front() != '{' || data == capabilities_) return;
    capabilities_ = data;
    send_all(shared(runtime_message("modelCapabilities", capabilities_)));
  } else if (type == "state") {
    const std::string state = json_text(data, "state");
    if (state == "over") return stop_session(json_text(data, "reason"));
    model_state_ = state;
    model_reason_ = json_text(data, "reason");
    state_changed();
  } else if (type == "answer") {
    take_answer(data);
  }
}

// How a command ended; only a failure is worth a message.
void Host::take_answer(std::string_view data) {
  const std::string code = json_text(data, "code");
  if (code.empty()) return;
  std::string out =
      "{\"code\":" + json_quoted(code) + ",\"message\":" + json_quoted(json_text(data, "message"));
  for (const char* key : {"command", "field"})
    if (const auto value = json_member(data, key))
      out += std::string(",\"") + key + "\":" + std::string(*value);
  const SharedText text = shared(runtime_message("error", out + "}"));
  if (Viewer* viewer = find(json_text(data, "viewer")))
    if (viewer->current.peer) viewer->current.peer->send(text);
}

void Host::stream_ended() {
  service_->post([this] {
    ended_ = true;
    stop_session("the stream has ended");
  });
}

void Host::stream_begins() {
  service_->post([this] {
    if (!ended_) return;
    ended_ = any_frame_ = false;
    frame_seen_ = false;
    state_changed();
  });
}

void Host::set_capabilities(const char* json) {
  model_runtime(("{\"type\":\"capabilities\",\"data\":" + std::string(json) + "}").c_str());
}

void Host::set_grace(std::chrono::nanoseconds grace) {
  service_->post([this, grace] { session_.set_grace(grace); });
}

void Host::branch_error(GstObject* source, const char* text) {
  // The element may be gone when the service thread looks: it travels as a reference.
  std::shared_ptr<GstObject> held(static_cast<GstObject*>(gst_object_ref(source)),
                                  gst_object_unref);
  service_->post([this, held, reason = std::string(text)] {
    for (auto& [id, viewer] : viewers_) {
      for (Link* link : {&viewer->current, &viewer->next}) {
        if (!link->peer || !link->peer->is_this(held.get())) continue;
        GST_INFO_OBJECT(sink_, "viewer %s: %s", id.c_str(), reason.c_str());
        if (link == &viewer->next)
          dismiss(viewer->next, {422, "not-negotiable", reason});
        else
          drop(std::string(id), "its connection failed: " + reason);
        return;
      }
    }
  });
}

// ---- viewers ----

Host::Viewer* Host::find(std::string_view id) {
  const auto found = viewers_.find(id);
  return found == viewers_.end() ? nullptr : found->second.get();
}

const Host::Viewer* Host::find(std::string_view id) const {
  const auto found = viewers_.find(id);
  return found == viewers_.end() ? nullptr : found->second.get();
}

std::optional<Refusal> Host::prepare(const Offer& offer, Link& link, Peer::Setup& setup) {
  if (!running_)
    return Refusal{503, "not-running", "the pipeline is not running: try again in a moment"};
  if (ended_) return Refusal{503, "ended", "the stream has ended"};
  std::size_t leaving = closing_.size();
  {
    std::lock_guard lock(leaving_mutex_);
    leaving += leaving_;
  }
  // Until it is taken down, a branch costs what a viewer's costs.
  if (leaving >= config_.http.max_viewers + kLeavingSlack)
    return Refusal{503, "busy", "too many viewers are leaving: try again in a moment"};
  setup.addresses = gathering_addresses(offer.local_address, interface_addresses());
  link.filter = std::make_unique<CandidateFilter>(setup.addresses, offer.remote_address);
  auto checked = check_offer(offer.sdp, branch_.codec(), *link.filter);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return *refusal;
  setup.plan = std::move(std::get<OfferPlan>(checked));
  link.mid = setup.plan.mid;
  link.video = setup.plan.video;
  setup.codec = branch_.codec();
  setup.stun_server = config_.stun_server;
  setup.turn_server = config_.turn_server;
  setup.trickle = offer.trickle;
  setup.gate = config_.gate;
  setup.channel = config_.channel;
  setup.connect_timeout = config_.connect_timeout;
  setup.silence_timeout = config_.silence_timeout;
  if (link.filter->refused() + link.filter->substituted() > 0)
    GST_INFO_OBJECT(sink_, "offer from %s: %u candidates used, %u of them hidden, %u cannot be",
                    offer.remote_address.c_str(), link.filter->accepted(),
                    link.filter->substituted(), link.filter->refused());
  return std::nullopt;
}

void Host::add_viewer(Offer offer, OfferDone done) {
  const auto refuse = [&](Refusal refusal) {
    totals_.refused++;
    GST_INFO_OBJECT(sink_, "offer refused: %s", refusal.message.c_str());
    done(refused(std::move(refusal)));
  };
  if (viewers_.size() >= config_.http.max_viewers)
    return refuse({429, "too-many-viewers",
                   "this stream has " + std::to_string(viewers_.size()) +
                       " viewers, which is all it takes: try again when one has left"});
  auto viewer = std::make_unique<Viewer>();
  Peer::Setup setup;
  if (auto refusal = prepare(offer, viewer->current, setup)) return refuse(std::move(*refusal));
  viewer->id = random_id();
  viewer->protocol = std::move(offer.protocol);
  viewer->remote = std::move(offer.remote_address);
  viewer->role = offer.role;
  viewer->since = g_get_monotonic_time();
  session_.open(monotonic());
  arm_session_timer();
  totals_.viewers++;
  Viewer& added = *viewer;
  viewers_[added.id] = std::move(viewer);
  connect(added, added.current, std::move(setup), std::move(done));
}

void Host::replace_viewer(std::string_view id, Offer offer, OfferDone done) {
  Viewer* viewer = find(id);
  if (!viewer) return done(refused({404, "no-viewer", "there is no such viewer"}));
  Link link;
  Peer::Setup setup;
  if (auto refusal = prepare(offer, link, setup)) {
    totals_.refused++;
    return done(refused(std::move(*refusal)));
  }
  if (viewer->next.peer)
    dismiss(viewer->next, {409, "superseded", "a newer offer took the place of this one"});
  viewer->next = std::move(link);
  connect(*viewer, viewer->next, std::move(setup), std::move(done));
}

void Host::connect(Viewer& viewer, Link& link, Peer::Setup setup, OfferDone done) {
  const std::uint64_t serial = next_serial_++;
  setup.name = "viewer-" + std::to_string(serial);
  link.done = std::move(done);
  link.peer = std::make_unique<Peer>(service_, GST_BIN(sink_), branch_.tee(), std::move(setup),
                                     events_for(viewer.id, serial));
  link.peer->set_paused(viewer.paused);
  link.peer->start();
}

Peer::Events Host::events_for(const std::string& viewer, std::uint64_t serial) {
  Peer::Events events;
  // A peer is never destroyed inside its own callback, and who waited for the answer may not want
  // it any more.
  events.answered = [this, viewer, serial](std::string sdp) {
    service_->post([this, viewer, serial, sdp = std::move(sdp)]() mutable {
      Link* link = link_of(viewer, serial);
      if (link && link->done)
        std::exchange(link->done, nullptr)({Answer{viewer, std::move(sdp)}, {}});
    });
  };
  events.refused = [this, viewer, serial](Refusal refusal) {
    service_->post([this, viewer, serial, refusal = std::move(refusal)] {
      Viewer* owner = nullptr;
      Link* link = link_of(viewer, serial, &owner);
      if (!link) return;
      totals_.refused++;
      if (link == &owner->next)
        dismiss(*link, refusal);
      else {
        if (link->done) std::exchange(link->done, nullptr)(refused(refusal));
        drop(viewer, refusal.message);
      }
    });
  };
  events.connected = [this, viewer, serial] { peer_connected(viewer, serial); };
  events.lost = [this, viewer, serial](std::string reason) {
    service_->post([this, viewer, serial, reason] { peer_lost(viewer, serial, reason); });
  };
  events.channel_open = [this, viewer, serial] {
    Viewer* owner = nullptr;
    if (Link* link = link_of(viewer, serial, &owner))
      link->peer->send(shared(state_message(*owner)));
  };
  events.message = [this, viewer, serial](std::string text) { peer_message(viewer, serial, text); };
  events.control = [this, viewer, serial](std::string text) { peer_control(viewer, serial, text); };
  events.flooded = [this, viewer, serial](std::uint64_t count) {
    totals_.commands_refused += count;
    Viewer* owner = nullptr;
    Link* link = link_of(viewer, serial, &owner);
    if (!link) return;
    owner->refused += count;
    link->peer->send(shared(error_message(
        {429, "too-many",
         "more than " + std::to_string(static_cast<int>(config_.channel.messages_per_second)) +
             " messages a second: " + std::to_string(count) + " were refused"},
        {})));
  };
  events.frame = [this, viewer, serial](const FrameNote& note) {
    Link* link = link_of(viewer, serial);
    if (!link) return;
    std::string data =
        "{\"rtp\":" + std::to_string(note.rtp) +
        ",\"block\":" + (note.black ? std::string("null") : std::to_string(note.block)) +
        ",\"index\":" + std::to_string(note.index) + ",\"count\":" + std::to_string(note.count) +
        ",\"command\":" + std::to_string(note.command);
    const auto time = [&](const char* name, std::uint64_t value) {
      data += std::string(",\"") + name +
              "\":" + (GST_CLOCK_TIME_IS_VALID(value) ? std::to_string(value) : "null");
    };
    time("emitted", note.emitted);
    time("released", note.released);
    if (!note.json.empty()) data += ",\"meta\":" + note.json;
    link->peer->send(shared(runtime_message("frame", data + "}")));
  };
  events.wants_key = [this] { want_key(); };
  return events;
}

Host::Link* Host::link_of(const std::string& id, std::uint64_t serial, Viewer** owner) {
  Viewer* viewer = find(id);
  if (!viewer) return nullptr;
  if (owner) *owner = viewer;
  const std::string name = "viewer-" + std::to_string(serial);
  for (Link* link : {&viewer->current, &viewer->next})
    if (link->peer && link->peer->name() == name) return link;
  return nullptr;
}

void Host::peer_connected(const std::string& id, std::uint64_t serial) {
  Viewer* viewer = nullptr;
  Link* link = link_of(id, serial, &viewer);
  if (!link) return;
  if (link == &viewer->next) {
    // The new connection works: the old one has done its part.
    std::unique_ptr<Peer> old = std::move(viewer->current.peer);
    viewer->current = std::move(viewer->next);
    viewer->next = {};
    if (old) leave(std::move(old));
  }
  GST_INFO_OBJECT(sink_, "viewer %s connected (%s)", id.c_str(), viewer->protocol.c_str());
  if (viewer->connected) return;
  viewer->connected = true;
  totals_.connected++;
  update_wanted();
  session_.viewer_connected(monotonic());
  arm_session_timer();
  push_upstream(*upstream_, gst_reactor_event_new_viewer(id.c_str(), TRUE), G_MAXSIZE);
}

void Host::peer_lost(const std::string& id, std::uint64_t serial, const std::string& reason) {
  Viewer* viewer = nullptr;
  Link* link = link_of(id, serial, &viewer);
  if (!link) return;
  if (link == &viewer->next) {
    dismiss(*link, {422, "not-connected", reason});
    return;
  }
  if (viewer->next.peer) {
    // A second offer is under way: the viewer lives on in it.
    leave(std::move(viewer->current.peer));
    viewer->current = std::move(viewer->next);
    viewer->next = {};
    return;
  }
  drop(id, reason);
}

// Ends a second offer; the working connection stays.
void Host::dismiss(Link& link, const Refusal& why) {
  if (link.done) std::exchange(link.done, nullptr)(refused(why));
  if (link.peer) leave(std::move(link.peer));
  link = {};
}

void Host::leave(std::unique_ptr<Peer> peer) {
  {
    std::lock_guard lock(leaving_mutex_);
    leaving_++;
  }
  const GateState gate = peer->gate();
  totals_.gate.passed += gate.counts.passed;
  totals_.gate.overflow += gate.counts.overflow;
  totals_.gate.waiting += gate.counts.waiting;
  totals_.gate.closings += gate.counts.closings;
  totals_.outbox_lost += peer->channel().outbox().lost();
  totals_.outbox_too_large += peer->channel().outbox().too_large();
  totals_.bytes_sent += peer->stats().bytes_sent;
  peer->leave(reaper_, [this] {
    std::lock_guard lock(leaving_mutex_);
    leaving_--;
    left_.notify_all();
  });
}

void Host::drop(const std::string& id, const std::string& reason) {
  const auto found = viewers_.find(id);
  if (found == viewers_.end()) return;
  const std::unique_ptr<Viewer> viewer = std::move(found->second);
  viewers_.erase(found);
  GST_INFO_OBJECT(sink_, "viewer %s left: %s", viewer->id.c_str(), reason.c_str());
  departures_.push_front({viewer->id, viewer->protocol, reason, g_get_monotonic_time()});
  if (departures_.size() > kDepartures) departures_.pop_back();
  for (Link* link : {&viewer->current, &viewer->next}) dismiss(*link, {503, "gone", reason});
  update_wanted();
  if (!viewer->connected) return;
  push_upstream(*upstream_, gst_reactor_event_new_viewer(viewer->id.c_str(), FALSE), G_MAXSIZE);
  session_.viewer_gone(monotonic());
  arm_session_timer();
}

bool Host::remove_viewer(std::string_view id, std::string_view reason) {
  if (!find(id)) return false;
  drop(std::string(id), std::string(reason));
  return true;
}

bool Host::add_candidate(std::string_view id, const Candidate& candidate) {
  Viewer* viewer = find(id);
  if (!viewer) return false;
  Link& link = viewer->next.peer ? viewer->next : viewer->current;
  if (!link.peer || candidate.candidate.empty()) return true;
  if (link.filter->accepted() + link.filter->refused() >= OfferLimits{}.candidates) return true;
  if (auto usable = link.filter->accept(candidate.candidate))
    link.peer->add_candidate(candidate.mline.value_or(link.video), *usable);
  return true;
}

bool Host::has_viewer(std::string_view id) const {
  return find(id) != nullptr;
}

bool Host::set_track_paused(std::string_view id, bool paused) {
  Viewer* viewer = find(id);
  if (!viewer) return false;
  viewer->paused = paused;
  for (Link* link : {&viewer->current, &viewer->next})
    if (link->peer) link->peer->set_paused(paused);
  return true;
}

// ---- messages ----

void Host::send_all(SharedText text) {
  for (auto& [id, viewer] : viewers_)
    for (Link* link : {&viewer->current, &viewer->next})
      if (link->peer) link->peer->send(text);
}

void Host::peer_message(const std::string& id, std::uint64_t serial, const std::string& text) {
  Viewer* viewer = nullptr;
  Link* link = link_of(id, serial, &viewer);
  if (!link) return;
  Peer& peer = *link->peer;
  const auto refuse = [&](const Refusal& refusal, std::string_view ref) {
    viewer->refused++;
    peer.send(shared(error_message(refusal, ref)));
  };
  const Incoming incoming = parse_message(text);
  if (const auto* command = std::get_if<Command>(&incoming)) {
    std::uint64_t number = 0;
    if (auto refusal = take_command(viewer, id, viewer->role, command->json, number))
      return refuse(*refusal, command->ref);
    peer.send(shared(accepted_message(number, command->ref)));
  } else if (const auto* ping = std::get_if<Ping>(&incoming)) {
    peer.send(shared(runtime_message("pong", ping->data)));
  } else if (const auto* request = std::get_if<CapabilitiesRequest>(&incoming)) {
    peer.send(shared(runtime_message(request->schema ? "modelSchema" : "modelCapabilities",
                                     capabilities_ == "{}" ? "{\"commands\":[]}" : capabilities_)));
  } else if (const auto* bad = std::get_if<BadMessage>(&incoming)) {
    totals_.commands_refused++;
    refuse(bad->refusal, bad->ref);
  }
}

std::optional<Refusal> Host::take_command(Viewer* viewer, std::string_view id, Role role,
                                          const std::string& json, std::uint64_t& number) {
  const auto refuse = [this](Refusal refusal) {
    totals_.commands_refused++;
    return refusal;
  };
  if (role == Role::kViewOnly)
    return refuse({403, "view-only",
                   "this viewer may watch but not command: its token is the "
                   "view token"});
  if (session_.state() == SessionState::kIdle || !running_)
    return refuse({409, "no-session", "no session is running"});
  number = next_command_;
  GstEvent* event = gst_reactor_event_new_command(
      json.c_str(), id.empty() ? nullptr : std::string(id).c_str(), number);
  if (!push_upstream(*upstream_, event, kMaxUpstream))
    return refuse({429, "busy", "the model does not take commands as fast as they come"});
  next_command_++;
  totals_.commands++;
  if (viewer) viewer->commands++;
  return std::nullopt;
}

std::optional<Refusal> Host::command(std::string_view id, std::string_view json, Role role) {
  const auto parsed = parse_command(json);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
    totals_.commands_refused++;
    return *refusal;
  }
  Viewer* viewer = find(id);
  std::uint64_t number = 0;
  return take_command(viewer, id, role, std::get<Command>(parsed).json, number);
}

// The tracks of Reactor's newer protocol, on a channel of their own.
void Host::peer_control(const std::string& id, std::uint64_t serial, const std::string& text) {
  Link* link = link_of(id, serial);
  if (!link) return;
  const ControlMessage message = parse_control(text);
  if (message.event == "pause_track" || message.event == "resume_track") {
    set_track_paused(id, message.event == "pause_track");
  } else if (!message.request_id.empty()) {
    link->peer->send_control(
        shared("{\"type\":\"response\",\"request_id\":" + message.request_id + ",\"data\":{}}"));
  }
}

// ---- the session ----

std::string Host::start_session() {
  const std::string id = session_.open(monotonic());
  arm_session_timer();
  return id;
}

std::optional<std::string> Host::session() const {
  if (session_.state() == SessionState::kIdle) return std::nullopt;
  return session_.id();
}

void Host::stop_session(std::string_view reason) {
  session_.stop(reason);
  arm_session_timer();
}

void Host::session_started(const std::string& id) {
  GST_INFO_OBJECT(sink_, "session %s begins", id.c_str());
  any_frame_ = false;
  frame_seen_ = false;
  push_upstream(*upstream_,
                gst_reactor_event_new_session(GST_REACTOR_SESSION_STARTED, id.c_str(), nullptr),
                G_MAXSIZE);
  state_changed();
}

void Host::session_ended(const std::string& id, const std::string& reason, bool started) {
  GST_INFO_OBJECT(sink_, "session %s is over: %s", id.c_str(), reason.c_str());
  // Nobody of the next session sees what was made for this one.
  branch_.set_session_start(running_time());
  if (started)
    push_upstream(
        *upstream_,
        gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, id.c_str(), reason.c_str()),
        G_MAXSIZE);
  auto leaving = std::exchange(viewers_, {});
  for (auto& [viewer_id, viewer] : leaving) {
    departures_.push_front(
        {viewer->id, viewer->protocol, "the session is over: " + reason, g_get_monotonic_time()});
    if (departures_.size() > kDepartures) departures_.pop_back();
    if (viewer->connected)
      push_upstream(*upstream_, gst_reactor_event_new_viewer(viewer_id.c_str(), FALSE), G_MAXSIZE);
    const SharedText over = shared(runtime_message(
        "state", "{\"state\":\"over\",\"reason\":" + json_quoted(reason) +
                     ",\"session\":" + json_quoted(id) + ",\"viewer\":" + json_quoted(viewer_id) +
                     ",\"role\":" + (viewer->role == Role::kFull ? "\"full\"" : "\"view\"") + "}"));
    for (Link* link : {&viewer->current, &viewer->next}) {
      if (link->done)
        std::exchange(link->done, nullptr)(refused({409, "session-over", "the session has ended"}));
      if (!link->peer) continue;
      link->peer->mute();
      link->peer->send(over);
      const std::uint64_t serial = next_serial_++;
      closing_[serial] = std::move(link->peer);
      service_->after(kFarewell, [this, serial] {
        const auto found = closing_.find(serial);
        if (found != closing_.end()) found->second->close_channel();
      });
      service_->after(2 * kFarewell, [this, serial] {
        const auto found = closing_.find(serial);
        if (found == closing_.end()) return;
        leave(std::move(found->second));
        closing_.erase(found);
      });
    }
  }
  told_state_.clear();
  update_wanted();
}

void Host::arm_session_timer() {
  service_->cancel(std::exchange(session_timer_, 0));
  const auto deadline = session_.deadline();
  if (!deadline) return;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*deadline - monotonic());
  session_timer_ = service_->after(std::max(wait, std::chrono::milliseconds(0)), [this] {
    session_timer_ = 0;
    session_.tick(monotonic());
    arm_session_timer();
  });
}

std::string Host::state_message(const Viewer& viewer) const {
  std::string state = "waiting";
  std::string reason;
  if (!model_state_.empty()) {
    state = model_state_;
    reason = model_reason_;
  } else if (session_.state() == SessionState::kActive) {
    state = !any_frame_ ? "warming-up" : monitoring_ ? "running" : "paused";
  }
  return runtime_message(
      "state", "{\"state\":" + json_quoted(state) +
                   ",\"reason\":" + (reason.empty() ? std::string("null") : json_quoted(reason)) +
                   ",\"session\":" + json_quoted(session_.id()) +
                   ",\"viewer\":" + json_quoted(viewer.id) +
                   ",\"role\":" + (viewer.role == Role::kFull ? "\"full\"" : "\"view\"") + "}");
}

void Host::state_changed() {
  const Viewer nobody;
  const std::string state = state_message(nobody);
  if (state == told_state_) return;
  told_state_ = state;
  for (auto& [id, viewer] : viewers_) {
    const SharedText text = shared(state_message(*viewer));
    for (Link* link : {&viewer->current, &viewer->next})
      if (link->peer && link->peer->channel().open()) link->peer->send(text);
  }
}

// ---- the stream ----

void Host::update_wanted() {
  branch_.set_wanted(std::any_of(viewers_.begin(), viewers_.end(), [](const auto& entry) {
    return entry.second->connected || entry.second->current.peer;
  }));
}

void Host::want_key() {
  if (keyframes_.request(monotonic())) return request_key();
  if (keyframe_timer_) return;
  const auto deadline = keyframes_.deadline();
  if (!deadline) return;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*deadline - monotonic());
  keyframe_timer_ = service_->after(std::max(wait, std::chrono::milliseconds(0)), [this] {
    keyframe_timer_ = 0;
    if (keyframes_.tick(monotonic())) request_key();
  });
}

void Host::request_key() {
  branch_.request_key_frame();
  // Upstream too: a pacer that holds a frame shows it again, an encoder upstream hears of it.
  // One that waits is as good as two.
  push_upstream(*keys_, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0),
                1);
}

bool Host::push_upstream(Worker& worker, GstEvent* event, std::size_t limit) {
  // Both are the task's own: a handler upstream may stop this host.
  std::shared_ptr<GstEvent> held(event, gst_event_unref);
  std::shared_ptr<GstPad> pad(static_cast<GstPad*>(gst_object_ref(sinkpad_)), gst_object_unref);
  return worker.post_bounded(
      [held = std::move(held), pad = std::move(pad)] {
        gst_pad_push_event(pad.get(), gst_event_ref(held.get()));
      },
      limit);
}

GstClockTime Host::running_time() const {
  const GstClockTime now = gst_element_get_current_running_time(sink_);
  return GST_CLOCK_TIME_IS_VALID(now) ? now : 0;
}

void Host::tick() {
  for (auto& [id, viewer] : viewers_)
    for (Link* link : {&viewer->current, &viewer->next})
      if (link->peer) link->peer->tick();
}

Snapshot Host::snapshot_now() {
  Snapshot result;
  service_->call([&] { result = snapshot(); });
  return result;
}

Snapshot Host::snapshot() const {
  Snapshot s;
  s.now = g_get_monotonic_time();
  s.session_state = to_string(session_.state());
  s.session_id = session_.id();
  if (session_.since())
    s.session_age = std::chrono::duration<double>(monotonic() - *session_.since()).count();
  s.sessions = session_.count();
  s.model_state = !model_state_.empty() ? model_state_
                  : !any_frame_         ? "waiting"
                  : monitoring_         ? "running"
                                        : "paused";
  s.codec = names_of(branch_.codec()).rtpmap;
  for (const auto& [id, viewer] : viewers_) {
    ViewerSnapshot v;
    v.id = id;
    v.protocol = viewer->protocol;
    v.role = viewer->role == Role::kFull ? "full" : "view";
    v.remote = viewer->remote;
    v.age = static_cast<double>(s.now - viewer->since) / 1e6;
    v.paused = viewer->paused;
    v.commands = viewer->commands;
    v.refused = viewer->refused;
    if (const Peer* peer = viewer->current.peer.get()) {
      v.connection = peer->connection_state();
      v.ice = peer->ice_state();
      v.transport = peer->stats();
      v.gate = peer->gate();
      v.channel_open = peer->channel().open();
      const Outbox& outbox = peer->channel().outbox();
      v.outbox_waiting = outbox.waiting();
      v.outbox_sent = outbox.sent();
      v.outbox_lost = outbox.lost();
      v.outbox_too_large = outbox.too_large();
    }
    s.viewers.push_back(std::move(v));
  }
  s.departures = departures_;
  s.totals = totals_;
  s.totals.messages_lost = messages_lost_.load();
  s.encoder = branch_.stats();
  s.key_requests = keyframes_.requests();
  s.key_granted = keyframes_.granted();
  GstQuery* query = gst_reactor_query_new_stats();
  const GstStructure* pacing = nullptr;
  if (gst_pad_peer_query(sinkpad_, query) && gst_reactor_query_parse_stats(query, &pacing) &&
      pacing)
    s.pacing.reset(gst_structure_copy(pacing));
  gst_query_unref(query);
  return s;
}

std::string Host::stats_json() const {
  return to_json(snapshot());
}

std::string Host::metrics_text() const {
  return to_prometheus(snapshot());
}

std::string Host::unhealthy() const {
  if (!running_) return "the pipeline is not running";
  if (ended_) return "the stream has ended";
  // What the runner says: a model that is loading cannot serve yet. One that has begun and not yet
  // delivered is not said, but seen.
  const bool serves = model_state_.empty() || model_state_ == "waiting" ||
                      model_state_ == "running" || model_state_ == "paused";
  if (!serves)
    return model_reason_.empty() ? "the model is not there (" + model_state_ + ")" : model_reason_;
  return {};
}

}  // namespace reactor::webrtc
