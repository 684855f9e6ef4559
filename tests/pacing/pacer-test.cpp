// SPDX-License-Identifier: LGPL-2.1-or-later
// What the pacer does in named situations, in virtual time.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <numeric>
#include <random>

#include "tests/pacing/scenario.h"
#include "tests/pacing/testing.h"

using namespace scenario;
using reactor::pacing::Block;
using reactor::pacing::Overflow;

static std::size_t allocations = 0;

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size ? size : 1)) return p;
  std::abort();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace {

Scenario jittery(unsigned count, double gap, unsigned frames, double jitter, unsigned seed = 1) {
  Scenario s;
  std::mt19937 rng(seed);
  std::normal_distribution<double> normal;
  for (unsigned i = 0; i < count; ++i)
    blocks(s, 1, gap * std::max(.2, 1 + jitter * normal(rng)), frames);
  return s;
}

double mean(const std::vector<double>& v) {
  return v.empty() ? 0 : std::accumulate(v.begin(), v.end(), 0.) / static_cast<double>(v.size());
}

// Σ |I/P − 1| over the intervals, a plain measure of unevenness.
double unevenness(const std::vector<double>& v, double period) {
  double sum = 0;
  for (double i : v) sum += std::abs(i / period - 1);
  return sum / static_cast<double>(v.size());
}

double least(const std::vector<double>& v) {
  return *std::min_element(v.begin(), v.end());
}
double most(const std::vector<double>& v) {
  return *std::max_element(v.begin(), v.end());
}

// Index of the first frame shown at or after `t` s.
std::size_t shown_from(const Log& log, double t) {
  std::size_t i = 0;
  while (i < log.shown.size() && seconds(log.shown[i].planned) < t) ++i;
  return i;
}

std::size_t count(const Log& log, DropReason reason) {
  return static_cast<std::size_t>(
      std::count_if(log.dropped.begin(), log.dropped.end(),
                    [&](const Dropped& d) { return d.reason == reason; }));
}

double latency(const Log& log, std::size_t i) {
  const FrameId id = log.shown[i].id;
  auto a = std::upper_bound(log.arrived.begin(), log.arrived.end(), id,
                            [](FrameId x, const Arrived& b) { return x < b.first; });
  return seconds(log.shown[i].planned - std::prev(a)->time);
}

double worst_latency(const Log& log) {
  double worst = 0;
  for (std::size_t i = 0; i < log.shown.size(); ++i) worst = std::max(worst, latency(log, i));
  return worst;
}

}  // namespace

TEST(a_steady_producer_leaves_evenly_from_the_third_block) {
  for (unsigned n : {1u, 4u, 12u, 48u, 120u})
    for (double smoothness : {0., .5, 1.}) {
      Scenario s;
      s.settings.smoothness = smoothness;
      s.settings.max_fps = 60;
      blocks(s, 30, n / 24., n);
      s.steps.push_back({Kind::kEnd, Duration(0), 0});
      const Log log = run(s);
      EXPECT_THAT(log.shown.size(), ==, std::size_t{30 * n});
      for (double i : intervals(log, 2 * n + 1)) EXPECT_THAT(std::abs(i * 24 - 1), <, .05);
      for (double i : intervals(log, 7 * n + 1)) EXPECT_THAT(std::abs(i * 24 - 1), <, .02);
    }
}

TEST(the_first_block_is_shown_at_once_at_the_rate_it_was_made) {
  Scenario s;
  blocks(s, 1, .5, 12);
  const Log log = run(s);
  EXPECT_THAT(latency(log, 0), ==, 0.);
  for (double i : intervals(log)) EXPECT_THAT(std::abs(i - .5 / 12), <, 1e-6);
}

TEST(the_first_block_is_never_slower_than_12_over_max_fps) {
  Scenario s;
  blocks(s, 1, 45, 12);
  for (double i : intervals(run(s))) EXPECT_THAT(i, <=, .2 + 1e-6);
}

TEST(the_end_of_a_stream_does_not_slow_down) {
  Scenario s = jittery(40, .5, 12, .1);
  s.steps.push_back({Kind::kEnd, Duration(0), 0});
  const Log log = run(s);
  const std::size_t from = shown_from(log, seconds(log.arrived.back().time));
  for (double i : intervals(log, from + 1))
    EXPECT_THAT(std::abs(i / log.shown.back().period - 1), <, 1e-6);
}

TEST(without_an_announced_end_the_last_frames_do_slow_down) {
  const Log log = run(jittery(40, .5, 12, .1));
  EXPECT_THAT(intervals(log).back(), >, 1.05 * log.shown.back().period);
}

TEST(the_rate_survives_a_pause_with_monitoring_off_exactly) {
  Scenario s = jittery(20, .5, 12, .1);
  s.steps.push_back({Kind::kOff, Duration(0), 0});
  s.steps.push_back({Kind::kSleep, std::chrono::seconds(30), 0});
  s.steps.push_back({Kind::kOn, Duration(0), 0});
  blocks(s, 1, .9, 12);
  const Log log = run(s);
  EXPECT(log.arrived[20].gap == log.arrived[19].gap);
  EXPECT_THAT(latency(log, 240), ==, 0.);
  EXPECT_THAT(log.shown[240].period, ==, log.shown[239].period);
  const double first = intervals(log, 241, 242)[0];
  EXPECT_THAT(first, >, log.shown[240].period / 1.25 - 1e-6);
  EXPECT_THAT(first, <, log.shown[240].period * 1.15);
}

TEST(a_block_made_while_monitoring_is_off_teaches_nothing) {
  Scenario s = jittery(20, .5, 12, .1);
  s.steps.push_back({Kind::kOff, Duration(0), 0});
  blocks(s, 3, 3, 12);
  s.steps.push_back({Kind::kOn, Duration(0), 0});
  const Log log = run(s);
  EXPECT(log.arrived.back().gap == log.arrived[19].gap);
}

TEST(an_unannounced_stall_does_not_poison_the_rate) {
  Scenario s;
  blocks(s, 30, .5, 12);
  blocks(s, 1, 5, 12);
  blocks(s, 12, .5, 12);
  const Log log = run(s);
  EXPECT_THAT(log.arrived[30].gap, <, .5 * 1.06);
  EXPECT_THAT(log.arrived.back().gap, <, .5 * 1.02);
  Pacer pacer(s.settings);
  run(s, {}, &pacer);
  EXPECT_THAT(pacer.explain(Time(0)).stalls, ==, std::uint64_t{1});
}

TEST(blocks_that_catch_up_after_a_stall_leave_the_rate_alone) {
  Scenario s;
  blocks(s, 30, .5, 12);
  blocks(s, 1, 2, 12);
  blocks(s, 3, .001, 12);
  const Log log = run(s);
  EXPECT_THAT(std::abs(log.arrived.back().gap / .5 - 1), <, .02);
}

TEST(a_step_of_the_rate_is_taken_after_two_blocks) {
  Scenario s;
  blocks(s, 30, .25, 4);
  blocks(s, 2, .5, 4);
  const Log log = run(s);
  EXPECT_THAT(std::abs(log.arrived.back().gap / .5 - 1), <, .01);
  Scenario back = s;
  blocks(back, 20, .5, 4);
  blocks(back, 2, .25, 4);
  EXPECT_THAT(std::abs(run(back).arrived.back().gap / .25 - 1), <, .01);
}

TEST(two_blocks_delivered_together_again_and_again_are_a_rate) {
  Scenario s;
  for (int i = 0; i < 10; ++i) {
    blocks(s, 1, .9, 6);
    blocks(s, 1, .1, 6);
  }
  const Log log = run(s);
  EXPECT_THAT(std::abs(log.arrived.back().gap / .5 - 1), <, .1);
}

TEST(blocks_of_changing_size_keep_the_rate) {
  Scenario s;
  std::mt19937 rng(3);
  for (int i = 0; i < 200; ++i) {
    const unsigned n = 1 + rng() % 23;
    blocks(s, 1, n / 24., n);
  }
  const Log log = run(s);
  for (std::size_t i = log.shown.size() / 4; i < log.shown.size(); ++i)
    EXPECT_THAT(std::abs(log.shown[i].period * 24 - 1), <, .05);
}

TEST(single_frame_blocks_with_jitter_leave_more_evenly_than_they_came) {
  const Scenario s = jittery(400, 1 / 24., 1, .3);
  const Log log = run(s);
  std::vector<double> gaps;
  for (std::size_t i = 101; i < log.arrived.size(); ++i)
    gaps.push_back(seconds(log.arrived[i].time - log.arrived[i - 1].time));
  EXPECT_THAT(unevenness(intervals(log, 101), 1 / 24.), <, .6 * unevenness(gaps, 1 / 24.));
}

TEST(two_blocks_at_the_same_instant_are_one_delivery) {
  Scenario s;
  s.settings.max_fps = 30;
  blocks(s, 20, .5, 12);
  blocks(s, 1, 1, 12);
  blocks(s, 1, 0, 12);
  blocks(s, 10, .5, 12);
  const Log log = run(s);
  EXPECT_THAT(std::abs(log.arrived.back().gap / .5 - 1), <, .02);
  EXPECT_THAT(log.shown.size(), ==, std::size_t{32 * 12});
}

TEST(a_model_faster_than_max_fps_waits_and_loses_nothing) {
  Scenario s = jittery(400, 8 / 100., 8, .1);
  const Log log = run(s);
  EXPECT_THAT(log.dropped.size(), ==, std::size_t{0});
  const std::vector<double> late = intervals(log, 200, log.shown.size() - 8);
  EXPECT_THAT(least(late), >, 1 / 60. - 1e-8);
  EXPECT_THAT(mean(late), <, 1.03 / 60);
  EXPECT_THAT(seconds(log.held), >, 400 * 8 * (1 / 60. - 1 / 100.) * .9);
}

TEST(a_model_faster_than_max_fps_is_held_for_all_of_the_difference) {
  Scenario s;
  s.settings.smoothness = 0;
  blocks(s, 200, 12 / 100., 12);
  const Log log = run(s);
  double first = 0;  // mean latency of the first frames of blocks, once the rate is known
  for (std::size_t i = 100; i < 200; ++i) first += latency(log, i * 12) / 100;
  EXPECT_THAT(first, <, .05);
}

TEST(a_model_faster_than_max_fps_is_thinned_evenly_under_the_drop_policies) {
  for (Overflow overflow : {Overflow::kDropOldest, Overflow::kDropNewest}) {
    Scenario s = jittery(300, 8 / 120., 8, .05);
    s.settings.overflow = overflow;
    const Log log = run(s);
    EXPECT_THAT(count(log, DropReason::kThinned), >, std::size_t{1000});
    EXPECT_THAT(count(log, DropReason::kOverflow), <, std::size_t{60});
    EXPECT_THAT(seconds(log.held), ==, 0.);
    std::size_t uneven = 0;
    for (std::size_t i = log.shown.size() / 2; i < log.shown.size(); ++i) {
      const FrameId step = log.shown[i].id - log.shown[i - 1].id;
      uneven += step != 2;
    }
    EXPECT_THAT(uneven, <, log.shown.size() / 10);
    EXPECT_THAT(worst_latency(log), <, 1.);
  }
}

TEST(drop_oldest_and_drop_newest_drop_at_their_end) {
  for (Overflow overflow : {Overflow::kDropOldest, Overflow::kDropNewest}) {
    Settings settings;
    settings.overflow = overflow;
    Pacer pacer(settings);
    Time now(0);
    for (int i = 0; i < 20; ++i) {
      now += ms(500);
      pacer.arrive(now, {12, ms(500)});
      while (!pacer.empty()) pacer.release(*pacer.next_release());
    }
    pacer.arrive(now += ms(500), {12, ms(500)});
    const FrameId last = pacer.arrive(now, {100, ms(500)});
    EXPECT(!pacer.drops().empty());
    for (const Drop& d : pacer.drops()) {
      EXPECT(d.reason == DropReason::kOverflow);
      EXPECT(overflow == Overflow::kDropOldest ? d.id < last + 60 : d.id >= last + 40);
    }
  }
}

TEST(a_clock_that_jumps_back_or_far_ahead_does_no_harm) {
  Pacer pacer;
  for (int i = 1; i <= 20; ++i) {
    pacer.arrive(ms(500 * i), {12, {}});
    while (!pacer.empty() && *pacer.next_release() < ms(500 * i + 480))
      pacer.release(*pacer.next_release());
  }
  const std::size_t left = pacer.queued();
  pacer.arrive(ms(3000), {12, {}});  // 7 s back: taken as the latest time seen
  EXPECT_THAT(pacer.queued(), ==, left + 12);
  EXPECT(*pacer.next_release() >= ms(10000 + 400));
  Time last(0);
  while (!pacer.empty()) {
    const auto r = pacer.release(*pacer.next_release());
    EXPECT(r.planned > last);
    EXPECT(r.interval <= ms(200));
    last = r.planned;
  }
  const double before = *pacer.fps();
  pacer.arrive(last + std::chrono::hours(1), {12, {}});
  EXPECT_THAT(std::abs(*pacer.fps() / before - 1), <, .1);
}

TEST(an_earlier_now_is_taken_as_the_latest_one_seen) {
  Pacer pacer;
  for (int i = 1; i <= 6; ++i) {
    pacer.arrive(ms(500 * i), {12, {}});
    while (!pacer.empty() && *pacer.next_release() < ms(500 * i + 480))
      pacer.release(*pacer.next_release());
  }
  pacer.arrive(ms(3450), {12, {}});
  const Time latest = ms(3600);
  while (*pacer.next_release() < latest) pacer.release(*pacer.next_release());
  pacer.set_monitoring(latest, true);
  EXPECT(!pacer.empty());
  Pacer earlier = pacer;
  pacer.arrive(latest, {12, ms(500)});
  earlier.arrive(latest - ms(300), {12, ms(500)});
  while (!pacer.empty() && !earlier.empty()) {
    EXPECT_THAT(earlier.next_release()->count(), ==, pacer.next_release()->count());
    pacer.release(*pacer.next_release());
    earlier.release(*earlier.next_release());
  }
  EXPECT(earlier.empty() && pacer.empty());
}

TEST(a_hitch_with_a_burst_is_not_fast_forwarded) {
  for (double smoothness : {0., .5, 1.}) {
    Scenario s;
    s.settings.smoothness = smoothness;
    blocks(s, 60, .5, 12);
    blocks(s, 1, 2.5, 12);
    blocks(s, 3, .001, 12);
    blocks(s, 60, .5, 12);
    const Log log = run(s);
    EXPECT_THAT(log.dropped.size(), ==, std::size_t{0});
    EXPECT_THAT(least(intervals(log, 13)), >, .5 / 12 / 1.25 * .995);
    const std::size_t after = shown_from(log, 60 * .5 + 2.5);
    const std::vector<double> next = intervals(log, after + 1, after + 49);
    EXPECT_THAT(std::count_if(next.begin(), next.end(), [](double i) { return i < .75 * .5 / 12; }),
                ==, 0);
    // The latency of the burst is given back: 10 s later it is near what it was.
    const double before = latency(log, 59 * 12), later = latency(log, log.shown.size() - 12);
    EXPECT_THAT(later, <, before + .25);
  }
}

TEST(a_warm_up_is_neither_fast_forwarded_nor_remembered) {
  Scenario s;
  blocks(s, 1, 45, 12);
  blocks(s, 2, 4, 12);
  blocks(s, 200, .5, 12);
  const Log log = run(s);
  EXPECT_THAT(most(intervals(log, 1, 12)), <=, .2 + 1e-6);
  for (std::size_t i = 0; i + 1 < log.shown.size(); ++i)
    EXPECT_THAT(seconds(log.shown[i].interval), <=, .2 + 1e-6);
  // Within 25 % from the third fast block on; nothing rushed before.
  const std::size_t third = shown_from(log, 53 + 1.5);
  EXPECT_THAT(log.shown[third].period, <, 1.25 * .5 / 12);
  std::size_t rushed = 0;
  for (double i : intervals(log)) rushed += i < .75 * .5 / 12;
  EXPECT_THAT(rushed, <=, std::size_t{24});
  // No cushion is left of it after 30 s: a steady producer needs none.
  const std::size_t settled = shown_from(log, 53 + 30);
  for (std::size_t i = settled; i < log.shown.size(); ++i) EXPECT_THAT(latency(log, i), <, .5 + .1);
}

TEST(a_stopped_process_does_not_rush_what_fell_due_meanwhile) {
  Scenario s;
  for (int i = 0; i < 40; ++i) {
    blocks(s, 2, .5, 12);
    if (i % 10 == 9) s.steps.push_back({Kind::kStop, ms(200), 0});
  }
  const Log log = run(s);
  EXPECT_THAT(least(intervals(log, 37)), >, .5 / 12 / 1.25 * .99);
  for (const Shown& f : log.shown)
    EXPECT_THAT(seconds(f.called - f.planned), <, .5 / 12 / 8 + 1e-9);
}

TEST(a_release_that_is_a_little_late_leaves_the_plan_even) {
  Pacer pacer;
  for (int i = 1; i <= 10; ++i) {
    pacer.arrive(ms(500 * i), {12, ms(500)});
    while (pacer.queued() > 1) {
      const Time due = *pacer.next_release();
      EXPECT(pacer.release(due + ms(4)).planned == due);
    }
    const Time due = *pacer.next_release();
    EXPECT(pacer.release(due + ms(80)).planned == due + ms(80));
  }
}

TEST(time_blocked_in_emit_is_not_generation_time_when_max_fps_changes) {
  // A model that could make 48 frames a second is held to 24, then to 12, then let free.
  Scenario s;
  s.tells_compute = false;
  s.settings.max_fps = 24;
  for (unsigned fps : {24u, 12u, 24u, 12u, 60u}) {
    s.steps.push_back({Kind::kMaxFps, Duration(0), fps});
    blocks(s, 40, .25, 12);
  }
  const Log log = run(s);
  for (std::size_t k = 2; k < log.arrived.size(); ++k)
    EXPECT_THAT(std::abs(log.arrived[k].gap / .25 - 1), <, 1e-3);
  EXPECT_THAT(seconds(log.held), >, 75.);
  EXPECT_THAT(std::abs(log.shown.back().period * 48 - 1), <, 1e-3);
}

TEST(a_producer_held_longer_than_planned_worked_only_once_it_went_on) {
  // Releases come 40 ms late each, so that the room comes far later than was planned.
  Pacer pacer;
  Time now(0);
  pacer.arrive(now, {4, {}});
  for (int k = 0; k < 40; ++k) {
    while (pacer.room(now) > now) {
      now = std::max(now, *pacer.next_release()) + ms(40);
      pacer.release(now);
    }
    pacer.resumed(now);
    pacer.arrive(now += ms(80), {4, {}});
    if (k > 0) EXPECT_THAT(std::abs(pacer.explain(now).gap / .08 - 1), <, 1e-3);
  }
}

TEST(a_slow_consumer_is_a_lower_max_fps) {
  Scenario slow = jittery(40, 12 / 60., 12, .2), capped = slow;
  slow.settings.consumer = ms(40);
  capped.settings.max_fps = 25;
  const Log a = run(slow), b = run(capped);
  EXPECT(a.shown.size() == b.shown.size());
  for (std::size_t i = 0; i < a.shown.size(); ++i) EXPECT(a.shown[i].planned == b.shown[i].planned);
}

TEST(raising_max_fps_lets_a_held_producer_go) {
  Settings settings;
  settings.max_fps = 10;
  Pacer pacer(settings);
  Time now(0);
  for (int i = 0; i < 3; ++i) pacer.arrive(now += ms(100), {12, ms(100)});
  EXPECT(pacer.room(now) > now + ms(1000));
  settings.max_fps = 240;
  pacer.configure(now, settings);
  EXPECT(pacer.room(now) < now + ms(400));
}

TEST(max_latency_bounds_every_frame_and_thins_evenly) {
  for (Overflow overflow : {Overflow::kWait, Overflow::kDropOldest, Overflow::kDropNewest})
    for (bool obeys : {true, false}) {
      Scenario s = jittery(900, 4 / 240., 4, .1);
      s.settings.overflow = overflow;
      s.settings.max_latency = ms(200);
      s.obeys = obeys;
      const Log log = run(s);
      EXPECT_THAT(worst_latency(log), <=, .2);
      const double shown =
          static_cast<double>(log.shown.size()) / seconds(log.shown.back().planned);
      EXPECT_THAT(shown, >, 55.);
      if (overflow == Overflow::kWait && obeys) {
        EXPECT_THAT(log.dropped.size(), <, std::size_t{40});
        continue;
      }
      FrameId widest = 0;
      for (std::size_t i = log.shown.size() / 4; i < log.shown.size(); ++i)
        widest = std::max(widest, log.shown[i].id - log.shown[i - 1].id);
      EXPECT_THAT(widest, <=, FrameId{16});
    }
}

TEST(max_latency_below_one_block_still_shows_frames_at_most_max_fps) {
  Scenario s;
  s.settings.max_latency = ms(200);
  blocks(s, 40, 2, 48);
  const Log log = run(s);
  EXPECT_THAT(worst_latency(log), <=, .2);
  EXPECT_THAT(count(log, DropReason::kLate) + log.shown.size(), ==, std::size_t{40 * 48});
  EXPECT_THAT(log.shown.size(), >=, std::size_t{40 * 12});
}

TEST(a_late_call_drops_what_has_outstayed_but_shows_the_newest) {
  Settings settings;
  settings.max_latency = ms(600);
  Pacer pacer(settings);
  pacer.arrive(ms(500), {12, ms(500)});
  const auto r = pacer.release(ms(5000));
  EXPECT_THAT(r.id, ==, FrameId{11});
  EXPECT_THAT(pacer.drops().size(), ==, std::size_t{11});
  EXPECT(pacer.empty());
}

TEST(a_producer_that_waits_is_held_early_enough_for_max_latency) {
  Scenario s = jittery(300, .25, 6, .1);
  s.settings.max_latency = ms(400);
  const Log log = run(s);
  EXPECT_THAT(worst_latency(log), <=, .4);
  EXPECT_THAT(log.dropped.size(), <, std::size_t{18});
}

TEST(a_producer_that_runs_ahead_is_held_rather_than_thinned_for_max_latency) {
  for (double smoothness : {0., .5, 1.}) {
    Scenario s;
    for (int i = 0; i < 30; ++i) {
      blocks(s, 10, .5, 12);
      blocks(s, 4, .2, 12);
    }
    s.settings.max_latency = ms(800);
    s.settings.smoothness = smoothness;
    const Log log = run(s);
    EXPECT_THAT(worst_latency(log), <=, .8);
    EXPECT_THAT(log.dropped.size(), ==, std::size_t{0});
    EXPECT_THAT(seconds(log.held), >, 5.);
  }
}

TEST(black_keeps_its_distance_and_flush_drops_what_is_queued) {
  Pacer pacer;
  pacer.arrive(ms(500), {12, ms(500)});
  const Time shown = pacer.release(ms(500)).planned;
  pacer.black(shown + ms(1));
  EXPECT_THAT(pacer.drops().size(), ==, std::size_t{11});
  for (const Drop& d : pacer.drops()) EXPECT(d.reason == DropReason::kFlushed);
  EXPECT(pacer.black_due() - shown >= ms(16.6) && pacer.black_due() - shown < ms(16.8));
  EXPECT(pacer.empty() && !pacer.next_release());
  pacer.arrive(shown + ms(2), {12, ms(500)});
  EXPECT(*pacer.next_release() - pacer.black_due() >= ms(16.6));
  EXPECT(*pacer.next_release() - pacer.black_due() < ms(16.8));
  pacer.flush(ms(5000));
  EXPECT(pacer.black_due() == ms(5000));
}

TEST(four_hours_do_not_drift) {
  for (double period : {1001 / 24000., 1 / 59.94, 1 / 7.}) {
    Scenario s;
    const auto n = static_cast<unsigned>(period > .1 ? 3 : 12);
    blocks(s, static_cast<unsigned>(4 * 3600 / period / n), period * n, n);
    const Log log = run(s);
    EXPECT_THAT(log.dropped.size(), ==, std::size_t{0});
    const std::size_t early = static_cast<std::size_t>(60 / period) / n * n;
    const std::size_t late = log.shown.size() - 10 * n;
    EXPECT_THAT(std::abs(latency(log, late) - latency(log, early)), <, .1 * n * period);
  }
}

TEST(a_rate_that_halves_and_returns_is_followed_without_overshoot) {
  Scenario s;
  blocks(s, 80, .2, 4);
  blocks(s, 25, .4, 4);
  blocks(s, 50, .2, 4);
  const Log log = run(s);
  const auto lag = [&](double from, double period) {
    for (std::size_t i = shown_from(log, from); i + 9 < log.shown.size(); ++i)
      if (std::abs(mean(intervals(log, i + 1, i + 9)) / period - 1) < .15)
        return seconds(log.shown[i].planned) - from;
    return 1e9;
  };
  EXPECT_THAT(lag(16, .1), <, 1.);
  EXPECT_THAT(lag(26, .05), <, 2.5);
  EXPECT_THAT(most(intervals(log, shown_from(log, 18), shown_from(log, 26))), <, .1 * 1.3);
  EXPECT_THAT(least(intervals(log)), >, .05 / 1.25 * .99);
}

TEST(smoothness_buys_evenness_with_latency) {
  double uneven[3], late[3];
  for (int k = 0; k < 3; ++k) {
    Scenario s = jittery(400, .25, 4, .25);
    s.settings.smoothness = k / 2.;
    const Log log = run(s);
    uneven[k] = unevenness(intervals(log, 400), .25 / 4);
    late[k] = 0;
    for (std::size_t i = 400; i < log.shown.size(); ++i) late[k] += latency(log, i);
  }
  EXPECT(uneven[0] > uneven[1] && uneven[1] > uneven[2]);
  EXPECT(late[0] < late[1] && late[1] < late[2]);
}

TEST(smoothness_takes_effect_at_once) {
  Settings settings;
  settings.smoothness = 0;
  Pacer pacer(settings);
  Scenario s = jittery(200, .25, 4, .25);
  run(s, {}, &pacer);
  const double before = pacer.explain(Time(0)).cushion;
  settings.smoothness = 1;
  pacer.configure(Time(0), settings);
  EXPECT_THAT(pacer.explain(Time(0)).cushion, >, 2 * before + .01);
}

TEST(a_cushion_is_held_for_jitter_and_given_up_when_it_is_over) {
  Scenario s = jittery(200, .25, 4, .3);
  s.settings.smoothness = 1;
  Pacer pacer(s.settings);
  run(s, {}, &pacer);
  const double jitter = pacer.explain(Time(0)).cushion;
  EXPECT_THAT(jitter, >, .05);
  Scenario steady;
  blocks(steady, 600, .25, 4);
  run(steady, {.origin = std::chrono::hours(1)}, &pacer);
  EXPECT_THAT(pacer.explain(Time(0)).cushion, <, jitter / 2);
}

TEST(the_explanation_tells_what_is_going_on) {
  Scenario s;
  for (int i = 0; i < 80; ++i) blocks(s, 1, i % 4 == 3 ? .4 : .2, 4);
  Pacer pacer(s.settings);
  const Log log = run(s, {}, &pacer);
  const Time now = log.arrived.back().time;
  const auto e = pacer.explain(std::max(now, log.shown.back().planned));
  EXPECT_THAT(e.rhythm % 4, ==, 0u);
  EXPECT_THAT(e.rhythm, >, 0u);
  EXPECT_THAT(std::abs(e.gap / .25 - 1), <, .05);
  EXPECT_THAT(std::abs(e.frames - 4), <, .01);
  EXPECT_THAT(std::abs(e.period / (.25 / 4) - 1), <, .05);
  EXPECT_THAT(e.blocks, ==, std::uint64_t{80});
  EXPECT(e.horizon > 0 && e.cost >= 0);
  const double expected = seconds(now) + .2 - seconds(std::max(now, log.shown.back().planned));
  EXPECT_THAT(std::abs(e.next_arrival - expected), <, .03);
}

TEST(a_late_block_is_expected_to_be_as_late_again) {
  Scenario s;
  blocks(s, 30, .5, 12);
  Pacer pacer(s.settings);
  const Log log = run(s, {}, &pacer);
  const Time last = log.arrived.back().time;
  EXPECT_THAT(std::abs(pacer.explain(last + ms(1000)).slack + .5), <, .02);
  EXPECT_THAT(std::abs(pacer.explain(last + ms(1000)).next_arrival + .5), <, .02);
}

TEST(what_was_learnt_can_be_saved_and_given_back) {
  Settings settings;
  settings.smoothness = 1;
  Pacer learnt(settings);
  run(jittery(300, .75, 12, .2, 7), {}, &learnt);
  const std::string state = learnt.save();
  EXPECT_THAT(state.size(), <, std::size_t{4000});
  Pacer warm(settings);
  EXPECT(warm.restore(state));
  EXPECT(warm.save() == state);
  EXPECT_THAT(std::abs(*warm.fps() / *learnt.fps() - 1), <, 1e-5);
  EXPECT_THAT(std::abs(warm.explain(Time(0)).cushion - learnt.explain(Time(0)).cushion), <, 1e-4);
  std::string spaced;
  for (char c : state) spaced += c == ',' ? std::string(" ,\n ") : std::string(1, c);
  EXPECT(warm.restore(spaced));
}

TEST(a_warm_start_is_smoother_than_a_cold_one) {
  double cold = 0, warm = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Settings settings;
    settings.smoothness = 1;
    Pacer learnt(settings), again(settings);
    run(jittery(100, .75, 12, .2, seed), {}, &learnt);
    EXPECT(again.restore(learnt.save()));
    Scenario s = jittery(14, .75, 12, .2, 1000 + seed);
    s.settings = settings;
    cold += unevenness(intervals(run(s)), .75 / 12);
    warm += unevenness(intervals(run(s, {}, &again)), .75 / 12);
  }
  EXPECT_THAT(warm, <, .85 * cold);
}

TEST(a_state_that_is_none_is_refused_and_changes_nothing) {
  Pacer pacer;
  run(jittery(50, .5, 12, .1), {}, &pacer);
  const std::string state = pacer.save();
  for (std::size_t cut = 0; cut < state.size(); cut += 7)
    EXPECT(!pacer.restore(state.substr(0, cut)));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = state;
    const std::size_t i = s.find(from);
    return i == s.npos ? s : s.replace(i, from.size(), to);
  };
  const std::string gap =
      state.substr(state.find("\"gap\":"), state.find(",\"frames\"") - state.find("\"gap\":"));
  for (const char* bad : {"\"gap\":-1", "\"gap\":0", "\"gap\":nan", "\"gap\":inf", "\"gap\":1e99",
                          "\"gap\":", "\"gap\":\"1\"", "\"gap\":1e-400", "\"gap\":0x10",
                          "\"gap\":null", "\"gap\":[1]"})
    EXPECT(!pacer.restore(with(gap, bad)));
  EXPECT(!pacer.restore(with("\"reactor-pacing\":1", "\"reactor-pacing\":2")));
  EXPECT(!pacer.restore(state + "x"));
  EXPECT(!pacer.restore("{}") && !pacer.restore("") && !pacer.restore(std::string(100000, '[')));
  EXPECT(pacer.save() == state);
  // Whatever is accepted keeps the numbers finite.
  std::mt19937 rng(5);
  for (int i = 0; i < 3000; ++i) {
    std::string s = state;
    for (int k = 0; k < 3; ++k) s[rng() % s.size()] = "0123456789.,-+e[]{}\"a "[rng() % 22];
    Pacer other;
    if (!other.restore(s)) continue;
    const Log log = run(jittery(5, .5, 12, .1), {.polls = true}, &other);
    EXPECT(log.faults.empty());
    EXPECT_THAT(log.shown.size(), ==, std::size_t{60});
  }
}

TEST(nothing_is_allocated_per_frame_after_warm_up) {
  Pacer pacer;
  std::mt19937 rng(2);
  Time now(0);
  std::size_t before = 0;
  for (int k = 0; k < 3000; ++k) {
    if (k == 300) before = allocations;
    const Duration gap = ms(250 + 100. * (rng() % 100) / 100);
    pacer.arrive(now += gap, {12, gap});
    (void) pacer.explain(now);
    (void) pacer.room(now);
    while (!pacer.empty() && *pacer.next_release() < now + gap)
      pacer.release(*pacer.next_release());
  }
  EXPECT_THAT(allocations - before, ==, std::size_t{0});
}

TEST(a_producer_that_never_waits_is_cut_off_at_a_limit) {
  Pacer pacer;
  for (int k = 1; k < 400; ++k) pacer.arrive(ms(k), {120, ms(1)});
  EXPECT_THAT(pacer.queued(), <=, std::size_t{8192});
  EXPECT(!pacer.drops().empty());
  for (const Drop& d : pacer.drops()) EXPECT(d.reason == DropReason::kOverflow);
}

TEST(min_fps_is_the_slowest_rate_while_frames_are_queued) {
  Scenario s;
  s.settings.min_fps = 20;
  blocks(s, 30, 1.2, 12);
  const Log log = run(s);
  for (const Shown& f : log.shown) EXPECT_THAT(seconds(f.interval), <=, .05 + 1e-9);
}

TEST(an_empty_block_is_no_block) {
  Pacer pacer;
  EXPECT_THAT(pacer.arrive(ms(10), {0, {}}), ==, FrameId{0});
  EXPECT(pacer.empty() && !pacer.fps());
}

int main(int argc, char** argv) {
  return testing::run(argc, argv);
}
