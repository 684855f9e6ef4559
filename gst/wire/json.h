// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Strict JSON scanner: the gate before every JSON parser of this project.
//
// json-glib is lenient (comments, trailing text, doubled keys, "\u0000") and recurses without a
// limit, so nothing a remote party sends reaches it before this scanner has accepted the whole
// text. One pass, no recursion, bounded depth, time O(n log n) and memory O(keys of the open
// objects) whatever the text. Pure C++; thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace reactor::wire {

inline constexpr int kMaxJsonDepth = 64;  // levels of [ and {
inline constexpr std::size_t kMaxMessageBytes =
    65536;                                           // UTF-8 bytes of one user value, at every door
inline constexpr std::size_t kEnvelopeBytes = 4096;  // what our own envelope may add on top

enum class JsonKind { kObject, kArray, kString, kNumber, kBool, kNull };

struct JsonCheck {
  bool ok = false;
  JsonKind kind = JsonKind::kNull;  // of the top-level value, if ok
  std::size_t offset = 0;           // byte at which the text stops being JSON, if not ok
  const char* problem =
      nullptr;  // static English text, if not ok: "trailing comma", "key given twice", …
};

// RFC 8259 in UTF-8 with these restrictions: exactly one value, depth <= kMaxJsonDepth, no NUL
// (also not as \u0000), no lone surrogate, no key twice in one object, every number finite as a
// double and, if written without fraction and exponent, within +-2^53. Keys are compared as
// decoded: "a" and "\u0061" are the same key.
JsonCheck check_json(std::string_view text);

}  // namespace reactor::wire
