// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which of a viewer's ICE candidates libnice gets to see, and on which of our own addresses it
// gathers.
//
// Browsers hide their addresses behind .local names that nothing here can resolve: the address the
// HTTP request came from stands in for the name. A candidate that no local address can be paired
// with makes libnice's check list fail at once, so it is left out. Names are never resolved.
//
// Pure, apart from local_addresses(); reentrant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reactor::webrtc {

// The addresses of this machine's interfaces that are up, without loopback and link-local ones.
std::vector<std::string> interface_addresses();

// On which addresses to gather for a request that came in on `request_address` (may be empty).
std::vector<std::string> gathering_addresses(std::string_view request_address,
                                             const std::vector<std::string>& interfaces);

class CandidateFilter {
 public:
  // `local`: what we gather on. `remote_address`: where the viewer's request came from, may be
  // empty.
  CandidateFilter(std::vector<std::string> local, std::string remote_address);

  // `line` with or without "a=" and "candidate:". Returns "candidate:…" to hand on, or nothing
  // when it cannot be used.
  std::optional<std::string> accept(std::string_view line);

  unsigned accepted() const { return static_cast<unsigned>(seen_.size()); }
  unsigned refused() const { return refused_; }
  unsigned substituted() const { return substituted_; }  // names replaced by the remote address

 private:
  bool reachable(std::string_view address) const;

  std::vector<std::string> local_;
  std::string remote_address_;
  std::vector<std::string> seen_;  // "address port" of what was accepted
  unsigned refused_ = 0;
  unsigned substituted_ = 0;
};

}  // namespace reactor::webrtc
