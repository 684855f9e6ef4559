// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/rhythm.h"

#include <algorithm>

namespace reactor::pacing {

Rhythm::Rhythm() {
  ring_.fill(1);
  gain_.fill(0);
}

void Rhythm::observe(double x) {
  ++seen_;
  for (unsigned k = 2; k < kLags; ++k) {
    if (seen_ <= k + kWarm) continue;
    const double repeated = x - ago(k), mean = x - 1;
    gain_[k] +=
        (std::min(mean * mean, 1.) / 2 - std::min(repeated * repeated, 1.) - gain_[k]) / kLearn;
  }
  ring_[seen_ % kLags] = x;
  choose();
}

void Rhythm::choose() {
  lag_ = 0;
  double best = kFloor;
  for (unsigned k = 2; k < kLags; ++k) {
    if (seen_ >= 2 * k + kWarm && gain_[k] > best) {
      best = gain_[k];
      lag_ = k;
    }
  }
  forecast_ = 1;
  if (lag_ == 0) return;
  double sum = 0;
  for (unsigned i = 0; i < lag_; ++i) sum += ago(i);
  forecast_ = ago(lag_ - 1) * lag_ / sum;
}

std::array<double, Rhythm::kLags> Rhythm::latest() const {
  std::array<double, kLags> gaps;
  for (unsigned i = 0; i < kLags; ++i) gaps[i] = ago(i);
  return gaps;
}

void Rhythm::restore(std::uint64_t seen, const std::array<double, kLags>& latest,
                     const std::array<double, kLags>& gains) {
  seen_ = seen;
  for (unsigned i = 0; i < kLags; ++i) ring_[(seen_ + kLags - i) % kLags] = latest[i];
  gain_ = gains;
  choose();
}

}  // namespace reactor::pacing
