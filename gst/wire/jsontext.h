// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text inside JSON strings: UTF-8, escapes, comparison. Helpers of the scanner and of
// JsonValue. Pure C++; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace reactor::wire {

int hex_digit(char c);  // 0 … 15, -1 if it is none

// Length in bytes of the well-formed UTF-8 sequence at the start of `text` (shortest form, no
// surrogate, at most U+10FFFF), 0 if there is none.
unsigned utf8_length(std::string_view text);

// The functions below take the inside of a string that check_json has accepted, without its quotes.

// Order by code points as decoded: < 0, 0 or > 0.
int compare_json_strings(std::string_view a, std::string_view b);

std::string decode_json_string(std::string_view inside);

// The text as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD, NUL is left out.
std::string quote_json(std::string_view text);

}  // namespace reactor::wire
