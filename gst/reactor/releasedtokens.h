// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ReleasedTokens: which lent arrays have left the pipeline. Any thread puts a token in; a thread of
// the model takes them out, so that no code of the model runs in a streaming thread. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>

namespace reactor {

class ReleasedTokens {
 public:
  void put(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(token);
    changed_.notify_one();
  }

  // The next token; 0 after `timeout`, or when interrupted.
  std::uint64_t wait(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    // Beyond a year there is no difference, and the sum stays within the clock.
    const auto until = now + std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(8760));
    const std::uint64_t round = interruptions_;
    changed_.wait_until(lock, until, [&] { return !tokens_.empty() || interruptions_ != round; });
    if (tokens_.empty()) return 0;
    const std::uint64_t token = tokens_.front();
    tokens_.pop_front();
    return token;
  }

  // Those who wait now return 0.
  void interrupt() {
    const std::lock_guard lock(mutex_);
    interruptions_++;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::uint64_t> tokens_;
  std::uint64_t interruptions_ = 0;
};

}  // namespace reactor
