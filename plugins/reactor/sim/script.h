// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Script: what a model does next: how long it takes for a block, how many frames the block has, and
// what it announces in between. Made up from a few numbers, or read from a trace (docs/traces.md),
// which then repeats.
//
// Pure: no clock, no GStreamer. Thread-compatible: the owner serialises calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace reactor::sim {

using Duration = std::chrono::nanoseconds;

struct Action {
  enum class Kind { kBlock, kSleep, kMonitoringOff, kMonitoringOn, kBlack, kFlush };
  Kind kind = Kind::kBlock;
  Duration takes{0};    // block: generating it; sleep: doing nothing that is measured
  unsigned frames = 1;  // block
};

struct Manner {
  unsigned block_size = 12;  // frames
  double jitter = .15;       // standard deviation of the time for a block, in mean times
  unsigned hitch_every = 0;  // blocks; 0 = never
  Duration hitch_length = std::chrono::seconds(1);
  unsigned pause_every = 0;  // blocks; 0 = never
  Duration pause_length = std::chrono::seconds(3);
};

class Script {
 public:
  static constexpr double kFastest = .2;         // of the mean time for a block
  static constexpr unsigned kMostFrames = 1024;  // of a block in a trace

  // Made up, the same for the same seed.
  explicit Script(std::uint64_t seed = 0) : random_(seed) {}
  // From the text of a trace. None when it is not one; `problem` then says what is wrong, in which
  // line.
  static std::optional<Script> from_trace(std::string_view text, std::string& problem);

  // `period`: mean time of a frame.
  Action next(const Manner& manner, Duration period);

 private:
  std::mt19937_64 random_;
  std::uint64_t blocks_ = 0;
  std::vector<Action> pending_;  // last first
  std::vector<Action> trace_;
  std::size_t place_ = 0;
};

}  // namespace reactor::sim
