// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JSON of the data channel: docs/data-channel.md. Texts from viewers pass the strict scanner
// before anything else looks at them.
//
// Reentrant, no GStreamer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "signalling.h"

namespace reactor::webrtc {

// What a viewer sent, taken apart.
struct Command {
  std::string json;  // {"type":…,"data":…} for the model
  std::string ref;   // the viewer's own name for it, as JSON; empty: none
};
struct Ping {
  std::string data;  // JSON, to be given back
};
struct CapabilitiesRequest {
  bool schema = false;  // asked for as modelSchema
};
struct Ignored {};  // unknown types of the runtime scope
struct BadMessage {
  Refusal refusal;
  std::string ref;
};

using Incoming = std::variant<Command, Ping, CapabilitiesRequest, Ignored, BadMessage>;

Incoming parse_message(std::string_view text);
// The value of the application scope alone, as the HTTP side has it.
std::variant<Command, Refusal> parse_command(std::string_view json);

// What a viewer sent on the channel "control": either an event of a track or a request.
struct ControlMessage {
  std::string event;       // "pause_track", "resume_track", …; empty: none
  std::string request_id;  // as JSON, to be given back; empty: no request
};
// Empty for what is not understood.
ControlMessage parse_control(std::string_view text);

std::string json_quoted(std::string_view text);  // quoted and escaped; broken UTF-8 is replaced

std::string application_message(std::string_view json);
// {"scope":"runtime","data":{"type":type,"data":data}}
std::string runtime_message(std::string_view type, std::string_view data);
std::string error_message(const Refusal& refusal, std::string_view ref);
std::string accepted_message(std::uint64_t command, std::string_view ref);

}  // namespace reactor::webrtc
