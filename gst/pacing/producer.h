// SPDX-License-Identifier: LGPL-2.1-or-later
// Producer: everything that is known of the one who makes the blocks: its level, its rhythm, and
// the cushion and horizon that would have served its gaps best. Fed once a block; read by Schedule,
// which plans releases with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gst/pacing/bank.h"
#include "gst/pacing/law.h"
#include "gst/pacing/level.h"
#include "gst/pacing/rhythm.h"

namespace reactor::pacing {

class Producer {
 public:
  static constexpr double kFirst =
      12;  // 1/max_fps: slowest period before the rate is trusted (0.2 s at 60 fps)
  static constexpr double kTrusted =
      4;  // gaps after which the rate is trusted: first blocks may be compilation
  static constexpr double kExcess = 2;  // mean gaps above the cushion at which the producer is held

  struct Limits {
    double price = .5;                  // of latency, see Bank
    double min_period = 1. / 60;        // 1 / max_fps, s
    std::optional<double> max_latency;  // s
    bool waits = true;                  // the producer is held when there is no room
  };
  void configure(const Limits& limits);

  // The first block after a start, a pause or a cut: nothing is learnt but, when nothing is known
  // at all, a first period from the time that the block took.
  void first(std::optional<double> compute, double frames);
  // A gap of `gap` s, blocked time excluded, before a block of `frames`; `queued` were put in the
  // queue at its start.
  void observe(double gap, double frames, double queued);
  // The queue was emptied or the next gap is not observed.
  void interrupt();

  std::string save() const;
  bool restore(
      std::string_view state);  // false, and nothing changed, when the text is not a saved state

  bool known() const { return level_.known(); }
  bool heard() const { return heard_; }          // a first block came, so that there is a period
  double period() const { return law_.period; }  // P, s
  double gap() const { return level_.gap(); }    // G, s
  double forecast() const {
    return rhythm_.forecast() * gap();
  }  // s G, s until the next block after the last
  double deviation() const { return level_.deviation() * gap(); }  // δ G, s
  double cushion() const;                                          // B, s
  double horizon() const { return bank_.horizon() * gap(); }       // H, s
  // Slack above the cushion that the queue may hold before the producer has to wait, s.
  double excess() const;
  // The producer is faster than max_fps and is held for all of the difference.
  bool capped() const { return capped_; }
  const Law& law() const { return law_; }
  const Level& level() const { return level_; }
  const Rhythm& rhythm() const { return rhythm_; }
  const Bank& bank() const { return bank_; }

 private:
  void set_period();

  Limits limits_;
  Law law_;
  Level level_;
  Rhythm rhythm_;
  Bank bank_;
  bool heard_ = false, capped_ = false;
  double gaps_ = 0;  // observed, up to kTrusted
};

}  // namespace reactor::pacing
