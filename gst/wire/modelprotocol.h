// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The model socket's codec: packets to structures and back. No I/O, no state; what a packet means
// for pools, slots and sessions is the connection's business. docs/model-socket.md is the
// protocol's description. Pure C++; thread-safe.
//
//   model                                     source
//     | -- hello ------------------------------> |
//     | <------------------- hello, or error --- |
//     | -- pool + memfd -----------------------> |  mapped once, read-only
//     | -- block (pool, slot, shape) ----------> |  the slot is the source's
//     | -- block (the other slot) -------------> |
//     | <----------------------------- shown --- |
//     | <--------------------------- release --- |  the slot is the model's again
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gst/wire/json.h"

namespace reactor::wire {

inline constexpr std::int64_t kModelProtocol = 1;
inline constexpr std::size_t kMaxModelPacket = kMaxMessageBytes + kEnvelopeBytes;  // bytes

// Told in `hello`, each under its name.
struct ModelLimits {
  static constexpr std::int64_t kData = kMaxMessageBytes;        // bytes of `data`
  static constexpr std::int64_t kMeta = 16384;                   // bytes of `meta`
  static constexpr std::int64_t kPools = 8;                      // a connection
  static constexpr std::int64_t kSlots = 64;                     // a pool
  static constexpr std::int64_t kBytes = std::int64_t{4} << 30;  // in all pools
  static constexpr std::int64_t kRepeated = std::int64_t{256}
                                            << 20;  // bytes that strides add by repeating others
  static constexpr std::int64_t kFrames = 256;      // a block
  static constexpr std::int64_t kWidth = 8192, kHeight = 8192;  // pixels
  static constexpr std::int64_t kSend = 1000;                   // a second, twice that in a burst
  static constexpr std::int64_t kControl =
      100;  // a second, of each of flush, black, monitoring, runtime
};

enum class ModelOp {
  kHello,
  kPool,
  kDropPool,
  kBlock,
  kBlack,
  kSend,
  kRuntime,
  kMonitoring,
  kFlush,
};

enum class ModelErrorCode {
  // Closing.
  kHello,
  kProtocol,
  kForbidden,
  kBusy,
  kJson,
  kPacket,
  kPool,
  kFlood,
  // Refusing one packet.
  kOp,
  kField,
  kShape,
  kStrides,
  kSlot,
  kLimit,
  kTooLarge,
  kSession,
};
const char* name_of(ModelErrorCode code);
bool closes(ModelErrorCode code);

struct ModelError {
  ModelErrorCode code;
  std::string message;  // what was wrong, what was expected
  std::string about;    // the op, empty if there is none
  std::optional<std::int64_t> seq;
};

struct ModelPacket {
  ModelOp op = ModelOp::kHello;
  std::string about;  // the op's name
  std::optional<std::int64_t> seq;

  std::string name;                  // hello
  std::int64_t id = 0;               // pool, drop-pool; the pool of a block
  std::int64_t size = 0, slots = 0;  // pool: bytes of a slot
  std::int64_t slot = 0;             // block
  std::int64_t frames = 0, height = 0, width = 0;
  std::int64_t strides[4] = {};  // bytes, of (frame, row, pixel, channel)
  std::int64_t offset = 0;       // bytes from the slot's start to element [0, 0, 0, 0]
  std::optional<std::int64_t> compute, command;  // ns; id
  std::vector<std::string> meta;  // block: a JSON text for each frame, or none at all
  std::string data;               // send, runtime: a JSON text
  std::optional<std::int64_t> with_frame;
  std::optional<std::string> to;
  bool enabled = false;  // monitoring
};

std::variant<ModelPacket, ModelError> parse_model_packet(std::string_view text);

// Whether all that the block's elements touch lies inside a slot of `size` bytes.
bool lies_within(const ModelPacket& block, std::int64_t size);

// What the source sends. Texts are UTF-8; `data` is JSON already.
struct ModelSession {
  std::string id;
  bool started;
  std::string reason;
};
std::string write_hello(const std::optional<ModelSession>& session);
std::string write_error(const ModelError& error);
std::string write_busy(std::int64_t pid);  // of the model that holds the place
std::string write_release(std::int64_t pool, std::int64_t slot);
std::string write_flushed(std::optional<std::int64_t> seq);
std::string write_session(const ModelSession& session);
std::string write_viewer(std::string_view id, bool joined);
// Times in ns of running time, none if no frame was shown.
std::string write_shown(std::uint64_t block, std::optional<std::uint64_t> first,
                        std::optional<std::uint64_t> last, unsigned dropped,
                        std::string_view reason);
std::string write_command(std::uint64_t id, std::string_view viewer, std::string_view data);
struct ModelStats {
  double fps = 0, latency_ms = 0;
  std::uint64_t queue = 0, stalls = 0;  // frames; count
  std::uint64_t unseen = 0;             // frames without a session
  std::uint64_t notices_dropped = 0;
};
std::string write_stats(const ModelStats& stats);

}  // namespace reactor::wire
