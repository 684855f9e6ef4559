// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorpace: how blocks become evenly spaced frames, whatever way they come in, and what frames
// carry.

#include "pace-fixture.h"
#include "plugins/reactor/pace/consumer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace pace_test;

namespace {

// Pushes a block every `gap` and returns what came out, in order.
std::vector<Frame> play_steady(Fixture& f, guint blocks, guint frames, GstClockTime gap) {
  for (guint k = 0; k < blocks; ++k) {
    f.run_to(k * gap);
    f.push({.frames = frames, .number = k});
  }
  f.run_to(blocks * gap);
  return f.collect();
}

GST_START_TEST(steady_blocks_leave_evenly) {
  Fixture f;
  const auto frames = play_steady(f, 12, 12, 500 * kMs);
  ck_assert_uint_ge(frames.size(), 11 * 12);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    ck_assert_uint_eq(frames[i].block, i / 12);
    ck_assert_uint_eq(frames[i].index, i % 12);
    ck_assert_uint_eq(frames[i].value, value_of(i / 12, i % 12));
    if (i < 8 * 12) continue;
    const double interval = static_cast<double>(frames[i].pts - frames[i - 1].pts) / 1e6;
    assert_near(interval, 500. / 12, .02 * 500 / 12);
  }
}
GST_END_TEST

GST_START_TEST(no_frame_leaves_before_its_block_arrived) {
  Fixture f;
  for (const auto& frame : play_steady(f, 6, 7, 300 * kMs))
    ck_assert_uint_ge(frame.pts, frame.block * 300 * kMs);
}
GST_END_TEST

GST_START_TEST(durations_are_the_planned_intervals) {
  Fixture f;
  const auto frames = play_steady(f, 10, 12, 500 * kMs);
  for (std::size_t i = 8 * 12; i + 1 < frames.size(); ++i) {
    const auto step = static_cast<double>(frames[i + 1].pts - frames[i].pts);
    assert_near(static_cast<double>(frames[i].duration), step, .05 * step);
  }
}
GST_END_TEST

// The same bursts as lists, as single buffers with their block's number, and as bare buffers.
std::vector<GstClockTime> times_of(int entry) {
  Fixture f;
  std::vector<GstClockTime> times;
  for (guint k = 0; k < 10; ++k) {
    f.run_to(k * 500 * kMs + (k % 3) * 20 * kMs);
    const Block block{.frames = 12, .number = k};
    if (entry == 0) {
      f.push(block);
    } else {
      for (guint i = 0; i < 12; ++i) {
        GstBuffer* buffer = new_frame(value_of(k, i));
        if (entry == 1) add_meta(buffer, block, i);
        f.push_single(buffer);
      }
      ck_assert(f.wait_idle());
    }
  }
  f.run_to(6000 * kMs);
  for (const auto& frame : f.collect()) times.push_back(frame.pts);
  ck_assert_uint_eq(times.size(), 120);
  return times;
}

GST_START_TEST(lists_and_single_and_bare_buffers_leave_at_the_same_times) {
  const auto lists = times_of(0), singles = times_of(1), bare = times_of(2);
  for (std::size_t i = 0; i < lists.size(); ++i) {
    ck_assert_uint_eq(lists[i], singles[i]);
    // A burst without numbers is known to be over a millisecond after its first frame.
    ck_assert_int_le(std::abs(GST_CLOCK_DIFF(lists[i], bare[i])),
                     static_cast<gint64>(kMs + kMs / 10));
  }
}
GST_END_TEST

GST_START_TEST(fps_is_that_of_the_producer_not_of_the_bursts) {
  for (const bool bare : {false, true}) {
    Fixture f;
    std::vector<double> seen;
    for (guint k = 0; k < 40; ++k) {
      // 500 ms +- 15 %
      f.run_to(k * 500 * kMs + static_cast<GstClockTime>((k * 7919 % 151)) * kMs / 2);
      if (bare) {
        for (guint i = 0; i < 12; ++i) f.push_single(new_frame(value_of(k, i)));
        ck_assert(f.wait_idle());
      } else {
        f.push({.frames = 12, .number = k});
      }
      if (k >= 9) seen.push_back(f.get<gdouble>("fps"));
    }
    const double mean =
        std::accumulate(seen.begin(), seen.end(), 0.) / static_cast<double>(seen.size());
    assert_near(mean, 24, 1.2);
    for (const double fps : seen) assert_near(fps, 24, 3);
  }
}
GST_END_TEST

GST_START_TEST(frames_of_a_block_that_come_one_by_one_are_released_as_they_come) {
  Fixture f;
  const Block block{.frames = 3, .number = 0};
  f.push_single([&] {
    auto* b = new_frame(1);
    add_meta(b, block, 0);
    return b;
  }());
  ck_assert(f.wait_idle());
  ck_assert_uint_eq(f.next_frame().index, 0);
  // The second is on its way: due, but not here.
  gst_test_clock_set_time(f.clock, 2000 * kMs);
  ck_assert_uint_eq(f.collect().size(), 0);
  f.push_single([&] {
    auto* b = new_frame(2);
    add_meta(b, block, 1);
    return b;
  }());
  f.push_single([&] {
    auto* b = new_frame(3);
    add_meta(b, block, 2);
    return b;
  }());
  ck_assert(f.wait_idle());
  ck_assert_uint_eq(f.next_frame().index, 1);
  ck_assert_uint_eq(f.next_frame().index, 2);
}
GST_END_TEST

GST_START_TEST(frames_that_never_come_are_counted_and_hold_nothing_up) {
  Fixture f;
  const Block cut_short{.frames = 4, .number = 0};
  for (guint i = 0; i < 2; ++i) {
    auto* b = new_frame(value_of(0, i));
    add_meta(b, cut_short, i);
    f.push_single(b);
  }
  ck_assert(f.wait_idle());
  f.push({.frames = 2, .number = 1});
  std::vector<guint8> values;
  for (int i = 0; i < 4; ++i) values.push_back(f.next_frame().value);
  ck_assert(values ==
            (std::vector<guint8>{value_of(0, 0), value_of(0, 1), value_of(1, 0), value_of(1, 1)}));
  ck_assert_uint_eq(f.stat("dropped-missing"), 2);
}
GST_END_TEST

GST_START_TEST(an_absurd_block_size_is_not_believed) {
  Fixture f;
  for (const guint claimed : {0U, 5U, 4000000000U}) {
    auto* b = new_frame(7);
    add_meta(b, {.frames = claimed, .number = claimed}, claimed == 5 ? 5 : 0);
    f.push_single(b);
    ck_assert(f.wait_idle());
    ck_assert_uint_eq(f.next_frame().value, 7);
    f.run_to(f.now() + 300 * kMs);
  }
  ck_assert_uint_eq(f.stat("frames"), 3);
}
GST_END_TEST

GST_START_TEST(frames_keep_their_provenance_and_get_time_stamps) {
  Fixture f;
  GstBufferList* list = new_list({.frames = 2, .number = 41});
  GstBuffer* second = gst_buffer_list_get_writable(list, 1);
  gst_buffer_get_reactor_frame_meta(second)->json = g_strdup("{\"step\":7}");
  GST_BUFFER_DTS(second) = 5;
  gst_buffer_get_reactor_frame_meta(second)->command = 9;
  gst_test_clock_set_time(f.clock, 100 * kMs);
  f.act([&] { gst_pad_push_list(f.h->srcpad, list); });
  const Frame a = f.next_frame();
  ck_assert_uint_eq(a.pts, 100 * kMs);
  ck_assert(a.discont);
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  GstBuffer* buffer = f.pull();
  const Frame b = Fixture::parse(buffer);
  ck_assert(!b.discont && !GST_CLOCK_TIME_IS_VALID(GST_BUFFER_DTS(buffer)));
  ck_assert_uint_eq(b.block, 41);
  ck_assert_uint_eq(b.index, 1);
  ck_assert_str_eq(b.json.c_str(), "{\"step\":7}");
  ck_assert_uint_eq(gst_buffer_get_reactor_frame_meta(buffer)->command, 9);
  gst_buffer_unref(buffer);
}
GST_END_TEST

GST_START_TEST(frames_share_the_memory_of_the_block) {
  Fixture f;
  GstBufferList* list = new_list({.frames = 2});
  GstMemory* memory = gst_buffer_peek_memory(gst_buffer_list_get(list, 0), 0);
  f.act([&] { gst_pad_push_list(f.h->srcpad, list); });
  ck_assert(f.next_wake());
  GstBuffer* out = f.pull();
  ck_assert_ptr_eq(gst_buffer_peek_memory(out, 0), memory);
  ck_assert(gst_buffer_is_writable(out));
  gst_buffer_unref(out);
}
GST_END_TEST

GST_START_TEST(caps_have_no_fixed_rate) {
  Fixture f("max-fps=48");
  f.push({});
  f.next_frame();
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f.h->sinkpad);
  g_autoptr(GstCaps) expected = gst_caps_from_string(
      "video/x-raw,format=RGB,width=8,height=4,framerate=0/1,max-framerate=48/1");
  ck_assert(gst_caps_is_subset(caps, expected));
  g_object_set(f.pace, "max-fps", 30., nullptr);
  f.next_frame();
  caps = (gst_caps_unref(caps), gst_pad_get_current_caps(f.h->sinkpad));
  gint n = 0, d = 0;
  ck_assert(gst_structure_get_fraction(gst_caps_get_structure(caps, 0), "max-framerate", &n, &d));
  ck_assert_int_eq(n, 30 * d);
}
GST_END_TEST

GST_START_TEST(caps_queries_cross_with_any_rate) {
  GstHarness* h = gst_harness_new("reactorpace");
  gst_harness_set_sink_caps_str(h, "video/x-raw,format=I420,framerate=[0/1,60/1]");
  g_autoptr(GstCaps) enters = gst_pad_peer_query_caps(h->srcpad, nullptr);
  g_autoptr(GstCaps) fits =
      gst_caps_from_string("video/x-raw,format=I420,width=8,height=8,framerate=24/1");
  g_autoptr(GstCaps) wrong =
      gst_caps_from_string("video/x-raw,format=RGB,width=8,height=8,framerate=24/1");
  ck_assert(gst_caps_can_intersect(enters, fits));
  ck_assert(!gst_caps_can_intersect(enters, wrong));
  // What insists on a fixed rate cannot be fed.
  gst_harness_set_sink_caps_str(h, "video/x-raw,format=I420,framerate=30/1");
  g_autoptr(GstCaps) none = gst_pad_peer_query_caps(h->srcpad, nullptr);
  ck_assert(gst_caps_is_empty(none));
  gst_harness_teardown(h);
}
GST_END_TEST

GST_START_TEST(a_held_producer_goes_on_when_there_is_room) {
  // 12 frames every 20 ms is ten times what 60 frames a second can show.
  Fixture f;
  GstClockTime t = 0;
  for (guint k = 0; k < 6; ++k) {
    f.run_to(t);
    f.push({.frames = 12, .number = k});
    while (!f.idle()) {
      // Far off is the repeat of the held frame: then the push is about to return.
      const auto wake = f.next_wake(10);
      if (wake && *wake < f.now() + GST_SECOND) f.wake_at(*wake);
      std::this_thread::sleep_for(100us);
    }
    t = f.now() + 20 * kMs;
  }
  // Held for what the frames last: six blocks take most of 72 / 60 s.
  ck_assert_uint_gt(f.now(), 4 * 200 * kMs);
  f.run_to(f.now() + 500 * kMs);
  const auto frames = f.collect();
  ck_assert_uint_eq(frames.size(), 72);
  for (std::size_t i = 1; i < frames.size(); ++i)
    ck_assert_uint_ge(frames[i].pts - frames[i - 1].pts + 1, GST_SECOND / 60);
  ck_assert_uint_eq(f.stat("dropped"), 0);
}
GST_END_TEST

// An encoder that takes `length` for a frame, in the clock's time.
struct SlowSink {
  SlowSink(Fixture& f, GstClockTime length) : f_(f), length_(length) {
    pad_ = gst_element_get_static_pad(f.pace, "src");
    id_ = gst_pad_add_probe(pad_, GST_PAD_PROBE_TYPE_BUFFER, &SlowSink::take, this, nullptr);
  }
  ~SlowSink() {
    gst_pad_remove_probe(pad_, id_);
    gst_object_unref(pad_);
  }

 private:
  static GstPadProbeReturn take(GstPad*, GstPadProbeInfo*, gpointer self) {
    auto& s = *static_cast<SlowSink*>(self);
    GstClockID id = gst_clock_new_single_shot_id(GST_CLOCK(s.f_.clock), s.f_.now() + s.length_);
    gst_clock_id_wait(id, nullptr);
    gst_clock_id_unref(id);
    return GST_PAD_PROBE_OK;
  }
  Fixture& f_;
  const GstClockTime length_;
  GstPad* pad_;
  gulong id_;
};

// A model that takes `gap` for each block of 12, into an encoder that takes `push` for a frame.
void run_slow(Fixture& f, guint blocks, GstClockTime gap, GstClockTime push,
              const std::function<void(guint)>& check) {
  SlowSink sink(f, push);
  GstClockTime t = 0;
  for (guint k = 0; k < blocks; ++k) {
    while (true) {
      const auto wake = f.next_wake(20);
      if (!wake || *wake > t) break;
      f.wake_at(*wake);
    }
    if (t > f.now()) gst_test_clock_set_time(f.clock, t);
    f.push({.frames = 12, .number = k});
    while (!f.idle()) {
      const auto wake = f.next_wake(20);
      std::this_thread::sleep_for(2ms);  // a model that was let go comes to say so
      if (wake && !f.idle()) f.wake_at(*wake);
    }
    t = f.now() + gap;
    check(k);
  }
  // The encoder is let out of its work, or the pad's probe could not be removed.
  for (auto wake = f.next_wake(20); wake && *wake < f.now() + GST_SECOND; wake = f.next_wake(20))
    f.wake_at(*wake);
}

GST_START_TEST(a_slow_encoder_never_starves_behind_a_model_that_is_held) {
  Fixture f;
  run_slow(f, 12, 20 * kMs, 40 * kMs, [](guint) {});
  const auto frames = f.collect();
  ck_assert_uint_gt(frames.size(), 100);
  // The next block comes before the one before it is used up.
  for (std::size_t i = 13; i + 1 < frames.size(); ++i)
    ck_assert_uint_le(frames[i].pts - frames[i - 1].pts, 45 * kMs);
}
GST_END_TEST

GST_START_TEST(a_slow_encoder_is_not_taken_for_a_slow_model) {
  Fixture f;
  run_slow(f, 20, 200 * kMs, 40 * kMs, [](guint) {});
  assert_near(f.get<gdouble>("fps"), 25, .5);  // what the encoder allows
  GstStructure* stats = f.get<GstStructure*>("stats");
  guint64 gap = 0, push = 0;
  ck_assert(gst_structure_get_uint64(stats, "gap", &gap));
  ck_assert(gst_structure_get_uint64(stats, "push-mean", &push));
  gst_structure_free(stats);
  assert_near(static_cast<double>(gap), 200e6, 4e6);
  assert_near(static_cast<double>(push), 40e6, 1e6);
}
GST_END_TEST

GST_START_TEST(a_slow_encoder_does_not_lengthen_the_queue) {
  // The model could make 60 frames a second. Held to 25, two blocks and a little are there at most.
  Fixture f;
  guint most = 0;
  run_slow(f, 24, 200 * kMs, 40 * kMs, [&](guint k) {
    if (k >= 12) most = std::max(most, static_cast<guint>(f.stat("queue-frames")));
  });
  ck_assert_uint_le(most, 16);
}
GST_END_TEST

GST_START_TEST(one_long_push_is_no_slow_encoder) {
  reactor::pace::Consumer consumer;
  const auto least = std::chrono::nanoseconds(16666667);
  for (int i = 0; i < 200; ++i) consumer.took(std::chrono::milliseconds(i % 50 ? 8 : 900), least);
  ck_assert_int_eq(consumer.planned().count(), 0);
  unsigned plans = 0;
  for (int i = 0; i < 200; ++i)
    plans += consumer.took(std::chrono::milliseconds(30 + i % 3), least);
  assert_near(static_cast<double>(consumer.planned().count()), 31e6, 2.5e6);
  ck_assert_uint_lt(plans, 16);
  for (int i = 0; i < 100; ++i) consumer.took(std::chrono::milliseconds(3), least);
  ck_assert_int_eq(consumer.planned().count(), 0);
}
GST_END_TEST

GST_START_TEST(a_producer_that_does_not_wait_is_thinned_and_counted) {
  for (const char* policy : {"drop-oldest", "drop-newest"}) {
    Fixture f(std::string("max-fps=30 max-latency=200000000 overflow=") + policy);
    for (guint k = 0; k < 40; ++k) {
      f.run_to(k * 100 * kMs);
      f.push({.frames = 12, .number = k});
      ck_assert(f.wait_idle());  // never held
    }
    f.run_to(5000 * kMs);
    const auto frames = f.collect();
    ck_assert_uint_eq(frames.size() + f.stat("dropped"), 480);
    ck_assert_uint_gt(frames.size(), 100);
    for (std::size_t i = 1; i < frames.size(); ++i) {
      ck_assert_uint_ge(frames[i].pts - frames[i - 1].pts + 1, GST_SECOND / 30);
      ck_assert_uint_gt(frames[i].block * 100 + frames[i].index,
                        frames[i - 1].block * 100 + frames[i - 1].index);
    }
    // Nothing that is shown is older than the bound.
    for (const auto& frame : frames)
      ck_assert_uint_le(frame.pts, frame.block * 100 * kMs + 200 * kMs);
  }
}
GST_END_TEST

GST_START_TEST(a_bound_that_cannot_hold_a_block_is_reported) {
  Fixture f("max-latency=100000000");
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(f.h->element, bus);
  for (guint k = 0; k < 3; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = k});
  }
  GstMessage* warning = gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert(warning != nullptr);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_warning(warning, &error, nullptr);
  ck_assert(g_strstr_len(error->message, -1, "12 frames"));
  gst_message_unref(warning);
  gst_element_set_bus(f.h->element, nullptr);
  gst_object_unref(bus);
}
GST_END_TEST

GST_START_TEST(blocks_that_grow_past_every_queue_arrive_whole) {
  Fixture f;
  guint64 number = 0, sent = 0;
  GstClockTime t = 0;
  for (const guint n : {1U, 4U, 12U, 29U, 48U, 120U, 1U}) {
    for (int k = 0; k < 3; ++k) {
      f.run_to(t);
      ck_assert(f.wait_idle());
      f.push({.frames = n, .number = number++});
      sent += n;
      t += n * GST_SECOND / 24;
    }
  }
  f.run_to(t + 10 * GST_SECOND);
  ck_assert(f.wait_idle());
  const auto frames = f.collect();
  ck_assert_uint_eq(frames.size(), sent);
  for (std::size_t i = 1; i < frames.size(); ++i)
    ck_assert(frames[i].block == frames[i - 1].block ? frames[i].index == frames[i - 1].index + 1
                                                     : frames[i].index == 0);
  ck_assert_uint_eq(f.stat("dropped"), 0);
}
GST_END_TEST

GST_START_TEST(a_file_that_decodes_at_once_is_shown_in_real_time) {
  // Buffers without provenance, as fast as they are taken, then the end. In real time.
  g_autoptr(GError) error = nullptr;
  g_autoptr(GstElement) pipeline = gst_parse_launch(
      "videotestsrc num-buffers=180 ! video/x-raw,width=32,height=32 ! reactorpace name=pace "
      "max-fps=60 ! "
      "fakesink name=sink sync=false signal-handoffs=true",
      &error);
  g_assert_no_error(error);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  static std::mutex mutex;
  static std::vector<GstClockTime> times;
  g_signal_connect(sink, "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, gpointer) {
                     const std::lock_guard lock(mutex);
                     times.push_back(GST_BUFFER_PTS(buffer));
                   }),
                   nullptr);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  GstMessage* end = gst_bus_timed_pop_filtered(
      bus, 30 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ck_assert(end != nullptr);
  ck_assert_int_eq(GST_MESSAGE_TYPE(end), GST_MESSAGE_EOS);
  gst_message_unref(end);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  const std::lock_guard lock(mutex);
  ck_assert_uint_eq(times.size(), 180);
  for (std::size_t i = 1; i < times.size(); ++i)
    ck_assert_uint_ge(times[i] - times[i - 1] + 1, GST_SECOND / 60);
  ck_assert_uint_le(times.back() - times.front(), 6000 * kMs);  // 3 s on a machine with time
}
GST_END_TEST

GST_START_TEST(every_block_is_reported_upstream) {
  Fixture f;
  for (guint k = 0; k < 4; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = 100 + k});
  }
  f.run_to(3000 * kMs);
  const auto frames = f.collect();
  for (guint k = 0; k < 4; ++k) {
    g_autoptr(GstEvent) event = f.upstream_event(GST_REACTOR_EVENT_SHOWN);
    ck_assert(event != nullptr);
    guint64 block = 0;
    GstClockTime first = 0, last = 0;
    guint dropped = 1;
    const gchar* reason = nullptr;
    ck_assert(gst_reactor_event_parse_shown(event, &block, &first, &last, &dropped, &reason));
    ck_assert_uint_eq(block, 100 + k);
    ck_assert_uint_eq(first, frames[k * 12].pts);
    ck_assert_uint_eq(last, frames[k * 12 + 11].pts);
    ck_assert_uint_eq(dropped, 0);
    ck_assert(reason == nullptr);
  }
}
GST_END_TEST

GST_START_TEST(stats_add_up_and_are_answered_to_a_query) {
  Fixture f;
  play_steady(f, 10, 12, 500 * kMs);
  GstQuery* query = gst_reactor_query_new_stats();
  ck_assert(gst_pad_peer_query(f.h->sinkpad, query));
  const GstStructure* stats = nullptr;
  ck_assert(gst_reactor_query_parse_stats(query, &stats));
  guint64 shown = 0, frames = 0, dropped = 1, period = 0, mean = 0;
  guint queue = 0;
  ck_assert(gst_structure_get(stats, "shown", G_TYPE_UINT64, &shown, "frames", G_TYPE_UINT64,
                              &frames, "dropped", G_TYPE_UINT64, &dropped, "queue-frames",
                              G_TYPE_UINT, &queue, "period", G_TYPE_UINT64, &period, "latency-mean",
                              G_TYPE_UINT64, &mean, nullptr));
  ck_assert_uint_eq(frames, 120);
  ck_assert_uint_eq(dropped, 0);
  ck_assert_uint_eq(shown + queue, 120);
  assert_near(static_cast<double>(period), 500e6 / 12, 1e6);
  ck_assert_uint_gt(mean, 100 * kMs);
  gst_query_unref(query);
  query = gst_reactor_query_new_stats();
  ck_assert(gst_pad_peer_query(f.h->srcpad, query));
  ck_assert(gst_reactor_query_parse_stats(query, nullptr));
  gst_query_unref(query);
}
GST_END_TEST

GST_START_TEST(what_was_learnt_can_be_given_back) {
  gchar* state = nullptr;
  {
    Fixture f;
    g_object_get(f.pace, "pacer-state", &state, nullptr);
    ck_assert(state == nullptr);
    play_steady(f, 20, 12, 500 * kMs);
    g_object_get(f.pace, "pacer-state", &state, nullptr);
    ck_assert(state != nullptr);
  }
  Fixture f;
  g_object_set(f.pace, "pacer-state", state, nullptr);
  g_free(state);
  f.push({.frames = 12, .number = 0});
  assert_near(f.get<gdouble>("fps"), 24, .5);
  ck_assert_uint_eq(f.next_frame().pts, 0);
  const auto second = f.next_frame();
  assert_near(static_cast<double>(second.pts), 500e6 / 12, 10e6);
}
GST_END_TEST

GST_START_TEST(a_state_that_is_none_is_refused_with_a_warning) {
  Fixture f;
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(f.h->element, bus);
  g_object_set(f.pace, "pacer-state", "{\"something\":\"else\"}", nullptr);
  GstMessage* warning = gst_bus_timed_pop_filtered(bus, GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert(warning != nullptr);
  gst_message_unref(warning);
  gst_element_set_bus(f.h->element, nullptr);
  gst_object_unref(bus);
}
GST_END_TEST

Suite* pace_suite() {
  Suite* s = suite_create("reactorpace");
  TCase* t = tcase_create("release");
  suite_add_tcase(s, t);
  tcase_add_test(t, steady_blocks_leave_evenly);
  tcase_add_test(t, no_frame_leaves_before_its_block_arrived);
  tcase_add_test(t, durations_are_the_planned_intervals);
  tcase_add_test(t, lists_and_single_and_bare_buffers_leave_at_the_same_times);
  tcase_add_test(t, fps_is_that_of_the_producer_not_of_the_bursts);
  tcase_add_test(t, frames_of_a_block_that_come_one_by_one_are_released_as_they_come);
  tcase_add_test(t, frames_that_never_come_are_counted_and_hold_nothing_up);
  tcase_add_test(t, an_absurd_block_size_is_not_believed);
  tcase_add_test(t, frames_keep_their_provenance_and_get_time_stamps);
  tcase_add_test(t, frames_share_the_memory_of_the_block);
  tcase_add_test(t, caps_have_no_fixed_rate);
  tcase_add_test(t, caps_queries_cross_with_any_rate);
  tcase_add_test(t, a_held_producer_goes_on_when_there_is_room);
  tcase_add_test(t, a_slow_encoder_never_starves_behind_a_model_that_is_held);
  tcase_add_test(t, a_slow_encoder_is_not_taken_for_a_slow_model);
  tcase_add_test(t, a_slow_encoder_does_not_lengthen_the_queue);
  tcase_add_test(t, one_long_push_is_no_slow_encoder);
  tcase_add_test(t, a_producer_that_does_not_wait_is_thinned_and_counted);
  tcase_add_test(t, a_bound_that_cannot_hold_a_block_is_reported);
  tcase_add_test(t, blocks_that_grow_past_every_queue_arrive_whole);
  tcase_add_test(t, a_file_that_decodes_at_once_is_shown_in_real_time);
  tcase_add_test(t, every_block_is_reported_upstream);
  tcase_add_test(t, stats_add_up_and_are_answered_to_a_query);
  tcase_add_test(t, what_was_learnt_can_be_given_back);
  tcase_add_test(t, a_state_that_is_none_is_refused_with_a_warning);
  return s;
}

}  // namespace

GST_CHECK_MAIN(pace)
