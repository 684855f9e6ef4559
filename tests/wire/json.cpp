// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The strict JSON scanner: what it accepts, what it refuses and where, and that no text makes it
// read out of bounds, recurse or take more than about linear time.
#include "gst/wire/json.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "tests/wire/check.h"

using reactor::wire::check_json;
using reactor::wire::JsonKind;
using namespace std::string_literals;

// The text lies at the end of an exactly sized heap block, so that a sanitizer sees every byte read
// beyond it.
static reactor::wire::JsonCheck check_exact(std::string_view text) {
  std::unique_ptr<char[]> copy(new char[text.size()]);
  text.copy(copy.get(), text.size());
  return check_json({copy.get(), text.size()});
}

static void good(std::string_view text, JsonKind kind) {
  const auto check = check_exact(text);
  if (!check.ok || check.kind != kind)
    FAIL("«%.*s»: %s at %zu", static_cast<int>(text.size()), text.data(),
         check.problem ? check.problem : "wrong kind", check.offset);
}

static void bad(std::string_view text, std::string_view problem, std::size_t offset) {
  const auto check = check_exact(text);
  if (check.ok) FAIL("«%.*s» accepted", static_cast<int>(text.size()), text.data());
  if (check.problem != problem || check.offset != offset)
    FAIL("«%.*s»: «%s» at %zu", static_cast<int>(text.size()), text.data(), check.problem,
         check.offset);
}

static void values_of_every_kind_are_accepted() {
  good("{}", JsonKind::kObject);
  good(" \t\r\n[ ] \n", JsonKind::kArray);
  good("\"\"", JsonKind::kString);
  good("true", JsonKind::kBool);
  good("false", JsonKind::kBool);
  good("null", JsonKind::kNull);
  good("0", JsonKind::kNumber);
  good(R"({"a":1,"b":[true,null,{"c":"d"}],"":{}})", JsonKind::kObject);
  good(R"([{"a":1},{"a":2}])", JsonKind::kArray);
  good(R"({"a":{"a":{"a":1}}})", JsonKind::kObject);
  good(R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")", JsonKind::kString);
  good("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", JsonKind::kString);
}

static void text_around_the_value_is_refused() {
  bad("", "empty text", 0);
  bad("  ", "value missing", 2);
  bad("1 2", "text after the value", 2);
  bad("{}x", "text after the value", 2);
  bad("{}\0"s, "text after the value", 2);
  bad("// c\n1", "not a JSON value", 0);
  bad("[1,/**/2]", "not a JSON value", 3);
  bad("\xef\xbb\xbf{}", "not a JSON value", 0);
  bad("nul", "unknown word", 0);
  bad("True", "not a JSON value", 0);
  bad("NaN", "not a JSON value", 0);
  bad("Infinity", "not a JSON value", 0);
  bad("-Infinity", "digits missing", 0);
  bad("'a'", "not a JSON value", 0);
}

static void structure_is_checked() {
  bad("[1,]", "trailing comma", 3);
  bad("{\"a\":1,}", "trailing comma", 7);
  bad("[,1]", "not a JSON value", 1);
  bad("[1 2]", "expected a comma or the end", 3);
  bad("[1}", "expected a comma or the end", 2);
  bad("{\"a\" 1}", "expected a colon after the key", 5);
  bad("{a:1}", "expected a key in quotes", 1);
  bad("{1:1}", "expected a key in quotes", 1);
  bad("{\"a\":}", "not a JSON value", 5);
  bad("[", "value missing", 1);
  bad("[1", "array not closed", 2);
  bad("{\"a\":1", "object not closed", 6);
  bad("{\"a\":", "value missing", 5);
  bad("]", "not a JSON value", 0);
}

static void strings_are_checked() {
  bad("\"abc", "string not closed", 4);
  bad("\"a\nb\"", "control character in a string", 2);
  bad("\"a\0b\""s, "NUL in a string", 2);
  bad(R"("a\u0000b")", "NUL in a string", 2);
  bad(R"("\x41")", "unknown escape", 1);
  bad("\"\\", "string not closed", 2);
  bad(R"("\u12)", "\\u needs four hexadecimal digits", 3);
  bad(R"("\u12g4")", "\\u needs four hexadecimal digits", 3);
  bad(R"("\ud83d")", "lone surrogate", 1);
  bad(R"("\ud83dx")", "lone surrogate", 1);
  bad(R"("\ud83d\u0041")", "lone surrogate", 1);
  bad(R"("\ude00")", "lone surrogate", 1);
}

static void only_well_formed_utf8_is_accepted() {
  for (const char* text :
       {"\"\x80\"", "\"\xc0\xaf\"", "\"\xc1\x81\"", "\"\xe0\x80\xaf\"", "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\xaf\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"",
        "\"\xff\"", "\"\xe2\x82\"", "\"\xc3", "\"\xf0\x9f\x98"})
    bad(text, "not UTF-8", 1);
  good("\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"", JsonKind::kString);
}

static void keys_are_unique_in_their_object() {
  bad(R"({"a":1,"a":2})", "key given twice", 7);
  bad(R"({"a":1,"b":2,"\u0061":3})", "key given twice", 13);
  bad(R"({"\ud83d\ude00":1,"😀":2})", "key given twice", 18);
  bad(R"([{"x":{"k":0,"z":1,"k":2}}])", "key given twice", 19);
  bad(R"({"":1,"":2})", "key given twice", 6);
  good(R"({"a":1,"A":2,"ab":3,"a ":4})", JsonKind::kObject);
  good(R"({"a":{"b":1},"b":{"a":1}})", JsonKind::kObject);
}

static void numbers_are_exact_and_finite() {
  for (const char* text :
       {"-0", "10", "9007199254740992", "-9007199254740992", "1.5", "1e308",
        "-1.7976931348623157e308", "1e-400", "-1e-99999999999999999999", "0e999999",
        "0.0e99999999999999999999999", "1E+2", "9007199254740993.0", "1e0", "0.000000001e309"})
    good(text, JsonKind::kNumber);
  bad("9007199254740993", "whole number beyond 2^53", 0);
  bad("-18446744073709551616", "whole number beyond 2^53", 0);
  bad(std::string(400, '9'), "whole number beyond 2^53", 0);
  bad("1e400", "number too large", 0);
  bad("-1e309", "number too large", 0);
  bad("1e99999999999999999999", "number too large", 0);
  bad(std::string(400, '9') + ".5", "number too large", 0);
  bad(std::string(320, '1') + "e-5", "number too large", 0);
  bad("01", "number with a leading zero", 0);
  bad("-01", "number with a leading zero", 0);
  bad("0x10", "text after the value", 1);
  bad("1.", "digits missing after the point", 2);
  bad(".5", "not a JSON value", 0);
  bad("+1", "not a JSON value", 0);
  bad("1e", "digits missing in the exponent", 2);
  bad("1e+", "digits missing in the exponent", 3);
  bad("-", "digits missing", 0);
}

static void depth_is_bounded() {
  using reactor::wire::kMaxJsonDepth;
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  good(nested(kMaxJsonDepth), JsonKind::kArray);
  bad(nested(kMaxJsonDepth + 1), "nested too deeply", kMaxJsonDepth);
  bad(std::string(1000000, '['), "nested too deeply", kMaxJsonDepth);
  std::string objects;
  for (int i = 0; i <= kMaxJsonDepth; i++) objects += "{\"a\":";
  bad(objects, "nested too deeply", 5 * kMaxJsonDepth);
  // Siblings are not depth.
  std::string wide = "[";
  for (int i = 0; i < 1000; i++) wide += "[],{},";
  good(wide + "[]]", JsonKind::kArray);
}

static void many_keys_take_about_linear_time() {
  std::string text = "{";
  for (int i = 0; i < 60000; i++) text += (i ? ",\"k" : "\"k") + std::to_string(i * 7919) + "\":0";
  text += "}";
  const auto begin = std::chrono::steady_clock::now();
  good(text, JsonKind::kObject);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (took.count() > 5) FAIL("60000 keys took %.1f s", took.count());
}

// Every text that is a prefix of, or one byte away from, a good one ends in a verdict and stays in
// bounds; what is accepted stays accepted with white space around it.
static void garbage_gets_a_verdict() {
  std::mt19937 random(1);
  const std::string seed =
      R"({"op":"block","shape":[12,704,1280,3],"x":-1.5e-3,"s":"\ud83d\ude00\n é","t":[true,null,{}]})";
  good(seed, JsonKind::kObject);
  for (std::size_t i = 0; i < seed.size(); i++)
    if (check_exact(seed.substr(0, i)).ok) FAIL("prefix of %zu bytes accepted", i);
  static constexpr char kAlphabet[] = "{}[]\",:\\u0019aetrufnl.-+ \n\x80\xc3\xff\0";
  for (int round = 0; round < 200000; round++) {
    std::string text = seed;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int k = 0; k < changes; k++) {
      const std::size_t at = random() % text.size();
      const char c = kAlphabet[random() % sizeof kAlphabet];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1 + random() % 3);
          if (text.empty()) text = seed;
      }
    }
    const auto check = check_exact(text);
    if (check.ok != (check.problem == nullptr)) FAIL("verdict without a reason");
    if (check.offset > text.size()) FAIL("offset beyond the text");
    if (check.ok && !check_exact(" " + text + "\n").ok) FAIL("white space changed the verdict");
  }
}

int main() {
  values_of_every_kind_are_accepted();
  text_around_the_value_is_refused();
  structure_is_checked();
  strings_are_checked();
  only_well_formed_utf8_is_accepted();
  keys_are_unique_in_their_object();
  numbers_are_exact_and_finite();
  depth_is_bounded();
  many_keys_take_about_linear_time();
  garbage_gets_a_verdict();
  return 0;
}
