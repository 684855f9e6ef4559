// SPDX-License-Identifier: LGPL-2.1-or-later
// Law: how the interval between two frames follows from the queue. The real Schedule and the
// virtual pacers of Bank obey the same one.
//
// Maths. With τ the time since the last block, v the time since the last release, and q frames
// queued:
//   wait  = max(s G − τ, τ − s G, LEAST ε G)      a late block is expected to be as late again
//   slack = max(P − v, 0) + q P − wait            by how much the queue outlasts the next arrival
//   e*    = (B − slack) / H                       leads slack towards the cushion B over the
//   horizon H e     = (1 − KEEP) e* + KEEP e of the interval before; both clipped to what the eye
//   accepts I     = P (1 + e), at least 1 / max_fps
// A long horizon is even and slow to correct, a short one gives latency back quickly. KEEP rounds
// the corner that a surprising arrival puts into the intervals: a change of e costs as much as e
// itself.
#pragma once

#include <algorithm>
#include <limits>

namespace reactor::pacing {

// What is chosen: both in s.
struct Aim {
  double cushion = 0;  // B: slack to be kept
  double horizon = 1;  // H: time over which it is restored
};

// What is expected of the producer: all in s.
struct Outlook {
  double arrival = 0;  // s G: from the last block to the next
  double error = 0;    // ε G: mean error of that
  bool held = false;   // it waits for room and comes when it is let: it cannot be late
};

struct Law {
  // Never more than a quarter too fast: more is seen as fast-forward. Nor slower than half the
  // rate.
  static constexpr double kFaster = 1.25, kSlower = 2;
  // Of the change of the interval before; cost is flat from 0.2 to 0.4.
  static constexpr double kKeep = .3;
  // Mean errors within which a block is not yet late; cost is flat from 1.5 to 2.5.
  static constexpr double kLeast = 2;

  double period = 1. / 60;                                        // P, s
  double min_interval = 1. / 60;                                  // 1 / max_fps, s
  double max_interval = std::numeric_limits<double>::infinity();  // s

  double slack(double since_arrival, double since_release, double queued,
               const Outlook& next) const {
    const double early = next.arrival - since_arrival;
    const double wait = std::max({early, kLeast * next.error, next.held ? 0 : -early});
    return std::max(period - since_release, 0.) + queued * period - wait;
  }

  // The interval after a release. `before`: the one before it, s; 0 when there was none.
  double interval(double slack, double before, const Aim& aim) const {
    const double fastest = std::max(1 / kFaster - 1, min_interval / period - 1);
    const auto clip = [fastest](double e) { return std::min(kSlower - 1, std::max(fastest, e)); };
    const double last = before > 0 ? clip(before / period - 1) : 0;
    const double e = (aim.cushion - slack) / aim.horizon;
    const double kept = clip(e + kKeep * (last - e));
    return std::max(min_interval, std::min(max_interval, period * (1 + kept)));
  }
};

}  // namespace reactor::pacing
