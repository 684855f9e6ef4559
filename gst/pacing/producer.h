// SPDX-License-Identifier: LGPL-2.1-or-later
// Producer: everything that is known of the one who makes the blocks: its level, its rhythm, and
// the cushion and horizon that would have served its blocks best. Fed once a block; read by
// Schedule, which plans releases with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gst/pacing/bank.h"
#include "gst/pacing/law.h"
#include "gst/pacing/level.h"
#include "gst/pacing/local_period.h"
#include "gst/pacing/rhythm.h"

namespace reactor::pacing {

class Producer {
 public:
  // In 1/max_fps: slowest interval before the rate is trusted (0.2 s at 60 fps).
  static constexpr double kFirst = 12;
  // Gaps after which the rate is trusted: first blocks may be compilation.
  static constexpr double kTrusted = 4;
  // Mean gaps above the cushion at which the producer is held.
  static constexpr double kExcess = 2;
  // Gaps in evidence (those of the prior included) within which a new level means that none was
  // known before.
  static constexpr double kYoung = 18;
  // s: period of a first block of which not even the compute time is known.
  static constexpr double kUnknown = 1. / 24;

  struct Limits {
    double price = .5;                                              // of latency, see Bank
    double min_interval = 1. / 60;                                  // 1 / max_fps, s
    double max_interval = std::numeric_limits<double>::infinity();  // 1 / min_fps, s
    std::optional<double> max_latency;                              // s
    bool waits = true;  // the producer is held when there is no room
  };
  void configure(const Limits& limits);

  // The gap before a block of `frames`, blocked time excluded, s.
  void observe(double gap, double frames);
  // The first block after a start, a pause or a cut: nothing is learnt but, when nothing is known
  // at all, a first period from the time that the block took, s.
  void first(std::optional<double> compute, double frames);
  // After either: so many of its frames are queued.
  void arrived(double queued);
  // The queue was emptied, or the next gap is not observed.
  void interrupt();

  std::string save() const;
  bool restore(
      std::string_view state);  // false, and nothing changed, when the text is not a saved state

  bool known() const { return level_.known(); }
  bool heard() const { return heard_; }          // a first block came, so that there is a period
  double period() const { return law_.period; }  // P, s
  double gap() const { return level_.gap(); }    // G, s
  const Law& law() const { return law_; }
  Outlook outlook() const;
  Aim aim() const;
  // Slack above the cushion that the queue may hold before the producer has to wait, s.
  double excess() const;
  const Level& level() const { return level_; }
  const Rhythm& rhythm() const { return rhythm_; }
  const Bank& bank() const { return bank_; }

 private:
  Bank::Belief belief() const;
  double most_slack() const;  // s
  void set_period();

  Limits limits_;
  Law law_;
  Level level_;
  Rhythm rhythm_;
  LocalPeriod local_;
  Bank bank_;
  bool heard_ = false;
  bool capped_ = false;   // faster than max_fps, and held for all of the difference
  bool charged_ = false;  // the bank is to charge for the gap before the next arrival
  double gaps_ = 0;       // observed, up to kTrusted
};

}  // namespace reactor::pacing
