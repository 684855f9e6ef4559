// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libFuzzer target: the strict JSON scanner. Build with -Dfuzzers=true (clang), run `fuzz-json
// -max_total_time=60`.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gst/wire/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto check = reactor::wire::check_json({reinterpret_cast<const char*>(data), size});
  if (check.ok == (check.problem != nullptr) || check.offset > size) std::abort();
  return 0;
}
