// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One HTTP request and one response as plain values, and the few things said in every answer.
//
// Used by all classes of the HTTP side; pure and without threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "signalling.h"

namespace reactor::webrtc {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;      // as sent; methods are case-sensitive
  std::string path;        // still percent-encoded, starts with '/', or is "*"
  std::string query;       // without '?'
  std::string authority;   // host[:port] the request is for: of an absolute target, else of Host;
                           // empty: none given
  bool keep_alive = true;  // the client is willing to send another request on this connection
  std::vector<HttpHeader> headers;
  std::string body;

  // Value of the first header of that name, in any case; nullptr: absent.
  const std::string* header(std::string_view name) const;
  // How often a header of that name occurs.
  int count(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpHeader> headers;
  std::string body;

  HttpResponse& add(std::string_view name, std::string_view value);
};

// Equality of ASCII without regard to case.
bool equal_nocase(std::string_view a, std::string_view b);
// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);
// "Not Found" for 404.
std::string_view reason_phrase(int status);
// `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);

// {"error":{"code":"…","message":"…"}} with its status.
HttpResponse refused(const Refusal& refusal);
HttpResponse refused(int status, std::string_view code, std::string_view message);
HttpResponse json_response(int status, std::string body);

// The bytes for the wire: status line, headers, Content-Length, Connection. Without the body for
// HEAD; without body and length for 204 and 304.
std::string serialise(const HttpResponse& response, bool head_only, bool keep_alive);

}  // namespace reactor::webrtc
