// SPDX-License-Identifier: LGPL-2.1-or-later

#include "worker.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <utility>

namespace reactor::webrtc {

struct Worker::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;  // guarded by mutex
  bool stopping = false;                    // guarded by mutex
  bool ended = false;                       // guarded by mutex: the thread takes no further task
};

Worker::Worker(const char* name, std::chrono::milliseconds patience)
    : patience_(patience),
      queue_(std::make_shared<Queue>()),
      thread_([queue = queue_, name] { run(*queue, name); }) {}

Worker::~Worker() {
  stop();
}

bool Worker::post(std::function<void()> task) {
  return post_bounded(std::move(task), std::numeric_limits<std::size_t>::max());
}

bool Worker::post_bounded(std::function<void()> task, std::size_t limit) {
  {
    std::lock_guard lock(queue_->mutex);
    if (queue_->stopping || queue_->tasks.size() >= limit) return false;
    queue_->tasks.push_back(std::move(task));
  }
  queue_->changed.notify_all();
  return true;
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  const bool own = std::this_thread::get_id() == thread_.get_id();
  std::deque<std::function<void()>> dropped;  // released without the lock
  std::unique_lock lock(queue_->mutex);
  queue_->stopping = true;
  queue_->changed.notify_all();
  if (!own && queue_->changed.wait_for(lock, patience_, [this] { return queue_->ended; })) {
    lock.unlock();
    thread_.join();
    return;
  }
  dropped.swap(queue_->tasks);
  lock.unlock();
  thread_.detach();
}

void Worker::run(Queue& queue, const char* name) {
  pthread_setname_np(pthread_self(), name);
  std::unique_lock lock(queue.mutex);
  for (;;) {
    queue.changed.wait(lock, [&] { return queue.stopping || !queue.tasks.empty(); });
    if (queue.tasks.empty()) break;
    auto task = std::move(queue.tasks.front());
    queue.tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds is released without the lock
    lock.lock();
  }
  queue.ended = true;
  queue.changed.notify_all();
}

}  // namespace reactor::webrtc
