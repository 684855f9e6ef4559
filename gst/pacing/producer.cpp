// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/producer.h"

#include <algorithm>

namespace reactor::pacing {

void Producer::configure(const Limits& limits) {
  limits_ = limits;
  law_.min_interval = limits.min_interval;
  law_.period = std::max(law_.period, law_.min_interval);
  set_period();
  if (known()) bank_.choose(limits_.price);
}

void Producer::observe(double gap, double frames) {
  heard_ = true;
  gaps_ = std::min(gaps_ + 1, kTrusted);
  if (!known()) {
    level_.start(gap, frames);
    set_period();
    bank_.start(belief());
    return;
  }
  const double local =
      local_.observe(gap, frames, level_.gap(), level_.frames(), law_.min_interval);
  bank_.play(gap, local, belief());
  charged_ = true;
  const Level::Observed seen = level_.observe(gap, frames, rhythm_.forecast());
  rhythm_.observe(seen.relative);
  set_period();
  if (!seen.new_level) return;
  local_.reset();
  if (bank_.seen() <
      kYoung) {  // what the candidates paid under a level that never was is no evidence
    bank_.start(belief());
    charged_ = false;
  }
}

void Producer::first(std::optional<double> compute, double frames) {
  heard_ = true;
  if (known()) return;
  const double period = compute ? *compute / frames : kUnknown;
  law_.period = std::min(std::max(law_.min_interval, period), law_.max_interval);
}

void Producer::arrived(double queued) {
  if (!known()) return;
  bank_.arrive(queued, charged_, belief());
  bank_.choose(limits_.price);
  charged_ = false;
}

void Producer::interrupt() {
  level_.interrupt();
  bank_.interrupt();
}

Outlook Producer::outlook() const {
  return {rhythm_.forecast() * gap(), level_.error() * gap(), capped_};
}

// With a bound on latency, the whole next block has to leave within it too, also when it comes
// early.
double Producer::most_slack() const {
  if (!limits_.max_latency) return std::numeric_limits<double>::infinity();
  return std::max(
      0., *limits_.max_latency - level_.frames() * law_.period - Law::kLeast * outlook().error);
}

Aim Producer::aim() const {
  return {std::min(bank_.cushion() * gap(), most_slack()), bank_.horizon() * gap()};
}

double Producer::excess() const {
  if (capped_) return 0;
  return std::min(kExcess * gap(), most_slack() - aim().cushion);
}

Bank::Belief Producer::belief() const {
  return {law_, outlook(), level_.gap(), level_.frames(), excess()};
}

void Producer::set_period() {
  law_.max_interval = limits_.max_interval;
  if (gaps_ < kTrusted) law_.max_interval = std::min(law_.max_interval, kFirst * law_.min_interval);
  law_.max_interval = std::max(law_.max_interval, law_.min_interval);
  if (!known()) return;
  const double own = level_.period();
  law_.period = std::min(std::max(law_.min_interval, own), law_.max_interval);
  capped_ = limits_.waits && own < .999 * law_.min_interval;
}

}  // namespace reactor::pacing
