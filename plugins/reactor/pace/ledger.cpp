// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/ledger.h"

namespace reactor::pace {

const char* loss_name(Loss loss) {
  switch (loss) {
    case Loss::kThinned:
      return "thinned";
    case Loss::kOverflow:
      return "overflow";
    case Loss::kLate:
      return "late";
    case Loss::kFlushed:
      return "flushed";
    case Loss::kStale:
      return "stale";
    case Loss::kMissing:
      return "missing";
    case Loss::kEos:
      return "eos";
  }
  return "";
}

Ledger::Key Ledger::open(const Block& block) {
  Entry entry;
  entry.block = block;
  entry.left = block.frames;
  entry.report.number = block.number;
  entries_.push_back(entry);
  return first_ + entries_.size() - 1;
}

const Ledger::Block& Ledger::block(Key key) const {
  return entries_[key - first_].block;
}

std::optional<Report> Ledger::shown(Key key, GstClockTime running_time) {
  Report& report = entries_[key - first_].report;
  if (!GST_CLOCK_TIME_IS_VALID(report.first)) report.first = running_time;
  report.last = running_time;
  return close(key);
}

std::optional<Report> Ledger::dropped(Key key, Loss loss) {
  Report& report = entries_[key - first_].report;
  ++report.dropped;
  report.loss = loss;
  return close(key);
}

std::optional<Report> Ledger::close(Key key) {
  Entry& entry = entries_[key - first_];
  if (--entry.left > 0) return {};
  std::optional<Report> report;
  if (entry.block.reported) report = entry.report;
  while (!entries_.empty() && entries_.front().left == 0) {
    entries_.pop_front();
    ++first_;
  }
  return report;
}

void Ledger::clear() {
  first_ += entries_.size();
  entries_.clear();
}

}  // namespace reactor::pace
