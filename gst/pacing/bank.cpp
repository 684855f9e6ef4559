// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/bank.h"

#include <algorithm>
#include <cmath>

namespace reactor::pacing {

namespace {

struct Pair {
  double cushion, horizon;  // mean gaps
};

constexpr std::array<Pair, Bank::kSize> all_pairs() {
  std::array<Pair, Bank::kSize> pairs{};
  std::size_t i = 0;
  for (double b : Bank::kCushions)
    for (double h : Bank::kHorizons) pairs[i++] = {b, h};
  return pairs;
}
constexpr auto kPairs = all_pairs();

double rho(double x) {
  return 2 * (std::sqrt(1 + x * x) - 1);
}

}  // namespace

double latency_price(double smoothness) {
  const double x = std::clamp(smoothness, 0., 1.);
  return x < .5 ? 1.5 * std::pow(.5 / 1.5, 2 * x) : .5 * std::pow(.15 / .5, 2 * x - 1);
}

void Bank::start(const Belief& belief) {
  ledger_ = {};
  seen_ = 0;
  interrupt();
  const double frames = std::max(1., std::round(belief.frames));
  arrive(frames, false, belief);
  for (double r : kPrior) {
    play(r * belief.gap, belief.law.period, belief);
    arrive(frames, true, belief);
  }
  interrupt();
}

void Bank::play(double gap, double local, const Belief& belief) {
  const Law& law = belief.law;
  for (std::size_t i = 0; i < kSize; ++i) {
    Virtual& v = pacers_[i];
    const Aim aim{kPairs[i].cushion * belief.gap, kPairs[i].horizon * belief.gap};
    while (v.queued > 0 && v.next < gap) {
      if (v.released > Virtual::kNever) {
        const double shown = v.next - v.released;
        v.unevenness += rho(shown / local - 1);
        if (v.interval > 0) v.unevenness += rho((shown - v.interval) / local);
        v.interval = shown;
      }
      v.released = v.next;
      v.queued -= 1;
      const double slack = law.slack(v.released, 0, v.queued, belief.next);
      v.next = v.released + law.interval(slack, v.interval, aim);
    }
    if (v.released > Virtual::kNever) v.released -= gap;
    if (v.next > Virtual::kNever) v.next -= gap;
  }
}

void Bank::arrive(double frames, bool charged, const Belief& belief) {
  const Law& law = belief.law;
  if (charged) seen_ = std::min(seen_ + 1, kLearn);
  const double a = charged ? 1 / seen_ : 0;
  const double reaction = 1.5 * belief.gap + kReaction * law.min_interval;
  for (std::size_t i = 0; i < kSize; ++i) {
    Virtual& v = pacers_[i];
    const Aim aim{kPairs[i].cushion * belief.gap, kPairs[i].horizon * belief.gap};
    const double before = v.queued;
    // The producer would have been held before more than this was queued.
    const double most = std::ceil((aim.cushion + belief.excess + belief.next.arrival) / law.period);
    v.queued = std::min(before, most) + frames;
    if (before == 0 && v.next <= 0) {
      v.next = 0;
    } else {
      const double slack = law.slack(0, -v.released, v.queued, belief.next);
      v.next = std::max(0., v.released + law.interval(slack, v.interval, aim));
    }
    const double late = v.next + before * law.period;
    ledger_[i].unevenness += a * (v.unevenness / belief.frames - ledger_[i].unevenness);
    ledger_[i].latency += a * (late / reaction - ledger_[i].latency);
    v.unevenness = 0;
  }
}

void Bank::choose(double price) {
  const auto cost = [price](const Costs& c) { return c.unevenness + price * c.latency; };
  cost_ = cost(ledger_[0]);
  for (const Costs& c : ledger_) cost_ = std::min(cost_, cost(c));
  constexpr double kZero = 1e-9;  // of a cost: a steady producer costs nothing at all
  double sum = 0, cushion = 0, horizon = 0;
  for (std::size_t i = 0; i < kSize; ++i) {
    const double weight = std::exp((1 - cost(ledger_[i]) / (cost_ + kZero)) / kSoft);
    sum += weight;
    cushion += weight * kPairs[i].cushion;
    horizon += weight * kPairs[i].horizon;
  }
  cushion_ = cushion / sum;
  horizon_ = horizon / sum;
}

void Bank::interrupt() {
  pacers_.fill({});
}

void Bank::restore(double seen, const Ledger& ledger) {
  seen_ = seen;
  ledger_ = ledger;
  interrupt();
}

}  // namespace reactor::pacing
