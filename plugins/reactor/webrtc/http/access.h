// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may do what: the rules every request passes before a route sees it.
//
// Pure: the time is passed in. Thread-bound to the service thread, because wrong tokens are
// counted.
//
// In this order: the request must be *for* us (Host: a foreign page that rebinds its name to our
// address must not get in), *from* an allowed page if it changes anything (Origin: a foreign page
// needs no rebinding to POST), and *by* somebody who has the token, if one is set.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/config.h"
#include "http/message.h"

namespace reactor::webrtc {

// What a route asks for beside the right Host.
enum class Need {
  kOpen,  // nothing: the page, /healthz, preflights
  kView,  // any valid token
  kFull,  // the full token, not the view token
};

struct Caller {
  std::string local_address;   // address of ours that the request came in on, without port
  std::string remote_address;  // from where, without port
};

struct Verdict {
  std::optional<Refusal> refusal;
  Role role = Role::kFull;  // if not refused
};

// "localhost", "a.localhost", "127.1.2.3", "::1" and "[::1]", with or without a final dot, without
// port.
bool is_loopback_name(std::string_view host);
// Of "name:port", "[::1]:port", "name". Lower case, without brackets and final dot.
std::string host_of(std::string_view authority);
// IPv4 addresses mapped into IPv6 as plain IPv4; everything else as it is.
std::string plain_address(std::string_view address);
// In time that depends on the lengths only.
bool equal_secret(std::string_view given, std::string_view secret);

class AccessRules {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit AccessRules(const HttpConfig& config);

  // Empty: `config` may be started. Otherwise what to do, for the user.
  static std::string check_config(const HttpConfig& config);
  // Whether everybody who can reach the server may use it, though that is more than this machine.
  static bool open_to_all(const HttpConfig& config);

  Verdict check(const HttpRequest& request, const Caller& caller, Need need, Time now);

  // Whether a page of that origin may read our answers and change things here.
  bool origin_allowed(std::string_view origin, std::string_view authority) const;

 private:
  struct Failures {
    std::string address;
    std::vector<Time> times;  // of the last minute, oldest first
  };

  std::optional<Refusal> check_host(const HttpRequest& request, const Caller& caller) const;
  std::optional<Refusal> check_origin(const HttpRequest& request) const;
  Verdict check_token(const HttpRequest& request, const Caller& caller, Time now);
  bool count_failure(const std::string& address, Time now);

  const HttpConfig config_;
  const bool needs_token_;
  std::list<Failures> failures_;  // most recent first, bounded
};

}  // namespace reactor::webrtc
