// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What happens to every request, whatever its route: access rules, methods, media types, CORS.
//
// Thread-bound to the service thread. Knows no sockets: a test calls it with requests it made up.
#pragma once

#include <functional>

#include "http/access.h"
#include "http/config.h"
#include "http/connection.h"
#include "http/router.h"

namespace reactor::webrtc {

class Dispatcher {
 public:
  using Now = std::function<AccessRules::Time()>;

  explicit Dispatcher(
      const HttpConfig& config, Now now = [] { return std::chrono::steady_clock::now(); });

  Router& router() { return router_; }

  // Calls `respond` at once, or has the route do so.
  void handle(HttpRequest request, const Caller& caller, Respond respond);

 private:
  HttpResponse options(const HttpRequest& request, const Router::Match& match) const;
  void add_cors(const HttpRequest& request, HttpResponse* response) const;

  Router router_;
  AccessRules access_;
  Now now_;
};

}  // namespace reactor::webrtc
