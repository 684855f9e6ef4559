// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages that wait for one viewer: until its channel is open, and while it does not drain it. A
// full box loses the oldest. A message larger than the peer takes in one piece is never sent: it
// would close the channel for good.
//
// Pure. Thread-bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace reactor::webrtc {

// One message that may wait in many boxes: shared, so that sending to sixty viewers does not copy
// it sixty times.
using SharedText = std::shared_ptr<const std::string>;

class Outbox {
 public:
  Outbox(std::size_t messages, std::size_t max_message)
      : capacity_(messages), max_message_(max_message) {}

  bool put(SharedText text) {
    if (max_message_ != 0 && text->size() > max_message_) {
      too_large_++;
      return false;
    }
    if (queue_.size() >= capacity_) {
      queue_.pop_front();
      lost_++;
    }
    queue_.push_back(std::move(text));
    return true;
  }

  bool empty() const { return queue_.empty(); }
  const std::string& front() const { return *queue_.front(); }
  void pop() {
    queue_.pop_front();
    sent_++;
  }

  std::size_t waiting() const { return queue_.size(); }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t lost() const { return lost_; }            // the oldest of a full box
  std::uint64_t too_large() const { return too_large_; }  // for this peer

 private:
  std::size_t capacity_;
  std::size_t max_message_;  // bytes; 0: any
  std::deque<SharedText> queue_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t too_large_ = 0;
};

}  // namespace reactor::webrtc
