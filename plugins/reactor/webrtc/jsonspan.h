// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Finds the parts of a JSON text without building a tree: what a viewer sent goes on to the model
// byte for byte, with its numbers as they were written.
//
// Only for texts that reactor::wire::check_json() has accepted. Pure, reentrant, no allocation but
// for decoded strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace reactor::webrtc {

// The text of the member `key` of the object `object`; nothing when there is none, or when `object`
// is not an object.
std::optional<std::string_view> json_member(std::string_view object, std::string_view key);

// The content of a JSON string; nothing when `value` is not a string.
std::optional<std::string> json_decode_string(std::string_view value);

// The content of the member `key` when it is a string, otherwise nothing.
std::string json_text(std::string_view object, std::string_view key);

}  // namespace reactor::webrtc
