// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/wire/jsontext.h"

#include <cstddef>

namespace reactor::wire {
namespace {

char32_t hex4(std::string_view text) {
  char32_t value = 0;
  for (int i = 0; i < 4; i++)
    value = value * 16 + static_cast<char32_t>(hex_digit(text[static_cast<std::size_t>(i)]));
  return value;
}

// Takes one code point off the front of an accepted string's inside.
char32_t take(std::string_view& text) {
  const auto c = static_cast<unsigned char>(text[0]);
  if (c == '\\') {
    const char kind = text[1];
    if (kind != 'u') {
      text.remove_prefix(2);
      switch (kind) {
        case 'b':
          return '\b';
        case 'f':
          return '\f';
        case 'n':
          return '\n';
        case 'r':
          return '\r';
        case 't':
          return '\t';
        default:
          return static_cast<unsigned char>(kind);
      }
    }
    char32_t unit = hex4(text.substr(2));
    text.remove_prefix(6);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(text.substr(2)) - 0xdc00);
      text.remove_prefix(6);
    }
    return unit;
  }
  const unsigned length = c < 0x80 ? 1 : utf8_length(text);
  if (length <= 1) {
    text.remove_prefix(1);
    return c;
  }
  char32_t point = c & (0xffu >> (length + 1));
  for (unsigned i = 1; i < length; i++)
    point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3f);
  text.remove_prefix(length);
  return point;
}

void append_utf8(std::string& out, char32_t point) {
  const auto byte = [&](char32_t value) { out.push_back(static_cast<char>(value)); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xc0 | (point >> 6));
    byte(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    byte(0xe0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3f));
    byte(0x80 | (point & 0x3f));
  } else {
    byte(0xf0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3f));
    byte(0x80 | ((point >> 6) & 0x3f));
    byte(0x80 | (point & 0x3f));
  }
}

}  // namespace

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

unsigned utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned c = byte(0);
  if (c < 0x80) return 1;
  if (c < 0xc2) return 0;
  if (c < 0xe0) return follows(1) ? 2 : 0;
  if (c < 0xf0) {
    if (!follows(1) || !follows(2)) return 0;
    if (c == 0xe0 && byte(1) < 0xa0) return 0;   // longer than needed
    if (c == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (c > 0xf4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (c == 0xf0 && byte(1) < 0x90) return 0;
  if (c == 0xf4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
  return 4;
}

int compare_json_strings(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const char32_t x = take(a), y = take(b);
    if (x != y) return x < y ? -1 : 1;
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

std::string decode_json_string(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  while (!inside.empty()) append_utf8(out, take(inside));
  return out;
}

std::string quote_json(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < 0x20) {
      if (c) {
        out += "\\u00";
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
      }
    } else if (const unsigned length = utf8_length(text)) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(1);
  }
  out.push_back('"');
  return out;
}

}  // namespace reactor::wire
