// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first negotiation of a process loads libraries, makes a certificate and fills caches: 170 to
// 800 ms. Done once before a viewer waits for it.
#pragma once

#include <chrono>

namespace reactor::webrtc {

// Blocks for as long as that takes, at most `limit`; any thread that may. Does nothing from the
// second call on.
void warm_up(std::chrono::milliseconds limit = std::chrono::seconds(3));

}  // namespace reactor::webrtc
