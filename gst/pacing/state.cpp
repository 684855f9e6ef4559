// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/state.h"

#include <array>
#include <charconv>
#include <cmath>

#include "gst/pacing/producer.h"

namespace reactor::pacing {

void StateWriter::number(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out_.append(text.data(), end);
}

void StateReader::skip_space() {
  const auto n = rest_.find_first_not_of(" \t\r\n");
  rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
}

bool StateReader::expect(std::string_view tokens) {
  bool quoted = false;
  for (char c : tokens) {
    if (!quoted) skip_space();
    if (c == '"') quoted = !quoted;
    good_ = good_ && !rest_.empty() && rest_.front() == c;
    if (!good_) return false;
    rest_.remove_prefix(1);
  }
  return good_;
}

bool StateReader::number(double& value, double least, double most) {
  skip_space();
  const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
  good_ = good_ && error == std::errc() && std::isfinite(value) && value >= least && value <= most;
  if (good_) rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
  return good_;
}

bool StateReader::done() {
  skip_space();
  return good_ && rest_.empty();
}

namespace {
constexpr double kMostGap = 3600, kMostFrames = 1e6, kMostCost = 1e6, kMostRelative = 1e6,
                 kMostSeen = 1e12;
}

std::string Producer::save() const {
  StateWriter out;
  std::array<double, Bank::kSize> unevenness, latency;
  for (std::size_t i = 0; i < Bank::kSize; ++i) {
    unevenness[i] = bank_.candidates()[i].unevenness;
    latency[i] = bank_.candidates()[i].latency;
  }
  out.text(R"({"reactor-pacing":1,"gap":)");
  out.number(level_.gap());
  out.text(R"(,"frames":)");
  out.number(level_.frames());
  out.text(R"(,"deviation":)");
  out.number(level_.deviation());
  out.text(R"(,"rhythm":{"seen":)");
  out.number(static_cast<double>(rhythm_.seen()));
  out.text(R"(,"gaps":)");
  out.array(rhythm_.gaps());
  out.text(R"(,"gains":)");
  out.array(rhythm_.gains());
  out.text(R"(},"bank":{"seen":)");
  out.number(bank_.seen());
  out.text(R"(,"unevenness":)");
  out.array(unevenness);
  out.text(R"(,"latency":)");
  out.array(latency);
  out.text("}}");
  return out.take();
}

bool Producer::restore(std::string_view state) {
  StateReader in(state);
  double gap = 0, frames = 0, deviation = 0, rhythm_seen = 0, bank_seen = 0;
  auto gaps = rhythm_.gaps(), gains = rhythm_.gains();
  std::array<double, Bank::kSize> unevenness, latency;
  const bool good = in.expect(R"({"reactor-pacing":1,"gap":)") && in.number(gap, 0, kMostGap) &&
                    in.expect(R"(,"frames":)") && in.number(frames, 1e-6, kMostFrames) &&
                    in.expect(R"(,"deviation":)") && in.number(deviation, 0, kMostRelative) &&
                    in.expect(R"(,"rhythm":{"seen":)") && in.number(rhythm_seen, 0, kMostSeen) &&
                    in.expect(R"(,"gaps":)") && in.array(gaps, 0, kMostRelative) &&
                    in.expect(R"(,"gains":)") && in.array(gains, -1, 1) &&
                    in.expect(R"(},"bank":{"seen":)") && in.number(bank_seen, 0, Bank::kLearn) &&
                    in.expect(R"(,"unevenness":)") && in.array(unevenness, 0, kMostCost) &&
                    in.expect(R"(,"latency":)") && in.array(latency, 0, kMostCost) &&
                    in.expect("}}") && in.done();
  if (!good) return false;
  Bank::Candidates candidates;
  for (std::size_t i = 0; i < Bank::kSize; ++i) {
    candidates[i].unevenness = unevenness[i];
    candidates[i].latency = latency[i];
  }
  level_.restore(gap, frames, deviation);
  rhythm_.restore(static_cast<std::uint64_t>(rhythm_seen), gaps, gains);
  bank_.restore(bank_seen, candidates);
  if (known()) {
    heard_ = true;
    gaps_ = kTrusted;
    bank_.choose(limits_.price);
    set_period();
  }
  return true;
}

}  // namespace reactor::pacing
