// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Ledger: what became of each block. A block is open until each of its frames was shown or dropped;
// closing it yields the report that goes upstream.
//
// Thread-compatible: the owner serialises calls.
#pragma once

#include "timeline.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace reactor::pace {

enum class Loss {
  kThinned,   // evenly taken out of a block that is faster than max-fps
  kOverflow,  // no room, under a drop policy
  kLate,      // over max-latency
  kFlushed,   // flush, black, or the end of the session
  kStale,     // of an epoch that a flush ended
  kMissing,   // announced by its block, but never came
  kEos,       // still queued when the time allowed for draining was over
};
constexpr int kLosses = 7;
const char* loss_name(Loss loss);

struct Report {
  std::uint64_t number;                                                  // as the model counts
  GstClockTime first = GST_CLOCK_TIME_NONE, last = GST_CLOCK_TIME_NONE;  // running times
  unsigned dropped = 0;
  std::optional<Loss> loss;  // of the last frame dropped
};

class Ledger {
 public:
  using Key = std::uint64_t;  // counts blocks from 0 in order of arrival

  struct Block {
    std::uint64_t number = 0;  // as the model counts
    bool reported = false;     // the model wants to know
    unsigned frames = 1;
    Time arrival{0};
    std::optional<std::uint64_t> first_id;  // the pacer's id of its first frame
  };

  Key open(const Block& block);
  const Block& block(Key key) const;
  // Both return the report when that was the block's last frame and a report is wanted.
  std::optional<Report> shown(Key key, GstClockTime running_time);
  std::optional<Report> dropped(Key key, Loss loss);
  void clear();  // forgets open blocks; keys go on

 private:
  struct Entry {
    Block block;
    unsigned left = 0;
    Report report;
  };
  std::optional<Report> close(Key key);

  std::deque<Entry> entries_;
  Key first_ = 0;  // key of entries_.front()
};

}  // namespace reactor::pace
