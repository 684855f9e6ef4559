// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/schedule.h"

#include <algorithm>

namespace reactor::pacing {

double Schedule::until_arrival(Time now, const Producer& producer) const {
  return producer.outlook().arrival - seconds(now - arrival_);
}

double Schedule::slack(Time now, std::size_t queued, const Producer& producer) const {
  return producer.law().slack(seconds(now - arrival_), seconds(now - last_),
                              static_cast<double>(queued), producer.outlook());
}

double Schedule::interval(Time now, std::size_t queued, const Producer& producer) const {
  const Law& law = producer.law();
  double i = law.period;
  if (!idle_ && producer.known())
    i = law.interval(slack(now, queued, producer), seconds(interval_), producer.aim());
  return std::max(law.min_interval, std::min(i, hurry_));
}

void Schedule::replan(Time now, std::size_t queued, const Producer& producer) {
  next_ = std::max(now, last_ + nanoseconds(interval(now, queued, producer)));
}

void Schedule::arrived(Time now, std::size_t queued, bool starved, const Producer& producer) {
  arrival_ = now;
  if (starved && (fresh_ || next_ <= now + nanoseconds(kSame * producer.period()))) {
    next_ = std::max(now, next_);
  } else {
    replan(now, queued, producer);
  }
}

Time Schedule::due(Time now, const Producer& producer) const {
  return now - next_ > nanoseconds(kLate * producer.period()) ? now : next_;
}

void Schedule::released(Time due, std::size_t queued, const Producer& producer) {
  interval_ = fresh_ ? Duration::zero() : due - last_;
  fresh_ = false;
  last_ = due;
  next_ = last_ + nanoseconds(interval(last_, queued, producer));
}

Time Schedule::cut(Time now, const Producer& producer) {
  const Duration least = nanoseconds(producer.law().min_interval);
  interrupt();
  last_ = std::max(now, last_ + least);
  next_ = last_ + least;
  return last_;
}

}  // namespace reactor::pacing
