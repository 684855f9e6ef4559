// SPDX-License-Identifier: LGPL-2.1-or-later
// Rhythm: finds that every K-th gap is alike (cache refresh, garbage collection, alternation) and
// forecasts the next one.
//
// Maths. For each lag K < LAGS the gain of repeating the relative gap x of K blocks ago over
// repeating the mean:
//   gain_K ← gain_K + (½ min((x − 1)², 1) − min((x − x_K)², 1) − gain_K) / LEARN
// Half, because for independent gaps a repetition errs twice as much as the mean. The lag with the
// largest positive gain, seen for two periods, gives the seasonal naive forecast s = x_K / mean of
// the last K; without one, s = 1.
#pragma once

#include <array>
#include <cstdint>

namespace reactor::pacing {

class Rhythm {
 public:
  // Longest rhythm looked for, blocks (exclusive).
  static constexpr unsigned kLags = 24;
  // First gaps that are no evidence: models warm up.
  static constexpr unsigned kWarm = 4;
  // Blocks remembered.
  static constexpr double kLearn = 100;
  // Gain that a rhythm must have: that of a deviation of 1 %.
  static constexpr double kFloor = 1e-4;

  Rhythm();
  void observe(double x);
  double forecast() const { return forecast_; }  // s: the next gap, in mean gaps
  unsigned lag() const { return lag_; }          // 0 = none found
  const std::array<double, kLags>& gains() const { return gain_; }
  std::array<double, kLags> latest() const;  // relative gaps, the newest first
  std::uint64_t seen() const { return seen_; }
  void restore(std::uint64_t seen, const std::array<double, kLags>& latest,
               const std::array<double, kLags>& gains);

 private:
  double ago(unsigned blocks) const { return ring_[(seen_ + kLags - blocks) % kLags]; }
  void choose();

  std::array<double, kLags> ring_, gain_;
  std::uint64_t seen_ = 0;
  unsigned lag_ = 0;
  double forecast_ = 1;
};

}  // namespace reactor::pacing
