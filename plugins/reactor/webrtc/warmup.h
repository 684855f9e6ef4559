// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first negotiation of a process loads libraries, makes a certificate and fills caches: 170 to
// 800 ms. Done once before a viewer waits for it.
#pragma once

namespace reactor::webrtc {

// Blocks for as long as that takes; any thread that may. Does nothing from the second call on.
void warm_up();

}  // namespace reactor::webrtc
