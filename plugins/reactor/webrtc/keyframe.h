// SPDX-License-Identifier: LGPL-2.1-or-later
//
// When a wish for a key frame becomes one. All viewers share one encoder, and each key frame costs
// every viewer: wishes within an interval become one key frame, and the last wish of a burst is
// always served, so that a viewer who joins just after a key frame does not wait for ever.
//
// Pure: time is passed in. Thread-bound.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace reactor::webrtc {

class KeyframeThrottle {
 public:
  using Time = std::chrono::nanoseconds;  // of a monotonic clock, any origin

  explicit KeyframeThrottle(Time interval) : interval_(interval) {}

  // A viewer wants one. True: ask the encoder at once. False: tick() at deadline().
  bool request(Time now) {
    requests_++;
    if (!last_ || now - *last_ >= interval_) return grant(now);
    pending_ = true;
    return false;
  }

  std::optional<Time> deadline() const {
    if (!pending_) return std::nullopt;
    return *last_ + interval_;
  }

  // True: ask the encoder now.
  bool tick(Time now) { return pending_ && now - *last_ >= interval_ && grant(now); }

  std::uint64_t requests() const { return requests_; }
  std::uint64_t granted() const { return granted_; }

 private:
  bool grant(Time now) {
    last_ = now;
    pending_ = false;
    granted_++;
    return true;
  }

  Time interval_;
  std::optional<Time> last_;
  bool pending_ = false;
  std::uint64_t requests_ = 0;
  std::uint64_t granted_ = 0;
};

}  // namespace reactor::webrtc
