// SPDX-License-Identifier: LGPL-2.1-or-later
// The text form of what was learnt: JSON of one fixed shape, written and read here so that the
// algorithm needs no library. Numbers are finite; keys stand in a fixed order; white space between
// tokens is ignored; anything else is refused.
#pragma once

#include <string>
#include <string_view>

namespace reactor::pacing {

class StateWriter {
 public:
  void text(std::string_view s) { out_ += s; }
  void number(double value);
  template <typename Numbers>
  void array(const Numbers& values) {
    char separator = '[';
    for (double v : values) {
      out_ += separator;
      number(v);
      separator = ',';
    }
    out_ += ']';
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class StateReader {
 public:
  explicit StateReader(std::string_view text) : rest_(text) {}
  // Each returns whether all before it was as expected; once false, always false.
  bool expect(
      std::string_view tokens);  // compared without white space, which no token of ours contains
  bool number(double& value, double least, double most);
  template <typename Numbers>
  bool array(Numbers& values, double least, double most) {
    const char* separator = "[";
    for (double& v : values) {
      if (!expect(separator) || !number(v, least, most)) return false;
      separator = ",";
    }
    return expect("]");
  }
  bool done();

 private:
  void skip_space();
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace reactor::pacing
