// SPDX-License-Identifier: LGPL-2.1-or-later

#include "channel.h"

#include <cstring>
#include <utility>

#include "gst/wire/json.h"

namespace reactor::webrtc {

namespace {

// A message may be larger than a value by our envelope; what is larger still is not even copied.
constexpr std::size_t kMaxReceived = wire::kMaxMessageBytes + 4 * wire::kEnvelopeBytes;

GstWebRTCDataChannelState state_of(GstWebRTCDataChannel* channel) {
  GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
  g_object_get(channel, "ready-state", &state, nullptr);
  return state;
}

}  // namespace

Channel::Channel(std::shared_ptr<Service> service, ChannelLimits limits, std::size_t max_message,
                 Events events)
    : service_(std::move(service)),
      events_(std::move(events)),
      shared_(std::make_shared<Shared>(limits)),
      outbox_(limits.queue, max_message) {
  shared_->service = service_;
  shared_->channel = this;
}

Channel::~Channel() {
  shared_->channel = nullptr;
  service_->cancel(flood_timer_);
  if (channel_) g_object_unref(channel_);
}

void Channel::attach(GstWebRTCDataChannel* channel) {
  if (shared_->attached.exchange(true)) return;
  const auto connect = [&](const char* signal, GCallback callback) {
    g_signal_connect_data(
        channel, signal, callback, new Ref(shared_),
        [](gpointer data, GClosure*) { delete static_cast<Ref*>(data); },
        static_cast<GConnectFlags>(0));
  };
  g_object_set(channel, "buffered-amount-low-threshold",
               static_cast<guint64>(shared_->limits.buffered / 2), nullptr);
  connect("on-message-string", G_CALLBACK(on_message));
  connect("on-message-data", G_CALLBACK(on_data));
  connect("on-open", G_CALLBACK(on_change));
  connect("on-close", G_CALLBACK(on_change));
  connect("on-buffered-amount-low", G_CALLBACK(on_change));
  // The channel travels to the service thread as a reference of its own.
  auto* reference = static_cast<GstWebRTCDataChannel*>(g_object_ref(channel));
  std::shared_ptr<GstWebRTCDataChannel> held(reference, g_object_unref);
  service_->post([ref = shared_, held = std::move(held)] {
    if (!ref->channel) return;
    ref->channel->channel_ = static_cast<GstWebRTCDataChannel*>(g_object_ref(held.get()));
    ref->channel->changed();
  });
}

void Channel::on_message(GstWebRTCDataChannel*, gchar* text, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  // An empty text message arrives as NULL.
  const std::size_t size = text ? strlen(text) : 0;
  // Beyond the limit the length is what the answer is about, not the content.
  receive(ref, size > kMaxReceived ? std::string(kMaxReceived + 1, ' ')
                                   : std::string(text ? text : "", size));
}

void Channel::on_data(GstWebRTCDataChannel*, GBytes*, gpointer data) {
  receive(*static_cast<Ref*>(data), std::string());
}

void Channel::receive(const Ref& ref, std::string text) {
  ref->received++;
  const std::int64_t now = g_get_monotonic_time();
  ref->last_heard = now;
  bool taken = false;
  {
    std::lock_guard lock(ref->mutex);
    taken = ref->rate.take(std::chrono::microseconds(now));
  }
  if (!taken || ref->pending.load() >= ref->limits.pending) {
    // The first of a burst wakes the service thread, which tells the viewer once a second.
    if (ref->refused++ == 0 || ref->pending.load() == 0) {
      ref->pending++;
      ref->service->post([ref] {
        ref->pending--;
        if (ref->channel) ref->channel->tell_flood();
      });
    }
    return;
  }
  ref->pending++;
  const bool posted = ref->service->post([ref, text = std::move(text)]() mutable {
    ref->pending--;
    if (ref->channel) ref->channel->events_.message(std::move(text));
  });
  if (!posted) ref->pending--;
}

void Channel::on_change(GstWebRTCDataChannel*, gpointer data) {
  const Ref& ref = *static_cast<Ref*>(data);
  ref->service->post([ref] {
    if (ref->channel) ref->channel->changed();
  });
}

bool Channel::open() const {
  return channel_ && state_of(channel_) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

void Channel::changed() {
  if (!channel_) return;
  const GstWebRTCDataChannelState state = state_of(channel_);
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) {
    if (!std::exchange(was_open_, true)) events_.opened();
    flush();
  } else if (state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED && !std::exchange(was_closed_, true)) {
    events_.closed();
  }
}

void Channel::send(SharedText text) {
  outbox_.put(std::move(text));
  flush();
}

void Channel::flush() {
  while (!outbox_.empty() && open()) {
    guint64 buffered = 0;
    g_object_get(channel_, "buffered-amount", &buffered, nullptr);
    if (buffered >= shared_->limits.buffered) return;  // on-buffered-amount-low comes back here
    g_autoptr(GError) error = nullptr;
    if (!gst_webrtc_data_channel_send_string_full(channel_, outbox_.front().c_str(), &error)) {
      GST_INFO("data channel: %s", error ? error->message : "cannot send");
      return;
    }
    outbox_.pop();
  }
}

void Channel::close() {
  if (channel_) gst_webrtc_data_channel_close(channel_);
}

void Channel::tell_flood() {
  if (flood_timer_) return;
  const std::uint64_t refused = shared_->refused.load();
  if (refused == refused_told_) return;
  events_.flooded(refused - refused_told_);
  refused_told_ = refused;
  flood_timer_ = service_->after(std::chrono::seconds(1), [this] {
    flood_timer_ = 0;
    tell_flood();
  });
}

}  // namespace reactor::webrtc
