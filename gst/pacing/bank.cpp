// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/bank.h"

#include <algorithm>
#include <cmath>

namespace reactor::pacing {

double latency_price(double smoothness) {
  const double x = std::clamp(smoothness, 0., 1.);
  return x < .5 ? 1.5 * std::pow(.5 / 1.5, 2 * x) : .5 * std::pow(.15 / .5, 2 * x - 1);
}

void Bank::learn(const Gap& gap, const Law& law) {
  seen_ = std::min(seen_ + 1, kLearn);
  const double a = 1 / seen_;
  const double g = gap.gap, expected = gap.forecast * gap.mean_gap;
  const double reaction = 1.5 * gap.mean_gap + kReaction * law.min_period;
  std::size_t i = 0;
  for (double b : kCushions) {
    for (double h : kHorizons) {
      Candidate& c = candidates_[i++];
      const double B = b * gap.mean_gap, H = h * gap.mean_gap;
      const double x = std::min(c.late + gap.frames * law.period - expected, B + gap.excess);
      const double e = law.change(x, B, H), z = std::exp(-g / H);
      double late = x + expected + e * H * (1 - z) - g;
      double uneven =
          gap.frames * e * e * H * (1 - z * z) / (2 * g) + (e - c.change) * (e - c.change);
      if (late < 0) {
        const double hold = late / law.period;
        uneven += 6 * (std::sqrt(1 + hold * hold) - 1);
        late = 0;
      }
      c.late = late;
      c.change = e * z;
      c.unevenness += a * (uneven / gap.mean_frames - c.unevenness);
      c.latency += a * (late / reaction - c.latency);
    }
  }
}

void Bank::choose(double price) {
  const auto cost = [price](const Candidate& c) { return c.unevenness + price * c.latency; };
  cost_ = cost(candidates_[0]);
  for (const Candidate& c : candidates_) cost_ = std::min(cost_, cost(c));
  cost_ += 1e-9;
  double sum = 0, cushion = 0, horizon = 0;
  std::size_t i = 0;
  for (double b : kCushions) {
    for (double h : kHorizons) {
      const double weight = std::exp((1 - cost(candidates_[i++]) / cost_) / kSoft);
      sum += weight;
      cushion += weight * b;
      horizon += weight * h;
    }
  }
  cushion_ = cushion / sum;
  horizon_ = horizon / sum;
}

void Bank::interrupt() {
  for (Candidate& c : candidates_) c.late = c.change = 0;
}

void Bank::restore(double seen, const Candidates& candidates) {
  seen_ = seen;
  candidates_ = candidates;
  interrupt();
}

}  // namespace reactor::pacing
