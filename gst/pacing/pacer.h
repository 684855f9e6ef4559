// SPDX-License-Identifier: LGPL-2.1-or-later
// Pacer: decides when each frame of a bursty producer is shown. The facade of gst/pacing.
//
// Pure: time is passed in, nothing is waited for, no clock, thread, GLib or GStreamer. Values are
// copyable; a copy and its original behave alike. Thread-compatible: the caller serialises calls.
// Times have any origin, but do not run backwards from call to call (an earlier `now` is taken as
// the latest one seen).
//
// The life of a frame: `arrive` numbers the block's frames consecutively (ids count from 0 over the
// pacer's life) and may drop some; `next_release` says when the first queued frame is due; at that
// time `release` hands its id out. The caller keeps the frames themselves, by id. Every id is
// released once, or listed once in `drops`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gst/pacing/frame_queue.h"
#include "gst/pacing/producer.h"
#include "gst/pacing/schedule.h"
#include "gst/pacing/units.h"

namespace reactor::pacing {

using FrameId = std::uint64_t;

enum class Overflow { kWait, kDropOldest, kDropNewest };

struct Settings {
  double smoothness = 0.5;              // 0 (lowest latency) … 1 (smoothest)
  double max_fps = 60.0;                // no interval is shorter than its inverse
  double min_fps = 0.0;                 // slowest planned rate while frames are queued; 0 = none
  std::optional<Duration> max_latency;  // hard bound on arrival-to-release of every frame shown
  Overflow overflow = Overflow::kWait;
  // What the consumer takes for a frame, where that is longer than 1 / max_fps: no interval is
  // shorter than this either. 0 = not known.
  Duration consumer{0};
};

struct Block {
  unsigned frames = 1;
  // What the model took for it, time blocked in emit excluded. Unknown: the pacer takes the time
  // since it last had room.
  std::optional<Duration> compute;
};

enum class DropReason { kThinned, kOverflow, kLate, kFlushed };

struct Drop {
  FrameId id;
  DropReason reason;
};

struct Release {
  FrameId id;
  Time planned;       // when it was due; <= now
  Duration interval;  // until the following frame, as planned now
};

// Why the pacer does what it does, for stats, traces and plots. Durations in seconds.
struct Explanation {
  double period = 0;                // measured time per frame, s
  double gap = 0, frames = 0;       // level: mean gap s and mean frames of a block
  double deviation = 0;             // mean |gap / forecast - 1|
  unsigned rhythm = 0;              // blocks after which the gaps repeat, 0 = none found
  double cushion = 0, horizon = 0;  // s, as chosen by the bank
  double cost = 0;                  // mean cost of the bank's best candidate
  double slack = 0;                 // s the queue outlasts the expected next arrival
  double next_arrival = 0;  // s from now until the next block is expected; negative when overdue
  std::uint64_t blocks = 0, stalls = 0;
};

class Pacer {
 public:
  explicit Pacer(const Settings& settings = {});

  void configure(Time now, const Settings& settings);
  const Settings& settings() const;

  // A block became available. Returns the id of its first frame.
  FrameId arrive(Time now, const Block& block);
  // What the last call dropped; valid until the next non-const call.
  std::span<const Drop> drops() const;

  void set_monitoring(Time now, bool on);
  void black(Time now);  // queue dropped; the caller shows a black frame at black_due()
  void flush(Time now);  // same for the decisions
  Time black_due()
      const;           // of the last black or flush: at least 1 / max_fps after the frame before it
  void end(Time now);  // no further block will come: drain at the measured rate

  bool empty() const;
  std::size_t queued() const;
  std::optional<Time> next_release() const;  // none while the queue is empty
  // Requires !empty() and now >= *next_release(). A call that comes so late that frames have
  // outstayed max_latency drops those (see drops()); the newest is shown even so, rather than
  // nothing.
  Release release(Time now);

  // When a producer that waits may go on: <= now means at once. Under a drop policy always `now`.
  Time room(Time now) const;
  // A producer that was held goes on. Only who held it past room(), because a release could not
  // happen when it was due, needs to say so: it is taken to go on at room() else.
  void resumed(Time now);

  std::optional<double> fps() const;  // measured; none before the first block
  Explanation explain(Time now) const;

  // What was learnt about the model (level, bank, rhythm) as a small JSON text, and back. `restore`
  // returns false and changes nothing when the text is not such a state.
  std::string save() const;
  bool restore(std::string_view state);

 private:
  // Queued, whatever a producer does that does not wait.
  static constexpr std::size_t kMostFrames = 8192;

  Time advance(Time now);
  bool waits() const { return settings_.overflow == Overflow::kWait; }
  void enqueue(Time now, unsigned frames);
  void drop_front(DropReason reason) { drops_.push_back({queue_.pop_front().id, reason}); }
  void drop_surplus(Time now);
  Time earliest(Time now) const;
  void keep_bound(Time before);
  void cut(Time now);
  double excess(Time now) const;
  void settle_room(Time now);
  void plan_room(Time now);

  Settings settings_;
  Producer producer_;
  Schedule schedule_;
  FrameQueue queue_;
  std::vector<Drop> drops_;
  Time now_{INT64_MIN / 4};
  Time black_due_ = now_;
  FrameId next_id_ = 0;
  unsigned entered_ = 0;  // frames of the last block that were put in the queue
  double thinning_ = 0;   // part of a frame that is due to be kept
  bool monitoring_ = true;
  bool fresh_ = true;  // the gap before the next block is not observed
  std::optional<Time>
      working_since_;  // the producer began the next block: once it had room, or was told to go on
  std::optional<Time>
      room_at_;  // it is held until then; one that does not wait began at the last arrival
  std::uint64_t blocks_ = 0, stalls_ = 0;
};

}  // namespace reactor::pacing
