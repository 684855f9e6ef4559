// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/wire/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

#include "gst/wire/jsontext.h"

namespace reactor::wire {
namespace {

constexpr std::uint64_t kMaxWhole = 1ull << 53;  // every whole number up to it is exact as a double

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  JsonCheck run() {
    JsonCheck check;
    if (text_.empty()) {
      check.problem = "empty text";
      return check;
    }
    check.ok = scan(check.kind);
    if (!check.ok) {
      check.offset = problem_at_;
      check.problem = problem_;
    }
    return check;
  }

 private:
  struct Level {
    bool object;
    std::size_t first_key;  // of this object in keys_
  };

  bool fail(const char* problem) { return fail(problem, at_); }
  bool fail(const char* problem, std::size_t at) {
    problem_ = problem;
    problem_at_ = at;
    return false;
  }

  bool end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  bool is(char c) const { return !end() && peek() == c; }

  void skip_space() {
    while (!end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) at_++;
  }

  bool scan(JsonKind& top) {
    skip_space();
    JsonKind kind;
    bool first = true;
    for (;;) {
      // A value is due here.
      if (!open_or_scalar(kind)) return false;
      if (first) top = kind;
      first = false;
      if (opened_) continue;
      // After a value: close what can be closed, or go on to the next element.
      for (;;) {
        skip_space();
        if (depth_ == 0) return end() ? true : fail("text after the value");
        Level& level = levels_[depth_ - 1];
        if (end()) return fail(level.object ? "object not closed" : "array not closed");
        if (peek() == ',') {
          at_++;
          skip_space();
          if (is(']') || is('}')) return fail("trailing comma");
          if (level.object && !key()) return false;
          break;
        }
        if (peek() != (level.object ? '}' : ']')) return fail("expected a comma or the end");
        at_++;
        if (!close()) return false;
      }
    }
  }

  // One scalar, or the opening of an array or object up to its first element. Empty ones count as
  // scalars.
  bool open_or_scalar(JsonKind& kind) {
    opened_ = false;
    skip_space();
    if (end()) return fail("value missing");
    switch (peek()) {
      case '{':
      case '[': {
        const bool object = peek() == '{';
        kind = object ? JsonKind::kObject : JsonKind::kArray;
        if (depth_ == kMaxJsonDepth) return fail("nested too deeply");
        levels_[depth_++] = {object, keys_.size()};
        at_++;
        skip_space();
        if (is(object ? '}' : ']')) {
          at_++;
          return close();
        }
        opened_ = true;
        return object ? key() : true;
      }
      case '"':
        kind = JsonKind::kString;
        return string();
      case 't':
        kind = JsonKind::kBool;
        return word("true");
      case 'f':
        kind = JsonKind::kBool;
        return word("false");
      case 'n':
        kind = JsonKind::kNull;
        return word("null");
      default:
        kind = JsonKind::kNumber;
        return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("unknown word");
    at_ += expected.size();
    return true;
  }

  bool key() {
    if (!is('"')) return fail("expected a key in quotes");
    const std::size_t begin = at_;
    if (!string()) return false;
    keys_.push_back(text_.substr(begin + 1, at_ - begin - 2));
    skip_space();
    if (!is(':')) return fail("expected a colon after the key");
    at_++;
    return true;
  }

  bool close() {
    const Level& level = levels_[--depth_];
    if (!level.object) return true;
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(level.first_key);
    std::sort(first, keys_.end(), [](auto a, auto b) { return compare_json_strings(a, b) < 0; });
    const auto twice = std::adjacent_find(
        first, keys_.end(), [](auto a, auto b) { return compare_json_strings(a, b) == 0; });
    if (twice != keys_.end()) {
      // Of the two, the later one is the mistake.
      const auto later = std::max(twice->data(), (twice + 1)->data());
      return fail("key given twice", static_cast<std::size_t>(later - text_.data()) - 1);
    }
    keys_.erase(first, keys_.end());
    return true;
  }

  bool hex4(unsigned& value) {
    if (text_.size() - at_ < 4) return fail("\\u needs four hexadecimal digits");
    value = 0;
    for (int i = 0; i < 4; i++) {
      const int digit = hex_digit(text_[at_ + static_cast<std::size_t>(i)]);
      if (digit < 0) return fail("\\u needs four hexadecimal digits");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    at_ += 4;
    return true;
  }

  bool escape() {
    const std::size_t begin = at_++;  // the backslash
    if (end()) return fail("string not closed");
    const char c = text_[at_++];
    if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) return true;
    if (c != 'u') return fail("unknown escape", begin);
    unsigned unit = 0;
    if (!hex4(unit)) return false;
    if (unit == 0) return fail("NUL in a string", begin);
    if (unit >= 0xdc00 && unit <= 0xdfff) return fail("lone surrogate", begin);
    if (unit < 0xd800 || unit > 0xdbff) return true;
    if (text_.substr(at_, 2) != "\\u") return fail("lone surrogate", begin);
    at_ += 2;
    if (!hex4(unit)) return false;
    return unit >= 0xdc00 && unit <= 0xdfff ? true : fail("lone surrogate", begin);
  }

  bool string() {
    at_++;  // the quote
    while (!end()) {
      const auto c = static_cast<unsigned char>(peek());
      if (c == '"') {
        at_++;
        return true;
      }
      if (c == '\\') {
        if (!escape()) return false;
      } else if (c == 0) {
        return fail("NUL in a string");
      } else if (c < 0x20) {
        return fail("control character in a string");
      } else if (c < 0x80) {
        at_++;
      } else if (const unsigned length = utf8_length(text_.substr(at_))) {
        at_ += length;
      } else {
        return fail("not UTF-8");
      }
    }
    return fail("string not closed");
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (!end() && peek() >= '0' && peek() <= '9') at_++;
    return at_ - begin;
  }

  bool number() {
    const std::size_t begin = at_;
    if (is('-')) at_++;
    const std::size_t whole_begin = at_;
    const std::size_t whole = digits();
    if (whole == 0) return fail(at_ == begin ? "not a JSON value" : "digits missing", begin);
    if (whole > 1 && text_[whole_begin] == '0') return fail("number with a leading zero", begin);
    bool integer = true;
    if (is('.')) {
      integer = false;
      at_++;
      if (digits() == 0) return fail("digits missing after the point");
    }
    if (is('e') || is('E')) {
      integer = false;
      at_++;
      if (is('+') || is('-')) at_++;
      if (digits() == 0) return fail("digits missing in the exponent");
    }
    const char* const first = text_.data() + begin;
    const char* const last = text_.data() + at_;
    if (integer) {
      std::uint64_t magnitude = 0;
      const auto [p, error] = std::from_chars(text_.data() + whole_begin, last, magnitude);
      if (error != std::errc() || magnitude > kMaxWhole)
        return fail("whole number beyond 2^53", begin);
      return true;
    }
    double value = 0;
    const auto [p, error] = std::from_chars(first, last, value);
    if (error == std::errc::result_out_of_range && !is_tiny({first, last}))
      return fail("number too large", begin);
    return true;
  }

  // Whether a number beyond the range of double is so because it is close to zero.
  static bool is_tiny(std::string_view number) {
    const std::size_t e = number.find_first_of("eE");
    if (e == std::string_view::npos) return number.find_first_of("123456789") > number.find('.');
    // Beyond the range with an exponent: its sign decides, unless the mantissa outweighs it; the
    // mantissa's own magnitude is its distance from the point.
    long long exponent = 0;
    const bool plus = number[e + 1] == '+';
    const auto [p, error] = std::from_chars(number.data() + e + (plus ? 2 : 1),
                                            number.data() + number.size(), exponent);
    if (error == std::errc::result_out_of_range) return number[e + 1] == '-';
    const std::string_view mantissa = number.substr(0, e);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const std::size_t lead = mantissa.find_first_of("123456789");
    if (lead == std::string_view::npos) return true;
    const auto magnitude =
        lead < point ? static_cast<long long>(point - lead) : -static_cast<long long>(lead - point);
    return exponent < -magnitude;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  bool opened_ = false;
  int depth_ = 0;
  std::array<Level, kMaxJsonDepth> levels_;
  std::vector<std::string_view> keys_;  // of the objects that are open, between their quotes
  const char* problem_ = nullptr;
  std::size_t problem_at_ = 0;
};

}  // namespace

JsonCheck check_json(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace reactor::wire
