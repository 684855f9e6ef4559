// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ModelOutbox: packets for a model that may not read. Bounded: notices make way, and a model that
// leaves too much of the rest unread is given up. Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

namespace reactor {

class ModelOutbox {
 public:
  static constexpr std::size_t kMost = 1024;  // waiting packets; beyond that the model is closed
  static constexpr std::size_t kMostNotices = 256;  // of them notices; the oldest makes way

  enum class Kind {
    kNotice,  // stats, shown, viewer: worth something while they are new
    kKept,    // release, session, command, answers
  };

  void push(Kind kind, std::string text) {
    if (kind == Kind::kNotice && notices_ >= kMostNotices) {
      const auto oldest = std::find_if(packets_.begin(), packets_.end(),
                                       [](const Packet& p) { return p.kind == Kind::kNotice; });
      packets_.erase(oldest);
      notices_--;
      dropped_++;
    }
    if (kind == Kind::kNotice) notices_++;
    packets_.push_back({kind, std::move(text)});
  }

  bool empty() const { return packets_.empty(); }
  bool overflowing() const { return packets_.size() > kMost; }
  std::string take() {
    Packet first = std::move(packets_.front());
    packets_.pop_front();
    if (first.kind == Kind::kNotice) notices_--;
    return std::move(first.text);
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Packet {
    Kind kind;
    std::string text;
  };
  std::deque<Packet> packets_;
  std::size_t notices_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace reactor
