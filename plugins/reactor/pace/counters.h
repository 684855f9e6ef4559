// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Counters: what reactorpace counted and measured since it was started, as the `stats` structure.
//
// Thread-compatible: the owner serialises calls.
#pragma once

#include "handles.h"
#include "pace/ledger.h"

#include "gst/pacing/pacer.h"

#include <array>
#include <vector>

namespace reactor::pace {

// Mean and percentiles of the last values.
class Window {
 public:
  static constexpr std::size_t kSize = 512;

  void add(Duration value);
  Duration mean() const;
  Duration percentile(double p) const;  // 0 … 1

 private:
  std::array<Duration, kSize> values_{};
  std::size_t count_ = 0;  // since the start
  Duration sum_{0};
};

struct Counters {
  std::uint64_t blocks_in = 0, frames_in = 0;
  std::uint64_t shown = 0, repeats = 0, black = 0;
  std::uint64_t lost[kLosses] = {};  // by Loss
  std::uint64_t fillers = 0;         // frames flagged GAP that came in
  std::uint64_t qos = 0, key_units = 0, flushes = 0;
  Window latency;   // arrival to release
  Window lateness;  // of the release against its plan

  StructurePtr structure(const pacing::Pacer& pacer, Time now, std::size_t queued, bool monitoring,
                         Duration push) const;
};

}  // namespace reactor::pace
