// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owners of GIO objects and event sources for the HTTP side.
#pragma once

#include <gio/gio.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace reactor::webrtc {

struct ObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

struct SourceDestroy {
  void operator()(GSource* source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
// Leaves its main context when dropped.
using SourcePtr = std::unique_ptr<GSource, SourceDestroy>;

// One-shot alarm of the thread-default context, on the monotonic clock: a step of the wall clock
// moves nothing.
class Alarm {
 public:
  explicit Alarm(std::function<void()> ring) : ring_(std::move(ring)) {
    // Not a timeout source: that one sets its own next time after its callback, over what the
    // callback has set.
    static GSourceFuncs functions = {
        nullptr,
        nullptr,
        [](GSource* source, GSourceFunc callback, gpointer data) -> gboolean {
          g_source_set_ready_time(source, -1);
          return callback(data);
        },
        nullptr,
        nullptr,
        nullptr};
    source_.reset(g_source_new(&functions, sizeof(GSource)));
    g_source_set_callback(
        source_.get(),
        [](gpointer self) -> gboolean {
          static_cast<Alarm*>(self)->ring_();
          return G_SOURCE_CONTINUE;
        },
        this, nullptr);
    g_source_attach(source_.get(), g_main_context_get_thread_default());
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  void set(std::chrono::milliseconds from_now) {
    g_source_set_ready_time(source_.get(), g_get_monotonic_time() + from_now.count() * 1000);
  }
  void clear() { g_source_set_ready_time(source_.get(), -1); }

 private:
  std::function<void()> ring_;
  SourcePtr source_;
};

}  // namespace reactor::webrtc
