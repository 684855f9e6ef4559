// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sink's service thread: one thread with a GMainContext of its own, in which HTTP, signalling,
// the viewers and the session live. It works the same under gst-launch, in a program without a
// main loop and inside an application, because it never touches the default context.
//
// Callbacks of webrtcbin arrive in threads of webrtcbin and hold a reference to the service: what
// they post after the service has stopped is dropped, so nobody is called who is gone. That is why
// it is shared (std::shared_ptr).
#pragma once

#include <glib.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

namespace reactor::webrtc {

class Service {
 public:
  Service();
  ~Service();  // stops
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Any thread. False when stopped: the task is dropped.
  bool post(std::function<void()> task);
  // Any thread but the service's: runs the task there and waits for it. False when stopped.
  bool call(const std::function<void()>& task);
  // Service thread only. Runs `task` once after `delay`, unless cancelled; 0 is never an id.
  guint after(std::chrono::milliseconds delay, std::function<void()> task);
  // Service thread only. Runs `task` again and again until it is cancelled.
  guint every(std::chrono::milliseconds period, std::function<void()> task);
  // Service thread only. 0 is ignored.
  void cancel(guint id);

  // Ends the loop after what is already posted, and joins. Idempotent; not from the service thread.
  void stop();

  bool here() const;  // whether the caller is in the service thread
  GMainContext* context() const { return context_; }

 private:
  guint attach_timer(std::chrono::milliseconds delay, bool again, std::function<void()> task);

  GMainContext* context_;
  GMainLoop* loop_;
  std::mutex mutex_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace reactor::webrtc
