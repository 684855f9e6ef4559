// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Held: the frame on screen while nothing new is queued, and when it is shown again. Says when; the
// caller acts.
//
// Thread-compatible: the owner serialises calls. Never unrefs: what leaves is moved out.
#pragma once

#include "timeline.h"

#include <optional>

namespace reactor::pace {

class Held {
 public:
  // Soon enough that a viewer whose decoder shows a picture only when another follows does not
  // notice, late enough that the two do not count as one.
  static constexpr Duration kBlackAgain = std::chrono::milliseconds(50);

  // Time between repeats; none with 0 frames a second.
  void configure(int fps_n, int fps_d);
  std::optional<Duration> period() const { return period_; }

  // A frame was put on screen at `shown` for `interval`; `own`: its memory is nobody's who waits
  // for it. Returns what was held before.
  BufferPtr hold(BufferPtr frame, Time shown, Duration interval, bool black, bool own);
  BufferPtr release();
  // It was repeated at `t`.
  void repeated(Time t);
  // The frame's own memory, in place of the block's. Returns what was held before.
  BufferPtr replace(BufferPtr copy);

  GstBuffer* frame() const { return frame_.get(); }
  std::optional<Time> repeat_due() const;
  std::optional<Time> copy_due() const;  // none once it was copied
  Time ends() const { return shown_ + interval_; }
  Time last() const { return last_; }  // when it was last on the wire

 private:
  std::optional<Duration> period_ = std::chrono::milliseconds(500);
  BufferPtr frame_;
  Time shown_{0}, last_{0};  // first time, last time on the wire
  Duration interval_{0};
  bool copied_ = false, black_once_ = false;
};

}  // namespace reactor::pace
