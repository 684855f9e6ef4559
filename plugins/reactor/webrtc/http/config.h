// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the HTTP side of reactorwebrtcsink is told before it starts. Plain values: the sink fills
// them in from its properties, the server copies them. Nothing here changes while a server runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace reactor::webrtc {

// Bounds of everything a remote party can send, hold or leave undone. The defaults are the
// documented ones; tests make them small.
struct HttpLimits {
  std::size_t body_bytes = 256 * 1024;   // a request's body: 413
  std::size_t header_bytes = 16 * 1024;  // all header lines without the request line: 431
  std::size_t target_bytes = 4 * 1024;   // the request target: 414
  std::size_t connections = 256;         // open at once, TLS handshakes included: 429 and closed
  unsigned media_lines = 64;             // m-lines of an offer: 422
  unsigned candidates = 64;              // candidates of an offer or of one trickle message: 422
  unsigned failures_per_minute = 10;  // wrong tokens from one address: then 429 for a wrong token
  std::chrono::milliseconds request{10'000};  // from a request's first byte to its last: 408
  std::chrono::milliseconds keep_alive{
      15'000};  // an idle connection waits so long for the next request's first byte
  std::chrono::milliseconds response{
      30'000};  // from a request's last byte until its response has been taken
};

struct IceServer {
  std::vector<std::string> uris;  // "stun:host:port", "turn:host:port?transport=udp"
  std::string username;           // empty: none
  std::string password;
};

struct HttpConfig {
  std::string host =
      "127.0.0.1";  // address to listen on, or a name that resolves to some; "0.0.0.0", "::": all
  unsigned port = 8080;  // 0: any free one
  // Of this machine, without loopback: one of them stands in the page's URL when `host` is all.
  std::vector<std::string> interface_addresses;
  // Tokens are compared byte by byte; empty: none set. `auth_token` = "none" says explicitly that
  // an address other than loopback is open to everybody who can reach it.
  std::string auth_token;
  std::string view_token;  // may watch; may neither command nor stop the session
  std::vector<std::string>
      allowed_hosts;  // further Host names under which the server may be addressed, without port
  // Origins whose pages may use the server beside its own and those on loopback:
  // "https://example.org"; "*": every one but "null".
  std::vector<std::string> cors_origins;
  std::string tls_certificate;  // PEM file with certificate and key; empty: plain HTTP
  unsigned max_viewers =
      64;  // the host refuses the next one with 429; here for the record in /stats
  std::vector<IceServer> ice_servers;  // told to viewers: WHEP's Link header, Reactor's ice_servers
  std::string model_name = "reactor";  // told to Reactor's SDK
  std::string media_name = "main_video";  // name of the video track in the Reactor protocol
  HttpLimits limits;
};

}  // namespace reactor::webrtc
