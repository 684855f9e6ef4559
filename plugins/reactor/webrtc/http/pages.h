// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The viewer page and its parts, compiled in as a GResource.
//
// Thread-bound to the service thread.
#pragma once

#include "http/router.h"

namespace reactor::webrtc {

// index.html at "/", every file at "/page/NAME". Open to everybody: the page holds no secret and
// brings the token itself.
void add_page_routes(Router& router);

}  // namespace reactor::webrtc
