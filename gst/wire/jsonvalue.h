// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JsonValue: a look into a JSON text that check_json has accepted, without building a tree. Borrows
// the text, which must outlive it; cheap to copy. Pure C++; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gst/wire/json.h"

namespace reactor::wire {

class JsonValue {
 public:
  // None if the text is not one JSON value; `check` then says why.
  static std::optional<JsonValue> parse(std::string_view text, JsonCheck* check = nullptr);

  JsonKind kind() const;
  std::string_view text() const { return text_; }  // as it arrived, without white space around it

  std::optional<JsonValue> member(std::string_view key) const;  // of an object
  std::optional<std::int64_t> whole() const;  // a number without fraction and exponent
  std::optional<bool> boolean() const;
  std::optional<std::string> string() const;  // decoded

  // The elements of an array: first(), then next() of the one before, until none.
  class Elements {
   public:
    explicit Elements(std::string_view inside) : rest_(inside) {}
    std::optional<JsonValue> next();

   private:
    std::string_view rest_;
  };
  std::optional<Elements> elements() const;

 private:
  explicit JsonValue(std::string_view text) : text_(text) {}

  std::string_view text_;
};

}  // namespace reactor::wire
