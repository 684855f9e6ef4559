// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SharedPool: a model's memfd, mapped once and read-only. Its seals make sure that it never
// shrinks: a read of ours gives what the model wrote, or zeros where there is a hole. It can only
// fault where the kernel has no page to put there (docs/model-socket.md). Thread-safe: nothing
// changes after map.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace reactor {

class SharedPool {
 public:
  // `problem` says why when the result is null: what was wrong, what was expected. The descriptor
  // stays the caller's.
  static std::shared_ptr<SharedPool> map(int fd, std::int64_t slot_size, std::int64_t slots,
                                         std::string& problem);
  ~SharedPool();
  SharedPool(const SharedPool&) = delete;
  SharedPool& operator=(const SharedPool&) = delete;

  const std::uint8_t* slot(std::int64_t index) const { return data_ + index * slot_size_; }
  std::int64_t slot_size() const { return slot_size_; }  // bytes
  std::int64_t slots() const { return slots_; }
  std::int64_t bytes() const { return slot_size_ * slots_; }

 private:
  SharedPool(const std::uint8_t* data, std::int64_t slot_size, std::int64_t slots)
      : data_(data), slot_size_(slot_size), slots_(slots) {}

  const std::uint8_t* const data_;
  const std::int64_t slot_size_, slots_;
};

}  // namespace reactor
