// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorpace as a GStreamer element: states, flushing, segments, flow returns, latency, queries,
// and what it does while it waits.

#include "pace-fixture.h"

#include <algorithm>
#include <cmath>

using namespace pace_test;

namespace {

GST_START_TEST(it_does_not_preroll) {
  g_autoptr(GstElement) pace = gst_element_factory_make("reactorpace", nullptr);
  gst_object_ref_sink(pace);
  ck_assert_int_eq(gst_element_set_state(pace, GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
  ck_assert_int_eq(gst_element_set_state(pace, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  ck_assert_int_eq(gst_element_set_state(pace, GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
  ck_assert_int_eq(gst_element_set_state(pace, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}
GST_END_TEST

GST_START_TEST(stopping_while_it_waits_for_the_clock_is_immediate) {
  for (int i = 0; i < 50; ++i) {
    Fixture f;
    f.push({.frames = 12});
    ck_assert(f.next_wake());
    const auto begin = std::chrono::steady_clock::now();
    gst_element_set_state(f.h->element, i % 2 ? GST_STATE_NULL : GST_STATE_READY);
    ck_assert(std::chrono::steady_clock::now() - begin < 2s);
  }
}
GST_END_TEST

GST_START_TEST(stopping_frees_a_held_producer) {
  for (const GstState state : {GST_STATE_NULL, GST_STATE_READY}) {
    Fixture f;
    guint64 number = 0;
    for (int i = 0; i < 50 && f.idle(); ++i) {
      f.push({.frames = 12, .number = number++});
      std::this_thread::sleep_for(2ms);
    }
    ck_assert(!f.idle());
    gst_element_set_state(f.h->element, state);
    ck_assert_int_eq(f.flow(), GST_FLOW_FLUSHING);
  }
}
GST_END_TEST

GST_START_TEST(nothing_is_released_while_paused_and_time_stands_still) {
  Fixture f;
  for (guint k = 0; k < 4; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = k});
  }
  const Frame last = [&] {
    Frame frame = f.next_frame();
    for (const auto& more : f.collect()) frame = more;
    return frame;
  }();
  ck_assert(f.next_wake());
  const double before = f.get<gdouble>("fps");
  gst_element_set_state(f.h->element, GST_STATE_PAUSED);
  f.collect();
  // 100 s on the clock that are none of the running time: the pipeline moves the base time by as
  // much.
  gst_test_clock_advance_time(f.clock, 100 * GST_SECOND);
  ck_assert(!gst_test_clock_peek_next_pending_id(f.clock, nullptr));
  ck_assert_uint_eq(f.collect().size(), 0);
  gst_element_set_base_time(f.h->element, 100 * GST_SECOND);
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  const Frame next = f.next_frame();
  ck_assert_uint_gt(next.pts, last.pts);
  ck_assert_uint_lt(next.pts, last.pts + 200 * kMs);
  ck_assert(f.get<gdouble>("fps") == before);
  // The gap across the pause says nothing of the model.
  f.run_to(103 * GST_SECOND);
  f.push({.frames = 12, .number = 4});
  ck_assert(f.get<gdouble>("fps") == before);
}
GST_END_TEST

GST_START_TEST(one_block_is_taken_while_paused_and_the_next_waits) {
  Fixture f;
  gst_element_set_state(f.h->element, GST_STATE_PAUSED);
  f.act([&] { gst_pad_push_list(f.h->srcpad, new_list({.frames = 4, .number = 0})); });
  f.act([&] { gst_pad_push_list(f.h->srcpad, new_list({.frames = 4, .number = 1})); });
  ck_assert(eventually([&] { return f.stat("blocks") == 1; }));
  std::this_thread::sleep_for(20ms);
  ck_assert(!f.idle());
  ck_assert_uint_eq(f.stat("blocks"), 1);
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  ck_assert(f.wait_idle());
  ck_assert_uint_eq(f.stat("blocks"), 2);
}
GST_END_TEST

GST_START_TEST(running_time_that_begins_anew_does_not_stop_the_stream) {
  // After a flushing seek a pipeline counts from 0 again.
  Fixture f;
  f.run_to(0);
  gst_test_clock_set_time(f.clock, 50 * GST_SECOND);
  f.push({.frames = 2, .number = 0});
  ck_assert_uint_eq(f.next_frame().pts, 50 * GST_SECOND);
  gst_element_set_state(f.h->element, GST_STATE_PAUSED);
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_start());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_stop(TRUE));
  gst_element_set_base_time(f.h->element, f.now());
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  f.act([&] {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 2, .number = 1});
  const Frame frame = f.next_frame();
  ck_assert_uint_eq(frame.block, 1);
  ck_assert_uint_lt(frame.pts, GST_SECOND);
}
GST_END_TEST

GST_START_TEST(a_flush_empties_the_queue_and_the_stream_goes_on) {
  Fixture f;
  for (guint k = 0; k < 4; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = k});
  }
  GstEvent* start = gst_event_new_flush_start();
  GstEvent* stop = gst_event_new_flush_stop(FALSE);
  const guint32 number = gst_util_seqnum_next();
  gst_event_set_seqnum(start, number);
  gst_event_set_seqnum(stop, number);
  gst_pad_push_event(f.h->srcpad, start);
  gst_pad_push_event(f.h->srcpad, stop);
  ck_assert_uint_eq(f.stat("queue-frames"), 0);
  f.collect();
  int seen = 0;
  while (GstEvent* e = gst_harness_try_pull_event(f.h)) {
    const auto type = GST_EVENT_TYPE(e);
    if (type == GST_EVENT_FLUSH_START || type == GST_EVENT_FLUSH_STOP) {
      ck_assert_uint_eq(gst_event_get_seqnum(e), number);
      ++seen;
    }
    gst_event_unref(e);
  }
  ck_assert_int_eq(seen, 2);
  f.act([&] {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 2, .number = 9});
  const Frame frame = f.next_frame();
  ck_assert_uint_eq(frame.block, 9);
  ck_assert(frame.discont);
}
GST_END_TEST

GST_START_TEST(caps_that_a_flush_overtook_are_not_lost) {
  Fixture f;
  f.push({.frames = 12, .number = 0});
  f.next_frame();
  f.act([&] {
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-raw,format=RGB,width=16,height=4,framerate=24/1");
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
  });
  ck_assert(f.wait_idle());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_start());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_stop(FALSE));
  f.act([&] {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
    auto* b = new_frame(1, 16 * 4 * 3);
    add_meta(b, {.frames = 1, .number = 1}, 0);
    gst_pad_push(f.h->srcpad, b);
  });
  ck_assert(f.wait_idle());
  ck_assert_uint_eq(f.next_frame().block, 1);
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f.h->sinkpad);
  gint width = 0;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
  ck_assert_int_eq(width, 16);
}
GST_END_TEST

GST_START_TEST(black_of_a_flush_before_the_segment_does_not_overtake_it) {
  Fixture f("", false);
  Holdup caps{GST_EVENT_CAPS};
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, Holdup::hold, &caps,
                    nullptr);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("s"));
    g_autoptr(GstCaps) c = gst_caps_from_string(kCaps);
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(c));
    ck_assert(eventually([&] { return caps.reached.load(); }));
    gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_flush(1));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
    caps.released = true;
  });
  ck_assert(f.wait_idle());
  // Data before a segment is a critical warning, which ends the test.
  ck_assert(f.next_frame().black());
  f.push({.frames = 1, .number = 1, .epoch = 1});
  ck_assert_uint_eq(f.next_frame().block, 1);
}
GST_END_TEST

GST_START_TEST(a_new_stream_behind_queued_frames_has_its_segment_after_its_start) {
  Fixture f;
  std::vector<GstEventType> types;
  const auto note = [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    static_cast<std::vector<GstEventType>*>(data)->push_back(
        GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)));
    return GST_PAD_PROBE_OK;
  };
  f.push({.frames = 4, .number = 0});
  ck_assert_uint_eq(f.next_frame().index, 0);
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note, &types, nullptr);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("another"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 1, .number = 1});
  for (guint i = 1; i < 4; ++i) ck_assert_uint_eq(f.next_frame().index, i);
  ck_assert_uint_eq(f.next_frame().block, 1);
  ck_assert_uint_eq(types.size(), 2);  // the caps are the same
  ck_assert_int_eq(types[0], GST_EVENT_STREAM_START);
  ck_assert_int_eq(types[1], GST_EVENT_SEGMENT);
}
GST_END_TEST

GST_START_TEST(the_segment_is_its_own_whatever_comes_in) {
  Fixture f("", false);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("s"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = 77 * GST_SECOND;
    segment.base = 3 * GST_SECOND;
    segment.rate = 2;
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 1});
  const Frame frame = f.next_frame();
  g_autoptr(GstEvent) event = gst_pad_get_sticky_event(f.h->sinkpad, GST_EVENT_SEGMENT, 0);
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event, &segment);
  ck_assert_int_eq(segment->format, GST_FORMAT_TIME);
  ck_assert_uint_eq(gst_segment_to_running_time(segment, GST_FORMAT_TIME, frame.pts), frame.pts);
}
GST_END_TEST

GST_START_TEST(gap_events_and_fillers_do_not_disturb_the_rate) {
  Fixture f;
  for (guint k = 0; k < 10; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = k});
    f.run_to(k * 500 * kMs + 100 * kMs);
    f.event(gst_event_new_gap(0, GST_SECOND));
    GstBuffer* filler = new_frame(0);
    GST_BUFFER_FLAG_SET(filler, GST_BUFFER_FLAG_GAP);
    f.push_single(filler);
    ck_assert(f.wait_idle());
  }
  assert_near(f.get<gdouble>("fps"), 24, .1);
  for (const auto& frame : f.collect()) ck_assert_uint_ne(frame.value, 0);
  ck_assert_uint_eq(f.stat("fillers"), 10);
  while (GstEvent* e = gst_harness_try_pull_event(f.h)) {
    ck_assert_int_ne(GST_EVENT_TYPE(e), GST_EVENT_GAP);
    gst_event_unref(e);
  }
}
GST_END_TEST

GST_START_TEST(latency_is_the_deadline_whatever_upstream_needs) {
  Fixture f("processing-deadline=30000000");
  gst_harness_set_upstream_latency(f.h, 400 * kMs);
  g_autoptr(GstQuery) query = gst_query_new_latency();
  ck_assert(gst_pad_peer_query(f.h->sinkpad, query));
  gboolean live = FALSE;
  GstClockTime min = 0, max = 0;
  gst_query_parse_latency(query, &live, &min, &max);
  ck_assert(live);
  ck_assert_uint_eq(min, 30 * kMs);
  ck_assert_uint_eq(max, GST_CLOCK_TIME_NONE);
  g_object_set(f.pace, "max-latency", 200 * kMs, "overflow", 1, nullptr);
  ck_assert(gst_pad_peer_query(f.h->sinkpad, query));
  gst_query_parse_latency(query, &live, &min, &max);
  ck_assert_uint_eq(max, 230 * kMs);
}
GST_END_TEST

GST_START_TEST(a_change_of_rate_never_redistributes_latency) {
  Fixture f;
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(f.h->element, bus);
  for (guint k = 0; k < 16; ++k) {
    f.run_to(k < 8 ? k * 500 * kMs : 4000 * kMs + (k - 8) * 1000 * kMs);
    f.push({.frames = 12, .number = k});
  }
  ck_assert(gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY) == nullptr);
  g_object_set(f.pace, "processing-deadline", 40 * kMs, nullptr);
  GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY);
  ck_assert(message != nullptr);
  gst_message_unref(message);
  gst_element_set_bus(f.h->element, nullptr);
  gst_object_unref(bus);
}
GST_END_TEST

GST_START_TEST(qos_is_counted_and_other_events_travel_upstream) {
  Fixture f;
  gst_harness_push_upstream_event(f.h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.5, 10, 20));
  gst_harness_push_upstream_event(f.h, gst_event_new_reconfigure());
  gst_harness_push_upstream_event(f.h, gst_reactor_event_new_command("{}", "v", 4));
  ck_assert_uint_eq(f.stat("qos-events"), 1);
  bool command = false, qos = false, reconfigure = false;
  while (GstEvent* e = gst_harness_try_pull_upstream_event(f.h)) {
    command |= gst_reactor_event_get_kind(e) == GST_REACTOR_EVENT_COMMAND;
    qos |= GST_EVENT_TYPE(e) == GST_EVENT_QOS;
    reconfigure |= GST_EVENT_TYPE(e) == GST_EVENT_RECONFIGURE;
    gst_event_unref(e);
  }
  ck_assert(command && reconfigure && !qos);
}
GST_END_TEST

GST_START_TEST(what_downstream_returns_reaches_upstream) {
  for (const GstFlowReturn result :
       {GST_FLOW_ERROR, GST_FLOW_NOT_NEGOTIATED, GST_FLOW_EOS, GST_FLOW_NOT_LINKED}) {
    Fixture f;
    g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push, GINT_TO_POINTER(result), nullptr);
    f.act([&] { gst_pad_push_list(f.h->srcpad, new_list({.frames = 4, .number = 0})); });
    ck_assert(eventually([&] {
      GstFlowReturn flow = GST_FLOW_OK;
      f.act([&f, &flow] { flow = gst_pad_push(f.h->srcpad, new_frame(0)); });
      ck_assert(f.wait_idle());
      return flow == result;
    }));
    // The memory of what was queued is given back.
    ck_assert_uint_eq(f.stat("queue-frames"), 0);
  }
}
GST_END_TEST

GST_START_TEST(an_error_releases_a_held_producer) {
  Fixture f;
  guint64 number = 0;
  for (int i = 0; i < 50 && f.idle(); ++i) {
    f.push({.frames = 12, .number = number++});
    std::this_thread::sleep_for(2ms);
  }
  ck_assert(!f.idle());
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push, GINT_TO_POINTER(GST_FLOW_ERROR),
                    nullptr);
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  ck_assert_int_eq(f.flow(), GST_FLOW_ERROR);
}
GST_END_TEST

GST_START_TEST(an_error_after_the_end_is_posted) {
  Fixture f;
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(f.h->element, bus);
  f.push({.frames = 4, .number = 0});
  f.next_frame();
  f.act([&] { gst_pad_push_event(f.h->srcpad, gst_event_new_eos()); });
  ck_assert(f.wait_idle());
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push, GINT_TO_POINTER(GST_FLOW_ERROR),
                    nullptr);
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  GstMessage* message = gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_ERROR);
  ck_assert(message != nullptr);
  gst_message_unref(message);
  gst_element_set_bus(f.h->element, nullptr);
  gst_object_unref(bus);
}
GST_END_TEST

GST_START_TEST(a_relinked_sink_gets_the_stream_again) {
  GstHarness* h = gst_harness_new_with_padnames("reactorpace", "sink", nullptr);
  gst_harness_use_systemclock(h);
  gst_harness_set_src_caps_str(h, kCaps);
  g_autoptr(GstElement) pace = gst_harness_find_element(h, "reactorpace");
  // Nobody is linked: the next push says so.
  ck_assert(eventually([&] {
    auto* b = new_frame(1);
    add_meta(b, {.frames = 1}, 0);
    return gst_pad_push(h->srcpad, b) == GST_FLOW_NOT_LINKED;
  }));
  static std::atomic<int> came;
  came = 0;
  g_autoptr(GstPad) src = gst_element_get_static_pad(pace, "src");
  gst_harness_add_element_src_pad(h, src);
  gst_pad_add_probe(
      h->sinkpad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer) {
        ++came;
        return GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
  gst_pad_send_event(src, gst_event_new_reconfigure());
  auto* b = new_frame(2);
  add_meta(b, {.frames = 1, .number = 1}, 0);
  ck_assert_int_eq(gst_pad_push(h->srcpad, b), GST_FLOW_OK);
  ck_assert(eventually([] { return came > 0; }));
  gst_harness_teardown(h);
}
GST_END_TEST

GST_START_TEST(allocation_is_asked_downstream_but_pools_are_not_taken) {
  Fixture f;
  gst_harness_add_propose_allocation_meta(f.h, GST_VIDEO_META_API_TYPE, nullptr);
  g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
  const auto ask = [&](bool& has_meta) {
    GstQuery* query = gst_query_new_allocation(caps, TRUE);
    const bool answered = gst_pad_peer_query(f.h->srcpad, query);
    has_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
    for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
      GstBufferPool* pool = nullptr;
      gst_query_parse_nth_allocation_pool(query, i, &pool, nullptr, nullptr, nullptr);
      ck_assert(pool == nullptr);
    }
    gst_query_unref(query);
    return answered;
  };
  bool has_meta = false;
  ck_assert(ask(has_meta) && has_meta);
  // Behind queued frames it is not worth the wait: the answer is the last one.
  f.push({.frames = 12});
  ck_assert(f.next_wake());
  ck_assert(ask(has_meta) && has_meta);
}
GST_END_TEST

GST_START_TEST(it_starts_again_after_a_stop) {
  Fixture f;
  f.push({.frames = 2, .number = 0});
  f.next_frame();
  gst_element_set_state(f.h->element, GST_STATE_NULL);
  f.collect();
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  ck_assert_uint_eq(f.stat("blocks"), 0);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("again"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 2, .number = 7});
  ck_assert_uint_eq(f.next_frame().block, 7);
}
GST_END_TEST

GST_START_TEST(monitoring_that_was_set_before_the_start_holds) {
  Fixture f("monitoring=false");
  ck_assert(!f.get<gboolean>("monitoring"));
  // What the model said of itself ends with the stream; what the application set does not.
  f.event(gst_reactor_event_new_monitoring(TRUE));
  ck_assert(f.get<gboolean>("monitoring"));
  gst_element_set_state(f.h->element, GST_STATE_READY);
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  ck_assert(!f.get<gboolean>("monitoring"));
}
GST_END_TEST

GST_START_TEST(everything_at_once_from_many_threads) {
  // Nothing to compare: that it neither stops nor breaks, also under the sanitizers.
  Fixture f("hold-framerate=10/1");
  std::atomic<bool> stop = false;
  guint64 number = 0;
  std::atomic<guint> epoch = 0;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (!stop) {
      gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_flush(++epoch));
      std::this_thread::sleep_for(700us);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      gst_harness_push_upstream_event(
          f.h, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
      GstStructure* stats = nullptr;
      g_object_get(f.pace, "stats", &stats, nullptr);
      gst_structure_free(stats);
      g_object_set(f.pace, "smoothness", .3, "max-fps", epoch % 2 ? 60. : 30., nullptr);
      std::this_thread::sleep_for(300us);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      gst_test_clock_advance_time(f.clock, 3 * kMs);
      while (GstClockID id = gst_test_clock_process_next_clock_id(f.clock)) gst_clock_id_unref(id);
      std::this_thread::sleep_for(100us);
    }
  });
  const auto until = std::chrono::steady_clock::now() + 1500ms;
  while (std::chrono::steady_clock::now() < until) {
    const guint e = epoch;
    f.act([&f, n = number++, e] {
      gst_pad_push_list(
          f.h->srcpad,
          new_list({.frames = static_cast<guint>(1 + n % 12), .number = n, .epoch = e}));
      if (n % 5 == 0) gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_monitoring(n % 2));
    });
    ck_assert(f.wait_idle());
    f.collect();
    while (GstEvent* event = gst_harness_try_pull_event(f.h)) gst_event_unref(event);
    while (GstEvent* event = gst_harness_try_pull_upstream_event(f.h)) gst_event_unref(event);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  ck_assert_uint_eq(f.stat("frames"), f.stat("shown") + f.stat("dropped") -
                                          f.stat("dropped-stale") + f.stat("queue-frames"));
}
GST_END_TEST

Suite* pace_life_suite() {
  Suite* s = suite_create("reactorpace-life");
  TCase* t = tcase_create("life");
  suite_add_tcase(s, t);
  tcase_add_test(t, it_does_not_preroll);
  tcase_add_test(t, stopping_while_it_waits_for_the_clock_is_immediate);
  tcase_add_test(t, stopping_frees_a_held_producer);
  tcase_add_test(t, nothing_is_released_while_paused_and_time_stands_still);
  tcase_add_test(t, one_block_is_taken_while_paused_and_the_next_waits);
  tcase_add_test(t, running_time_that_begins_anew_does_not_stop_the_stream);
  tcase_add_test(t, a_flush_empties_the_queue_and_the_stream_goes_on);
  tcase_add_test(t, caps_that_a_flush_overtook_are_not_lost);
  tcase_add_test(t, black_of_a_flush_before_the_segment_does_not_overtake_it);
  tcase_add_test(t, a_new_stream_behind_queued_frames_has_its_segment_after_its_start);
  tcase_add_test(t, the_segment_is_its_own_whatever_comes_in);
  tcase_add_test(t, gap_events_and_fillers_do_not_disturb_the_rate);
  tcase_add_test(t, latency_is_the_deadline_whatever_upstream_needs);
  tcase_add_test(t, a_change_of_rate_never_redistributes_latency);
  tcase_add_test(t, qos_is_counted_and_other_events_travel_upstream);
  tcase_add_test(t, what_downstream_returns_reaches_upstream);
  tcase_add_test(t, an_error_releases_a_held_producer);
  tcase_add_test(t, an_error_after_the_end_is_posted);
  tcase_add_test(t, a_relinked_sink_gets_the_stream_again);
  tcase_add_test(t, allocation_is_asked_downstream_but_pools_are_not_taken);
  tcase_add_test(t, it_starts_again_after_a_stop);
  tcase_add_test(t, monitoring_that_was_set_before_the_start_holds);
  tcase_add_test(t, everything_at_once_from_many_threads);
  return s;
}

}  // namespace

GST_CHECK_MAIN(pace_life)
