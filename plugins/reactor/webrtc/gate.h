// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What one viewer may still get of an encoded stream.
//
// A frame left out before the payloader leaves no gap in the RTP sequence numbers: the receiver
// decodes what follows against a picture it never got, and the picture stays broken. So a queue
// that overflows is a closed gate: everything is dropped until the next key frame, which is asked
// for. A key frame is never what is dropped, except for a newer one.
//
// Pure: no threads, no clocks, no GStreamer; the element around it (gstreactorgate.h) locks.
// `Item` is what waits; the caller says of each whether it is a key frame and how long it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace reactor::webrtc {

struct GateLimits {
  std::size_t frames = 60;           // waiting
  std::uint64_t span = 400'000'000;  // ns from the oldest to the newest that wait: older is stale…
  std::size_t span_frames = 6;       // …unless there are no more than these: a held picture
  std::size_t bytes = 4 * 1024 * 1024;  // waiting; several key frames at HD
};

struct GateCounts {
  std::uint64_t passed = 0;    // frames handed on
  std::uint64_t overflow = 0;  // frames dropped because the viewer did not keep up
  std::uint64_t waiting = 0;   // frames dropped because no key frame had come yet
  std::uint64_t closings = 0;  // times an open gate closed
};

template <typename Item>
class Gate {
 public:
  explicit Gate(GateLimits limits = {}) : limits_(limits) {}

  // What push() asks the caller to do.
  struct Outcome {
    bool request_key = false;  // ask the encoder for a key frame
    std::deque<Item> dropped;  // to be released by the caller, outside its lock
  };

  // A shut gate takes nothing, not even key frames: the viewer is not connected yet, or its track
  // is paused. Opening asks for a key frame.
  Outcome set_shut(bool shut) {
    Outcome outcome;
    if (shut == shut_) return outcome;
    shut_ = shut;
    open_ = false;
    drop_all(outcome, counts_.waiting);
    outcome.request_key = !shut;
    asked_ = !shut;
    return outcome;
  }

  // `time` in ns, of any origin.
  Outcome push(Item item, bool key, std::size_t size, std::uint64_t time = 0) {
    Outcome outcome;
    if (shut_ || (!open_ && !key)) {
      counts_.waiting++;
      outcome.dropped.push_back(std::move(item));
      return outcome;
    }
    const bool stale = queue_.size() >= limits_.span_frames && time > queue_.front().time &&
                       time - queue_.front().time > limits_.span;
    const bool full = stale || queue_.size() >= limits_.frames || bytes_ + size > limits_.bytes;
    if (key && (full || !open_)) {
      // A complete picture supersedes whatever the viewer has not got yet.
      drop_all(outcome, counts_.overflow);
      open_ = true;
    } else if (full) {
      close(outcome);
      counts_.overflow++;
      outcome.dropped.push_back(std::move(item));
      return outcome;
    }
    queue_.push_back({std::move(item), size, key, time});
    bytes_ += size;
    return outcome;
  }

  bool empty() const { return queue_.empty(); }

  // The next frame. Not when empty.
  Item pop() {
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= entry.size;
    counts_.passed++;
    return std::move(entry.item);
  }

  // The viewer's branch has taken a frame. True when a key frame has to be asked for: while the
  // branch is stuck none is, it would only cost the other viewers.
  bool moved() {
    if (shut_ || open_ || asked_) return false;
    asked_ = true;
    return true;
  }

  // Everything that waits, for a flush. The gate closes.
  std::deque<Item> clear() {
    Outcome outcome;
    drop_all(outcome, counts_.waiting);
    open_ = false;
    asked_ = false;
    return std::move(outcome.dropped);
  }

  bool open() const { return open_; }
  bool shut() const { return shut_; }
  std::size_t frames() const { return queue_.size(); }
  std::size_t bytes() const { return bytes_; }
  const GateCounts& counts() const { return counts_; }

 private:
  struct Entry {
    Item item;
    std::size_t size;
    bool key;
    std::uint64_t time;
  };

  void drop_all(Outcome& outcome, std::uint64_t& counter) {
    for (Entry& entry : queue_) {
      counter++;
      outcome.dropped.push_back(std::move(entry.item));
    }
    queue_.clear();
    bytes_ = 0;
  }

  // Keeps the newest key frame that waits: it stands for itself, what refers to it is gone.
  void close(Outcome& outcome) {
    std::deque<Entry> kept;
    while (!queue_.empty()) {
      Entry entry = std::move(queue_.back());
      queue_.pop_back();
      if (entry.key && kept.empty()) {
        kept.push_back(std::move(entry));
        continue;
      }
      counts_.overflow++;
      outcome.dropped.push_front(std::move(entry.item));
    }
    queue_ = std::move(kept);
    bytes_ = queue_.empty() ? 0 : queue_.front().size;
    open_ = false;
    counts_.closings++;
    asked_ = false;
  }

  GateLimits limits_;
  GateCounts counts_;
  std::deque<Entry> queue_;
  std::size_t bytes_ = 0;
  bool open_ = false;   // frames that refer to others may pass
  bool shut_ = true;    // nothing may pass
  bool asked_ = false;  // a key frame was asked for since the gate closed
};

}  // namespace reactor::webrtc
