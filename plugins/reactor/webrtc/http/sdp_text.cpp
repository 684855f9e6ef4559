// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/sdp_text.h"

#include <algorithm>
#include <utility>

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxCandidateBytes = 1024;  // of one line; real ones have about 150

std::string_view take_line(std::string_view* rest) {
  const std::size_t end = std::min(rest->find('\n'), rest->size());
  std::string_view line = rest->substr(0, end);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// What follows `prefix` in `line`.
std::optional<std::string_view> after(std::string_view line, std::string_view prefix) {
  if (line.substr(0, prefix.size()) != prefix) return {};
  return line.substr(prefix.size());
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\r' && c != '\n' && c != '\t') || u == 0x7f;
  });
}

}  // namespace

SdpSketch sketch_sdp(std::string_view sdp) {
  SdpSketch sketch;
  while (!sdp.empty()) {
    const std::string_view line = take_line(&sdp);
    if (after(line, "m=")) sketch.media_lines++;
    if (after(line, "a=candidate:")) sketch.candidates++;
    if (auto ufrag = after(line, "a=ice-ufrag:"); ufrag && sketch.ice_ufrag.empty())
      sketch.ice_ufrag = *ufrag;
  }
  return sketch;
}

std::optional<Refusal> check_offer(std::string_view sdp, int broken_status,
                                   const HttpLimits& limits) {
  if (!after(sdp, "v=0") || has_control_characters(sdp)) {
    return Refusal{broken_status, "sdp", "expected an SDP offer, which starts with \"v=0\""};
  }
  const SdpSketch sketch = sketch_sdp(sdp);
  if (sketch.media_lines > limits.media_lines) {
    return Refusal{422, "too-many-media",
                   "expected at most " + std::to_string(limits.media_lines) + " m-lines, got " +
                       std::to_string(sketch.media_lines)};
  }
  if (sketch.candidates > limits.candidates) {
    return Refusal{422, "too-many-candidates",
                   "expected at most " + std::to_string(limits.candidates) + " candidates, got " +
                       std::to_string(sketch.candidates)};
  }
  return {};
}

bool is_candidate(std::string_view text) {
  return after(text, "candidate:") && text.size() <= kMaxCandidateBytes &&
         text.find_first_of("\r\n") == std::string_view::npos && !has_control_characters(text);
}

std::optional<Refusal> parse_fragment(std::string_view text, const HttpLimits& limits,
                                      SdpFragment* fragment) {
  if (has_control_characters(text))
    return Refusal{400, "sdp", "the SDP fragment has control characters"};
  std::string mid;
  std::optional<unsigned> mline;
  while (!text.empty()) {
    const std::string_view line = take_line(&text);
    if (line.empty()) continue;
    if (line.size() < 2 || line[1] != '=')
      return Refusal{400, "sdp", "expected lines such as \"a=candidate:…\" in the SDP fragment"};
    if (after(line, "m=")) {
      mline = mline ? *mline + 1 : 0;
      mid.clear();
      if (*mline >= limits.media_lines)
        return Refusal{422, "too-many-media", "too many m-lines in the SDP fragment"};
    } else if (auto value = after(line, "a=mid:")) {
      mid = *value;
    } else if (auto ufrag = after(line, "a=ice-ufrag:"); ufrag && fragment->ice_ufrag.empty()) {
      fragment->ice_ufrag = *ufrag;
    } else if (after(line, "a=candidate:")) {
      if (!is_candidate(line.substr(2)))
        return Refusal{400, "sdp", "expected one ICE candidate a line in the SDP fragment"};
      if (fragment->candidates.size() >= limits.candidates) {
        return Refusal{
            422, "too-many-candidates",
            "expected at most " + std::to_string(limits.candidates) + " candidates in one request"};
      }
      fragment->candidates.push_back({std::string(line.substr(2)), mid, mline});
    }
  }
  return {};
}

}  // namespace reactor::webrtc
