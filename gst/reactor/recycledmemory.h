// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RecycledMemory: the memory that blocks are copied into. A chunk comes back when the last buffer
// over it is gone and is used again, so that after the first blocks nothing is allocated and no
// page is touched for the first time.
//
// Thread-safe. Lives as long as the source or the last chunk, whichever is longer.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace reactor {

class RecycledMemory : public std::enable_shared_from_this<RecycledMemory> {
 public:
  static constexpr std::size_t kMaxIdle = 8;  // chunks kept for reuse
  static constexpr std::size_t kMaxIdleBytes = std::size_t{1}
                                               << 30;  // and what they may hold together

  ~RecycledMemory();

  // A memory of `size` bytes, and where they are; null if the machine has none. The caller fills it
  // before anyone else sees it.
  GstMemory* allocate(std::size_t size, std::uint8_t*& data);
  void clear();  // frees what is idle

 private:
  struct Chunk {
    std::uint8_t* data;
    std::size_t capacity;
  };
  struct Loan {
    std::shared_ptr<RecycledMemory> owner;
    Chunk chunk;
  };
  static void give_back(gpointer loan);

  std::mutex mutex_;
  std::vector<Chunk> idle_;
  std::size_t idle_bytes_ = 0;
};

}  // namespace reactor
