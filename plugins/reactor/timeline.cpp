// SPDX-License-Identifier: LGPL-2.1-or-later

#include "timeline.h"

#include <algorithm>

namespace reactor {

void Timeline::play(ClockPtr clock, GstClockTime base_time) {
  clock_ = std::move(clock);
  base_time_ = base_time;
  if (!clock_) {
    clock_.reset(gst_system_clock_obtain());
    base_time_ = gst_clock_get_time(clock_.get()) - static_cast<GstClockTime>(last_.count());
  }
  offset_ = std::max(offset_, Duration{0});
  playing_ = true;
  const Time t = read();
  if (t < last_) offset_ += last_ - t;
}

void Timeline::pause() {
  if (playing_) now();
  playing_ = false;
}

Time Timeline::read() const {
  const auto t = static_cast<GstClockTimeDiff>(gst_clock_get_time(clock_.get())) -
                 static_cast<GstClockTimeDiff>(base_time_);
  return Time{t} + offset_;
}

Time Timeline::now() {
  if (playing_) last_ = std::max(last_, read());
  return last_;
}

GstClockTime Timeline::running_time(Time t) const {
  return static_cast<GstClockTime>(std::max((t - offset_).count(), Duration::rep{0}));
}

ClockIdPtr Timeline::wake_at(Time t) const {
  return ClockIdPtr(gst_clock_new_single_shot_id(clock_.get(), base_time_ + running_time(t)));
}

}  // namespace reactor
