// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Timeline: the time of an element that waits on its own. It is the running time of the pipeline,
// made to stand still while the element does not play and never to go back: after a flushing seek a
// pipeline counts its running time from 0 again, and the difference is kept as an offset. Time
// stamps are running times.
//
// Thread-compatible: the owner serialises calls. Reads the clock, never waits for it.
#pragma once

#include "handles.h"

#include "gst/pacing/units.h"

namespace reactor {

using pacing::Duration;
using pacing::Time;

class Timeline {
 public:
  // The element plays: time is `clock` - `base_time` from here on. Without a clock the system's
  // monotonic one is taken, from this moment.
  void play(ClockPtr clock, GstClockTime base_time);
  void pause();  // time stands still
  bool playing() const { return playing_; }

  Time now();
  GstClockTime running_time(Time t) const;
  // A clock id that fires at `t`; only while playing.
  ClockIdPtr wake_at(Time t) const;

 private:
  Time read() const;

  ClockPtr clock_;
  GstClockTime base_time_ = 0;
  Duration offset_{0};  // this time - running time
  Time last_{0};
  bool playing_ = false;
};

}  // namespace reactor
