// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One viewer's data channel: what waits for it, how fast it may be fed, how fast it may talk.
//
// Thread-bound to the service thread, apart from the signal handlers inside, which run in threads
// of webrtcbin and only count, limit and post.
#pragma once

#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "outbox.h"
#include "ratelimit.h"
#include "service.h"

namespace reactor::webrtc {

struct ChannelLimits {
  std::size_t queue = 256;            // messages that wait for the viewer
  std::size_t buffered = 512 * 1024;  // bytes handed to SCTP and not sent yet
  double messages_per_second = 100;   // from the viewer
  std::size_t pending = 256;          // messages from the viewer that wait for the service thread
};

class Channel {
 public:
  struct Events {
    std::function<void()> opened;
    std::function<void()> closed;
    std::function<void(std::string)> message;
    // Messages were refused: `count` since the last call, at most one call a second.
    std::function<void(std::uint64_t count)> flooded;
  };

  Channel(std::shared_ptr<Service> service, ChannelLimits limits, std::size_t max_message,
          Events events);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Takes the channel that the peer opened. Called in the thread of the signal on-data-channel, so
  // that no message is missed; once.
  void attach(GstWebRTCDataChannel* channel);
  bool attached() const { return shared_->attached.load(); }

  void send(SharedText text);
  // Closes it after what is buffered.
  void close();
  bool open() const;

  const Outbox& outbox() const { return outbox_; }
  std::uint64_t received() const { return shared_->received.load(); }
  std::uint64_t refused() const { return shared_->refused.load(); }
  // Monotonic time in microseconds of the last message, 0 for none.
  std::int64_t last_heard() const { return shared_->last_heard.load(); }

 private:
  // What the signal handlers see: it lives as long as one of them may run.
  struct Shared {
    std::shared_ptr<Service> service;
    Channel* channel = nullptr;  // service thread only; null when gone
    ChannelLimits limits;
    std::mutex mutex;
    RateLimit rate;  // guarded by mutex
    std::atomic<bool> attached{false};
    std::atomic<std::size_t> pending{0};
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::int64_t> last_heard{0};
    explicit Shared(const ChannelLimits& l) : limits(l), rate(l.messages_per_second) {}
  };
  using Ref = std::shared_ptr<Shared>;

  static void on_message(GstWebRTCDataChannel*, gchar* text, gpointer data);
  static void on_data(GstWebRTCDataChannel*, GBytes* bytes, gpointer data);
  static void on_change(GstWebRTCDataChannel*, gpointer data);
  static void receive(const Ref& ref, std::string text);
  void changed();
  void flush();
  void tell_flood();

  std::shared_ptr<Service> service_;
  Events events_;
  Ref shared_;
  Outbox outbox_;
  GstWebRTCDataChannel* channel_ = nullptr;
  bool was_open_ = false;
  bool was_closed_ = false;
  std::uint64_t refused_told_ = 0;
  guint flood_timer_ = 0;
};

}  // namespace reactor::webrtc
