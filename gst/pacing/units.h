// SPDX-License-Identifier: LGPL-2.1-or-later
// Conversions between the whole nanoseconds of the interface and the seconds in which the maths is
// done.
//
// Instants stay whole nanoseconds everywhere; only differences of two instants become doubles. So
// nothing depends on the origin of time, and nothing drifts however long a stream runs.
#pragma once

#include <chrono>
#include <cmath>

namespace reactor::pacing {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::nanoseconds;  // since an origin of the caller's choice

inline double seconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-9;
}

// Rounded to the nearest nanosecond. Anything beyond about 30 years is clipped, so that sums with
// instants stay in range.
inline Duration nanoseconds(double s) {
  constexpr double kLimit = 1e9;  // s
  if (!(s > -kLimit)) return Duration(static_cast<Duration::rep>(-kLimit * 1e9));
  if (!(s < kLimit)) return Duration(static_cast<Duration::rep>(kLimit * 1e9));
  return Duration(std::llround(s * 1e9));
}

}  // namespace reactor::pacing
