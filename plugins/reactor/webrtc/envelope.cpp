// SPDX-License-Identifier: LGPL-2.1-or-later

#include "envelope.h"

#include <glib.h>

#include <optional>

#include "gst/wire/json.h"
#include "jsonspan.h"

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxType = 128;  // bytes of a command's name
constexpr std::size_t kMaxRef = 64;    // characters of a viewer's own id

Refusal bad(std::string code, std::string message) {
  return {400, std::move(code), std::move(message)};
}

Refusal too_large(std::size_t size) {
  return {413, "too-large",
          "the message has " + std::to_string(size) + " bytes of JSON, at most " +
              std::to_string(wire::kMaxMessageBytes) + " are accepted"};
}

// Nothing when `text` is a JSON object, otherwise why not.
std::optional<Refusal> check_object(std::string_view text) {
  const wire::JsonCheck check = wire::check_json(text);
  if (!check.ok)
    return bad("json", std::string("not valid JSON: ") +
                           (check.problem ? check.problem : "broken") + " at byte " +
                           std::to_string(check.offset));
  if (check.kind != wire::JsonKind::kObject) return bad("json", "expected a JSON object");
  return std::nullopt;
}

bool is_whole_number(std::string_view value) {
  return value.find_first_not_of("-0123456789") == std::string_view::npos;
}

// Nothing: there is none. An empty string: it is not one that we give back.
std::optional<std::string> parse_ref(std::string_view object) {
  const auto value = json_member(object, "ref");
  if (!value) return std::nullopt;
  if (is_whole_number(*value)) return std::string(*value);
  const auto text = json_decode_string(*value);
  if (text && g_utf8_strlen(text->c_str(), -1) <= static_cast<glong>(kMaxRef))
    return std::string(*value);
  return std::string();
}

std::variant<Command, Refusal> command_of(std::string_view data) {
  const std::string type = json_text(data, "type");
  if (type.empty() || type.size() > kMaxType)
    return bad("command",
               "a command is {\"type\":…,\"data\":…} with a type of 1 to 128 bytes of text");
  Command command;
  command.json = "{\"type\":" + std::string(*json_member(data, "type")) +
                 ",\"data\":" + std::string(json_member(data, "data").value_or("{}")) + "}";
  return command;
}

}  // namespace

Incoming parse_message(std::string_view text) {
  if (text.size() > wire::kMaxMessageBytes + wire::kEnvelopeBytes)
    return BadMessage{too_large(text.size()), {}};
  if (auto refusal = check_object(text)) return BadMessage{*refusal, {}};
  const auto ref = parse_ref(text);
  if (ref && ref->empty())
    return BadMessage{bad("ref", "ref must be a string of at most 64 characters or a whole number"),
                      {}};
  const std::string ref_text = ref.value_or(std::string());
  const std::string scope = json_text(text, "scope");
  const std::string_view data = json_member(text, "data").value_or(std::string_view());
  if (scope == "application") {
    if (data.size() > wire::kMaxMessageBytes) return BadMessage{too_large(data.size()), ref_text};
    auto command = command_of(data);
    if (auto* why = std::get_if<Refusal>(&command)) return BadMessage{*why, ref_text};
    std::get<Command>(command).ref = ref_text;
    return std::get<Command>(command);
  }
  if (scope == "runtime") {
    const std::string type = json_text(data, "type");
    if (type.empty())
      return BadMessage{bad("runtime", "a runtime message needs a text in data.type"), ref_text};
    if (type == "ping") return Ping{std::string(json_member(data, "data").value_or("{}"))};
    if (type == "requestCapabilities") return CapabilitiesRequest{false};
    if (type == "requestSchema") return CapabilitiesRequest{true};
    return Ignored{};
  }
  return BadMessage{bad("scope", "expected {\"scope\":\"application\" or \"runtime\",\"data\":…}"),
                    ref_text};
}

std::variant<Command, Refusal> parse_command(std::string_view json) {
  if (json.size() > wire::kMaxMessageBytes) return too_large(json.size());
  if (auto refusal = check_object(json)) return *refusal;
  return command_of(json);
}

ControlMessage parse_control(std::string_view text) {
  ControlMessage message;
  if (text.size() > wire::kMaxMessageBytes || check_object(text)) return message;
  const std::string type = json_text(text, "type");
  if (type == "notification") {
    message.event = json_text(text, "event");
  } else if (type == "request") {
    const auto id = json_member(text, "request_id");
    if (id && id->size() <= 128 && (id->front() == '"' || is_whole_number(*id)))
      message.request_id = *id;
  }
  return message;
}

std::string json_quoted(std::string_view text) {
  g_autofree gchar* valid = g_utf8_make_valid(text.data(), static_cast<gssize>(text.size()));
  std::string out = "\"";
  for (const char* p = valid; *p; p++) {
    const auto c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += *p;
    } else if (c < 0x20) {
      char escape[8];
      g_snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += *p;
    }
  }
  return out + '"';
}

std::string application_message(std::string_view json) {
  return "{\"scope\":\"application\",\"data\":" + std::string(json) + "}";
}

std::string runtime_message(std::string_view type, std::string_view data) {
  return "{\"scope\":\"runtime\",\"data\":{\"type\":\"" + std::string(type) +
         "\",\"data\":" + std::string(data) + "}}";
}

std::string error_message(const Refusal& refusal, std::string_view ref) {
  std::string data =
      "{\"code\":" + json_quoted(refusal.code) + ",\"message\":" + json_quoted(refusal.message);
  if (!ref.empty()) data += ",\"ref\":" + std::string(ref);
  return runtime_message("error", data + "}");
}

std::string accepted_message(std::uint64_t command, std::string_view ref) {
  std::string data = "{\"command\":" + std::to_string(command);
  if (!ref.empty()) data += ",\"ref\":" + std::string(ref);
  return runtime_message("accepted", data + "}");
}

}  // namespace reactor::webrtc
