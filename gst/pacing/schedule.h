// SPDX-License-Identifier: LGPL-2.1-or-later
// Schedule: when the next frame is released. Knows the last release, the last arrival and what
// Producer knows; plans anew at every release and at every arrival, never in between, so that
// asking more often changes nothing.
//
// Maths. With τ the time since the last block, and q frames queued at time t:
//   wait  = max(s G − τ, τ − s G, δ G)       a late block is expected to be as late again
//   slack = max(last release + P − t, 0) + q P − wait
//   I     = law(slack), at least 1 / max_fps
// When starved, the next frame goes out on arrival.
#pragma once

#include "gst/pacing/producer.h"
#include "gst/pacing/units.h"

namespace reactor::pacing {

class Schedule {
 public:
  // A release later than this part of the period moves the plan: after a stop of the process there
  // is no burst of overdue frames, while the jitter of a scheduler leaves the planned times even.
  static constexpr double kLate = 1. / 8;

  void configure(double max_interval) { max_interval_ = max_interval; }

  Time next() const { return next_; }
  Time last() const { return last_; }

  // `queued` frames wait after the arrival of a block; `starved`: none waited before.
  void arrived(Time now, std::size_t queued, bool starved, const Producer& producer);
  // The frame that was due is shown; `queued` remain. Returns when it was due.
  Time released(Time now, std::size_t queued, const Producer& producer);
  // Everything queued is dropped and a black frame shown. Returns when that is due.
  Time cut(Time now, const Producer& producer);
  // No block is expected: frames leave at the measured rate.
  void set_idle(bool idle) { idle_ = idle; }
  // Plan the next release anew, as after an arrival.
  void replan(Time now, std::size_t queued, const Producer& producer);

  // By how much the queue outlasts the expected arrival of the next block, s.
  double slack(Time now, std::size_t queued, const Producer& producer) const;
  // Until the next block is expected, s; negative when it is overdue.
  double until_arrival(Time now, const Producer& producer) const;

 private:
  static constexpr Time kLongAgo{INT64_MIN / 4};
  double interval(Time now, std::size_t queued, const Producer& producer) const;  // s

  Time last_ = kLongAgo, next_ = kLongAgo, arrival_ = kLongAgo;
  double max_interval_ = 0;  // 1 / min_fps, s; 0 = none
  bool idle_ = false;
};

}  // namespace reactor::pacing
