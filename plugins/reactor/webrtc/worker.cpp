// SPDX-License-Identifier: LGPL-2.1-or-later

#include "worker.h"

#include <pthread.h>

#include <limits>
#include <utility>

namespace reactor::webrtc {

Worker::Worker(const char* name) : thread_([this, name] { run(name); }) {}

Worker::~Worker() {
  stop();
}

bool Worker::post(std::function<void()> task) {
  return post_bounded(std::move(task), std::numeric_limits<std::size_t>::max());
}

bool Worker::post_bounded(std::function<void()> task, std::size_t limit) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || tasks_.size() >= limit) return false;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Worker::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::run(const char* name) {
  pthread_setname_np(pthread_self(), name);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds is released without the lock
    lock.lock();
  }
}

}  // namespace reactor::webrtc
