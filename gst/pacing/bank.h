// SPDX-License-Identifier: LGPL-2.1-or-later
// Bank: picks the cushion and the horizon by hindsight.
//
// A bank of virtual pacers, one for each pair (cushion b, horizon h) in mean gaps, runs the Law on
// the gaps that really came, one line of arithmetic a block. The pair that would have cost least is
// used. Heavy tails, bursts, correlated gaps and changing block sizes need no term of their own:
// whatever they do to the slack, the bank has paid for it.
//
// Maths. `late` is a candidate's slack when the previous block came (>= 0), n frames were queued
// then, then a gap g:
//   x = min(late + n P − s G, B + excess)         slack at the start of the gap, B = b G, H = h G
//   e = law(x),  z = exp(−g / H)                  the law makes slack decay exponentially towards B
//   late' = x + s G + e H (1 − z) − g
//   unevenness = (n e² H (1 − z²) / (2 g) + (e − e_prev)² + [late' < 0] 6 (√(1 + (late'/P)²) − 1))
//   / N latency    = max(late', 0) / (1.5 G + 6 / max_fps)
// A hold counts in e once and in the change of e at both its edges: 3 times the 2 (√ − 1) of the
// metric. Both are averaged with a = max(1 / count, 1 / LEARN); the cost J = unevenness + w
// latency, with the price w of latency that follows from `smoothness`. B and H are averages of the
// candidates with weights exp((1 − J / J_min) / SOFT).
#pragma once

#include <array>
#include <cstdint>

#include "gst/pacing/law.h"

namespace reactor::pacing {

// Price of latency against unevenness: 1.5 at smoothness 0, 0.5 at 0.5, 0.15 at 1, geometric
// between them.
double latency_price(double smoothness);

class Bank {
 public:
  static constexpr std::array<double, 6> kCushions = {0, .1, .2, .4, .8, 1.6};  // mean gaps
  static constexpr std::array<double, 4> kHorizons = {.5, 1, 2, 4};             // mean gaps
  static constexpr std::array<double, 6> kPrior = {1.1, .9,  1.1,
                                                   .9,  1.1, .9};  // gaps assumed before the first
  static constexpr double kLearn = 100;                            // blocks remembered
  static constexpr double kSoft = .05;  // a candidate 5 % dearer than the best counts 1/e
  static constexpr double kReaction =
      6;  // 1/max_fps: reaction time besides the gaps (0.1 s at 60 fps)
  static constexpr std::size_t kSize = kCushions.size() * kHorizons.size();

  struct Candidate {
    double late = 0, change = 0;         // s; e at the end of the last gap
    double unevenness = 0, latency = 0;  // running means
  };
  using Candidates = std::array<Candidate, kSize>;
  struct Gap {
    double gap;          // g, s
    double frames;       // n, queued at its start
    double forecast;     // s, mean gaps
    double mean_gap;     // G, s
    double mean_frames;  // N
    double excess;       // s of slack above the cushion that the queue may hold
  };

  void learn(const Gap& gap, const Law& law);
  void choose(double price);
  void interrupt();  // the queue is empty: every candidate starts anew

  double cushion() const { return cushion_; }  // b, mean gaps
  double horizon() const { return horizon_; }  // h, mean gaps
  double cost() const { return cost_; }        // J of the best candidate
  double seen() const { return seen_; }
  const Candidates& candidates() const { return candidates_; }
  void restore(double seen, const Candidates& candidates);

 private:
  Candidates candidates_{};
  double seen_ = 0;  // gaps, up to kLearn
  double cushion_ = 0, horizon_ = 1, cost_ = 0;
};

}  // namespace reactor::pacing
