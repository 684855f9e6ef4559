// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/wire/modelprotocol.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gst/wire/jsontext.h"
#include "gst/wire/jsonvalue.h"

namespace reactor::wire {
namespace {

struct OpName {
  const char* name;
  ModelOp op;
};
constexpr OpName kOps[] = {
    {"hello", ModelOp::kHello},        {"pool", ModelOp::kPool},
    {"drop-pool", ModelOp::kDropPool}, {"block", ModelOp::kBlock},
    {"black", ModelOp::kBlack},        {"send", ModelOp::kSend},
    {"runtime", ModelOp::kRuntime},    {"monitoring", ModelOp::kMonitoring},
    {"flush", ModelOp::kFlush},
};

// One line of an error message may quote what arrived; not all of it.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 100;  // bytes
  if (text.size() <= kMost) return std::string(text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
  return std::string(text.substr(0, end)) + "…";
}

class Parser {
 public:
  explicit Parser(const JsonValue& object) : object_(object) {}

  std::variant<ModelPacket, ModelError> run() {
    if (parse()) return std::move(packet_);
    error_.about = packet_.about;
    error_.seq = packet_.seq;
    return std::move(error_);
  }

 private:
  bool fail(ModelErrorCode code, std::string message) {
    error_ = {code, std::move(message), {}, {}};
    return false;
  }

  bool whole(const char* key, std::int64_t& value, std::int64_t least, std::int64_t most) {
    std::optional<std::int64_t> found;
    if (!optional_whole(key, found, least, most)) return false;
    if (!found)
      return fail(ModelErrorCode::kField, std::string("«") + key + "» is missing: a whole number");
    value = *found;
    return true;
  }

  bool optional_whole(const char* key, std::optional<std::int64_t>& value, std::int64_t least,
                      std::int64_t most) {
    const auto member = object_.member(key);
    if (!member || member->kind() == JsonKind::kNull) return true;
    const auto number = member->whole();
    if (!number || *number < least || *number > most)
      return fail(ModelErrorCode::kField, std::string("«") + key + "» must be a whole number" +
                                              (least == 0  ? " of 0 or more"
                                               : least > 0 ? " of 1 or more"
                                                           : "") +
                                              ", got " + in_quotes(member->text()));
    value = number;
    return true;
  }

  // Four whole numbers.
  bool four(const JsonValue& value, std::int64_t (&out)[4]) {
    auto elements = value.elements();
    if (!elements) return false;
    for (std::int64_t& number : out) {
      const auto element = elements->next();
      const auto found = element ? element->whole() : std::nullopt;
      if (!found) return false;
      number = *found;
    }
    return !elements->next();
  }

  bool parse() {
    if (!optional_whole("seq", packet_.seq, -kMaxWhole, kMaxWhole)) return false;
    const auto op = object_.member("op");
    const auto name = op ? op->string() : std::nullopt;
    if (!name)
      return fail(ModelErrorCode::kOp, "«op» is missing: a string that says what the packet is");
    packet_.about = in_quotes(*name);
    const auto found = std::find_if(std::begin(kOps), std::end(kOps),
                                    [&](const OpName& known) { return *name == known.name; });
    if (found == std::end(kOps))
      return fail(ModelErrorCode::kOp,
                  "unknown op: expected hello, pool, drop-pool, block, black, send, runtime, "
                  "monitoring or flush");
    packet_.op = found->op;
    switch (packet_.op) {
      case ModelOp::kHello:
        return hello();
      case ModelOp::kPool:
        return whole("id", packet_.id, -kMaxWhole, kMaxWhole) &&
               whole("size", packet_.size, 1, kMaxWhole) && pool_slots();
      case ModelOp::kDropPool:
        return whole("id", packet_.id, -kMaxWhole, kMaxWhole);
      case ModelOp::kBlock:
        return block();
      case ModelOp::kSend:
        return data() && optional_whole("with_frame", packet_.with_frame, 0, kMaxWhole) && to();
      case ModelOp::kRuntime:
        return data();
      case ModelOp::kMonitoring: {
        const auto member = object_.member("enabled");
        const auto enabled = member ? member->boolean() : std::nullopt;
        if (!enabled) return fail(ModelErrorCode::kField, "«enabled» must be true or false");
        packet_.enabled = *enabled;
        return true;
      }
      case ModelOp::kBlack:
      case ModelOp::kFlush:
        return true;
    }
    return false;
  }

  bool hello() {
    std::int64_t protocol = 0;
    if (!whole("protocol", protocol, 0, kMaxWhole)) return false;
    if (protocol != kModelProtocol)
      return fail(ModelErrorCode::kProtocol,
                  "this source speaks protocol 1, the model speaks " + std::to_string(protocol));
    if (const auto member = object_.member("name"))
      if (const auto name = member->string()) packet_.name = in_quotes(*name);
    return true;
  }

  bool pool_slots() {
    if (!whole("slots", packet_.slots, 1, kMaxWhole)) return false;
    if (packet_.slots > ModelLimits::kSlots)
      return fail(ModelErrorCode::kLimit, "a pool has at most " +
                                              std::to_string(ModelLimits::kSlots) + " slots, got " +
                                              std::to_string(packet_.slots));
    return true;
  }

  bool block() {
    if (!whole("pool", packet_.id, -kMaxWhole, kMaxWhole) ||
        !whole("slot", packet_.slot, 0, kMaxWhole))
      return false;
    const auto shape = object_.member("shape");
    std::int64_t sizes[4];
    if (!shape || !four(*shape, sizes) || sizes[3] != 3 ||
        std::any_of(sizes, sizes + 3, [](auto size) { return size < 1; }))
      return fail(ModelErrorCode::kShape, "«shape» must be [n, height, width, 3], got " +
                                              (shape ? in_quotes(shape->text()) : "none"));
    if (sizes[0] > ModelLimits::kFrames || sizes[1] > ModelLimits::kHeight ||
        sizes[2] > ModelLimits::kWidth)
      return fail(ModelErrorCode::kLimit, "a block has at most " +
                                              std::to_string(ModelLimits::kFrames) + " frames of " +
                                              std::to_string(ModelLimits::kWidth) + " x " +
                                              std::to_string(ModelLimits::kHeight) +
                                              " pixels, got " + in_quotes(shape->text()));
    packet_.frames = sizes[0], packet_.height = sizes[1], packet_.width = sizes[2];
    const auto strides = object_.member("strides");
    if (!strides || strides->kind() == JsonKind::kNull) {
      packet_.strides[3] = 1;
      packet_.strides[2] = 3;
      packet_.strides[1] = 3 * packet_.width;
      packet_.strides[0] = packet_.strides[1] * packet_.height;
    } else if (!four(*strides, packet_.strides)) {
      return fail(ModelErrorCode::kStrides,
                  "«strides» must be four whole numbers, bytes of the axes [n, height, width, 3], "
                  "got " +
                      in_quotes(strides->text()));
    }
    std::optional<std::int64_t> offset;
    if (!optional_whole("offset", offset, 0, kMaxWhole) ||
        !optional_whole("compute_ns", packet_.compute, 0, kMaxWhole) ||
        !optional_whole("command", packet_.command, 0, kMaxWhole))
      return false;
    packet_.offset = offset.value_or(0);
    const auto format = object_.member("format");
    if (format && format->kind() != JsonKind::kNull && format->string() != "RGB")
      return fail(ModelErrorCode::kField,
                  "«format» can only be \"RGB\" (the order of the channel axis), got " +
                      in_quotes(format->text()));
    return meta();
  }

  bool meta() {
    const auto member = object_.member("meta");
    if (!member || member->kind() == JsonKind::kNull) return true;
    if (member->text().size() > static_cast<std::size_t>(ModelLimits::kMeta))
      return fail(ModelErrorCode::kTooLarge,
                  "«meta» is at most " + std::to_string(ModelLimits::kMeta) +
                      " bytes a block, got " + std::to_string(member->text().size()));
    auto elements = member->elements();
    if (elements)
      while (const auto element = elements->next())
        packet_.meta.emplace_back(element->kind() == JsonKind::kNull ? std::string_view()
                                                                     : element->text());
    if (static_cast<std::int64_t>(packet_.meta.size()) != packet_.frames)
      return fail(ModelErrorCode::kField,
                  "«meta» must be a list of " + std::to_string(packet_.frames) +
                      " values, one a frame, null for none, got " + in_quotes(member->text()));
    return true;
  }

  bool data() {
    const auto member = object_.member("data");
    if (!member) return fail(ModelErrorCode::kField, "«data» is missing: any JSON value");
    if (member->text().size() > static_cast<std::size_t>(ModelLimits::kData))
      return fail(ModelErrorCode::kTooLarge,
                  "«data» is at most " + std::to_string(ModelLimits::kData) +
                      " bytes of UTF-8, got " + std::to_string(member->text().size()));
    packet_.data = member->text();
    return true;
  }

  bool to() {
    const auto member = object_.member("to");
    if (!member || member->kind() == JsonKind::kNull) return true;
    packet_.to = member->string();
    return packet_.to ? true : fail(ModelErrorCode::kField, "«to» must be a viewer's id, a string");
  }

  static constexpr std::int64_t kMaxWhole = std::int64_t{1} << 53;

  const JsonValue object_;
  ModelPacket packet_;
  ModelError error_{};
};

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[400];  // the largest double has 309 digits
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 3).ptr;
  return {text, end};
}

std::string id_of_error(const ModelError& error) {
  return error.seq ? ",\"seq\":" + std::to_string(*error.seq) : "";
}

}  // namespace

const char* name_of(ModelErrorCode code) {
  switch (code) {
    case ModelErrorCode::kHello:
      return "hello";
    case ModelErrorCode::kProtocol:
      return "protocol";
    case ModelErrorCode::kForbidden:
      return "forbidden";
    case ModelErrorCode::kBusy:
      return "busy";
    case ModelErrorCode::kJson:
      return "json";
    case ModelErrorCode::kPacket:
      return "packet";
    case ModelErrorCode::kPool:
      return "pool";
    case ModelErrorCode::kFlood:
      return "flood";
    case ModelErrorCode::kOp:
      return "op";
    case ModelErrorCode::kField:
      return "field";
    case ModelErrorCode::kShape:
      return "shape";
    case ModelErrorCode::kStrides:
      return "strides";
    case ModelErrorCode::kSlot:
      return "slot";
    case ModelErrorCode::kLimit:
      return "limit";
    case ModelErrorCode::kTooLarge:
      return "too-large";
    case ModelErrorCode::kSession:
      return "session";
  }
  return "op";
}

bool closes(ModelErrorCode code) {
  return code <= ModelErrorCode::kFlood;
}

std::variant<ModelPacket, ModelError> parse_model_packet(std::string_view text) {
  if (text.size() > kMaxModelPacket)
    return ModelError{ModelErrorCode::kPacket,
                      "a packet is at most " + std::to_string(kMaxModelPacket) + " bytes",
                      "",
                      {}};
  JsonCheck check;
  const auto value = JsonValue::parse(text, &check);
  if (!value)
    return ModelError{
        ModelErrorCode::kJson,
        std::string("not JSON: ") + check.problem + " at byte " + std::to_string(check.offset),
        "",
        {}};
  if (value->kind() != JsonKind::kObject)
    return ModelError{ModelErrorCode::kJson, "a packet is one JSON object", "", {}};
  return Parser(*value).run();
}

bool lies_within(const ModelPacket& block, std::int64_t size) {
  __extension__ using Wide = __int128;  // any four strides of 53 bits, times any shape
  Wide first = block.offset, last = block.offset;
  const std::int64_t counts[4] = {block.frames, block.height, block.width, 3};
  for (int i = 0; i < 4; i++) {
    const Wide reach = Wide{block.strides[i]} * (counts[i] - 1);
    (reach < 0 ? first : last) += reach;
  }
  return first >= 0 && last < size;
}

std::string write_hello(const std::optional<ModelSession>& session) {
  std::string text = "{\"op\":\"hello\",\"protocol\":1,\"limits\":{";
  const struct {
    const char* name;
    std::int64_t value;
  } limits[] = {
      {"data", ModelLimits::kData},       {"meta", ModelLimits::kMeta},
      {"pools", ModelLimits::kPools},     {"slots", ModelLimits::kSlots},
      {"bytes", ModelLimits::kBytes},     {"repeated", ModelLimits::kRepeated},
      {"frames", ModelLimits::kFrames},   {"width", ModelLimits::kWidth},
      {"height", ModelLimits::kHeight},   {"send", ModelLimits::kSend},
      {"control", ModelLimits::kControl},
  };
  for (const auto& limit : limits)
    text += (text.back() == '{' ? "\"" : ",\"") + std::string(limit.name) +
            "\":" + std::to_string(limit.value);
  text += "},\"session\":";
  text += session ? "{\"id\":" + quote_json(session->id) + ",\"state\":\"" +
                        (session->started ? "started" : "ended") + "\"}"
                  : "null";
  return text + "}";
}

std::string write_error(const ModelError& error) {
  return std::string("{\"op\":\"error\",\"code\":\"") + name_of(error.code) +
         "\",\"message\":" + quote_json(error.message) + ",\"about\":" + quote_json(error.about) +
         id_of_error(error) + "}";
}

std::string write_busy(std::int64_t pid) {
  return "{\"op\":\"error\",\"code\":\"busy\",\"message\":\"the model of process " +
         std::to_string(pid) +
         " is connected: stop it, or try again later\",\"about\":\"hello\",\"pid\":" +
         std::to_string(pid) + "}";
}

std::string write_release(std::int64_t pool, std::int64_t slot) {
  return "{\"op\":\"release\",\"pool\":" + std::to_string(pool) +
         ",\"slot\":" + std::to_string(slot) + "}";
}

std::string write_flushed(std::optional<std::int64_t> seq) {
  return "{\"op\":\"flushed\",\"seq\":" + (seq ? std::to_string(*seq) : "null") + "}";
}

std::string write_session(const ModelSession& session) {
  return "{\"op\":\"session\",\"id\":" + quote_json(session.id) + ",\"state\":\"" +
         (session.started ? "started" : "ended") + "\",\"reason\":" + quote_json(session.reason) +
         "}";
}

std::string write_viewer(std::string_view id, bool joined) {
  return "{\"op\":\"viewer\",\"id\":" + quote_json(id) + ",\"state\":\"" +
         (joined ? "joined" : "left") + "\"}";
}

std::string write_shown(std::uint64_t block, std::optional<std::uint64_t> first,
                        std::optional<std::uint64_t> last, unsigned dropped,
                        std::string_view reason) {
  const auto time = [](std::optional<std::uint64_t> ns) {
    return ns ? std::to_string(*ns) : std::string("null");
  };
  return "{\"op\":\"shown\",\"block\":" + std::to_string(block) + ",\"first\":" + time(first) +
         ",\"last\":" + time(last) + ",\"dropped\":" + std::to_string(dropped) +
         ",\"reason\":" + (reason.empty() ? "null" : quote_json(reason)) + "}";
}

std::string write_command(std::uint64_t id, std::string_view viewer, std::string_view data) {
  return "{\"op\":\"command\",\"id\":" + std::to_string(id) +
         ",\"viewer\":" + (viewer.empty() ? "null" : quote_json(viewer)) +
         ",\"data\":" + std::string(data) + "}";
}

std::string write_stats(const ModelStats& stats) {
  return "{\"op\":\"stats\",\"fps\":" + number(stats.fps) +
         ",\"queue\":" + std::to_string(stats.queue) +
         ",\"latency_ms\":" + number(stats.latency_ms) +
         ",\"stalls\":" + std::to_string(stats.stalls) +
         ",\"unseen\":" + std::to_string(stats.unseen) +
         ",\"notices_dropped\":" + std::to_string(stats.notices_dropped) + "}";
}

}  // namespace reactor::wire
