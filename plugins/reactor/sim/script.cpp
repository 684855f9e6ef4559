// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sim/script.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace reactor::sim {

Action Script::next(const Manner& manner, Duration period) {
  if (!trace_.empty()) return trace_[place_++ % trace_.size()];
  if (!pending_.empty()) {
    const Action action = pending_.back();
    pending_.pop_back();
    return action;
  }
  std::normal_distribution<double> normal;
  const double relative = std::max(kFastest, 1 + manner.jitter * normal(random_));
  Action block;
  block.frames = std::max(1U, manner.block_size);
  block.takes =
      Duration(std::llround(relative * block.frames * static_cast<double>(period.count())));
  ++blocks_;
  if (manner.hitch_every > 0 && blocks_ % manner.hitch_every == 0)
    block.takes += manner.hitch_length;
  if (manner.pause_every == 0 || blocks_ % manner.pause_every != 0) return block;
  pending_ = {block,
              {Action::Kind::kMonitoringOn},
              {Action::Kind::kSleep, manner.pause_length},
              {Action::Kind::kMonitoringOff}};
  return next(manner, period);
}

namespace {

// Cuts the text before the next `separator` off its front.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return {};
  return value;
}

}  // namespace

std::optional<Script> Script::from_trace(std::string_view text, std::string& problem) {
  Script script;
  unsigned line_number = 0;
  double last = 0, began = 0;
  bool any = false, off = false;
  const auto fail = [&](const char* what) {
    problem = "line " + std::to_string(line_number) + ": " + what;
    return std::nullopt;
  };
  const auto event = [&](Action::Kind kind) { script.trace_.push_back({kind}); };
  while (!text.empty()) {
    ++line_number;
    std::string_view line = cut(text, '\n');
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line_number == 1) {
      if (line != "# reactor-trace 1") return fail("expected \"# reactor-trace 1\"");
      continue;
    }
    if (line.empty() || line.front() == '#') continue;
    const auto time = number<double>(cut(line, ','));
    const std::string_view kind = cut(line, ',');
    if (!time || !std::isfinite(*time) || std::abs(*time) > 1e9)
      return fail("expected a time in seconds");
    if (kind != "arrival" && kind != "event") continue;
    if (any && *time < last) return fail("time runs backwards");
    if (!any) began = *time;
    const Duration passed(any ? std::llround((*time - began) * 1e9) : 0);
    if (kind == "arrival") {
      cut(line, ',');
      const auto frames = number<unsigned>(cut(line, ','));
      if (!frames || *frames < 1 || *frames > kMostFrames) return fail("expected 1 to 1024 frames");
      script.trace_.push_back({Action::Kind::kBlock, passed, *frames});
    } else {
      const std::string_view name = cut(line, ',');
      const bool is_off = name == "monitoring-off", is_on = name == "monitoring-on";
      const bool black = name == "black", flush = name == "flush";
      if (!(is_off || is_on || black || flush)) continue;
      if (passed.count() > 0) script.trace_.push_back({Action::Kind::kSleep, passed});
      if (is_off) event(Action::Kind::kMonitoringOff);
      if (is_on) event(Action::Kind::kMonitoringOn);
      if (black) event(Action::Kind::kBlack);
      if (flush) event(Action::Kind::kFlush);
      if (is_off || is_on) off = is_off;
    }
    any = true;
    last = began = *time;
  }
  const auto blocks = std::count_if(script.trace_.begin(), script.trace_.end(),
                                    [](const Action& a) { return a.kind == Action::Kind::kBlock; });
  ++line_number;
  if (line_number == 1) return fail("the file is empty");
  if (blocks == 0) return fail("there is no arrival in the trace");
  if (off) event(Action::Kind::kMonitoringOn);
  return script;
}

}  // namespace reactor::sim
