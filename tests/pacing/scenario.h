// SPDX-License-Identifier: LGPL-2.1-or-later
// Scenario: a producer, a scheduler and the pacer between them, in virtual time.
//
// The producer works through steps in a closed loop: after a block it goes on when the pacer has
// room. What happened is kept in a Log for the tests to judge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gst/pacing/pacer.h"

namespace scenario {

using reactor::pacing::Drop;
using reactor::pacing::DropReason;
using reactor::pacing::Duration;
using reactor::pacing::FrameId;
using reactor::pacing::Pacer;
using reactor::pacing::Settings;
using reactor::pacing::Time;

constexpr Duration ms(double v) {
  return Duration(static_cast<Duration::rep>(v * 1e6));
}
inline double seconds(Duration d) {
  return reactor::pacing::seconds(d);
}

enum class Kind {
  kBlock,  // work for `time`, then hand over `frames`
  kSleep,  // nothing for `time`
  kOff,    // monitoring
  kOn,
  kFlush,
  kBlack,
  kMaxFps,  // max_fps becomes `frames`
  kStop,    // nobody runs for `time`: releases that fall due meanwhile are late
  kEnd,     // no further block
};

struct Step {
  Kind kind = Kind::kBlock;
  Duration time{0};
  unsigned frames = 0;
};

struct Scenario {
  Settings settings;
  std::vector<Step> steps;
  bool obeys = true;          // the producer waits for room
  bool tells_compute = true;  // it says what a block took
};

struct Shown {
  FrameId id;
  Time planned, called;
  Duration interval;  // promised until the next
  double period;      // measured, s
  double max_fps;
};

struct Arrived {
  FrameId first;
  unsigned frames;
  Time time;
  double gap;  // the mean one that the pacer believes in from then on, s
};

struct Dropped {
  FrameId id;
  DropReason reason;
  Time time;
};

struct Log {
  std::vector<Shown> shown;
  std::vector<Arrived> arrived;
  std::vector<Dropped> dropped;
  std::vector<Time> cuts;           // when black is due
  std::vector<Time> breaks;         // pauses and cuts: what follows is a new segment
  std::vector<std::string> faults;  // of the contract, seen on the way
  std::size_t most_queued = 0;
  Duration held{0};  // how long the producer was made to wait
};

// How the scenario is run: none of it may change what happens.
struct Manner {
  Time origin{0};
  bool polls = false;   // every question is asked again and again
  bool copies = false;  // the pacer is replaced by a copy of itself before every step
};

Log run(const Scenario& s, const Manner& manner = {}, Pacer* continued = nullptr);

// Blocks of `frames`, each taking gap s.
void blocks(Scenario& s, unsigned count, double gap, unsigned frames);

// Displayed intervals between shown frames from..to (indices), in s, relative to origin independent
// planned times.
std::vector<double> intervals(const Log& log, std::size_t from = 0, std::size_t to = SIZE_MAX);

}  // namespace scenario
