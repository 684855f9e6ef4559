// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "gst/pacing/producer.h"

namespace reactor::pacing {

void StateWriter::number(double value) {
  constexpr int kDigits = 7;  // far more than the estimates are good for
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 std::chars_format::general, kDigits)
                       .ptr;
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
// What a state may say: wide enough for every producer, narrow enough that no arithmetic on it
// overflows.
constexpr double kLeastGap = 1e-9, kMostGap = 3600;  // s, and relative
constexpr double kLeastFrames = 1e-3, kMostFrames = 1e6;
constexpr double kMostCost = 1e9, kMostRelative = 1e9;
constexpr std::uint64_t kMostSeen = 1000000;  // blocks; only small numbers make a difference
}  // namespace

std::string Producer::save() const {
  StateWriter out;
  std::array<double, Bank::kSize> unevenness, latency;
  for (std::size_t i = 0; i < Bank::kSize; ++i) {
    unevenness[i] = bank_.ledger()[i].unevenness;
    latency[i] = bank_.ledger()[i].latency;
  }
  out.text(R"({"reactor-pacing":1,"gap":)");
  out.number(level_.gap());
  out.text(R"(,"frames":)");
  out.number(level_.frames());
  out.text(R"(,"deviation":)");
  out.number(level_.deviation());
  out.text(R"(,"rhythm":{"seen":)");
  out.number(static_cast<double>(std::min<std::uint64_t>(rhythm_.seen(), kMostSeen)));
  out.text(R"(,"gaps":)");
  out.array(rhythm_.latest());
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
  auto gaps = rhythm_.latest();
  auto gains = rhythm_.gains();
  std::array<double, Bank::kSize> unevenness, latency;
  const bool good = in.expect(R"({"reactor-pacing":1,"gap":)") &&
                    in.number(gap, kLeastGap, kMostGap) && in.expect(R"(,"frames":)") &&
                    in.number(frames, kLeastFrames, kMostFrames) && in.expect(R"(,"deviation":)") &&
                    in.number(deviation, 0, kMostRelative) && in.expect(R"(,"rhythm":{"seen":)") &&
                    in.number(rhythm_seen, 0, static_cast<double>(kMostSeen)) &&
                    in.expect(R"(,"gaps":)") && in.array(gaps, kLeastGap, kMostRelative) &&
                    in.expect(R"(,"gains":)") && in.array(gains, -1, 1) &&
                    in.expect(R"(},"bank":{"seen":)") && in.number(bank_seen, 1, Bank::kLearn) &&
                    in.expect(R"(,"unevenness":)") && in.array(unevenness, 0, kMostCost) &&
                    in.expect(R"(,"latency":)") && in.array(latency, 0, kMostCost) &&
                    in.expect("}}") && in.done();
  if (!good) return false;
  Bank::Ledger ledger;
  for (std::size_t i = 0; i < Bank::kSize; ++i) ledger[i] = {unevenness[i], latency[i]};
  level_.restore(gap, frames, deviation);
  rhythm_.restore(static_cast<std::uint64_t>(rhythm_seen), gaps, gains);
  local_.reset();
  bank_.restore(bank_seen, ledger);
  heard_ = true;
  gaps_ = kTrusted;
  charged_ = false;
  set_period();
  bank_.choose(limits_.price);
  return true;
}

}  // namespace reactor::pacing
