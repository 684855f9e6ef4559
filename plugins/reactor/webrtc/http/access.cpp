// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/access.h"

#include <algorithm>

namespace reactor::webrtc {

namespace {

constexpr std::string_view kNoToken = "none";  // auth-token: said explicitly that there is none
constexpr std::size_t kMaxFailureAddresses =
    1024;  // remembered at once; the longest quiet is forgotten first
constexpr std::chrono::minutes kFailureWindow{1};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// 127.a.b.c in full, each part 0 to 255 without leading zeros: shorter forms mean different things
// to different parsers.
bool is_loopback_ipv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const std::size_t dot = std::min(host.find('.'), host.size());
    const std::string_view part = host.substr(0, dot);
    if (part.empty() || part.size() > 3 || !is_digits(part)) return false;
    if (part.size() > 1 && part.front() == '0') return false;
    int value = 0;
    for (char c : part) value = value * 10 + (c - '0');
    if (value > 255 || (parts == 0 && value != 127)) return false;
    parts++;
    if (dot == host.size()) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

// The scheme and the authority of an origin; nothing for "null" and for what is no origin.
std::optional<std::string_view> origin_authority(std::string_view origin) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_nocase(origin.substr(0, scheme.size()), scheme)) continue;
    origin.remove_prefix(scheme.size());
    if (origin.empty() || origin.find_first_of("/?#@\\ ,") != std::string_view::npos) return {};
    return origin;
  }
  return {};
}

bool changes_something(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

std::optional<std::string_view> bearer(const HttpRequest& request) {
  const std::string* value = request.header("Authorization");
  if (!value) return {};
  const std::string_view scheme = "Bearer ";
  if (!equal_nocase(std::string_view(*value).substr(0, scheme.size()), scheme)) return "";
  return trimmed(std::string_view(*value).substr(scheme.size()));
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    return host.substr(1, host.size() - 2) == "::1";
  if (host == "::1") return true;
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  const std::string_view name = "localhost";
  if (equal_nocase(host, name)) return true;
  if (host.size() > name.size() + 1 && host[host.size() - name.size() - 1] == '.' &&
      equal_nocase(host.substr(host.size() - name.size()), name))
    return true;
  return is_loopback_ipv4(host);
}

std::string host_of(std::string_view authority) {
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_digits(rest.substr(1)))) return {};
    return lower(authority.substr(1, end - 1));
  }
  const std::size_t colon = authority.find(':');
  if (colon != std::string_view::npos) {
    if (!is_digits(authority.substr(colon + 1))) return {};
    authority = authority.substr(0, colon);
  }
  if (!authority.empty() && authority.back() == '.') authority.remove_suffix(1);
  return lower(authority);
}

std::string plain_address(std::string_view address) {
  const std::string_view mapped = "::ffff:";
  if (address.size() > mapped.size() && equal_nocase(address.substr(0, mapped.size()), mapped) &&
      address.find('.') != std::string_view::npos)
    address.remove_prefix(mapped.size());
  return std::string(address.substr(0, address.find('%')));
}

bool equal_secret(std::string_view given, std::string_view secret) {
  if (secret.empty()) return false;
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); i++) {
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(secret[i % secret.size()]);
  }
  volatile unsigned result = difference;  // keeps the loop from being left early
  return result == 0;
}

AccessRules::AccessRules(const HttpConfig& config)
    : config_(config), needs_token_(!config.auth_token.empty() && config.auth_token != kNoToken) {}

std::string AccessRules::check_config(const HttpConfig& config) {
  if (!config.view_token.empty() && config.view_token == config.auth_token) {
    return "view-token is the same as auth-token, so whoever may watch may also command: make them "
           "different";
  }
  if (is_loopback_name(host_of(config.host)) || is_loopback_name(config.host)) return {};
  if (!config.auth_token.empty()) return {};
  return "host=" + config.host +
         " can be reached from other machines, and no auth-token is set: set auth-token to a "
         "secret "
         "(viewers open the page with #token=SECRET), or to \"none\" to let everybody in who can "
         "reach it, or leave host at 127.0.0.1";
}

bool AccessRules::open_to_all(const HttpConfig& config) {
  return config.auth_token == kNoToken && !is_loopback_name(host_of(config.host)) &&
         !is_loopback_name(config.host);
}

Verdict AccessRules::check(const HttpRequest& request, const Caller& caller, Need need, Time now) {
  if (auto refusal = check_host(request, caller)) return {refusal, Role::kFull};
  if (auto refusal = check_origin(request)) return {refusal, Role::kFull};
  if (need == Need::kOpen) return {};
  Verdict verdict = check_token(request, caller, now);
  if (!verdict.refusal && need == Need::kFull && verdict.role == Role::kViewOnly) {
    verdict.refusal =
        Refusal{403, "view-only", "this token may watch only: the full auth-token is needed here"};
  }
  return verdict;
}

std::optional<Refusal> AccessRules::check_host(const HttpRequest& request,
                                               const Caller& caller) const {
  if (request.authority.empty()) {
    return Refusal{400, "host", "expected a Host header that names this server"};
  }
  const std::string host = host_of(request.authority);
  if (is_loopback_name(host)) return {};
  // An address is not a name: nobody can rebind it.
  if (!host.empty() && (host == lower(plain_address(caller.local_address)) ||
                        plain_address(host) == plain_address(caller.local_address) ||
                        host == host_of(config_.host) || host == lower(config_.host)))
    return {};
  for (const std::string& allowed : config_.allowed_hosts)
    if (!host.empty() && host == host_of(allowed)) return {};
  return Refusal{403, "host",
                 "this server does not answer to the name \"" + request.authority +
                     "\": use its address, or add the name to allowed-hosts"};
}

std::optional<Refusal> AccessRules::check_origin(const HttpRequest& request) const {
  const std::string* origin = request.header("Origin");
  const bool preflight =
      request.method == "OPTIONS" && request.header("Access-Control-Request-Method");
  if (!origin || !(changes_something(request.method) || preflight)) return {};
  if (request.count("Origin") == 1 && origin_allowed(*origin, request.authority)) return {};
  return Refusal{
      403, "origin",
      "pages of the origin \"" + *origin + "\" may not use this server: add it to cors-origins"};
}

bool AccessRules::origin_allowed(std::string_view origin, std::string_view authority) const {
  const auto of = origin_authority(origin);
  if (!of) return false;
  if (equal_nocase(*of, authority)) return true;
  if (is_loopback_name(host_of(*of))) return true;
  return std::any_of(
      config_.cors_origins.begin(), config_.cors_origins.end(),
      [&](const std::string& allowed) { return allowed == "*" || equal_nocase(allowed, origin); });
}

Verdict AccessRules::check_token(const HttpRequest& request, const Caller& caller, Time now) {
  const auto given = bearer(request);
  const bool full = given && equal_secret(*given, needs_token_ ? config_.auth_token : "");
  const bool view = given && equal_secret(*given, config_.view_token);
  if (full) return {};
  if (view) return {std::nullopt, Role::kViewOnly};
  if (!needs_token_) return {};
  if (!given) {
    return {Refusal{401, "token-missing",
                    "expected \"Authorization: Bearer TOKEN\" with the server's auth-token"},
            Role::kFull};
  }
  if (!count_failure(plain_address(caller.remote_address), now)) {
    return {
        Refusal{429, "too-many-failures", "too many wrong tokens from this address: wait a minute"},
        Role::kFull};
  }
  return {Refusal{401, "token-wrong", "this is not the server's auth-token"}, Role::kFull};
}

// Notes a wrong token. False: that address had its number of them within the last minute already.
bool AccessRules::count_failure(const std::string& address, Time now) {
  auto it = std::find_if(failures_.begin(), failures_.end(),
                         [&](const Failures& f) { return f.address == address; });
  if (it == failures_.end()) {
    failures_.push_front({address, {}});
    if (failures_.size() > kMaxFailureAddresses) failures_.pop_back();
  } else {
    failures_.splice(failures_.begin(), failures_, it);
  }
  std::vector<Time>& times = failures_.front().times;
  std::erase_if(times, [&](Time t) { return now - t >= kFailureWindow; });
  if (times.size() >= config_.limits.failures_per_minute) return false;
  times.push_back(now);
  return true;
}

}  // namespace reactor::webrtc
