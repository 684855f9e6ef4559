// SPDX-License-Identifier: LGPL-2.1-or-later
// Schedule: when the next frame is released. Knows the last release, the last arrival and what
// Producer knows; plans anew by Law at every release and at every arrival, never in between, so
// that asking more often changes nothing. When starved, the next frame goes out on arrival.
#pragma once

#include <cstdint>
#include <limits>

#include "gst/pacing/producer.h"
#include "gst/pacing/units.h"

namespace reactor::pacing {

class Schedule {
 public:
  // A release later than this part of the period moves the plan: after a stop of the process there
  // is no burst of overdue frames, while the jitter of a scheduler leaves the planned times even.
  static constexpr double kLate = 1. / 8;

  // Of the period: a block that comes as the queue runs dry, but for rounding, comes when it is
  // dry.
  static constexpr double kSame = 1e-6;

  Time next() const { return next_; }
  Time last() const { return last_; }
  // When a frame whose turn is now would be due.
  Time due(Time now, const Producer& producer) const;

  // `queued` frames wait after the arrival of a block; `starved`: none waited before.
  void arrived(Time now, std::size_t queued, bool starved, const Producer& producer);
  // The frame that was due is shown at due(now); `queued` remain.
  void released(Time due, std::size_t queued, const Producer& producer);
  // Everything queued is dropped and a black frame shown. Returns when that is due.
  Time cut(Time now, const Producer& producer);
  // A pause or a cut: what is shown next follows nothing.
  void interrupt() { fresh_ = true; }
  // No block is expected: frames leave at the measured rate.
  void set_idle(bool idle) { idle_ = idle; }
  // No interval may be longer than this, s, lest a frame outstays the bound on latency.
  void hurry(double most) { hurry_ = most; }
  // Plan the next release anew.
  void replan(Time now, std::size_t queued, const Producer& producer);

  // By how much the queue outlasts the expected arrival of the next block, s.
  double slack(Time now, std::size_t queued, const Producer& producer) const;
  // Until the next block is expected, s; negative when it is overdue.
  double until_arrival(Time now, const Producer& producer) const;

 private:
  static constexpr Time kLongAgo{INT64_MIN / 4};
  double interval(Time now, std::size_t queued, const Producer& producer) const;  // s

  Time last_ = kLongAgo, next_ = kLongAgo, arrival_ = kLongAgo;
  Duration interval_{0};  // between the last two releases; 0 = none
  double hurry_ = std::numeric_limits<double>::infinity();
  bool idle_ = false, fresh_ = true;
};

}  // namespace reactor::pacing
