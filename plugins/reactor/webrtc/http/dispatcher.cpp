// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/dispatcher.h"

#include <algorithm>
#include <utility>

#include "gst/wire/json.h"

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxMirroredBytes = 1024;  // of Access-Control-Request-Headers

// Of "application/json; charset=utf-8".
std::string_view media_type(std::string_view value) {
  return trimmed(value.substr(0, value.find(';')));
}

bool is_header_list(std::string_view text) {
  return text.size() <= kMaxMirroredBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == ',' || c == ' ';
         });
}

// Absent: the body has what the route consumes.
std::optional<Refusal> check_body(const HttpRequest& request, const Route& route) {
  if (route.consumes.empty()) return {};
  const std::string* type = request.header("Content-Type");
  if (!type || !equal_nocase(media_type(*type), route.consumes)) {
    return Refusal{415, "content-type",
                   "expected a body declared as \"Content-Type: " + route.consumes + "\"" +
                       (type ? ", got \"" + *type + "\"" : std::string())};
  }
  if (route.consumes != "application/json") return {};
  const wire::JsonCheck check = wire::check_json(request.body);
  if (!check.ok) {
    return Refusal{400, "json",
                   std::string("the body is not valid JSON: ") + check.problem + " at byte " +
                       std::to_string(check.offset)};
  }
  if (check.kind != wire::JsonKind::kObject)
    return Refusal{422, "json", "expected a JSON object as the body"};
  return {};
}

}  // namespace

Dispatcher::Dispatcher(const HttpConfig& config, Now now) : access_(config), now_(std::move(now)) {}

void Dispatcher::handle(HttpRequest request, const Caller& caller, Respond respond) {
  // Only what CORS looks at outlives the request, which the route takes over.
  HttpRequest asked;
  asked.method = request.method;
  asked.authority = request.authority;
  if (const std::string* origin = request.header("Origin"))
    asked.headers.push_back({"Origin", *origin});
  Respond send = [this, asked, respond = std::move(respond)](HttpResponse response) {
    add_cors(asked, &response);
    response.add("X-Content-Type-Options", "nosniff");
    return respond(std::move(response));
  };

  const bool options = request.method == "OPTIONS";
  const Router::Match match = router_.match(request.method, request.path);
  const Need need = options || !match.route ? Need::kOpen : match.route->need;
  const Verdict verdict = access_.check(request, caller, need, now_());
  if (verdict.refusal) {
    HttpResponse response = refused(*verdict.refusal);
    if (response.status == 401) response.add("WWW-Authenticate", "Bearer realm=\"reactor\"");
    if (response.status == 429) response.add("Retry-After", "60");
    send(std::move(response));
    return;
  }
  if (options && (!match.allow.empty() || request.path == "*")) {
    send(this->options(request, match));
    return;
  }
  if (match.allow.empty()) {
    send(refused(404, "not-found", "there is nothing at \"" + request.path + "\""));
    return;
  }
  if (!match.route) {
    HttpResponse response = refused(405, "method", "expected one of: " + match.allow);
    send(std::move(response.add("Allow", match.allow)));
    return;
  }
  if (const auto refusal = check_body(request, *match.route)) {
    send(refused(*refusal));
    return;
  }
  match.route->handler({std::move(request), caller, verdict.role, match.params}, std::move(send));
}

HttpResponse Dispatcher::options(const HttpRequest& request, const Router::Match& match) const {
  HttpResponse response;
  response.status = 204;
  const std::string allow = match.allow.empty() ? "GET, HEAD, OPTIONS" : match.allow;
  response.add("Allow", allow);
  for (const auto& [method, header] :
       {std::pair{"POST", "Accept-Post"}, std::pair{"PATCH", "Accept-Patch"}}) {
    const Router::Match of = router_.match(method, request.path);
    if (of.route && !of.route->consumes.empty()) response.add(header, of.route->consumes);
  }
  const std::string* origin = request.header("Origin");
  if (!origin || !access_.origin_allowed(*origin, request.authority)) return response;
  response.add("Access-Control-Allow-Methods", allow);
  // "*" would not cover Authorization.
  const std::string* wanted = request.header("Access-Control-Request-Headers");
  if (wanted && is_header_list(*wanted)) response.add("Access-Control-Allow-Headers", *wanted);
  if (request.header("Access-Control-Request-Private-Network"))
    response.add("Access-Control-Allow-Private-Network", "true");
  response.add("Access-Control-Max-Age", "600");
  return response;
}

void Dispatcher::add_cors(const HttpRequest& request, HttpResponse* response) const {
  response->add("Vary", "Origin");
  const std::string* origin = request.header("Origin");
  if (!origin || !access_.origin_allowed(*origin, request.authority)) return;
  response->add("Access-Control-Allow-Origin", *origin);
  response->add("Access-Control-Expose-Headers", "Location, ETag, Link, Retry-After");
}

}  // namespace reactor::webrtc
