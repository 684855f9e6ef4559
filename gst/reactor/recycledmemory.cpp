// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/recycledmemory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace reactor {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kCacheLine = 64;

std::size_t round_up(std::size_t size, std::size_t to) {
  return (size + to - 1) / to * to;
}

}  // namespace

RecycledMemory::~RecycledMemory() {
  clear();
}

GstMemory* RecycledMemory::allocate(std::size_t size, std::uint8_t*& data) {
  Chunk chunk{nullptr, 0};
  {
    const std::lock_guard lock(mutex_);
    // The most recently returned chunk that fits: its pages are the warmest. Others are of another
    // block size.
    for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
      if (it->capacity < size || it->capacity / 2 > size + kHugePage) continue;
      chunk = *it;
      idle_bytes_ -= chunk.capacity;
      idle_.erase(std::next(it).base());
      break;
    }
  }
  if (!chunk.data) {
    const bool huge = size >= kHugePage;
    chunk.capacity = round_up(size, huge ? kHugePage : kCacheLine);
    chunk.data = static_cast<std::uint8_t*>(
        std::aligned_alloc(huge ? kHugePage : kCacheLine, chunk.capacity));
    if (!chunk.data) return nullptr;
    if (huge)
      madvise(chunk.data, chunk.capacity, MADV_HUGEPAGE);  // a wish; refusing it is no error
  }
  data = chunk.data;
  return gst_memory_new_wrapped(static_cast<GstMemoryFlags>(0), chunk.data, chunk.capacity, 0, size,
                                new Loan{shared_from_this(), chunk}, give_back);
}

void RecycledMemory::give_back(gpointer user_data) {
  const std::unique_ptr<Loan> loan(static_cast<Loan*>(user_data));
  RecycledMemory& self = *loan->owner;
  std::vector<Chunk> evicted;  // those that have been idle for longest
  {
    const std::lock_guard lock(self.mutex_);
    self.idle_.push_back(loan->chunk);
    self.idle_bytes_ += loan->chunk.capacity;
    while (self.idle_.size() > kMaxIdle || self.idle_bytes_ > kMaxIdleBytes) {
      evicted.push_back(self.idle_.front());
      self.idle_bytes_ -= self.idle_.front().capacity;
      self.idle_.erase(self.idle_.begin());
    }
  }
  for (const Chunk& chunk : evicted) std::free(chunk.data);
}

void RecycledMemory::clear() {
  std::vector<Chunk> idle;
  {
    const std::lock_guard lock(mutex_);
    idle.swap(idle_);
    idle_bytes_ = 0;
  }
  for (const Chunk& chunk : idle) std::free(chunk.data);
}

}  // namespace reactor
