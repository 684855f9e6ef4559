// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pipeline `reactorsrc ! … ! appsink` for the source's tests: what arrives downstream, when, and
// in which memory. The sink can be closed, so that the streaming thread is held as a full pacer
// holds it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gst/app/gstappsink.h>
#include <gst/reactor/gstreactor.h>
#include <gst/video/video.h>
#include <gst/check/gstcheck.h>  // last: it defines a macro named fail

namespace source_test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Waits for a condition that other threads bring about; false after 10 s.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = Clock::now() + 10s;
  while (!condition()) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

inline const std::string kAppSink = "appsink name=sink sync=false max-buffers=0";

struct Pipeline {
  GstElement* pipeline;
  GstReactorSrc* src;
  GstElement* sink;

  // `middle`: elements between source and sink, as for gst-launch, or empty.
  explicit Pipeline(const std::string& middle = "", bool start = true,
                    const std::string& last = kAppSink) {
    g_autoptr(GError) error = nullptr;
    const std::string text =
        "reactorsrc name=src ! " + (middle.empty() ? "" : middle + " ! ") + last;
    pipeline = gst_parse_launch(text.c_str(), &error);
    g_assert_no_error(error);
    src = GST_REACTOR_SRC(gst_bin_get_by_name(GST_BIN(pipeline), "src"));
    sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        on_data, this, nullptr);
    if (start) play();
  }

  ~Pipeline() {
    open();
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(src);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
  }

  void play() {
    fail_if(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    fail_unless(gst_element_get_state(pipeline, nullptr, nullptr, 0) != GST_STATE_CHANGE_FAILURE);
    fail_unless(eventually([&] { return !gst_reactor_src_should_stop(src); }));
  }

  // While closed, the streaming thread stays in its push.
  void close() {
    const std::lock_guard lock(mutex);
    closed = true;
  }
  void open() {
    const std::lock_guard lock(mutex);
    closed = false;
    changed.notify_all();
  }

  std::size_t frames() {
    const std::lock_guard lock(mutex);
    return frames_seen;
  }
  bool wait_frames(std::size_t count) {
    return eventually([&] { return frames() >= count; });
  }
  bool wait_held() {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return held;
    });
  }

  GstSample* pull() { return gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 10 * GST_SECOND); }

  // The next element message of that name; null after 5 s.
  GstMessage* message(const char* name) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    const auto until = Clock::now() + 5s;
    while (Clock::now() < until) {
      GstMessage* const found =
          gst_bus_timed_pop_filtered(bus, 100 * GST_MSECOND, GST_MESSAGE_ELEMENT);
      if (!found) continue;
      if (gst_message_has_name(found, name)) return found;
      gst_message_unref(found);
    }
    return nullptr;
  }

  guint64 stat(const char* field) {
    GstStructure* stats = nullptr;
    g_object_get(src, "stats", &stats, nullptr);
    guint64 value = 0;
    guint small = 0;
    if (gst_structure_get_uint(stats, field, &small))
      value = small;
    else
      fail_unless(gst_structure_get_uint64(stats, field, &value), "no field %s", field);
    gst_structure_free(stats);
    return value;
  }

  struct Seen {
    std::string what;  // "list", "buffer", or an event's name
    guint64 block;
    GstClockTime pts;
  };
  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex);
    return seen_;
  }
  int count(const std::string& what) {
    const std::lock_guard lock(mutex);
    return static_cast<int>(
        std::count_if(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.what == what; }));
  }

 private:
  static GstPadProbeReturn on_data(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
    auto* const self = static_cast<Pipeline*>(user_data);
    std::unique_lock lock(self->mutex);
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
      GstEvent* const event = GST_PAD_PROBE_INFO_EVENT(info);
      const GstStructure* const s = gst_event_get_structure(event);
      const bool custom = GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM ||
                          GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_OOB;
      self->seen_.push_back(
          {custom ? gst_structure_get_name(s) : GST_EVENT_TYPE_NAME(event), 0, 0});
      return GST_PAD_PROBE_OK;
    }
    const bool list = info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST;
    GstBuffer* const first = list ? gst_buffer_list_get(GST_PAD_PROBE_INFO_BUFFER_LIST(info), 0)
                                  : GST_PAD_PROBE_INFO_BUFFER(info);
    const GstReactorFrameMeta* const meta = gst_buffer_get_reactor_frame_meta(first);
    self->seen_.push_back(
        {list ? "list" : "buffer", meta ? meta->block : 0, GST_BUFFER_PTS(first)});
    self->frames_seen += list ? gst_buffer_list_length(GST_PAD_PROBE_INFO_BUFFER_LIST(info)) : 1;
    self->held = self->closed;
    self->changed.wait(lock, [&] { return !self->closed; });
    self->held = false;
    return GST_PAD_PROBE_OK;
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false, held = false;
  std::size_t frames_seen = 0;
  std::vector<Seen> seen_;
};

// Counts how often a lent block came back.
inline void count_release(gpointer counter) {
  (*static_cast<std::atomic<int>*>(counter))++;
}

}  // namespace source_test
