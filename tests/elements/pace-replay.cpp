// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The same decisions in the element as in the core: producers of many kinds, replayed against a
// Pacer in virtual time and through reactorpace under a test clock, leave at the same nanosecond.

#include "pace-fixture.h"

#include "gst/pacing/pacer.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace pace_test;
namespace pacing = reactor::pacing;
using pacing::Time;

namespace {

struct Action {
  enum Kind { kBlock, kSleep, kOff, kOn, kFlush } kind = kBlock;
  Time takes{0};
  unsigned frames = 1;
};

struct Arrival {
  Time time;
  Action action;
};

struct Scenario {
  std::string properties;
  pacing::Settings settings;
  std::vector<Action> actions;
  bool tell_compute = false;
};

Time ms(double value) {
  return Time(std::llround(value * 1e6));
}

// The producer against the core alone: a closed loop, as the model is held while there is no room.
std::pair<std::vector<Arrival>, std::vector<Time>> run_core(const Scenario& s) {
  std::vector<Arrival> arrivals;
  std::vector<Time> releases;
  pacing::Pacer pacer(s.settings);
  std::size_t next = 0;
  Time now{0}, began{0};
  bool held = false;
  while (true) {
    std::optional<Time> act;
    if (held)
      act = pacer.room(now);
    else if (next < s.actions.size())
      act = began + s.actions[next].takes;
    const auto due = pacer.next_release();
    if (!act && !due) break;
    if (due && (!act || *due < *act)) {
      now = std::max(now, *due);
      releases.push_back(pacer.release(now).planned);
      continue;
    }
    began = now = std::max(now, *act);
    if (held) {
      held = false;
      continue;
    }
    const Action& action = s.actions[next++];
    arrivals.push_back({now, action});
    switch (action.kind) {
      case Action::kBlock: {
        pacing::Block block{action.frames, {}};
        if (s.tell_compute) block.compute = action.takes;
        pacer.arrive(now, block);
        held = true;
        break;
      }
      case Action::kOff:
      case Action::kOn:
        pacer.set_monitoring(now, action.kind == Action::kOn);
        break;
      case Action::kFlush:
        pacer.flush(now);
        break;
      case Action::kSleep:
        break;
    }
  }
  return {arrivals, releases};
}

std::vector<Time> run_element(const Scenario& s, const std::vector<Arrival>& arrivals) {
  Fixture f(s.properties);
  guint64 number = 0;
  guint epoch = 0;
  for (const auto& [time, action] : arrivals) {
    f.run_to(static_cast<GstClockTime>(time.count()), false);
    switch (action.kind) {
      case Action::kBlock:
        ck_assert(f.wait_idle());  // the model was told to go on in time
        f.push({.frames = action.frames,
                .number = number++,
                .epoch = epoch,
                .compute = s.tell_compute ? static_cast<GstClockTime>(action.takes.count())
                                          : GST_CLOCK_TIME_NONE});
        break;
      case Action::kOff:
      case Action::kOn:
        f.event(gst_reactor_event_new_monitoring(action.kind == Action::kOn));
        break;
      case Action::kFlush:
        gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_flush(++epoch));
        break;
      case Action::kSleep:
        break;
    }
  }
  f.run_to(f.now() + 60 * GST_SECOND);
  std::vector<Time> releases;
  for (const auto& frame : f.collect())
    if (!frame.black()) releases.push_back(Time(static_cast<gint64>(frame.pts)));
  return releases;
}

void compare(const char* name, const Scenario& s) {
  const auto [arrivals, expected] = run_core(s);
  const auto got = run_element(s, arrivals);
  ck_assert_msg(got.size() == expected.size(), "%s: %zu frames in place of %zu", name, got.size(),
                expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ck_assert_msg(got[i] == expected[i], "%s: frame %zu left at %.9f in place of %.9f", name, i,
                  static_cast<double>(got[i].count()) * 1e-9,
                  static_cast<double>(expected[i].count()) * 1e-9);
}

std::vector<Action> jittery(unsigned seed, unsigned blocks, double gap_ms, unsigned frames,
                            double jitter) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Action> actions;
  for (unsigned k = 0; k < blocks; ++k)
    actions.push_back(
        {Action::kBlock, ms(gap_ms * std::max(.2, 1 + jitter * normal(random))), frames});
  return actions;
}

GST_START_TEST(jittery_blocks) {
  for (const double smoothness : {0., .5, 1.}) {
    Scenario s{"smoothness=" + std::to_string(smoothness), {}, jittery(1, 40, 500, 12, .15)};
    s.settings.smoothness = smoothness;
    compare("jittery", s);
  }
}
GST_END_TEST

GST_START_TEST(blocks_with_their_compute_time) {
  Scenario s{"", {}, jittery(2, 40, 300, 4, .2)};
  s.tell_compute = true;
  compare("compute", s);
}
GST_END_TEST

GST_START_TEST(single_frames) {
  compare("single", {"", {}, jittery(3, 200, 40, 1, .3)});
}
GST_END_TEST

GST_START_TEST(changing_sizes) {
  Scenario s;
  std::mt19937 random(4);
  for (int k = 0; k < 40; ++k) {
    const unsigned n = 1 + random() % 24;
    s.actions.push_back({Action::kBlock, ms(n * 41. * (.8 + .0004 * (random() % 1000))), n});
  }
  compare("sizes", s);
}
GST_END_TEST

GST_START_TEST(hitches_and_bursts) {
  Scenario s;
  for (int k = 0; k < 40; ++k) {
    const double gap = k % 13 == 12 ? 2500 : k % 13 < 3 && k > 12 ? 1 : 500;
    s.actions.push_back({Action::kBlock, ms(gap), 12});
  }
  compare("hitches", s);
}
GST_END_TEST

GST_START_TEST(a_producer_faster_than_the_limit) {
  Scenario s{"max-fps=30", {}, jittery(5, 40, 100, 12, .1)};
  s.settings.max_fps = 30;
  compare("fast", s);
}
GST_END_TEST

GST_START_TEST(a_producer_that_loses_frames) {
  for (const bool oldest : {true, false}) {
    Scenario s{std::string("max-fps=30 max-latency=300000000 overflow=") +
                   (oldest ? "drop-oldest" : "drop-newest"),
               {},
               jittery(6, 60, 150, 8, .3)};
    s.settings.max_fps = 30;
    s.settings.max_latency = Time(300000000);
    s.settings.overflow = oldest ? pacing::Overflow::kDropOldest : pacing::Overflow::kDropNewest;
    compare("drop", s);
  }
}
GST_END_TEST

GST_START_TEST(a_bounded_latency) {
  Scenario s{"max-latency=700000000", {}, jittery(7, 40, 500, 12, .3)};
  s.settings.max_latency = Time(700000000);
  compare("bounded", s);
}
GST_END_TEST

GST_START_TEST(pauses_and_flushes) {
  Scenario s;
  s.actions = jittery(8, 12, 500, 12, .1);
  const auto more = jittery(9, 12, 500, 12, .1);
  s.actions.push_back({Action::kOff});
  s.actions.push_back({Action::kSleep, ms(7000)});
  s.actions.push_back({Action::kOn});
  s.actions.insert(s.actions.end(), more.begin(), more.end());
  s.actions.push_back({Action::kSleep, ms(30)});
  s.actions.push_back({Action::kFlush});
  s.actions.insert(s.actions.end(), more.begin(), more.end());
  compare("pauses", s);
}
GST_END_TEST

GST_START_TEST(a_slow_start) {
  // Compilation: 5 s and 4 s before the first blocks, then full speed.
  Scenario s;
  s.tell_compute = true;
  s.actions = {{Action::kBlock, ms(5000), 12}, {Action::kBlock, ms(4000), 12}};
  for (int k = 0; k < 30; ++k) s.actions.push_back({Action::kBlock, ms(500), 12});
  compare("slow start", s);
}
GST_END_TEST

GST_START_TEST(hours_of_a_period_that_is_no_whole_nanosecond) {
  // 1001/24000 s a frame in blocks of 12: no drift, no loss, and the queue's level stays.
  Fixture f;
  const auto arrival = [](guint64 k) { return k * 12 * 1001 * GST_SECOND / 24000; };
  const guint blocks = 1200;
  guint64 early = 0, shown = 0;
  GstClockTime last = 0;
  for (guint k = 0; k < blocks; ++k) {
    f.run_to(arrival(k));
    f.push({.frames = 12, .number = k});
    for (const auto& frame : f.collect()) {
      if (shown > 1000) assert_near(static_cast<double>(frame.pts - last), 1001e9 / 24000, 1e5);
      last = frame.pts;
      ++shown;
    }
    if (k == 120) early = f.stat("queue-frames");
  }
  ck_assert_uint_eq(f.stat("dropped"), 0);
  ck_assert_uint_eq(f.stat("repeats"), 0);
  ck_assert_uint_ge(shown + 25, blocks * 12ULL);
  assert_near(static_cast<double>(f.stat("queue-frames")), static_cast<double>(early), 1.5);
}
GST_END_TEST

Suite* pace_replay_suite() {
  Suite* s = suite_create("reactorpace-replay");
  TCase* t = tcase_create("replay");
  suite_add_tcase(s, t);
  tcase_add_test(t, jittery_blocks);
  tcase_add_test(t, blocks_with_their_compute_time);
  tcase_add_test(t, single_frames);
  tcase_add_test(t, changing_sizes);
  tcase_add_test(t, hitches_and_bursts);
  tcase_add_test(t, a_producer_faster_than_the_limit);
  tcase_add_test(t, a_producer_that_loses_frames);
  tcase_add_test(t, a_bounded_latency);
  tcase_add_test(t, pauses_and_flushes);
  tcase_add_test(t, a_slow_start);
  tcase_add_test(t, hours_of_a_period_that_is_no_whole_nanosecond);
  return s;
}

}  // namespace

GST_CHECK_MAIN(pace_replay)
