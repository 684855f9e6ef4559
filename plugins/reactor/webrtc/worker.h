// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A thread that runs what it is given, in order. For what may block and must hold up neither a
// streaming thread nor the service thread: setting a leaving webrtcbin to NULL, and events that
// go upstream into an application's handlers.
//
// Thread-safe, but for stop() and the destructor, which are the owner's. Such a handler may stop
// the whole pipeline, and with it this worker, in the worker's own thread; or it waits for a state
// change that in turn waits for the worker. So a task owns all that it touches: it may outlive the
// worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

namespace reactor::webrtc {

class Worker {
 public:
  // How long stop() waits for a task that does not return.
  static constexpr std::chrono::seconds kPatience{1};

  explicit Worker(const char* name, std::chrono::milliseconds patience = kPatience);
  ~Worker();  // stops
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False when stopped: the task is dropped.
  bool post(std::function<void()> task);
  // The same, but not beyond `limit` waiting tasks: what a remote party can cause is bounded.
  bool post_bounded(std::function<void()> task, std::size_t limit);
  // Runs what waits, then ends the thread. In the worker's own thread, or when that takes longer
  // than the patience, it returns without: the thread ends after the task it is in, and what waits
  // is dropped. Idempotent.
  void stop();

 private:
  struct Queue;
  static void run(Queue& queue, const char* name);

  const std::chrono::milliseconds patience_;
  std::shared_ptr<Queue> queue_;  // the thread's too, which may be the last
  std::thread thread_;
};

}  // namespace reactor::webrtc
