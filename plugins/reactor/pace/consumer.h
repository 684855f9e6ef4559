// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Consumer: what the next element takes for a frame. An encoder slower than the model sets the
// rate: the pacer plans with its time, or the queue would be measured in frames that leave faster
// than they can, and latency be as many times longer.
//
// Thread-compatible: the owner serialises calls.
#pragma once

#include "gst/pacing/units.h"

#include <algorithm>

namespace reactor::pace {

using pacing::Duration;

class Consumer {
 public:
  // A frame's push took this long. True when the time to plan with is another one than before.
  bool took(Duration push, Duration least) {
    // One long push is no slow consumer: a sample counts for twice the mean at most, so that only
    // a lasting change gets far.
    mean_ += (std::min(push, 2 * mean_ + kSmall) - mean_) / kMemory;
    const Duration wanted = mean_ > least ? mean_ : Duration{0};
    const Duration change = std::max(wanted, least) - std::max(planned_, least);
    if (wanted == planned_ || (wanted.count() != 0 && std::abs(change.count()) * kMemory <
                                                          std::max(planned_, least).count()))
      return false;
    planned_ = wanted;
    return true;
  }
  Duration mean() const { return mean_; }
  Duration planned() const { return planned_; }  // 0: faster than the least interval

 private:
  static constexpr int kMemory = 16;  // frames; and the part by which a change is worth a new plan
  static constexpr Duration kSmall = std::chrono::milliseconds(2);  // lets the mean leave 0
  Duration mean_{0}, planned_{0};
};

}  // namespace reactor::pace
