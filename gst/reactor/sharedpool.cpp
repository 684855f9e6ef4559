// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/sharedpool.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>

namespace reactor {

std::shared_ptr<SharedPool> SharedPool::map(int fd, std::int64_t slot_size, std::int64_t slots,
                                            std::string& problem) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) {
    problem = "the descriptor is no memfd: create it with memfd_create and MFD_ALLOW_SEALING";
    return nullptr;
  }
  if ((seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW)) {
    problem = "the memfd is not sealed: add F_SEAL_SHRINK and F_SEAL_GROW before sending it";
    return nullptr;
  }
  struct statfs fs;
  // Huge pages can run out under a hole that was punched, and then a read faults.
  if (fstatfs(fd, &fs) != 0 || static_cast<unsigned long>(fs.f_type) == HUGETLBFS_MAGIC) {
    problem = "the memfd lies on huge pages: create it without MFD_HUGETLB";
    return nullptr;
  }
  const std::int64_t bytes = slot_size * slots;
  struct stat file;
  if (fstat(fd, &file) != 0 || file.st_size < bytes) {
    problem = "the memfd has " + std::to_string(file.st_size) + " bytes, " + std::to_string(slots) +
              " slots of " + std::to_string(slot_size) + " need " + std::to_string(bytes);
    return nullptr;
  }
  void* const data =
      mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (data == MAP_FAILED) {
    problem = std::string("the memfd cannot be mapped: ") + std::strerror(errno);
    return nullptr;
  }
  return std::shared_ptr<SharedPool>(
      new SharedPool(static_cast<const std::uint8_t*>(data), slot_size, slots));
}

SharedPool::~SharedPool() {
  munmap(const_cast<std::uint8_t*>(data_), static_cast<std::size_t>(bytes()));
}

}  // namespace reactor
