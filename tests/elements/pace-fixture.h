// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A reactorpace in a GstHarness with a GstTestClock: time moves only when a test says so, and a
// step is over only when the element waits for the clock again. A model thread pushes what the test
// tells it to, since a push may be held.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gst/reactor/gstreactor.h>
#include <gst/video/video.h>
#include <gst/check/gstcheck.h>  // last: it defines a macro named fail

namespace pace_test {

using namespace std::chrono_literals;

inline constexpr GstClockTime kMs = GST_MSECOND;
inline const char* const kCaps = "video/x-raw,format=RGB,width=8,height=4,framerate=24/1";

// Waits for a condition that other threads bring about; false after 20 s.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(50us);
  }
  return true;
}

inline void assert_near(double value, double expected, double tolerance) {
  ck_assert_msg(value >= expected - tolerance && value <= expected + tolerance,
                "%g is not %g +- %g", value, expected, tolerance);
}

// What a test wants a block to say of itself.
struct Block {
  guint frames = 12;
  guint64 number = 0;
  guint epoch = 0;
  bool monitored = true, black = false;
  GstClockTime compute = GST_CLOCK_TIME_NONE;
};

struct Frame {
  GstBuffer* buffer = nullptr;
  GstClockTime pts = 0, duration = 0;
  guint8 value = 0;  // of the first byte: blocks are filled with number * 16 + index
  bool gap = false, discont = false;
  bool has_meta = false;
  guint64 block = 0;
  guint index = 0, flags = 0;
  std::string json;

  bool repeat() const { return flags & GST_REACTOR_FRAME_REPEAT; }
  bool black() const { return flags & GST_REACTOR_FRAME_BLACK; }
};

// A frame of one colour value, with the caps' size.
inline GstBuffer* new_frame(guint8 value, gsize size = 8 * 4 * 3) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
  gst_buffer_memset(buffer, 0, value, size);
  return buffer;
}

inline void add_meta(GstBuffer* buffer, const Block& block, guint index) {
  GstReactorFrameMeta* meta = gst_buffer_add_reactor_frame_meta(buffer);
  meta->block = block.number;
  meta->index = index;
  meta->count = block.frames;
  meta->epoch = block.epoch;
  meta->compute = block.compute;
  meta->flags =
      static_cast<GstReactorFrameFlags>((block.monitored ? GST_REACTOR_FRAME_MONITORED : 0) |
                                        (block.black ? GST_REACTOR_FRAME_BLACK : 0));
}

inline guint8 value_of(guint64 number, guint index) {
  return static_cast<guint8>(number * 16 + index + 1);
}

inline GstBufferList* new_list(const Block& block, bool meta = true) {
  GstBufferList* list = gst_buffer_list_new();
  for (guint i = 0; i < block.frames; ++i) {
    GstBuffer* buffer = new_frame(value_of(block.number, i));
    if (meta) add_meta(buffer, block, i);
    gst_buffer_list_add(list, buffer);
  }
  return list;
}

// Probe: the push returns `result`, and the frame does not come.
inline GstPadProbeReturn fail_push(GstPad*, GstPadProbeInfo* info, gpointer result) {
  gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
  info->data = nullptr;
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = static_cast<GstFlowReturn>(GPOINTER_TO_INT(result));
  return GST_PAD_PROBE_HANDLED;
}

// Probe: holds the thread that pushes a buffer, or an event of one type, until it is released.
struct Holdup {
  GstEventType type = GST_EVENT_UNKNOWN;  // of the event; a buffer otherwise
  std::atomic<bool> reached{false}, released{false};

  static GstPadProbeReturn hold(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Holdup*>(data);
    const bool buffer = info->type & GST_PAD_PROBE_TYPE_BUFFER;
    if (buffer ? self->type == GST_EVENT_UNKNOWN
               : GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == self->type) {
      self->reached = true;
      eventually([self] { return self->released.load(); });
    }
    return GST_PAD_PROBE_OK;
  }
  bool wait_reached() {
    return eventually([this] { return reached.load(); });
  }
};

class Fixture {
 public:
  explicit Fixture(const std::string& properties = "", bool caps = true) {
    h = gst_harness_new_parse(
        ("reactorpace name=pace hold-framerate=1/1000 " + properties).c_str());
    pace = gst_bin_get_by_name(GST_BIN(h->element), "pace");
    gst_harness_use_testclock(h);
    clock = gst_harness_get_testclock(h);
    // The harness plays at once, with the system's clock: begin again with ours.
    gst_element_set_state(h->element, GST_STATE_READY);
    gst_element_set_state(h->element, GST_STATE_PLAYING);
    gst_pad_add_probe(h->sinkpad, GST_PAD_PROBE_TYPE_BUFFER, take, this, nullptr);
    if (caps) gst_harness_set_src_caps_str(h, kCaps);
    model = std::thread([this] { run(); });
  }
  ~Fixture() {
    {
      const std::lock_guard lock(mutex);
      quit = true;
      changed.notify_all();
    }
    gst_element_set_state(h->element, GST_STATE_NULL);  // releases a push that is held
    model.join();
    collect();
    gst_object_unref(clock);
    gst_object_unref(pace);
    gst_harness_teardown(h);
  }

  // --- the model
  // -----------------------------------------------------------------------------------------------
  void act(std::function<void()> action) {
    began = true;
    const std::lock_guard lock(mutex);
    actions.push_back(std::move(action));
    ++asked;
    changed.notify_all();
  }
  bool idle() {
    const std::lock_guard lock(mutex);
    return done == asked;
  }
  // The model hands a block over; returns once the push is over or held.
  void push(const Block& block, bool meta = true) {
    act([=, this] { last_flow = gst_pad_push_list(h->srcpad, new_list(block, meta)); });
    ck_assert(eventually([&] { return idle() || stat("producer-waits") > 0; }));
  }
  void push_single(GstBuffer* buffer) {
    act([=, this] { last_flow = gst_pad_push(h->srcpad, buffer); });
  }
  bool wait_idle() {
    return eventually([this] { return idle(); });
  }
  GstFlowReturn flow() {
    ck_assert(wait_idle());
    return last_flow;
  }
  void event(GstEvent* e) {
    act([=, this] { gst_pad_push_event(h->srcpad, e); });
    ck_assert(wait_idle());
  }

  // --- time
  // ----------------------------------------------------------------------------------------------------
  GstClockTime now() { return gst_clock_get_time(GST_CLOCK(clock)); }
  // The next time at which the element wants to be woken; none when it does not within `patience`
  // ms.
  std::optional<GstClockTime> next_wake(guint patience = 5000) {
    GList* ids = nullptr;
    if (!gst_test_clock_timed_wait_for_multiple_pending_ids(clock, 1, patience, &ids)) return {};
    const GstClockTime t = gst_clock_id_get_time(ids->data);
    g_list_free_full(ids, gst_clock_id_unref);
    return t;
  }
  void wake_at(GstClockTime t) {
    if (t > now()) gst_test_clock_set_time(clock, t);
    GstClockID id = gst_test_clock_process_next_clock_id(clock);
    if (id) gst_clock_id_unref(id);
  }
  // Moves to `t`, with all that the element does before; what is due at `t` itself only with
  // `inclusive`.
  void run_to(GstClockTime t, bool inclusive = true) {
    while (began) {
      const auto wake = next_wake();
      ck_assert_msg(wake.has_value(), "the element waits for nothing");
      if (inclusive ? *wake > t : *wake >= t) break;
      wake_at(*wake);
    }
    if (t > now()) gst_test_clock_set_time(clock, t);
  }

  // --- what comes out
  // --------------------------------------------------------------------------------------------
  static Frame parse(GstBuffer* buffer) {
    Frame f;
    f.buffer = buffer;
    f.pts = GST_BUFFER_PTS(buffer);
    f.duration = GST_BUFFER_DURATION(buffer);
    gst_buffer_extract(buffer, 0, &f.value, 1);
    f.gap = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
    f.discont = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    if (const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer)) {
      f.has_meta = true;
      f.block = meta->block;
      f.index = meta->index;
      f.flags = meta->flags;
      if (meta->json) f.json = meta->json;
    }
    return f;
  }
  // The next buffer that has come out already; null when there is none.
  GstBuffer* try_pull() {
    const std::lock_guard lock(out_mutex);
    if (out.empty()) return nullptr;
    GstBuffer* buffer = out.front();
    out.pop_front();
    return buffer;
  }
  // The same, waited for, without moving time.
  GstBuffer* pull() {
    GstBuffer* buffer = nullptr;
    ck_assert(eventually([&] { return (buffer = try_pull()) != nullptr; }));
    return buffer;
  }
  static Frame consume(GstBuffer* buffer) {
    Frame f = parse(buffer);
    gst_buffer_unref(buffer);
    f.buffer = nullptr;
    return f;
  }
  // Everything that came out until now. The buffers are gone.
  std::vector<Frame> collect() {
    std::vector<Frame> frames;
    while (GstBuffer* buffer = try_pull()) frames.push_back(consume(buffer));
    return frames;
  }
  // Time moves until a frame comes out.
  Frame next_frame() {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < until) {
      const auto wake = next_wake(10);
      if (GstBuffer* buffer = try_pull()) return consume(buffer);
      if (wake) wake_at(*wake);
    }
    ck_abort_msg("no frame");
    return {};
  }
  guint64 stat(const char* name) {
    GstStructure* stats = nullptr;
    g_object_get(pace, "stats", &stats, nullptr);
    guint64 value = 0;
    guint small = 0;
    gboolean yes = FALSE;
    if (gst_structure_get_boolean(stats, name, &yes))
      value = yes;
    else if (gst_structure_get_uint(stats, name, &small))
      value = small;
    else
      gst_structure_get_uint64(stats, name, &value);
    gst_structure_free(stats);
    return value;
  }
  template <typename T>
  T get(const char* name) {
    T value{};
    g_object_get(pace, name, &value, nullptr);
    return value;
  }
  // The next event of a kind that left upstream; null after a while.
  GstEvent* upstream_event(GstReactorEventKind kind) {
    GstEvent* found = nullptr;
    eventually([&] {
      while (GstEvent* e = gst_harness_try_pull_upstream_event(h)) {
        if (gst_reactor_event_get_kind(e) == kind) {
          found = e;
          return true;
        }
        gst_event_unref(e);
      }
      return false;
    });
    return found;
  }

  GstHarness* h;
  GstElement* pace;
  GstTestClock* clock;

 private:
  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return quit || !actions.empty(); });
      if (actions.empty()) return;
      auto action = std::move(actions.front());
      actions.erase(actions.begin());
      lock.unlock();
      action();
      lock.lock();
      ++done;
    }
  }

  // In place of the harness's queue, whose lock a thread sanitizer does not see.
  static GstPadProbeReturn take(GstPad*, GstPadProbeInfo* info, gpointer self) {
    Fixture& f = *static_cast<Fixture*>(self);
    const std::lock_guard lock(f.out_mutex);
    f.out.push_back(GST_PAD_PROBE_INFO_BUFFER(info));
    info->data = nullptr;
    return GST_PAD_PROBE_HANDLED;
  }

  std::mutex out_mutex;
  std::deque<GstBuffer*> out;
  std::thread model;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::function<void()>> actions;
  std::uint64_t asked = 0, done = 0;
  bool quit = false, began = false;
  GstFlowReturn last_flow = GST_FLOW_OK;
};

}  // namespace pace_test
