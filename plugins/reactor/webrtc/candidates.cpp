// SPDX-License-Identifier: LGPL-2.1-or-later

#include "candidates.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxGathered = 8;     // addresses; more only make offers long
constexpr std::size_t kMaxCandidate = 512;  // bytes of one candidate line
constexpr std::size_t kMaxTokens = 64;      // words of one candidate line

enum class Kind { kNone, kLoopback4, kLoopback6, kGlobal4, kGlobal6, kLinkLocal6 };

Kind kind_of(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&v4);
    if (bytes[0] == 127) return Kind::kLoopback4;
    if (bytes[0] == 0 || bytes[0] >= 224) return Kind::kNone;  // unspecified, multicast, reserved
    return Kind::kGlobal4;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_LOOPBACK(&v6)) return Kind::kLoopback6;
    if (IN6_IS_ADDR_LINKLOCAL(&v6)) return Kind::kLinkLocal6;
    if (IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_MULTICAST(&v6)) return Kind::kNone;
    return Kind::kGlobal6;
  }
  return Kind::kNone;
}

// "::ffff:192.0.2.1" as sockets that serve both families report IPv4 peers.
std::string_view unmapped(std::string_view address) {
  constexpr std::string_view kPrefix = "::ffff:";
  if (address.size() > kPrefix.size() && address.substr(0, kPrefix.size()) == kPrefix &&
      address.find('.') != std::string_view::npos)
    return address.substr(kPrefix.size());
  return address;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while (at < line.size() && words.size() < kMaxTokens) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool equals(std::string_view a, const char* b) {
  return a.size() == std::strlen(b) && strncasecmp(a.data(), b, a.size()) == 0;
}

std::optional<unsigned long> number(std::string_view text) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

std::vector<std::string> interface_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (ifaddrs* at = list; at; at = at->ifa_next) {
    if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || !(at->ifa_flags & IFF_RUNNING)) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (at->ifa_addr->sa_family == AF_INET)
      inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(at->ifa_addr)->sin_addr, text,
                sizeof text);
    else if (at->ifa_addr->sa_family == AF_INET6)
      inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(at->ifa_addr)->sin6_addr, text,
                sizeof text);
    const Kind kind = kind_of(text);
    if (kind == Kind::kGlobal4 || kind == Kind::kGlobal6) addresses.emplace_back(text);
  }
  freeifaddrs(list);
  return addresses;
}

std::vector<std::string> gathering_addresses(std::string_view request_address,
                                             const std::vector<std::string>& interfaces) {
  std::vector<std::string> addresses;
  request_address = unmapped(request_address);
  const Kind kind = kind_of(request_address);
  if (kind != Kind::kNone && kind != Kind::kLinkLocal6) addresses.emplace_back(request_address);
  for (const std::string& address : interfaces) {
    if (addresses.size() >= kMaxGathered) break;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  return addresses;
}

CandidateFilter::CandidateFilter(std::vector<std::string> local, std::string remote_address)
    : local_(std::move(local)), remote_address_(unmapped(remote_address)) {
  if (kind_of(remote_address_) == Kind::kNone) remote_address_.clear();
}

bool CandidateFilter::reachable(std::string_view address) const {
  const Kind kind = kind_of(address);
  if (kind == Kind::kNone || kind == Kind::kLinkLocal6) return false;
  return std::any_of(local_.begin(), local_.end(),
                     [&](const std::string& local) { return kind_of(local) == kind; });
}

std::optional<std::string> CandidateFilter::accept(std::string_view line) {
  for (std::string_view prefix : {"a=", "candidate:"})
    if (line.substr(0, prefix.size()) == prefix) line.remove_prefix(prefix.size());
  const auto refuse = [this]() -> std::optional<std::string> {
    refused_++;
    return std::nullopt;
  };
  if (line.size() > kMaxCandidate || !printable(line)) return refuse();
  // foundation component transport priority address port "typ" type …
  const std::vector<std::string_view> words = split(line);
  if (words.size() < 8 || words.size() >= kMaxTokens || !equals(words[6], "typ")) return refuse();
  if (words[0].size() > 32 || words[1] != "1" || !equals(words[2], "udp")) return refuse();
  const auto priority = number(words[3]);
  const auto port = number(words[5]);
  if (!priority || *priority > 0xffffffffUL || !port || *port == 0 || *port > 65535)
    return refuse();
  std::string address(words[4]);
  bool name = false;
  if (kind_of(address) == Kind::kNone) {
    const bool hidden = address.size() > 6 &&
                        equals(std::string_view(address).substr(address.size() - 6), ".local");
    if (!hidden || remote_address_.empty()) return refuse();
    address = remote_address_;
    name = true;
  }
  if (!reachable(address)) return refuse();
  std::string key = address + ' ' + std::string(words[5]);
  if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) return std::nullopt;
  seen_.push_back(std::move(key));
  if (name) substituted_++;

  // Only what libnice needs: related addresses may be names too.
  std::string out = "candidate:";
  for (std::size_t i = 0; i < 8; i++) {
    if (i) out += ' ';
    out += i == 4 ? std::string_view(address) : words[i];
  }
  if (!equals(words[7], "host")) {
    // Something must follow for these types; nothing looks at it.
    out += kind_of(address) == Kind::kGlobal6 || kind_of(address) == Kind::kLoopback6
               ? " raddr :: rport 9"
               : " raddr 0.0.0.0 rport 9";
  }
  return out;
}

}  // namespace reactor::webrtc
