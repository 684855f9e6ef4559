// SPDX-License-Identifier: LGPL-2.1-or-later
// Bank: picks the cushion and the horizon by hindsight.
//
// A bank of virtual pacers, one for each pair (cushion b, horizon h) in mean gaps, plays the blocks
// that really came, frame by frame, by the same Law. The pair that would have cost least is used.
// Heavy tails, bursts, correlated gaps and changing block sizes need no term of their own: whatever
// they do to the queue, a candidate has paid for it.
//
// Maths. For the frames that a candidate showed in the gap before a block, with intervals I and the
// period L that the producer had around that gap (LocalPeriod):
//   unevenness = Σ (ρ(I / L − 1) + ρ((I − I before) / L)) / N,   ρ(x) = 2 (√(1 + x²) − 1)
//   latency    = time from the block's arrival to its first frame / (1.5 G + 6 / max_fps)
// ρ is energy for jitter and linear for holds; latency counts as a share of the time in which a
// viewer's input can show anyway. Both are averaged with weight a = max(1 / count, 1 / LEARN). The
// cost is J = unevenness + w latency, with the price w of latency that follows from `smoothness`. b
// and h are averages of the candidates with weights exp((1 − J / J_min) / SOFT). What the bank
// learnt does not depend on w, so that smoothness may change at any time.
#pragma once

#include <array>

#include "gst/pacing/law.h"

namespace reactor::pacing {

// Price of latency against unevenness: 1.5 at smoothness 0, 0.5 at 0.5, 0.15 at 1, geometric
// between them.
double latency_price(double smoothness);

class Bank {
 public:
  // In mean gaps: from none to more than one lost block; from a fraction of a block to four. A
  // finer grid gains nothing.
  static constexpr std::array<double, 11> kCushions = {0,  .05, .1, .15, .2, .3,
                                                       .4, .6,  .8, 1.2, 1.6};
  static constexpr std::array<double, 5> kHorizons = {.25, .5, 1, 2, 4};
  // Relative gaps believed before any was seen: ± 10 %, the jitter of an undisturbed model.
  static constexpr std::array<double, 6> kPrior = {1.1, .9, 1.1, .9, 1.1, .9};
  // Blocks remembered; cost is flat from 60 to 200.
  static constexpr double kLearn = 100;
  // A candidate 5 % dearer than the best counts 1/e; cost is flat from 0.03 to 0.1.
  static constexpr double kSoft = .05;
  // In 1/max_fps: reaction time besides the gaps (0.1 s at 60 fps).
  static constexpr double kReaction = 6;
  static constexpr std::size_t kSize = kCushions.size() * kHorizons.size();

  struct Costs {
    double unevenness = 0, latency = 0;  // running means
  };
  using Ledger = std::array<Costs, kSize>;

  // The producer as it is believed to be.
  struct Belief {
    Law law;
    Outlook next;
    double gap = 0, frames = 1;  // G, s; N
    double excess = 0;           // s of slack above the cushion at which the producer is held
  };

  // Nothing is known but the level: believe kPrior.
  void start(const Belief& belief);
  // Time passes until the next block comes. `local`: the period around this gap, s.
  void play(double gap, double local, const Belief& belief);
  // That block, of which `frames` are queued. Charged: the gap before it counts as evidence.
  void arrive(double frames, bool charged, const Belief& belief);
  void choose(double price);
  void interrupt();  // the queue is empty: every candidate starts anew

  double cushion() const { return cushion_; }  // b, mean gaps
  double horizon() const { return horizon_; }  // h, mean gaps
  double cost() const { return cost_; }        // J of the best candidate
  double seen() const { return seen_; }        // gaps in evidence, up to kLearn
  const Ledger& ledger() const { return ledger_; }
  void restore(double seen, const Ledger& ledger);

 private:
  // One virtual pacer. Times in s since the last block.
  struct Virtual {
    static constexpr double kNever = -1e9;
    double released = kNever, next = kNever;
    double interval = 0;  // the last one shown, 0 = none
    double queued = 0;
    double unevenness = 0;  // of the gap so far
  };

  std::array<Virtual, kSize> pacers_{};
  Ledger ledger_{};
  double seen_ = 0;
  double cushion_ = 0, horizon_ = 1, cost_ = 0;
};

}  // namespace reactor::pacing
