// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Looks at a whole offer before anything is touched: what webrtcbin would accept silently (an
// offer without our codec, a rejected m-line) or answer wrongly is refused here, with a reason.
//
// Pure apart from GStreamer's SDP parser; reentrant.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

#include "candidates.h"
#include "codec.h"
#include "handles.h"
#include "signalling.h"

namespace reactor::webrtc {

struct OfferLimits {
  std::size_t bytes = 256 * 1024;
  unsigned media = 64;       // m-lines
  unsigned candidates = 64;  // in the whole offer
};

// What to do with an offer that can be answered. `sdp` has its candidates as CandidateFilter leaves
// them, and says nothing of the viewer's own sources (ssrc, ssrc-group).
struct OfferPlan {
  SdpPtr sdp;                       // the offer
  unsigned video = 0;               // index of the m-line that gets the video
  std::string mid;                  // its a=mid
  int payload = 0;                  // RTP payload type of our codec, as the offer numbers it
  CapsPtr caps;                     // RTP caps of what is sent, without ssrc
  bool data_channel = false;        // there is an m-line for data channels
  std::size_t max_message = 65536;  // bytes that the peer takes in one message; 0: any
  unsigned candidates = 0;          // usable ones
};

std::variant<OfferPlan, Refusal> check_offer(const std::string& sdp, Codec codec,
                                             CandidateFilter& filter,
                                             const OfferLimits& limits = {});

}  // namespace reactor::webrtc
