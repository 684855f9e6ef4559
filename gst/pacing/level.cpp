// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/level.h"

#include <algorithm>
#include <cmath>

namespace reactor::pacing {

void Level::start(double gap, double frames) {
  at_.gap = gap;
  at_.frames = frames;
}

Level::Observed Level::observe(double gap, double frames, double forecast) {
  const double x = at_.relative(gap, frames);
  if (burst_.gaps > 0) {
    const double r = before_.relative(gap, frames);
    if (r * before_.limit() < 1 && burst_.late > burst_.least) {
      burst_.late -= 1 - r;
      burst_.gap += gap;
      burst_.frames += frames;
      ++burst_.gaps;
      bool new_level = false;
      if (before_.relative(burst_.gap, burst_.frames) < before_.limit()) {
        at_ = before_;
        for (int i = 0; i < burst_.gaps; ++i)
          new_level |= at_.observe(burst_.gap / burst_.gaps, burst_.frames / burst_.gaps, 1);
      }
      return {x, new_level};
    }
    burst_.gaps = 0;
  }
  const double r = x / forecast;
  if (r > at_.limit()) {
    before_ = at_;
    burst_ = {gap, frames, r - 1, -1 - kSurplus * (r - 1), 1};
  }
  return {x, at_.observe(gap, frames, forecast)};
}

bool Level::Estimate::observe(double g, double n, double forecast) {
  const double r = relative(g, n) / forecast;
  const double y = std::clamp(r, 1 / limit(), limit());
  const Gap now{g, n, r, y != r};
  deviation += (std::abs(y - 1) - deviation) / kMemory;
  error += std::max(2 / (count + 2), 1 / kMemory) * (std::abs(y - 1) - error);
  if (now.odd && renew(now)) return true;
  recent[seen++ % kRecent] = now;
  count = std::min(count + 1, 2 * kMemory);
  const double a = std::max(2 / (count + 1), 1 / kMemory);
  gap += a * (y * gap * n / frames - gap);
  frames += a * (n - frames);
  return false;
}

// An odd gap: are there others that make it the usual one?
bool Level::Estimate::renew(const Gap& now) {
  if (seen > 0) {
    const Gap& last = recent[(seen - 1) % kRecent];
    const double ratio = last.odd ? (now.relative - 1) / (last.relative - 1) : 0;
    if (ratio > .5 && ratio < 2) {
      set((now.gap + last.gap) / 2, (now.frames + last.frames) / 2, 2);
      return true;
    }
  }
  if (seen + 1 < kRecent) return false;
  int odd = 1;
  double g = now.gap, n = now.frames;
  for (std::size_t i = 1; i < kRecent; ++i) {
    const Gap& one = recent[(seen - i) % kRecent];
    odd += one.odd && (one.relative > 1) == (now.relative > 1);
    g += one.gap;
    n += one.frames;
  }
  if (odd < 2) return false;
  set(g / kRecent, n / kRecent, 3);
  return true;
}

void Level::Estimate::set(double g, double n, double blocks) {
  gap = g;
  frames = n;
  count = blocks;
  seen = 0;
}

void Level::interrupt() {
  burst_.gaps = 0;
  at_.seen = 0;
}

void Level::restore(double gap, double frames, double deviation) {
  *this = Level();
  at_.gap = gap;
  at_.frames = frames;
  at_.deviation = at_.error = deviation;
  at_.count = kMemory;
}

}  // namespace reactor::pacing
