// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/randomid.h"

#include <sys/random.h>
#include <sys/types.h>

#include <cstddef>

namespace reactor::webrtc {

std::string random_id() {
  unsigned char bytes[16];
  std::size_t have = 0;
  while (have < sizeof bytes) {
    const ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  static const char kHex[] = "0123456789abcdef";
  std::string id;
  for (unsigned char byte : bytes) {
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

}  // namespace reactor::webrtc
