// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What machines look at: /healthz, /stats, /metrics.
#pragma once

#include "http/router.h"
#include "signalling.h"

namespace reactor::webrtc {

// `host` must outlive the router.
void add_monitor_routes(Router& router, const ViewerHost& host);

}  // namespace reactor::webrtc
