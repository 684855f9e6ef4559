// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/producer.h"

#include <algorithm>

namespace reactor::pacing {

namespace {
constexpr double kUnknownPeriod =
    1. / 24;  // s: of a first block of which not even the compute time is known
}

void Producer::configure(const Limits& limits) {
  limits_ = limits;
  law_.min_period = limits.min_period;
  if (known()) {
    bank_.choose(limits_.price);
    set_period();
  } else {
    law_.period = std::max(law_.period, law_.min_period);
  }
}

void Producer::first(std::optional<double> compute, double frames) {
  if (known()) return;
  const double period = compute ? *compute / frames : kUnknownPeriod;
  law_.period = std::min(std::max(law_.min_period, period), kFirst * law_.min_period);
  heard_ = true;
}

void Producer::observe(double gap, double frames, double queued) {
  heard_ = true;
  gaps_ = std::min(gaps_ + 1, kTrusted);
  if (!known()) {
    level_.start(gap, frames);
    set_period();
    for (double r : Bank::kPrior) bank_.learn({r * gap, frames, 1, gap, frames, excess()}, law_);
    bank_.choose(limits_.price);
    return;
  }
  bank_.learn({gap, queued, rhythm_.forecast(), level_.gap(), level_.frames(), excess()}, law_);
  bank_.choose(limits_.price);
  if (const auto x = level_.observe(gap, frames, rhythm_.forecast())) {
    rhythm_.observe(*x);
    set_period();
  }
}

void Producer::interrupt() {
  level_.interrupt();
  bank_.interrupt();
}

double Producer::cushion() const {
  const double b = bank_.cushion() * gap();
  return limits_.max_latency ? std::min(b, *limits_.max_latency) : b;
}

double Producer::excess() const {
  if (capped_) return 0;
  if (limits_.max_latency) return std::max(0., *limits_.max_latency - cushion());
  return kExcess * gap();
}

void Producer::set_period() {
  const double own = level_.period();
  law_.period = std::max(law_.min_period, own);
  if (gaps_ < kTrusted) law_.period = std::min(law_.period, kFirst * law_.min_period);
  capped_ = limits_.waits && own < .999 * law_.min_period;
}

}  // namespace reactor::pacing
