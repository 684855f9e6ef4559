// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The little that signallers must know of an SDP text before anybody parses it: how much is in it.
//
// Pure. Not a parser: the host judges the offer as a whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/config.h"
#include "signalling.h"

namespace reactor::webrtc {

struct SdpSketch {
  unsigned media_lines = 0;
  unsigned candidates = 0;
  std::string ice_ufrag;  // the first one
};
SdpSketch sketch_sdp(std::string_view sdp);

// Refusal of an offer that is no SDP at all (with `broken_status`, 400 or what the protocol uses
// for it), or has too much in it (422).
std::optional<Refusal> check_offer(std::string_view sdp, int broken_status,
                                   const HttpLimits& limits);

// Whether `text` looks like one candidate attribute, "candidate:…", on one line of sane length.
bool is_candidate(std::string_view text);

// A fragment as PATCH carries it (application/trickle-ice-sdpfrag, RFC 8840).
struct SdpFragment {
  std::string ice_ufrag;  // empty: none given
  std::vector<Candidate> candidates;
};
std::optional<Refusal> parse_fragment(std::string_view text, const HttpLimits& limits,
                                      SdpFragment* fragment);

}  // namespace reactor::webrtc
