// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A thread that runs what it is given, in order. For what may block and must hold up neither a
// streaming thread nor the service thread: setting a leaving webrtcbin to NULL, and events that
// go upstream into an application's handlers.
//
// Thread-safe. The owner calls stop() or destroys it from another thread than its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace reactor::webrtc {

class Worker {
 public:
  explicit Worker(const char* name);
  ~Worker();  // stops
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False when stopped: the task is dropped.
  bool post(std::function<void()> task);
  // The same, but not beyond `limit` waiting tasks: what a remote party can cause is bounded.
  bool post_bounded(std::function<void()> task, std::size_t limit);
  // Runs what waits, then ends the thread. Idempotent.
  void stop();

 private:
  void run(const char* name);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::thread thread_;
};

}  // namespace reactor::webrtc
