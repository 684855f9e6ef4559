// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a method and a path to the route that serves it. Pure; filled once, then only read.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/access.h"
#include "http/connection.h"
#include "http/message.h"

namespace reactor::webrtc {

// A request that has passed the access rules and is of the type its route consumes.
struct Call {
  HttpRequest request;
  Caller caller;
  Role role = Role::kFull;
  std::vector<std::string> params;  // what stands in the place of the pattern's {…}, decoded
};

using Handler = std::function<void(Call, Respond)>;

struct Route {
  std::string method;
  std::string pattern;  // "/sessions/{sid}/transport": "{…}" is one segment that is not empty
  Need need = Need::kView;
  std::string consumes;  // media type the body must be declared as: 415 otherwise; empty: any, the
                         // body is ignored
  Handler handler;
};

class Router {
 public:
  void add(Route route);

  struct Match {
    const Route* route = nullptr;  // nullptr: no such path, or not by this method
    std::vector<std::string> params;
    std::string allow;  // methods of that path, for Allow; empty: no such path
  };
  // HEAD is served by GET's route.
  Match match(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

// Without the percent signs; false: a broken one, or a NUL.
bool percent_decode(std::string_view text, std::string* out);

}  // namespace reactor::webrtc
