// SPDX-License-Identifier: LGPL-2.1-or-later
// The law by which the interval between two frames follows from the queue.
//
//   I = P (1 + e),   e = (B − slack) / H, clipped
//
// Slack is the time by which the queue outlasts the expected wait for the next block. It is led
// towards the cushion B over the horizon H: a long horizon is even and slow to correct, a short one
// gives latency back quickly.
#pragma once

#include <algorithm>

namespace reactor::pacing {

struct Law {
  static constexpr double kFaster =
      1.25;  // never more than a quarter too fast: more is seen as fast-forward
  static constexpr double kSlower = 2;  // nor slower than half the rate

  double period = 1. / 60;      // P, s
  double min_period = 1. / 60;  // 1 / max_fps, s

  // e for a slack, both in s
  double change(double slack, double cushion, double horizon) const {
    const double fastest = std::max(1 / kFaster - 1, min_period / period - 1);
    return std::min(kSlower - 1, std::max(fastest, (cushion - slack) / horizon));
  }
};

}  // namespace reactor::pacing
