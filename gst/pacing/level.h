// SPDX-License-Identifier: LGPL-2.1-or-later
// Level: what the producer does on average: the mean gap between blocks and the mean number of
// frames in one.
//
// Maths. Gap G and frames N are averages of their own, so that blocks of changing size do not bias
// the period P = G / N. For a gap g before a block, in which n frames were to be shown:
//   x = g N / (G n)           relative gap: 1 when the producer keeps its rate
//   r = x / s                 the same over its forecast s (Rhythm)
//   y = r, clipped to 1/θ … θ, θ = 1 + ODD δ,   δ = running mean of |y − 1|
//   G ← G + a (y G n / N − G),  N ← N + a (n − N),  a = max(2 / (k + 1), 1 / MEMORY) after k blocks
// Twice alike: two clipped gaps running whose r − 1 agree within a factor 2 are a new level: G and
// N become their means. Catching up: after a clipped long gap the short ones are not observed until
// they have used its excess up: a delivery that was late says nothing of the rate. So a stall moves
// the level by one clipped step and its burst not at all, and a step is taken after two blocks.
#pragma once

#include <optional>

namespace reactor::pacing {

class Level {
 public:
  static constexpr double kMemory =
      8;  // blocks remembered; flat between 4 and 20 on the development traces
  static constexpr double kOdd =
      6;  // mean absolute deviations (about 5 σ of a normal gap) beyond which a gap is odd
  static constexpr double kDeviation = .1;  // relative deviation believed before any gap was seen

  bool known() const { return gap_ > 0; }
  double gap() const { return gap_; }               // G, s
  double frames() const { return frames_; }         // N
  double deviation() const { return deviation_; }   // δ, relative
  double period() const { return gap_ / frames_; }  // s a frame; requires known()

  void start(double gap, double frames);
  // A gap of `gap` s before a block of `frames`, forecast to be `forecast` mean gaps. Returns the
  // relative gap x, or nothing when the gap was one of catching up and is no evidence.
  std::optional<double> observe(double gap, double frames, double forecast);
  // The next gap has no predecessor: what was odd before it is forgotten.
  void interrupt();
  void restore(double gap, double frames, double deviation);

 private:
  struct Odd {
    double gap, frames, relative;
  };
  double gap_ = 0, frames_ = 1, deviation_ = kDeviation;
  double count_ = 1;  // blocks since the level was set
  double debt_ = 0;   // relative gaps still to be caught up
  std::optional<Odd> odd_;
};

}  // namespace reactor::pacing
