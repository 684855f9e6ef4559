// SPDX-License-Identifier: LGPL-2.1-or-later

#include "service.h"

#include <pthread.h>

#include <future>
#include <memory>
#include <utility>

namespace reactor::webrtc {

namespace {

struct Task {
  std::function<void()> run;
  bool again = false;
};

gboolean run_task(gpointer data) {
  auto* task = static_cast<Task*>(data);
  task->run();
  return task->again ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void free_task(gpointer data) {
  delete static_cast<Task*>(data);
}

}  // namespace

Service::Service()
    : context_(g_main_context_new()), loop_(g_main_loop_new(context_, FALSE)), thread_([this] {
        pthread_setname_np(pthread_self(), "reactor-service");
        g_main_context_push_thread_default(context_);
        g_main_loop_run(loop_);
        // What was posted just before the end still runs.
        while (g_main_context_iteration(context_, FALSE)) {
        }
        g_main_context_pop_thread_default(context_);
      }) {}

Service::~Service() {
  stop();
  g_main_loop_unref(loop_);
  g_main_context_unref(context_);
}

bool Service::post(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (stopped_) return false;
  GSource* source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(source, run_task, new Task{std::move(task)}, free_task);
  g_source_attach(source, context_);
  g_source_unref(source);
  return true;
}

bool Service::call(const std::function<void()>& task) {
  if (here()) {
    task();
    return true;
  }
  std::promise<void> done;
  if (!post([&] {
        task();
        done.set_value();
      }))
    return false;
  done.get_future().wait();
  return true;
}

guint Service::attach_timer(std::chrono::milliseconds delay, bool again,
                            std::function<void()> task) {
  GSource* source = g_timeout_source_new(static_cast<guint>(std::max<gint64>(0, delay.count())));
  g_source_set_callback(source, run_task, new Task{std::move(task), again}, free_task);
  const guint id = g_source_attach(source, context_);
  g_source_unref(source);
  return id;
}

guint Service::after(std::chrono::milliseconds delay, std::function<void()> task) {
  return attach_timer(delay, false, std::move(task));
}

guint Service::every(std::chrono::milliseconds period, std::function<void()> task) {
  return attach_timer(period, true, std::move(task));
}

void Service::cancel(guint id) {
  if (id == 0) return;
  if (GSource* source = g_main_context_find_source_by_id(context_, id)) g_source_destroy(source);
}

void Service::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ && !thread_.joinable()) return;
    stopped_ = true;
  }
  if (!thread_.joinable()) return;
  GSource* source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(
      source,
      [](gpointer data) -> gboolean {
        g_main_loop_quit(static_cast<GMainLoop*>(data));
        return G_SOURCE_REMOVE;
      },
      loop_, nullptr);
  g_source_attach(source, context_);
  g_source_unref(source);
  thread_.join();
}

bool Service::here() const {
  return std::this_thread::get_id() == thread_.get_id();
}

}  // namespace reactor::webrtc
