// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties of the pacer on random scenarios, shrunk to a small failing one.
// tests/pacing/mutants.py breaks the core in many ways and expects this program, or the unit tests,
// to notice each.
//
//   pacing-properties [SEEDS [FIRST]]    default 600 seeds from 1
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>

#include "tests/pacing/scenario.h"
#include "tests/pacing/testing.h"

using namespace scenario;
using reactor::pacing::Overflow;

namespace {

using Fault = std::optional<std::string>;

std::string at(const char* what, std::size_t i, Time t) {
  return std::string(what) + " (release " + std::to_string(i) + " at " +
         std::to_string(seconds(t)) + " s)";
}

bool keeps_time(const Scenario& s) {
  return std::none_of(s.steps.begin(), s.steps.end(),
                      [](const Step& x) { return x.kind == Kind::kStop; });
}

bool changes_max_fps(const Scenario& s) {
  return std::any_of(s.steps.begin(), s.steps.end(),
                     [](const Step& x) { return x.kind == Kind::kMaxFps; });
}

Fault each_frame_leaves_once_and_in_order(const Scenario&, const Log& log) {
  std::vector<int> seen;
  for (const Arrived& a : log.arrived) {
    if (a.first != seen.size()) return "ids are not consecutive";
    seen.resize(seen.size() + a.frames, 0);
  }
  FrameId next = 0;
  for (std::size_t i = 0; i < log.shown.size(); ++i) {
    if (log.shown[i].id >= seen.size())
      return at("a frame that never arrived is shown", i, log.shown[i].planned);
    if (log.shown[i].id < next) return at("order is not kept", i, log.shown[i].planned);
    next = log.shown[i].id + 1;
    ++seen[log.shown[i].id];
  }
  for (const Dropped& d : log.dropped) {
    if (d.id >= seen.size()) return std::string("a frame that never arrived is dropped");
    ++seen[d.id];
  }
  for (std::size_t id = 0; id < seen.size(); ++id)
    if (seen[id] != 1)
      return "frame " + std::to_string(id) + " left " + std::to_string(seen[id]) + " times";
  return {};
}

Time arrival_of(const Log& log, FrameId id) {
  auto it = std::upper_bound(log.arrived.begin(), log.arrived.end(), id,
                             [](FrameId x, const Arrived& a) { return x < a.first; });
  return std::prev(it)->time;
}

Fault no_frame_leaves_before_it_arrived(const Scenario&, const Log& log) {
  for (std::size_t i = 0; i < log.shown.size(); ++i) {
    if (log.shown[i].planned < arrival_of(log, log.shown[i].id))
      return at("a frame leaves before it arrived", i, log.shown[i].planned);
    if (log.shown[i].called < log.shown[i].planned)
      return at("a frame is planned for later", i, log.shown[i].planned);
  }
  return {};
}

Fault intervals_respect_max_fps(const Scenario& s, const Log& log) {
  for (std::size_t i = 0; i < log.shown.size(); ++i) {
    const Duration least = reactor::pacing::nanoseconds(1 / log.shown[i].max_fps) - Duration(1);
    if (log.shown[i].interval < least)
      return at("the interval promised is below 1/max-fps", i, log.shown[i].planned);
    if (i > 0 && log.shown[i].planned - log.shown[i - 1].planned < least)
      return at("the interval is below 1/max-fps", i, log.shown[i].planned);
    for (Time black : log.cuts)
      if (!changes_max_fps(s) && log.shown[i].planned > black - least &&
          log.shown[i].planned < black + least &&
          (i + 1 == log.shown.size() || log.shown[i + 1].planned > black ||
           log.shown[i].planned >= black))
        return at("a frame is nearer to a black one than 1/max-fps", i, log.shown[i].planned);
  }
  return {};
}

Fault nothing_is_fast_forwarded(const Scenario& s, const Log& log) {
  if (s.settings.max_latency) return {};
  for (std::size_t i = 0; i < log.shown.size(); ++i)
    if (seconds(log.shown[i].interval) < log.shown[i].period / 1.25 - 2e-9)
      return at("the interval promised is below P/1.25", i, log.shown[i].planned);
  for (std::size_t i = 1; i < log.shown.size(); ++i) {
    const auto between = [&](Time t) {
      return t >= log.shown[i - 1].planned && t <= log.shown[i].planned;
    };
    if (std::any_of(log.breaks.begin(), log.breaks.end(), between)) continue;
    const double period = std::min(log.shown[i].period, log.shown[i - 1].period);
    if (seconds(log.shown[i].planned - log.shown[i - 1].planned) < period / 1.25 - 2e-9)
      return at("the interval is below P/1.25", i, log.shown[i].planned);
  }
  return {};
}

Fault no_frame_outstays_max_latency(const Scenario& s, const Log& log) {
  if (!s.settings.max_latency || !keeps_time(s) || changes_max_fps(s)) return {};
  for (std::size_t i = 0; i < log.shown.size(); ++i)
    if (log.shown[i].planned - arrival_of(log, log.shown[i].id) > *s.settings.max_latency)
      return at("a frame outstays max-latency", i, log.shown[i].planned);
  return {};
}

Fault what_waits_is_not_dropped(const Scenario& s, const Log& log) {
  if (s.settings.overflow != Overflow::kWait) return {};
  for (const Dropped& d : log.dropped) {
    if (d.reason == DropReason::kFlushed) continue;
    if (d.reason == DropReason::kLate && s.settings.max_latency) continue;
    return "frame " + std::to_string(d.id) + " of a producer that waits is dropped";
  }
  return {};
}

Fault latency_is_bounded_when_the_producer_waits(const Scenario& s, const Log& log) {
  if (s.settings.overflow != Overflow::kWait || !s.obeys || changes_max_fps(s) || !keeps_time(s))
    return {};
  // Two blocks are taken before a rate is known; later at most 1.6 + 2 + 1 mean gaps wait when a
  // block is let in.
  unsigned most = 1;
  for (const Arrived& a : log.arrived) most = std::max(most, a.frames);
  if (log.most_queued > 12 * most + 12)
    return "the queue grew to " + std::to_string(log.most_queued) + " frames";
  return {};
}

bool same(const Log& a, const Log& b, Duration shift, double scale, Duration tolerance) {
  if (a.shown.size() != b.shown.size() || a.dropped.size() != b.dropped.size()) return false;
  for (std::size_t i = 0; i < a.shown.size(); ++i) {
    const auto expected =
        Duration(std::llround(static_cast<double>(a.shown[i].planned.count()) * scale)) + shift;
    if (a.shown[i].id != b.shown[i].id ||
        std::chrono::abs(b.shown[i].planned - expected) > tolerance)
      return false;
  }
  return true;
}

Fault a_shift_of_time_changes_nothing(const Scenario& s, const Log& log) {
  const Duration shift = std::chrono::hours(24 * 365) + ms(.123457);
  if (!same(log, run(s, {.origin = shift}), shift, 1, Duration(0)))
    return std::string("a shift of time changes something");
  return {};
}

Fault a_scale_of_time_scales_the_output(const Scenario& s, const Log& log) {
  if (s.settings.overflow != Overflow::kWait)
    return {};  // a frame more or less at a limit is rounding
  Scenario twice = s;
  twice.settings.max_fps /= 2;
  if (twice.settings.max_latency) *twice.settings.max_latency *= 2;
  for (Step& step : twice.steps) {
    step.time *= 2;
    if (step.kind == Kind::kMaxFps) return {};  // whole numbers only
  }
  if (!same(log, run(twice), Duration(0), 2, ms(.1)))
    return std::string("time twice as slow changes more than that");
  return {};
}

Fault asking_more_often_changes_nothing(const Scenario& s, const Log& log) {
  const Log polled = run(s, {.polls = true});
  if (!polled.faults.empty()) return polled.faults.front();
  if (!same(log, polled, Duration(0), 1, Duration(0)))
    return std::string("asking more often changes something");
  return {};
}

Fault a_copy_behaves_like_its_original(const Scenario& s, const Log& log) {
  if (!same(log, run(s, {.copies = true}), Duration(0), 1, Duration(0)))
    return std::string("a copy behaves differently");
  return {};
}

Fault the_pacer_finds_out_itself_what_a_block_took(const Scenario& s, const Log& log) {
  // The first block and those after a pause or a cut may be unknown to it; a producer that ignores
  // room hides nothing.
  if (!s.obeys || !s.tells_compute) return {};
  for (const Step& x : s.steps)
    if (x.kind != Kind::kBlock && x.kind != Kind::kMaxFps) return {};
  Scenario quiet = s;
  quiet.tells_compute = false;
  const Log other = run(quiet);
  if (other.arrived.size() != log.arrived.size()) return std::string("blocks are lost");
  for (std::size_t i = 0; i < log.arrived.size(); ++i)
    if (std::abs(log.arrived[i].gap - other.arrived[i].gap) > 1e-6 * log.arrived[i].gap)
      return "time blocked is taken for generation time: block " + std::to_string(i) + ", gap " +
             std::to_string(other.arrived[i].gap) + " for " + std::to_string(log.arrived[i].gap);
  return {};
}

struct Property {
  const char* name;
  Fault (*check)(const Scenario&, const Log&);
};
#define PROPERTY(name) \
  { #name, name }
const Property kProperties[] = {
    PROPERTY(each_frame_leaves_once_and_in_order),
    PROPERTY(no_frame_leaves_before_it_arrived),
    PROPERTY(intervals_respect_max_fps),
    PROPERTY(nothing_is_fast_forwarded),
    PROPERTY(no_frame_outstays_max_latency),
    PROPERTY(what_waits_is_not_dropped),
    PROPERTY(latency_is_bounded_when_the_producer_waits),
    PROPERTY(a_shift_of_time_changes_nothing),
    PROPERTY(a_scale_of_time_scales_the_output),
    PROPERTY(asking_more_often_changes_nothing),
    PROPERTY(a_copy_behaves_like_its_original),
    PROPERTY(the_pacer_finds_out_itself_what_a_block_took),
};

Scenario random_scenario(unsigned seed) {
  std::mt19937 rng(seed);
  const auto uniform = [&](double a, double b) {
    return std::uniform_real_distribution<double>(a, b)(rng);
  };
  const auto one_of = [&](auto... v) {
    const std::common_type_t<decltype(v)...> all[] = {v...};
    return all[std::uniform_int_distribution<std::size_t>(0, sizeof...(v) - 1)(rng)];
  };
  const auto chance = [&](double p) { return uniform(0, 1) < p; };
  Scenario s;
  s.settings.smoothness = one_of(0., .25, .5, 1.);
  s.settings.max_fps = one_of(60., 60., 30., 120.);
  s.settings.overflow =
      one_of(Overflow::kWait, Overflow::kWait, Overflow::kDropOldest, Overflow::kDropNewest);
  if (chance(.4)) s.settings.max_latency = ms(one_of(21., 103., 207., 511., 1501.));
  s.obeys = !chance(.15);
  const unsigned frames = one_of(1u, 1u, 2u, 4u, 8u, 12u, 16u, 48u, 120u);
  const double fps = one_of(10., 16., 24., 24., 50., 90., 240.);
  const double jitter = one_of(.0003, .05, .2, .5, 1.);  // never exactly steady: no ties
  const double odd = one_of(0., 0., .03, .15);
  const double special = one_of(0., 0., .02, .1);
  const double varies = one_of(0., 0., 1.);
  const unsigned count = 5 + static_cast<unsigned>(uniform(0, std::min(120., 1200. / frames)));
  for (unsigned k = 0; k < count; ++k) {
    if (chance(special)) {
      switch (static_cast<int>(uniform(0, 6))) {
        case 0:
          s.steps.push_back({Kind::kOff, Duration(0), 0});
          s.steps.push_back({Kind::kSleep, ms(uniform(0, 3000)), 0});
          s.steps.push_back({Kind::kOn, Duration(0), 0});
          break;
        case 1:
          s.steps.push_back({Kind::kFlush, Duration(0), 0});
          break;
        case 2:
          s.steps.push_back({Kind::kBlack, Duration(0), 0});
          break;
        case 3:
          s.steps.push_back({Kind::kMaxFps, Duration(0), one_of(20u, 60u, 144u)});
          break;
        case 4:
          s.steps.push_back({Kind::kStop, ms(one_of(5., 30., 200., 1000.)), 0});
          break;
        default:
          s.steps.push_back({Kind::kSleep, ms(uniform(0, 500)), 0});
          break;
      }
    }
    const unsigned n =
        varies > 0 ? std::max(1u, static_cast<unsigned>(uniform(0, 2. * frames))) : frames;
    double gap = n / fps * std::max(.02, 1 + jitter * uniform(-1, 1));
    if (chance(odd)) gap *= one_of(0., .001, 2.5, 6., 30.);
    s.steps.push_back({Kind::kBlock, reactor::pacing::nanoseconds(gap), n});
  }
  if (chance(.5)) s.steps.push_back({Kind::kEnd, Duration(0), 0});
  return s;
}

// Fewer steps, then simpler ones, as long as it still fails.
Scenario shrink(Scenario s, const std::function<bool(const Scenario&)>& fails) {
  bool better = true;
  const auto attempt = [&](const Scenario& smaller) {
    if (!fails(smaller)) return false;
    s = smaller;
    return better = true;
  };
  while (better) {
    better = false;
    for (std::size_t size = std::max<std::size_t>(1, s.steps.size() / 2); size > 0; size /= 2)
      for (std::size_t i = 0; i + size <= s.steps.size();) {
        Scenario smaller = s;
        smaller.steps.erase(smaller.steps.begin() + static_cast<std::ptrdiff_t>(i),
                            smaller.steps.begin() + static_cast<std::ptrdiff_t>(i + size));
        if (!attempt(smaller)) i += size;
      }
    for (std::size_t i = 0; i < s.steps.size(); ++i)
      for (int way = 0; way < 2; ++way) {
        Scenario smaller = s;
        Step& step = smaller.steps[i];
        if (way == 0 && step.frames > 1 && step.kind == Kind::kBlock)
          step.frames /= 2;
        else if (way == 1 && step.time % ms(10) != Duration(0))
          step.time -= step.time % ms(10);
        else
          continue;
        attempt(smaller);
      }
  }
  return s;
}

void print(const Scenario& s) {
  const char* kinds[] = {"block", "sleep", "off", "on", "flush", "black", "max-fps", "stop", "end"};
  std::printf(
      "  smoothness %g, max-fps %g, overflow %d, max-latency %s, %s\n", s.settings.smoothness,
      s.settings.max_fps, static_cast<int>(s.settings.overflow),
      s.settings.max_latency ? std::to_string(seconds(*s.settings.max_latency)).c_str() : "none",
      s.obeys ? "waits for room" : "does not wait");
  for (const Step& step : s.steps)
    std::printf("  %.9f,%u,%s\n", seconds(step.time), step.frames,
                kinds[static_cast<int>(step.kind)]);
}

bool hold_for(unsigned seed) {
  const Scenario s = random_scenario(seed);
  const Log log = run(s);
  for (const Property& p : kProperties) {
    const Fault fault = p.check(s, log);
    if (!fault) continue;
    std::printf("FAILED %s, seed %u: %s\n", p.name, seed, fault->c_str());
    const Scenario small =
        shrink(s, [&](const Scenario& x) { return p.check(x, run(x)).has_value(); });
    std::printf("the smallest found: %s\n", p.check(small, run(small))->c_str());
    print(small);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seeds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 600;
  const unsigned first = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
  for (unsigned seed = first; seed < first + seeds; ++seed)
    if (!hold_for(seed)) return 1;
  std::printf("ok: %zu properties hold for %u seeds\n", std::size(kProperties), seeds);
  return 0;
}
