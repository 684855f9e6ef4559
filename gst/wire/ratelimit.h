// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RateLimit: so many a second on average, twice that in a burst. Time is passed in. Pure C++;
// thread-compatible.
#pragma once

#include <algorithm>
#include <chrono>

namespace reactor::wire {

class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RateLimit(double per_second) : rate_(per_second), left_(2 * per_second) {}

  // Whether one more is allowed at `now`.
  bool take(Time now) {
    if (last_ != Time())
      left_ =
          std::min(2 * rate_, left_ + std::chrono::duration<double>(now - last_).count() * rate_);
    last_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  double rate_, left_;
  Time last_{};
};

}  // namespace reactor::wire
