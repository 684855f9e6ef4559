// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libFuzzer target: the model socket's codec. What is refused must be said in JSON; what is
// accepted must be measurable.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gst/wire/modelprotocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed =
      reactor::wire::parse_model_packet({reinterpret_cast<const char*>(data), size});
  if (const auto* error = std::get_if<reactor::wire::ModelError>(&parsed)) {
    if (!reactor::wire::check_json(reactor::wire::write_error(*error)).ok) std::abort();
    return 0;
  }
  const auto& packet = std::get<reactor::wire::ModelPacket>(parsed);
  reactor::wire::lies_within(packet, 4096);
  if (!packet.data.empty() && !reactor::wire::check_json(packet.data).ok) std::abort();
  for (const auto& json : packet.meta)
    if (!json.empty() && !reactor::wire::check_json(json).ok) std::abort();
  return 0;
}
