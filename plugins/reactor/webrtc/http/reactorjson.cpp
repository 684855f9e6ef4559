// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/reactorjson.h"

#include <json-glib/json-glib.h>

#include <algorithm>

#include "gst/wire/json.h"
#include "http/gio_handles.h"
#include "http/message.h"
#include "http/sdp_text.h"

namespace reactor::webrtc {

namespace {

constexpr gint64 kMaxMlineIndex = 65535;

Refusal unusable(std::string message) {
  return {422, "field", std::move(message)};
}

// The top-level object of a text that the scanner has accepted; lives as long as the parser.
class Document {
 public:
  explicit Document(const std::string& text) : parser_(json_parser_new_immutable()) {
    if (!json_parser_load_from_data(parser_.get(), text.data(), static_cast<gssize>(text.size()),
                                    nullptr))
      return;
    JsonNode* root = json_parser_get_root(parser_.get());
    if (root && JSON_NODE_HOLDS_OBJECT(root)) object_ = json_node_get_object(root);
  }
  JsonObject* object() const { return object_; }

 private:
  ObjectPtr<JsonParser> parser_;
  JsonObject* object_ = nullptr;
};

// nullptr: absent or null.
JsonNode* member(JsonObject* object, const char* name) {
  JsonNode* node = json_object_get_member(object, name);
  return node && !JSON_NODE_HOLDS_NULL(node) ? node : nullptr;
}

std::optional<std::string> string_member(JsonObject* object, const char* name) {
  JsonNode* node = member(object, name);
  if (!node || json_node_get_value_type(node) != G_TYPE_STRING) return {};
  return std::string(json_node_get_string(node));
}

JsonArray* array_member(JsonObject* object, const char* name) {
  JsonNode* node = member(object, name);
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : nullptr;
}

JsonObject* object_element(JsonArray* array, guint index) {
  JsonNode* node = json_array_get_element(array, index);
  return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : nullptr;
}

bool has_line(std::string_view sdp, const std::string& line) {
  for (std::size_t at = sdp.find(line); at != std::string_view::npos; at = sdp.find(line, at + 1)) {
    const std::size_t end = at + line.size();
    const bool starts = at == 0 || sdp[at - 1] == '\n';
    if (starts && (end == sdp.size() || sdp[end] == '\r' || sdp[end] == '\n')) return true;
  }
  return false;
}

// Each entry names a media section of the offer; our track must be among them, as the SDK wants to
// receive it.
std::optional<Refusal> check_mapping(JsonArray* mapping, const HttpConfig& config,
                                     std::string_view sdp) {
  bool ours = false;
  if (json_array_get_length(mapping) > config.limits.media_lines)
    return unusable("more than " + std::to_string(config.limits.media_lines) +
                    " entries in track_mapping");
  for (guint i = 0; i < json_array_get_length(mapping); i++) {
    const std::string where = "track_mapping[" + std::to_string(i) + "]";
    JsonObject* entry = object_element(mapping, i);
    if (!entry) return unusable("expected " + where + " to be an object");
    const auto mid = string_member(entry, "mid");
    const auto name = string_member(entry, "name");
    const auto kind = string_member(entry, "kind");
    const auto direction = string_member(entry, "direction");
    if (!mid || !name || !kind || !direction)
      return unusable("expected the strings mid, name, kind and direction in " + where);
    if (!has_line(sdp, "a=mid:" + *mid))
      return unusable(where + " names the media section \"" + *mid + "\", which sdp_offer lacks");
    if (*name != config.media_name)
      return unusable(where + " names the track \"" + *name + "\": there is only \"" +
                      config.media_name + "\"");
    if (*kind != "video" || *direction != "recvonly")
      return unusable("expected kind \"video\" and direction \"recvonly\" in " + where);
    ours = true;
  }
  if (ours) return {};
  return unusable("expected the track \"" + config.media_name + "\" in track_mapping");
}

std::string commands_of(const std::string& capabilities) {
  const wire::JsonCheck check = wire::check_json(capabilities);
  if (!check.ok) return "[]";
  Document document(capabilities);
  JsonArray* commands = document.object() ? array_member(document.object(), "commands") : nullptr;
  std::string out = "[";
  for (guint i = 0; commands && i < json_array_get_length(commands); i++) {
    JsonObject* command = object_element(commands, i);
    const auto name = command ? string_member(command, "name") : std::nullopt;
    if (!name) continue;
    if (out.size() > 1) out += ",";
    // The SDK insists on a description.
    out += "{\"name\":" + json_string(*name) +
           ",\"description\":" + json_string(string_member(command, "description").value_or(""));
    JsonNode* schema = member(command, "schema");
    if (schema && JSON_NODE_HOLDS_OBJECT(schema)) {
      g_autofree char* text = json_to_string(schema, FALSE);
      out += ",\"schema\":" + std::string(text);
    }
    out += "}";
  }
  return out + "]";
}

}  // namespace

std::optional<Refusal> parse_reactor_offer(const std::string& body, const HttpConfig& config,
                                           ReactorOffer* offer) {
  Document document(body);
  if (!document.object()) return unusable("expected a JSON object as the body");
  const auto sdp = string_member(document.object(), "sdp_offer");
  if (!sdp) return unusable("expected the string sdp_offer");
  if (auto refusal = check_offer(*sdp, 422, config.limits)) return refusal;
  JsonArray* mapping = array_member(document.object(), "track_mapping");
  if (!mapping) return unusable("expected the array track_mapping");
  if (auto refusal = check_mapping(mapping, config, *sdp)) return refusal;
  offer->sdp = *sdp;
  return {};
}

std::optional<Refusal> parse_reactor_candidates(const std::string& body, const HttpLimits& limits,
                                                std::vector<Candidate>* candidates) {
  Document document(body);
  if (!document.object()) return unusable("expected a JSON object as the body");
  JsonArray* list = array_member(document.object(), "candidates");
  if (!list) return unusable("expected the array candidates");
  if (json_array_get_length(list) > limits.candidates)
    return unusable("expected at most " + std::to_string(limits.candidates) + " candidates");
  for (guint i = 0; i < json_array_get_length(list); i++) {
    const std::string where = "candidates[" + std::to_string(i) + "]";
    JsonObject* entry = object_element(list, i);
    const auto text = entry ? string_member(entry, "candidate") : std::nullopt;
    if (!text) return unusable("expected the string candidate in " + where);
    if (text->empty()) continue;  // the browser's end of candidates
    if (!is_candidate(*text)) return unusable("expected " + where + " to be one ICE candidate");
    Candidate candidate;
    candidate.candidate = *text;
    candidate.mid = string_member(entry, "sdp_mid").value_or("");
    if (JsonNode* index = member(entry, "sdp_mline_index")) {
      const gint64 value =
          json_node_get_value_type(index) == G_TYPE_INT64 ? json_node_get_int(index) : -1;
      if (value < 0 || value > kMaxMlineIndex)
        return unusable("expected sdp_mline_index in " + where + " to be a small whole number");
      candidate.mline = static_cast<unsigned>(value);
    }
    candidates->push_back(std::move(candidate));
  }
  return {};
}

std::string session_document(std::string_view session, const HttpConfig& config,
                             const std::string& capabilities) {
  return "{\"session_id\":" + json_string(session) +
         ",\"state\":\"waiting\",\"cluster\":\"local\",\"model\":{\"name\":" +
         json_string(config.model_name) +
         "},\"server_info\":{\"server_version\":" + json_string(REACTOR_VERSION) +
         "},\"selected_transport\":{\"protocol\":\"webrtc\",\"version\":\"1.0\"}"
         ",\"capabilities\":{\"protocol_version\":\"v0\",\"commands\":" +
         commands_of(capabilities) + ",\"tracks\":[{\"name\":" + json_string(config.media_name) +
         ",\"kind\":\"video\",\"direction\":\"recvonly\"}]}}";
}

std::string ice_servers_document(const std::vector<IceServer>& servers) {
  std::string out = "{\"ice_servers\":[";
  for (const IceServer& server : servers) {
    if (out.back() == '}') out += ",";
    out += "{\"uris\":[";
    for (const std::string& uri : server.uris) {
      if (out.back() == '"') out += ",";
      out += json_string(uri);
    }
    out += "]";
    if (!server.username.empty()) {
      out += ",\"credentials\":{\"username\":" + json_string(server.username) +
             ",\"password\":" + json_string(server.password) + "}";
    }
    out += "}";
  }
  return out + "]}";
}

std::string sdp_answer_document(std::string_view sdp) {
  return "{\"sdp_answer\":" + json_string(sdp) + "}";
}

std::string connection_document(unsigned id) {
  return "{\"connection_id\":" + std::to_string(id) + ",\"track_map\":{}}";
}

}  // namespace reactor::webrtc
