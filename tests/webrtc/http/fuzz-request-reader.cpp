// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first byte says in what pieces the others are read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "http/request_reader.h"

using reactor::webrtc::HttpLimits;
using reactor::webrtc::RequestReader;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  HttpLimits limits;
  limits.body_bytes = 200;
  limits.header_bytes = 300;
  limits.target_bytes = 100;
  RequestReader reader(limits);
  const std::size_t piece = 1 + data[0] % 64;
  std::string pending;
  for (std::size_t at = 1; at < size; at += piece) {
    pending.append(reinterpret_cast<const char*>(data) + at, std::min(piece, size - at));
    while (!pending.empty()) {
      const std::size_t used = reader.feed(pending);
      if (used > pending.size()) __builtin_trap();
      pending.erase(0, used);
      if (reader.state() == RequestReader::State::kRefused) return 0;
      if (reader.state() == RequestReader::State::kComplete) {
        if (reader.take().body.size() > limits.body_bytes) __builtin_trap();
      } else if (used == 0) {
        __builtin_trap();
      }
    }
  }
  return 0;
}
