// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JSON documents of the Reactor local protocol, to and from plain values.
//
// Pure. Texts that come in must have passed the strict scanner (gst/wire/json.h); what is checked
// here is what they say.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/config.h"
#include "signalling.h"

namespace reactor::webrtc {

// {"sdp_offer":"…","client_info":{…},"track_mapping":[{"mid","name","kind","direction"}]}
struct ReactorOffer {
  std::string sdp;
};
// A broken SDP is 422 here, not 400: the SDK takes 400 for a lost session.
std::optional<Refusal> parse_reactor_offer(const std::string& body, const HttpConfig& config,
                                           ReactorOffer* offer);

// {"candidates":[{"candidate","sdp_mid","sdp_mline_index"}],"is_final":false}
std::optional<Refusal> parse_reactor_candidates(const std::string& body, const HttpLimits& limits,
                                                std::vector<Candidate>* candidates);

// What start_session and /session answer. `capabilities` is the host's text, {"commands":[…]} or
// "{}".
std::string session_document(std::string_view session, const HttpConfig& config,
                             const std::string& capabilities);
// {"ice_servers":[{"uris":[…],"credentials":{"username","password"}}]}
std::string ice_servers_document(const std::vector<IceServer>& servers);
std::string sdp_answer_document(std::string_view sdp);
std::string connection_document(unsigned id);

}  // namespace reactor::webrtc
