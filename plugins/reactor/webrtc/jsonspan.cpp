// SPDX-License-Identifier: LGPL-2.1-or-later

#include "jsonspan.h"

#include <cstddef>
#include <cstdint>

namespace reactor::webrtc {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) at++;
  return at;
}

// Past the closing quote of the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (at++; at < text.size() && text[at] != '"'; at++)
    if (text[at] == '\\') at++;
  return at + 1;
}

std::size_t skip_value(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;  // the end of what a number or a word stood in
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || is_space(c))) {
      return at;
    }
    at++;
  }
  return at;
}

unsigned hex4(std::string_view digits) {
  unsigned value = 0;
  for (char c : digits)
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  return value;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace

std::optional<std::string_view> json_member(std::string_view object, std::string_view key) {
  std::size_t at = skip_space(object, 0);
  if (at >= object.size() || object[at] != '{') return std::nullopt;
  at = skip_space(object, at + 1);
  while (at < object.size() && object[at] == '"') {
    const std::size_t name_end = skip_string(object, at);
    const auto name = json_decode_string(object.substr(at, name_end - at));
    at = skip_space(object, skip_space(object, name_end) + 1);  // past the colon
    const std::size_t end = skip_value(object, at);
    if (name && *name == key) return object.substr(at, end - at);
    at = skip_space(object, end);
    if (at >= object.size() || object[at] != ',') return std::nullopt;
    at = skip_space(object, at + 1);
  }
  return std::nullopt;
}

std::string json_text(std::string_view object, std::string_view key) {
  const auto value = json_member(object, key);
  return value ? json_decode_string(*value).value_or(std::string()) : std::string();
}

std::optional<std::string> json_decode_string(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < value.size(); i++) {
    if (value[i] != '\\') {
      out += value[i];
      continue;
    }
    const char c = value[++i];
    switch (c) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        std::uint32_t code = hex4(value.substr(i + 1, 4));
        i += 4;
        if (code >= 0xd800 && code < 0xdc00) {  // a pair: the scanner accepts no lone half
          code = 0x10000 + ((code - 0xd800) << 10) + (hex4(value.substr(i + 3, 4)) - 0xdc00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace reactor::webrtc
