// SPDX-License-Identifier: LGPL-2.1-or-later
// Level: what the producer does on average: the mean gap between blocks and the mean number of
// frames in one.
//
// Maths. Gap G and frames N are averages of their own, so that blocks of changing size do not bias
// the period P = G / N. For a gap g before a block of n frames:
//   x = g N / (G n)           relative gap: 1 when the producer keeps its rate
//   r = x / s                 the same over its forecast s (Rhythm)
//   y = r, clipped to 1/θ … θ, θ = 1 + ODD δ,   δ = running mean of |y − 1|
//   G ← G + a (y G n / N − G),  N ← N + a (n − N),  a = max(2 / (k + 1), 1 / MEMORY) after k blocks
// Beside δ, which moves by 1 / MEMORY and says what is odd, ε is the same mean with weight a: how
// far off the next gap is expected to be. It falls quickly when a producer turns out to be steady.
//
// Twice alike: two clipped gaps running whose r − 1 agree within a factor 2 are a new level, and so
// are two clipped to the same side among the last four: G and N become the means of those.
//
// Burst: after a clipped long gap, short ones come from the same delivery. As long as they do, the
// gaps since are taken together: m gaps of their mean are observed in place of one long gap, from
// where the level stood before it.
//
// So a stall moves the level by one clipped step and its burst not at all, and a step is taken
// after two blocks.
#pragma once

#include <array>
#include <cstddef>

namespace reactor::pacing {

class Level {
 public:
  // Blocks remembered; cost is flat from 8 to 16.
  static constexpr double kMemory = 12;
  // Mean deviations beyond which a gap is odd: about 5 σ of a normal gap.
  static constexpr double kOdd = 6;
  // δ and ε believed before any gap was seen.
  static constexpr double kDeviation = .1, kError = .04;
  // Gaps among which two odd ones are a new level.
  static constexpr std::size_t kRecent = 4;
  // Of the lateness: short gaps beyond it that still belong to the burst, and one.
  static constexpr double kSurplus = .25;

  struct Observed {
    double relative;  // x
    bool new_level;
  };

  bool known() const { return at_.gap > 0; }
  double gap() const { return at_.gap; }                  // G, s
  double frames() const { return at_.frames; }            // N
  double error() const { return at_.error; }              // ε, relative
  double deviation() const { return at_.deviation; }      // δ, relative
  double period() const { return at_.gap / at_.frames; }  // s a frame; requires known()

  void start(double gap, double frames);
  // A gap of `gap` s before a block of `frames`, forecast to be `forecast` mean gaps. Requires
  // known().
  Observed observe(double gap, double frames, double forecast);
  // The next gap has no predecessor: what was odd before it is forgotten.
  void interrupt();
  void restore(double gap, double frames, double deviation);

 private:
  struct Gap {
    double gap, frames, relative;
    bool odd;
  };
  struct Estimate {
    double gap = 0, frames = 1, deviation = kDeviation, error = kError;
    double count = 1;  // blocks since the level was set, up to 2 MEMORY
    std::array<Gap, kRecent> recent{};
    std::size_t seen = 0;  // of `recent`

    double relative(double g, double n) const { return g * frames / (gap * n); }
    double limit() const { return 1 + kOdd * deviation; }
    bool observe(double g, double n, double forecast);  // whether the level is a new one
    bool renew(const Gap& now);
    void set(double g, double n, double blocks);
  };
  struct Burst {
    double gap = 0, frames = 0;  // together
    double late = 0;             // relative gaps not yet caught up
    double least = 0;            // `late` at which the burst is over
    int gaps = 0;                // 0 = none
  };

  Estimate at_, before_;  // before_: where the level stood before the burst
  Burst burst_;
};

}  // namespace reactor::pacing
