// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/schedule.h"

#include <algorithm>

namespace reactor::pacing {

double Schedule::until_arrival(Time now, const Producer& producer) const {
  return producer.forecast() - seconds(now - arrival_);
}

double Schedule::slack(Time now, std::size_t queued, const Producer& producer) const {
  const double early = until_arrival(now, producer);
  const double late = producer.capped() ? 0 : -early;
  const double wait = std::max({early, producer.deviation(), late});
  const double period = producer.period();
  return std::max(seconds(last_ - now) + period, 0.) + static_cast<double>(queued) * period - wait;
}

double Schedule::interval(Time now, std::size_t queued, const Producer& producer) const {
  const Law& law = producer.law();
  if (idle_ || !producer.known()) return law.period;
  const double e = law.change(slack(now, queued, producer), producer.cushion(), producer.horizon());
  double i = law.period * (1 + e);
  if (max_interval_ > 0) i = std::min(i, max_interval_);
  return std::max(law.min_period, i);
}

void Schedule::replan(Time now, std::size_t queued, const Producer& producer) {
  next_ = std::max(now, last_ + nanoseconds(interval(now, queued, producer)));
}

void Schedule::arrived(Time now, std::size_t queued, bool starved, const Producer& producer) {
  arrival_ = now;
  if (starved && next_ <= now + nanoseconds(1e-6 * producer.period())) {
    next_ = std::max(now, next_);
  } else {
    replan(now, queued, producer);
  }
}

Time Schedule::released(Time now, std::size_t queued, const Producer& producer) {
  last_ = now - next_ > nanoseconds(kLate * producer.period()) ? now : next_;
  next_ = last_ + nanoseconds(interval(last_, queued, producer));
  return last_;
}

Time Schedule::cut(Time now, const Producer& producer) {
  const Duration least = nanoseconds(producer.law().min_period);
  last_ = std::max(now, last_ + least);
  next_ = last_ + least;
  return last_;
}

}  // namespace reactor::pacing
