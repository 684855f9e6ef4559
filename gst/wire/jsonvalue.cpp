// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/wire/jsonvalue.h"

#include <charconv>

#include "gst/wire/jsontext.h"

namespace reactor::wire {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Length of the valid string, with its quotes, at the start of `text`.
std::size_t string_length(std::string_view text) {
  std::size_t at = 1;
  while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return at + 1;
}

// Length of the valid value at the start of `text`.
std::size_t value_length(std::string_view text) {
  int depth = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at += string_length(text.substr(at));
      if (depth == 0) return at;
      continue;
    }
    if (c == '[' || c == '{') {
      depth++;
    } else if (c == ']' || c == '}') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
      return at;
    }
    at++;
  }
  return at;
}

// Takes a valid value off the front of an array's or object's inside, with the comma behind it.
std::string_view take_value(std::string_view& rest) {
  rest = trimmed(rest);
  const std::string_view value = rest.substr(0, value_length(rest));
  rest = trimmed(rest.substr(value.size()));
  if (!rest.empty() && rest[0] == ',') rest.remove_prefix(1);
  return value;
}

}  // namespace

std::optional<JsonValue> JsonValue::parse(std::string_view text, JsonCheck* check) {
  const JsonCheck result = check_json(text);
  if (check) *check = result;
  if (!result.ok) return std::nullopt;
  return JsonValue(trimmed(text));
}

JsonKind JsonValue::kind() const {
  switch (text_[0]) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 't':
    case 'f':
      return JsonKind::kBool;
    case 'n':
      return JsonKind::kNull;
    default:
      return JsonKind::kNumber;
  }
}

std::optional<JsonValue> JsonValue::member(std::string_view key) const {
  if (kind() != JsonKind::kObject) return std::nullopt;
  std::string_view rest = trimmed(text_.substr(1, text_.size() - 2));
  while (!rest.empty()) {
    const std::size_t length = string_length(rest);
    const std::string_view name = rest.substr(1, length - 2);
    rest = trimmed(rest.substr(length));
    rest.remove_prefix(1);  // the colon
    const std::string_view value = take_value(rest);
    // `key` is one of ours: without backslashes, so the plain comparison decides unless the name
    // has some.
    if (name == key ||
        (name.find('\\') != std::string_view::npos && decode_json_string(name) == key))
      return JsonValue(value);
    rest = trimmed(rest);
  }
  return std::nullopt;
}

std::optional<std::int64_t> JsonValue::whole() const {
  if (kind() != JsonKind::kNumber) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (error != std::errc() || end != text_.data() + text_.size()) return std::nullopt;
  return value;
}

std::optional<bool> JsonValue::boolean() const {
  if (kind() != JsonKind::kBool) return std::nullopt;
  return text_[0] == 't';
}

std::optional<std::string> JsonValue::string() const {
  if (kind() != JsonKind::kString) return std::nullopt;
  return decode_json_string(text_.substr(1, text_.size() - 2));
}

std::optional<JsonValue::Elements> JsonValue::elements() const {
  if (kind() != JsonKind::kArray) return std::nullopt;
  return Elements(text_.substr(1, text_.size() - 2));
}

std::optional<JsonValue> JsonValue::Elements::next() {
  rest_ = trimmed(rest_);
  if (rest_.empty()) return std::nullopt;
  return JsonValue(take_value(rest_));
}

}  // namespace reactor::wire
