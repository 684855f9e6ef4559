// SPDX-License-Identifier: LGPL-2.1-or-later
//
// So many a second, with a burst of as many. Pure: time is passed in. Thread-bound.
#pragma once

#include <algorithm>
#include <chrono>

namespace reactor::webrtc {

class RateLimit {
 public:
  using Time = std::chrono::nanoseconds;  // of a monotonic clock, any origin

  explicit RateLimit(double per_second) : rate_(per_second), tokens_(per_second) {}

  bool take(Time now) {
    if (now > last_) {
      tokens_ =
          std::min(rate_, tokens_ + rate_ * std::chrono::duration<double>(now - last_).count());
      last_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double rate_;
  double tokens_;
  Time last_{0};
};

}  // namespace reactor::webrtc
