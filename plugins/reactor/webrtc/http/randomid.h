// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Ids that nobody can guess: who knows a viewer's or a session's may act for it. Any thread.
#pragma once

#include <string>

namespace reactor::webrtc {

// 128 bits of the kernel's random numbers in hex.
std::string random_id();

}  // namespace reactor::webrtc
