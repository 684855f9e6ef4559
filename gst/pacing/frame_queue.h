// SPDX-License-Identifier: LGPL-2.1-or-later
// FrameQueue: the numbers and arrival times of the frames that wait to be shown. A ring that grows
// by doubling, so that nothing is allocated per frame once the largest queue has been seen.
#pragma once

#include <cstdint>
#include <vector>

#include "gst/pacing/units.h"

namespace reactor::pacing {

struct QueuedFrame {
  std::uint64_t id;
  Time arrival;
};

class FrameQueue {
 public:
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  const QueuedFrame& front() const { return ring_[head_]; }
  const QueuedFrame& at(std::size_t i) const { return ring_[(head_ + i) & (ring_.size() - 1)]; }

  void push(const QueuedFrame& frame) {
    if (count_ == ring_.size()) grow();
    ring_[(head_ + count_++) & (ring_.size() - 1)] = frame;
  }
  QueuedFrame pop_front() {
    const QueuedFrame f = front();
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
    return f;
  }
  QueuedFrame pop_back() { return ring_[(head_ + --count_) & (ring_.size() - 1)]; }

 private:
  void grow() {
    std::vector<QueuedFrame> bigger(ring_.empty() ? 64 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i) bigger[i] = at(i);
    ring_ = std::move(bigger);
    head_ = 0;
  }

  std::vector<QueuedFrame> ring_;
  std::size_t head_ = 0, count_ = 0;
};

}  // namespace reactor::pacing
