// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One protocol by which viewers come in: WHEP, the Reactor local protocol.
//
// A signaller registers its routes once, before the server listens, and calls a ViewerHost. It
// knows no sockets, no access rules and no webrtcbin. Thread-bound to the service thread.
#pragma once

#include "http/router.h"

namespace reactor::webrtc {

class Signaller {
 public:
  virtual ~Signaller() = default;
  // The routes call back into the signaller: it must outlive the router.
  virtual void add_routes(Router& router) = 0;
};

}  // namespace reactor::webrtc
