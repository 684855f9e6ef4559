// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The HTTP server of reactorwebrtcsink: the page, WHEP, the Reactor local protocol, /stats,
// /metrics, /healthz.
//
// Thread-bound: constructed, used and destroyed in the sink's service thread, while that thread's
// GMainContext is its thread-default one. Nothing blocks, except that start() may resolve a host
// name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/config.h"
#include "signalling.h"

namespace reactor::webrtc {

// What start() came to: a port, or a sentence for the user.
struct HttpStart {
  unsigned port = 0;    // the port listened on; 0: not started
  std::string error;    // what was wrong and what to do, if not started
  std::string warning;  // started, but the user should know: open to everybody
};

// What a person can open in a browser who listens on `host`: where that is every address, one of
// `addresses`, IPv4 first, or loopback without any. "http://127.0.0.1:8080/"; pure.
std::string page_url(bool tls, std::string_view host, unsigned port,
                     const std::vector<std::string>& addresses);

class HttpServer {
 public:
  HttpServer();
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Whether `config` may be started at all, without touching the network: an address other than
  // loopback needs a token. Empty: yes. Otherwise a sentence for the user. May be called in any
  // thread.
  static std::string check(const HttpConfig& config);

  // Listens. `host` must outlive the server or its stop(). Requests arrive when the thread's main
  // context runs.
  HttpStart start(const HttpConfig& config, ViewerHost& host);

  // Closes the listening sockets and every connection. Requests that wait for the host get no
  // answer; a `done` that the host calls later is harmless.
  void stop();

  bool running() const;
  // Of the page, for a person to open; empty when not running.
  std::string url() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reactor::webrtc
