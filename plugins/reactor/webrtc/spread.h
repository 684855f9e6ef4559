// SPDX-License-Identifier: LGPL-2.1-or-later
//
// When the packets of a large frame leave. A key frame at HD is 40 packets and more: sent in one
// burst they overflow buffers on the way, and the picture that everybody waits for is the one that
// is lost. So they leave at a stated rate, bounded by half of the frame's own interval. Ordinary
// frames leave at once: their latency matters more.
//
// Pure; no clock, no GStreamer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace reactor::webrtc {

struct SpreadLimits {
  std::size_t at_once = 24;  // packets; a frame of no more leaves at once
  std::size_t group = 4;     // packets that leave together
  double bits_per_second = 20e6;
  std::chrono::nanoseconds longest = std::chrono::milliseconds(25);  // interval unknown
};

// The wait between two groups of a frame of `packets` packets with `bytes` bytes in all. `interval`
// is the time until the next frame, 0 when it is not known.
inline std::chrono::nanoseconds spread_gap(std::size_t packets, std::size_t bytes,
                                           std::chrono::nanoseconds interval,
                                           const SpreadLimits& limits = {}) {
  if (packets <= limits.at_once) return std::chrono::nanoseconds(0);
  const auto groups = static_cast<double>((packets + limits.group - 1) / limits.group);
  const double whole = static_cast<double>(bytes) * 8e9 / limits.bits_per_second;
  const double most = static_cast<double>(
      (interval.count() > 0 ? std::min(interval / 2, limits.longest) : limits.longest).count());
  return std::chrono::nanoseconds(static_cast<long long>(std::min(whole, most) / groups));
}

}  // namespace reactor::webrtc
