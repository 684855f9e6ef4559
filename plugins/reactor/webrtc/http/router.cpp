// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/router.h"

#include <algorithm>
#include <utility>

namespace reactor::webrtc {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view next_segment(std::string_view* path) {
  path->remove_prefix(1);  // '/'
  const std::size_t end = std::min(path->find('/'), path->size());
  const std::string_view segment = path->substr(0, end);
  path->remove_prefix(end);
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>* params) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view want = next_segment(&pattern);
    std::string have;
    if (!percent_decode(next_segment(&path), &have)) return false;
    if (!want.empty() && want.front() == '{') {
      if (have.empty()) return false;
      params->push_back(std::move(have));
    } else if (want != have) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

bool percent_decode(std::string_view text, std::string* out) {
  out->clear();
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      *out += text[i];
      continue;
    }
    const bool room = text.size() - i > 2;
    const int high = room ? hex_value(text[i + 1]) : -1;
    const int low = room ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    *out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

void Router::add(Route route) {
  routes_.push_back(std::move(route));
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  if (path.empty() || path.front() != '/') return match;
  for (const Route& route : routes_) {
    std::vector<std::string> params;
    if (!matches(route.pattern, path, &params)) continue;
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
    if (route.method == "GET") match.allow += ", HEAD";
    if (!match.route && (route.method == method || (route.method == "GET" && method == "HEAD"))) {
      match.route = &route;
      match.params = std::move(params);
    }
  }
  if (!match.allow.empty()) match.allow += ", OPTIONS";
  return match;
}

}  // namespace reactor::webrtc
