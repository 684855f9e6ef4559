// SPDX-License-Identifier: LGPL-2.1-or-later
// reactor-pace-sim: what the pacer would do with a recorded or invented producer, in virtual time.
//
// The producer is a closed loop: after it has handed a block over it goes on when the pacer has
// room. Reads a list of actions, prints what arrived and what was shown when; see usage().
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "gst/pacing/pacer.h"

using namespace reactor::pacing;

namespace {

constexpr std::string_view kUsage = R"(usage: reactor-pace-sim [options] ACTIONS.csv > LOG.csv

Replays a producer against the pacer in virtual time. ACTIONS.csv may be - for standard input.

ACTIONS.csv: header seconds,frames,event; then one action a line. Events:
  block   compute for `seconds`, then hand over `frames` (and wait until the pacer has room)
  sleep   idle for `seconds`
  off, on monitoring off and on
  flush, black  drop what is queued
LOG.csv: header time,kind,value; kind is block (value: frames), off, on, flush, black, or display (value: index of
  the frame in order of arrival). Times in seconds.

  --smoothness X     0 (lowest latency) to 1 (smoothest); default 0.5
  --max-fps F        default 60
  --min-fps F        slowest planned rate while frames are queued; default 0 (none)
  --policy P         wait (default), drop (the oldest) or drop-newest
  --max-latency S    seconds from arrival to release that no frame exceeds; default none
  --unknown-compute  do not tell the pacer what a block took: it finds out by itself
  --end              tell the pacer when no further block will come
  --restore FILE     begin with what was learnt before
  --save FILE        write what was learnt
  --trace            print a trace (# reactor-trace 1) instead of a log
  --explain          the same with the reasons of each decision, as columns under a header
  --help
)";

struct Action {
  Duration length;
  unsigned frames;
  std::string event;
};

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "reactor-pace-sim: %s\n", message.c_str());
  std::exit(2);
}

double number(std::string_view text, const std::string& what) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 1e9)
    fail("expected a number that is not negative " + what + ", got \"" + std::string(text) + "\"");
  return value;
}

std::vector<Action> read_actions(std::istream& in, const std::string& name) {
  std::vector<Action> actions;
  std::string line;
  for (int n = 1; std::getline(in, line); ++n) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const std::string where = "in line " + std::to_string(n) + " of " + name;
    if (n == 1) {
      if (line != "seconds,frames,event")
        fail("expected the header seconds,frames,event " + where + ", got \"" + line + "\"");
      continue;
    }
    if (line.empty()) continue;
    const std::size_t a = line.find(','), b = a == line.npos ? a : line.find(',', a + 1);
    if (b == line.npos) fail("expected seconds,frames,event " + where + ", got \"" + line + "\"");
    const std::string_view view(line);
    Action action{nanoseconds(number(view.substr(0, a), where)),
                  static_cast<unsigned>(number(view.substr(a + 1, b - a - 1), where)),
                  line.substr(b + 1)};
    const auto& e = action.event;
    if (e != "block" && e != "sleep" && e != "off" && e != "on" && e != "flush" && e != "black")
      fail("expected block, sleep, off, on, flush or black " + where + ", got \"" + e + "\"");
    if (e == "block" && action.frames == 0) fail("expected at least one frame in a block " + where);
    actions.push_back(std::move(action));
  }
  return actions;
}

enum class Output { kLog, kTrace, kExplain };

class Printer {
 public:
  explicit Printer(Output output) : output_(output) {
    if (output == Output::kLog) std::puts("time,kind,value");
    if (output == Output::kTrace) std::puts("# reactor-trace 1");
    if (output == Output::kExplain)
      std::puts(
          "time,kind,value,planned,queued,period,gap,frames,deviation,rhythm,cushion,horizon,cost,"
          "slack,next_arrival,"
          "blocks,stalls");
  }

  void arrival(Time t, std::uint64_t block, unsigned frames, bool monitored, const Pacer& pacer) {
    if (output_ == Output::kLog) std::printf("%.9f,block,%u\n", seconds(t), frames);
    if (output_ == Output::kTrace)
      std::printf("%.9f,arrival,%llu,%u,%d\n", seconds(t), static_cast<unsigned long long>(block),
                  frames, monitored);
    if (output_ == Output::kExplain) explain(t, "block", frames, t, pacer);
  }
  void release(const Release& r, std::uint64_t block, unsigned index, const Pacer& pacer) {
    const auto id = static_cast<unsigned long long>(r.id);
    if (output_ == Output::kLog) std::printf("%.9f,display,%llu\n", seconds(r.planned), id);
    if (output_ == Output::kTrace)
      std::printf("%.9f,release,%llu,%u,%.9f\n", seconds(r.planned),
                  static_cast<unsigned long long>(block), index, seconds(r.planned));
    if (output_ == Output::kExplain) explain(r.planned, "display", id, r.planned, pacer);
  }
  void event(Time t, const std::string& name, const Pacer& pacer) {
    const bool monitoring = name == "on" || name == "off";
    if (output_ == Output::kLog) std::printf("%.9f,%s,0\n", seconds(t), name.c_str());
    if (output_ == Output::kTrace)
      std::printf("%.9f,event,%s%s\n", seconds(t), monitoring ? "monitoring-" : "", name.c_str());
    if (output_ == Output::kExplain) explain(t, name.c_str(), 0, t, pacer);
  }

 private:
  void explain(Time t, const char* kind, unsigned long long value, Time planned,
               const Pacer& pacer) {
    const Explanation e = pacer.explain(t);
    std::printf("%.9f,%s,%llu,%.9f,%zu,%.6f,%.6f,%.3f,%.4f,%u,%.6f,%.6f,%.5f,%.6f,%.6f,%llu,%llu\n",
                seconds(t), kind, value, seconds(planned), pacer.queued(), e.period, e.gap,
                e.frames, e.deviation, e.rhythm, e.cushion, e.horizon, e.cost, e.slack,
                e.next_arrival, static_cast<unsigned long long>(e.blocks),
                static_cast<unsigned long long>(e.stalls));
  }
  Output output_;
};

struct Options {
  bool tell_compute = true, end = false;
  Output output = Output::kLog;
};

void simulate(Pacer& pacer, const std::vector<Action>& actions, const Options& options) {
  struct Sent {
    FrameId first;
    std::uint64_t block;
  };
  Printer print(options.output);
  std::vector<Sent> sent;
  std::size_t next = 0, shown = 0;
  std::uint64_t blocks = 0;
  Time now{0}, began{0};
  bool held = false, ended = false, monitored = false;
  while (true) {
    std::optional<Time> act;
    if (held) {
      act = pacer.room(now);
    } else if (next < actions.size()) {
      act = began + actions[next].length;
    } else {
      if (!ended && options.end) pacer.end(now);
      ended = true;
    }
    const std::optional<Time> due = pacer.next_release();
    if (!act && !due) break;
    if (act && (!due || *act <= *due)) {
      now = std::max(now, *act);
      if (held) {
        held = false;
        began = now;
        continue;
      }
      const Action& action = actions[next++];
      began = now;
      if (action.event == "block") {
        Block block{action.frames, {}};
        if (options.tell_compute) block.compute = action.length;
        sent.push_back({pacer.arrive(now, block), blocks});
        print.arrival(now, blocks++, action.frames, monitored, pacer);
        held = monitored = true;
        continue;
      }
      if (action.event == "off" || action.event == "on")
        pacer.set_monitoring(now, action.event == "on");
      if (action.event == "flush") pacer.flush(now);
      if (action.event == "black") pacer.black(now);
      if (action.event != "sleep") {
        monitored = false;
        print.event(now, action.event, pacer);
      }
    } else {
      now = std::max(now, *due);
      const Release release = pacer.release(now);
      while (shown + 1 < sent.size() && sent[shown + 1].first <= release.id) ++shown;
      print.release(release, sent[shown].block,
                    static_cast<unsigned>(release.id - sent[shown].first), pacer);
    }
  }
}

std::string read_file(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  if (!in) fail("cannot read " + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  Options options;
  std::string input, restore, save;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) fail(a + " needs a value; see --help");
      return argv[++i];
    };
    if (a == "--help") {
      std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
      return 0;
    } else if (a == "--smoothness") {
      settings.smoothness = number(value(), "after --smoothness");
      if (settings.smoothness > 1) fail("--smoothness is at most 1");
    } else if (a == "--max-fps") {
      settings.max_fps = number(value(), "after --max-fps");
      if (settings.max_fps <= 0) fail("--max-fps must be more than 0");
    } else if (a == "--min-fps") {
      settings.min_fps = number(value(), "after --min-fps");
    } else if (a == "--max-latency") {
      settings.max_latency = nanoseconds(number(value(), "after --max-latency"));
    } else if (a == "--policy") {
      const std::string p = value();
      if (p == "wait") {
        settings.overflow = Overflow::kWait;
      } else if (p == "drop" || p == "drop-oldest") {
        settings.overflow = Overflow::kDropOldest;
      } else if (p == "drop-newest") {
        settings.overflow = Overflow::kDropNewest;
      } else {
        fail("--policy is wait, drop or drop-newest, not " + p);
      }
    } else if (a == "--unknown-compute") {
      options.tell_compute = false;
    } else if (a == "--end") {
      options.end = true;
    } else if (a == "--restore") {
      restore = value();
    } else if (a == "--save") {
      save = value();
    } else if (a == "--trace") {
      options.output = Output::kTrace;
    } else if (a == "--explain") {
      options.output = Output::kExplain;
    } else if (a.size() > 1 && a[0] == '-') {
      fail("unknown option " + a + "; see --help");
    } else if (input.empty()) {
      input = a;
    } else {
      fail("one file of actions, not also " + a);
    }
  }
  if (input.empty()) fail("which file of actions? see --help");

  std::ifstream file;
  if (input != "-") {
    file.open(input);
    if (!file) fail("cannot read " + input);
  }
  const std::vector<Action> actions = read_actions(input == "-" ? std::cin : file, input);
  Pacer pacer(settings);
  if (!restore.empty() && !pacer.restore(read_file(restore)))
    fail(restore + " is not a saved state");
  simulate(pacer, actions, options);
  if (!save.empty()) {
    std::ofstream out(save, std::ios::binary);
    out << pacer.save() << '\n';
    if (!out.flush()) fail("cannot write " + save);
  }
  return std::fflush(stdout) == 0 && !std::ferror(stdout) ? 0 : 1;
}
