// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/level.h"

#include <algorithm>
#include <cmath>

namespace reactor::pacing {

void Level::start(double gap, double frames) {
  gap_ = gap;
  frames_ = frames;
}

std::optional<double> Level::observe(double gap, double frames, double forecast) {
  const double x = gap * frames_ / (gap_ * frames);
  const double r = x / forecast;
  const double limit = 1 + kOdd * deviation_;
  if (r * limit < 1 && debt_ > 0) {
    debt_ -= 1 - r;
    return {};
  }
  debt_ = r > limit ? r - 1 : 0;
  const double y = std::clamp(r, 1 / limit, limit);
  const bool odd = y != r;
  deviation_ += (std::abs(y - 1) - deviation_) / kMemory;
  const double ratio = odd && odd_ ? (r - 1) / (odd_->relative - 1) : 0;
  if (ratio > .5 && ratio < 2) {
    gap_ = (gap + odd_->gap) / 2;
    frames_ = (frames + odd_->frames) / 2;
    count_ = 2;
    odd_.reset();
  } else {
    count_ = std::min(count_ + 1, 2 * kMemory);
    const double a = std::max(2 / (count_ + 1), 1 / kMemory);
    odd_ = odd && !odd_ ? std::optional(Odd{gap, frames, r}) : std::nullopt;
    gap_ += a * (y * gap_ * frames / frames_ - gap_);
    frames_ += a * (frames - frames_);
  }
  return x;
}

void Level::interrupt() {
  odd_.reset();
  debt_ = 0;
}

void Level::restore(double gap, double frames, double deviation) {
  *this = Level();
  gap_ = gap;
  frames_ = frames;
  deviation_ = deviation;
  count_ = kMemory;
}

}  // namespace reactor::pacing
