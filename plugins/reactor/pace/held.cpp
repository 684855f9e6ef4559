// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/held.h"

#include <algorithm>
#include <utility>

namespace reactor::pace {

void Held::configure(int fps_n, int fps_d) {
  period_.reset();
  if (fps_n > 0) period_ = Duration(static_cast<Duration::rep>(1e9 * fps_d / fps_n));
}

BufferPtr Held::hold(BufferPtr frame, Time shown, Duration interval, bool black, bool own) {
  shown_ = last_ = shown;
  interval_ = interval;
  copied_ = own;
  black_once_ = black;
  return std::exchange(frame_, std::move(frame));
}

BufferPtr Held::release() {
  return std::move(frame_);
}

void Held::repeated(Time t) {
  last_ = t;
  black_once_ = false;
}

BufferPtr Held::replace(BufferPtr copy) {
  copied_ = true;
  return copy ? std::exchange(frame_, std::move(copy)) : BufferPtr();
}

std::optional<Time> Held::repeat_due() const {
  if (!frame_) return {};
  if (black_once_) return last_ + (period_ ? std::min(kBlackAgain, *period_) : kBlackAgain);
  if (!period_) return {};
  return last_ + *period_;
}

std::optional<Time> Held::copy_due() const {
  if (!frame_ || copied_) return {};
  return shown_ + interval_;
}

}  // namespace reactor::pace
