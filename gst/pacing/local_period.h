// SPDX-License-Identifier: LGPL-2.1-or-later
// LocalPeriod: the time per frame that the producer had around one gap: what an even display would
// have used there.
//
// Maths. A two-sided exponential window around the gap, of time constant T = WIDTH max(60 /
// max_fps, 1.5 G):
//   L = (Σ_past z g + g_k + Σ_future z G) / (Σ_past z n + n_k + Σ_future z N),   z = exp(−distance
//   / T)
// The past is what was seen, a recursive sum; the future is taken to be the level (G, N), a
// geometric series. One gap counts at most MOST times the level's: beyond that it is a stall, not a
// rate.
#pragma once

#include <algorithm>
#include <cmath>

namespace reactor::pacing {

class LocalPeriod {
 public:
  static constexpr double kWidth =
      1.25;  // √(π/2): the area of a Gaussian window of σ = max(1 s at 60 fps, 1.5 G)
  static constexpr double kMost = 4;  // relative gap

  // A gap of `g` s before a block of `n` frames, at level (G, N). In s per frame.
  double observe(double g, double n, double G, double N, double min_interval) {
    const double T = kWidth * std::max(60 * min_interval, 1.5 * G);
    const double q = std::exp(-G / T);
    if (last_ == 0) {
      last_ = G;
      const double before = 1 / (1 - q);
      time_ = G * before;
      frames_ = N * before;
    }
    g = std::min(g, kMost * G * n / N);
    const double z = std::exp(-(last_ + g) / 2 / T);
    const double after = std::exp(-(G + g) / 2 / T) / (1 - q);
    time_ = z * time_ + g;
    frames_ = z * frames_ + n;
    last_ = g;
    return std::max(min_interval, (time_ + after * G) / (frames_ + after * N));
  }
  void reset() { *this = {}; }

 private:
  double time_ = 0, frames_ = 0;  // the past, weighted: s; frames
  double last_ = 0;               // s
};

}  // namespace reactor::pacing
