// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorsrc: blocks, lent and copied, their order, stamps and labels; backpressure, flush, stop,
// sessions, messages.
#include "tests/elements/source-fixture.h"

using namespace source_test;

namespace {

constexpr guint kWidth = 16, kHeight = 8;
constexpr gsize kFrame = kWidth * kHeight * 3;

std::vector<guint8> block(guint frames, guint8 first = 0) {
  std::vector<guint8> data(frames * kFrame);
  for (gsize i = 0; i < data.size(); i++)
    data[i] = static_cast<guint8>(first + i / kFrame * 16 + i % 7);
  return data;
}

gboolean emit(GstReactorSrc* src, guint frames = 2, GError** error = nullptr) {
  const auto data = block(frames);
  return gst_reactor_src_emit_block_copy(src, data.data(), data.size(), frames, kHeight, kWidth,
                                         error);
}

}  // namespace

GST_START_TEST(a_lent_block_arrives_as_one_list_over_the_same_memory) {
  std::atomic<int> released{0};
  const auto data = block(12);
  auto pipeline = std::make_unique<Pipeline>();
  Pipeline& p = *pipeline;
  fail_unless(gst_reactor_src_emit_block(p.src, data.data(), data.size(), 12, kHeight, kWidth,
                                         count_release, &released, nullptr));
  for (guint i = 0; i < 12; i++) {
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    GstBuffer* const buffer = gst_sample_get_buffer(sample);
    GstMapInfo map;
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    fail_unless(map.data == data.data() + i * kFrame);
    fail_unless_equals_int(map.size, kFrame);
    gst_buffer_unmap(buffer, &map);
    const GstReactorFrameMeta* const meta = gst_buffer_get_reactor_frame_meta(buffer);
    fail_unless(meta != nullptr);
    fail_unless_equals_uint64(meta->block, 0);
    fail_unless_equals_int(meta->index, i);
    fail_unless_equals_int(meta->count, 12);
    fail_unless(GST_CLOCK_TIME_IS_VALID(meta->emitted));
    fail_unless_equals_uint64(meta->emitted, GST_BUFFER_PTS(buffer));
    fail_unless_equals_int(released, 0);
    if (i == 0) {
      const GstStructure* const s = gst_caps_get_structure(gst_sample_get_caps(sample), 0);
      fail_unless_equals_string(gst_structure_get_string(s, "format"), "RGB");
      gint n = -1, d = -1, width = 0;
      fail_unless(gst_structure_get_fraction(s, "framerate", &n, &d));
      fail_unless(gst_structure_get_int(s, "width", &width));
      fail_unless(n == 0 && d == 1 && width == static_cast<gint>(kWidth));
    }
  }
  fail_unless(p.seen().back().what == "list");
  pipeline.reset();  // appsink keeps the last sample
  fail_unless(eventually([&] { return released == 1; }));
}
GST_END_TEST;

GST_START_TEST(the_lent_block_comes_back_once_whatever_happens) {
  std::atomic<int> released{0};
  const auto data = block(2);
  const auto lend = [&](GstReactorSrc* src, gsize size, GError** error) {
    return gst_reactor_src_emit_block(src, data.data(), size, 2, kHeight, kWidth, count_release,
                                      &released, error);
  };
  {
    // No session.
    Pipeline p("", false);
    fail_unless(lend(p.src, data.size(), nullptr));
    fail_unless_equals_int(released, 1);
    fail_unless_equals_uint64(p.stat("dropped-no-session"), 2);
    // Not valid.
    p.play();
    g_autoptr(GError) error = nullptr;
    fail_if(lend(p.src, data.size() - 1, &error));
    fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_INVALID));
    fail_unless_equals_int(released, 2);
    // In the sink's queue when everything ends.
    fail_unless(lend(p.src, data.size(), nullptr));
    fail_unless(p.wait_frames(2));
    fail_unless_equals_int(released, 2);
  }
  fail_unless_equals_int(released, 3);
}
GST_END_TEST;

GST_START_TEST(a_copied_block_is_the_callers_again_and_memory_is_recycled) {
  Pipeline p;
  auto data = block(2, 5);
  const auto expected = data;
  std::vector<const guint8*> addresses;
  for (int round = 0; round < 6; round++) {
    data = expected;
    fail_unless(gst_reactor_src_emit_block_copy(p.src, data.data(), data.size(), 2, kHeight, kWidth,
                                                nullptr));
    std::fill(data.begin(), data.end(), 0);
    for (guint i = 0; i < 2; i++) {
      g_autoptr(GstSample) sample = p.pull();
      GstMapInfo map;
      fail_unless(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
      fail_unless(memcmp(map.data, expected.data() + i * kFrame, kFrame) == 0);
      if (i == 0) addresses.push_back(map.data);
      gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  fail_unless(addresses.size() <= 3, "%zu different chunks for 6 blocks", addresses.size());
}
GST_END_TEST;

GST_START_TEST(the_stamp_is_the_time_of_emit) {
  Pipeline p;
  p.close();
  fail_unless(emit(p.src));
  fail_unless(p.wait_held());
  std::this_thread::sleep_for(150ms);
  g_autoptr(GstClock) clock = gst_element_get_clock(p.pipeline);
  const GstClockTime emitted =
      gst_clock_get_time(clock) - gst_element_get_base_time(GST_ELEMENT(p.src));
  std::thread emitter([&] { fail_unless(emit(p.src)); });
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
  std::this_thread::sleep_for(150ms);
  p.open();
  emitter.join();
  fail_unless(p.wait_frames(4));
  const GstClockTime pts = p.seen().back().pts;
  fail_unless(pts >= emitted && pts < emitted + 140 * GST_MSECOND);
}
GST_END_TEST;

GST_START_TEST(emit_runs_ahead_by_one_block_and_waits_while_downstream_is_held) {
  Pipeline p;
  p.close();
  auto begin = Clock::now();
  fail_unless(emit(p.src));  // there is room
  fail_unless(seconds_since(begin) < 1);
  fail_unless(p.wait_held());
  std::this_thread::sleep_for(20ms);  // a push of more than 2 ms is held
  std::atomic<bool> returned{false};
  std::thread emitter([&] {
    fail_unless(emit(p.src));
    returned = true;
  });
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
  std::this_thread::sleep_for(100ms);
  fail_if(returned);
  p.open();
  emitter.join();
  fail_unless(p.wait_frames(4));
  fail_unless(p.stat("waited") > 50 * GST_MSECOND);
  // With room again, emit does not wait.
  fail_unless(emit(p.src));
  fail_unless(p.wait_frames(6));
}
GST_END_TEST;

GST_START_TEST(drop_policies_never_wait_and_count_what_they_drop) {
  for (const char* policy : {"drop-oldest", "drop-newest"}) {
    Pipeline p;
    gst_util_set_object_arg(G_OBJECT(p.src), "overflow", policy);
    p.close();
    fail_unless(emit(p.src));
    fail_unless(p.wait_held());
    std::this_thread::sleep_for(20ms);
    const auto begin = Clock::now();
    for (int i = 0; i < 20; i++) fail_unless(emit(p.src));
    fail_unless(seconds_since(begin) < 2);
    fail_unless_equals_uint64(p.stat("queued-blocks"), 1);
    fail_unless_equals_uint64(p.stat("dropped-overflow"), 38);
    p.open();
    fail_unless(p.wait_frames(4));
    const guint64 last = p.seen().back().block;
    fail_unless_equals_uint64(last, *policy && !strcmp(policy, "drop-oldest") ? 20 : 1);
  }
}
GST_END_TEST;

GST_START_TEST(flush_releases_a_waiting_emit_and_starts_an_epoch) {
  Pipeline p;
  p.close();
  fail_unless(emit(p.src));
  fail_unless(p.wait_held());
  std::this_thread::sleep_for(20ms);
  g_autoptr(GError) error = nullptr;
  Clock::time_point returned;
  std::thread emitter([&] {
    fail_if(emit(p.src, 2, &error));
    returned = Clock::now();
  });
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
  const auto flushed = Clock::now();
  gst_reactor_src_flush(p.src);
  emitter.join();
  fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FLUSHING));
  fail_unless(std::chrono::duration<double>(returned - flushed).count() < 0.5);
  fail_unless_equals_uint64(p.stat("dropped-flush"), 2);
  fail_unless_equals_int(p.count("GstReactorFlush"), 1);
  p.open();
  fail_unless(emit(p.src));
  for (int i = 0; i < 3; i++) {
    g_autoptr(GstSample) sample = p.pull();
    const auto* const meta = gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample));
    fail_unless_equals_int(meta->epoch, i < 2 ? 0 : 1);
  }
}
GST_END_TEST;

GST_START_TEST(stopping_releases_a_waiting_emit) {
  for (int round = 0; round < 10; round++) {
    Pipeline p;
    p.close();
    std::atomic<int> released{0};
    const auto data = block(2);
    const auto lend = [&](GError** error) {
      return gst_reactor_src_emit_block(p.src, data.data(), data.size(), 2, kHeight, kWidth,
                                        count_release, &released, error);
    };
    fail_unless(lend(nullptr));
    fail_unless(p.wait_held());
    std::this_thread::sleep_for(5ms);
    std::atomic<bool> returned{false};
    std::thread emitter([&] {
      lend(nullptr);
      returned = true;
    });
    fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
    // The streaming thread cannot be joined while the probe holds it; the emitter must not wait for
    // that.
    std::thread stopper([&] { gst_element_set_state(p.pipeline, GST_STATE_NULL); });
    const auto begin = Clock::now();
    emitter.join();
    fail_unless(seconds_since(begin) < 1);
    p.open();
    stopper.join();
    fail_unless(eventually([&] { return released == 2; }));
  }
}
GST_END_TEST;

GST_START_TEST(without_a_sink_that_owns_sessions_playing_is_the_session) {
  Pipeline p("", false);
  fail_unless(gst_reactor_src_should_stop(p.src));
  std::atomic<int> started{0}, ended{0};
  g_signal_connect(
      p.src, "session-started",
      G_CALLBACK(+[](GstReactorSrc*, const gchar* id, const gchar* reason, std::atomic<int>* n) {
        fail_unless_equals_string(id, "local");
        fail_unless(reason && *reason);
        (*n)++;
      }),
      &started);
  g_signal_connect(
      p.src, "session-ended",
      G_CALLBACK(+[](GstReactorSrc*, const gchar*, const gchar*, std::atomic<int>* n) { (*n)++; }),
      &ended);
  p.play();
  fail_unless_equals_int(started, 1);
  gst_element_set_state(p.pipeline, GST_STATE_PAUSED);
  fail_unless_equals_int(ended, 1);
  fail_unless(gst_reactor_src_should_stop(p.src));
  fail_unless(emit(p.src));  // harmless
  fail_unless_equals_uint64(p.stat("dropped-no-session"), 2);
  p.play();
  gst_element_set_state(p.pipeline, GST_STATE_NULL);
  fail_unless_equals_int(started, 2);
  fail_unless_equals_int(ended, 2);
}
GST_END_TEST;

GST_START_TEST(a_sink_takes_over_sessions_with_its_first_event) {
  Pipeline p;
  const auto event = [&](GstReactorSessionState state, const char* id, const char* reason) {
    g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
    fail_unless(gst_pad_push_event(pad, gst_reactor_event_new_session(state, id, reason)));
  };
  event(GST_REACTOR_SESSION_ENDED, "", "idle");
  fail_unless(gst_reactor_src_should_stop(p.src));
  event(GST_REACTOR_SESSION_STARTED, "s1", "first viewer");
  gboolean active = FALSE;
  g_object_get(p.src, "session-active", &active, nullptr);
  fail_unless(active);
  // The bus tells the whole story in order.
  const char* const story[][2] = {
      {"started", "local"}, {"ended", "local"}, {"started", "s1"}, {"ended", "s1"}};
  for (int i = 0; i < 3; i++) {
    g_autoptr(GstMessage) message = p.message("reactor-session");
    fail_unless(message != nullptr);
    const GstStructure* const s = gst_message_get_structure(message);
    fail_unless_equals_string(gst_structure_get_string(s, "state"), story[i][0]);
    fail_unless_equals_string(gst_structure_get_string(s, "id"), story[i][1]);
  }
  // The end of the session lets a waiting emit go, with success.
  p.close();
  fail_unless(emit(p.src));
  fail_unless(p.wait_held());
  std::this_thread::sleep_for(20ms);
  std::thread emitter([&] { fail_unless(emit(p.src)); });
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
  event(GST_REACTOR_SESSION_ENDED, "s1", "last viewer gone");
  emitter.join();
  p.open();
}
GST_END_TEST;

GST_START_TEST(commands_viewers_and_shown_blocks_reach_the_application) {
  Pipeline p;
  g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
  std::atomic<guint64> got{0};
  g_signal_connect(p.src, "command",
                   G_CALLBACK(+[](GstReactorSrc*, const gchar* json, const gchar* viewer,
                                  guint64 id, std::atomic<guint64>* out) {
                     fail_unless_equals_string(json, "{\"type\":\"x\"}");
                     fail_unless_equals_string(viewer, "v1");
                     *out = id;
                   }),
                   &got);
  gst_pad_push_event(pad, gst_reactor_event_new_command("{\"type\":\"x\"}", "v1", 7));
  fail_unless_equals_uint64(got, 7);
  gst_pad_push_event(pad, gst_reactor_event_new_viewer("v1", TRUE));
  gst_pad_push_event(pad, gst_reactor_event_new_shown(3, 10, 20, 1, "late"));
  g_autoptr(GstMessage) command = p.message("reactor-command");
  fail_unless(command != nullptr);
  fail_unless_equals_string(gst_structure_get_string(gst_message_get_structure(command), "json"),
                            "{\"type\":\"x\"}");
  g_autoptr(GstMessage) viewer = p.message("reactor-viewer");
  fail_unless(viewer != nullptr);
  g_autoptr(GstMessage) shown = p.message("reactor-shown");
  fail_unless(shown != nullptr);
  guint dropped = 0;
  fail_unless(gst_structure_get_uint(gst_message_get_structure(shown), "dropped", &dropped));
  fail_unless_equals_int(dropped, 1);
}
GST_END_TEST;

GST_START_TEST(messages_are_checked_and_sent_on) {
  Pipeline p;
  fail_unless(gst_reactor_src_send(p.src, "{\"a\":1}", "v2", nullptr));
  fail_unless_equals_int(p.count("GstReactorMessage"), 1);
  g_autoptr(GstMessage) message = p.message("reactor-message");
  fail_unless(message != nullptr);
  const GstStructure* const s = gst_message_get_structure(message);
  fail_unless_equals_string(gst_structure_get_string(s, "json"), "{\"a\":1}");
  fail_unless_equals_string(gst_structure_get_string(s, "viewer"), "v2");
  g_autoptr(GError) error = nullptr;
  fail_if(gst_reactor_src_send(p.src, "{\"a\":1,}", nullptr, &error));
  fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_JSON));
  fail_unless(strstr(error->message, "byte 7") != nullptr, "%s", error->message);
  g_clear_error(&error);
  const std::string most = "\"" + std::string(65534, 'x') + "\"";
  fail_unless(gst_reactor_src_send(p.src, most.c_str(), nullptr, nullptr));
  fail_if(gst_reactor_src_send(p.src, ("1" + most).c_str(), nullptr, &error));
  fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_TOO_LARGE));
  fail_unless_equals_int(p.count("GstReactorMessage"), 2);
}
GST_END_TEST;

GST_START_TEST(monitoring_keeps_its_place_among_the_blocks) {
  Pipeline p;
  fail_unless(emit(p.src, 1));
  fail_unless(emit(p.src, 1));
  gst_reactor_src_set_monitoring(p.src, FALSE);
  gst_reactor_src_set_monitoring(p.src, FALSE);
  fail_unless(emit(p.src, 1));
  gst_reactor_src_set_monitoring(p.src, TRUE);
  fail_unless(emit(p.src, 1));
  fail_unless(emit(p.src, 1));
  const bool monitored[] = {false, true, false, false, true};
  for (const bool expected : monitored) {
    g_autoptr(GstSample) sample = p.pull();
    const auto* const meta = gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample));
    fail_unless(!(meta->flags & GST_REACTOR_FRAME_MONITORED) == !expected,
                "block %" G_GUINT64_FORMAT, meta->block);
  }
  std::string order;
  for (const auto& seen : p.seen())
    order += seen.what == "list" || seen.what == "buffer" ? "b"
             : seen.what == "GstReactorMonitoring"        ? "m"
                                                          : "";
  fail_unless_equals_string(order.c_str(), "bbmbmbb");
}
GST_END_TEST;

GST_START_TEST(black_has_the_size_and_format_of_the_moment) {
  Pipeline p;
  g_object_set(p.src, "width", 34, "height", 10, nullptr);
  const auto check_black = [&](gint width, const char* format) {
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    GstVideoInfo info;
    fail_unless(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), width);
    fail_unless_equals_string(GST_VIDEO_INFO_NAME(&info), format);
    GstBuffer* const buffer = gst_sample_get_buffer(sample);
    fail_unless(gst_buffer_get_reactor_frame_meta(buffer)->flags & GST_REACTOR_FRAME_BLACK);
    GstMapInfo map;
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    fail_unless_equals_int(map.data[0], GST_VIDEO_INFO_IS_YUV(&info) ? 16 : 0);
    if (GST_VIDEO_INFO_IS_YUV(&info)) fail_unless_equals_int(map.data[map.size - 1], 128);
    gst_buffer_unmap(buffer, &map);
  };
  fail_unless(gst_reactor_src_emit_black(p.src, nullptr));
  check_black(34, "RGB");
  fail_unless(emit(p.src, 1));
  gst_sample_unref(p.pull());
  fail_unless(gst_reactor_src_emit_black(p.src, nullptr));
  check_black(kWidth, "RGB");
  // Any other raw format.
  g_autoptr(GstCaps) caps =
      gst_caps_from_string("video/x-raw,format=I420,width=32,height=16,framerate=0/1");
  g_autoptr(GstBufferList) list = gst_buffer_list_new();
  gst_buffer_list_add(list, gst_buffer_new_allocate(nullptr, 32 * 16 * 3 / 2, nullptr));
  fail_unless(gst_reactor_src_emit_list(p.src, list, caps, nullptr));
  gst_sample_unref(p.pull());
  fail_unless(gst_reactor_src_emit_black(p.src, nullptr));
  check_black(32, "I420");
}
GST_END_TEST;

GST_START_TEST(size_and_format_may_change_between_blocks) {
  Pipeline p;
  fail_unless(emit(p.src, 1));
  gst_sample_unref(p.pull());
  std::vector<guint8> other(33 * 5 * 3, 9);
  fail_unless(
      gst_reactor_src_emit_block_copy(p.src, other.data(), other.size(), 1, 5, 33, nullptr));
  g_autoptr(GstSample) sample = p.pull();
  GstVideoInfo info;
  fail_unless(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
  fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), 33);
  fail_unless(gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample))->flags &
              GST_REACTOR_FRAME_RECONFIGURED);
}
GST_END_TEST;

GST_START_TEST(what_was_emitted_goes_out_before_the_end_of_the_stream) {
  for (const bool by_event : {false, true}) {
    Pipeline p;
    p.close();
    fail_unless(emit(p.src));
    fail_unless(p.wait_held());
    std::thread emitter([&] { fail_unless(emit(p.src)); });
    fail_unless(eventually([&] { return p.stat("queued-blocks") == 1; }));
    if (by_event)
      fail_unless(gst_element_send_event(p.pipeline, gst_event_new_eos()));
    else
      fail_unless(gst_app_src_end_of_stream(GST_APP_SRC(p.src)) == GST_FLOW_OK);
    p.open();
    emitter.join();
    fail_unless(eventually([&] { return p.seen().back().what == "eos"; }));
    fail_unless_equals_uint64(p.frames(), 4);
    g_autoptr(GError) error = nullptr;
    fail_unless(eventually([&] {
      g_clear_error(&error);
      return !emit(p.src, 1, &error);
    }));
    fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_EOS));
  }
}
GST_END_TEST;

GST_START_TEST(the_end_and_a_flush_in_paused_do_not_wait_for_playing) {
  for (const bool flush : {false, true}) {
    Pipeline p;
    // The session is the sink's, and goes on in PAUSED.
    g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
    gst_pad_push_event(pad, gst_reactor_event_new_session(GST_REACTOR_SESSION_STARTED, "s", ""));
    fail_unless(emit(p.src));
    fail_unless(p.wait_frames(2));
    std::this_thread::sleep_for(100ms);  // the streaming thread waits for the next block
    gst_element_set_state(p.pipeline, GST_STATE_PAUSED);
    std::thread emitter([&] { emit(p.src, 2, nullptr); });  // may be held until it plays
    fail_unless(eventually([&] { return p.stat("blocks") + p.stat("queued-blocks") == 2; }));
    // In hand, where the base class lets the streaming thread wait for blocks in PAUSED (1.22).
    for (int i = 0; i < 100 && p.stat("queued-blocks") > 0; i++) std::this_thread::sleep_for(10ms);
    std::atomic<bool> done{false};
    std::thread application([&] {
      if (flush) {
        gst_element_send_event(GST_ELEMENT(p.src), gst_event_new_flush_start());
        gst_element_send_event(GST_ELEMENT(p.src), gst_event_new_flush_stop(FALSE));
      } else {
        fail_unless(gst_element_send_event(p.pipeline, gst_event_new_eos()));
      }
      done = true;
    });
    fail_unless(eventually([&] { return done.load(); }));
    application.join();
    gst_element_set_state(p.pipeline, GST_STATE_PLAYING);
    emitter.join();
    if (flush) {
      fail_unless(emit(p.src));
      fail_unless(p.wait_frames(6));  // what was in hand as well
    } else {
      fail_unless(eventually([&] { return p.seen().back().what == "eos"; }));
      fail_unless_equals_uint64(p.frames(), 4);
    }
  }
}
GST_END_TEST;

GST_START_TEST(a_pipeline_that_fails_does_not_keep_the_model_waiting) {
  Pipeline p("identity error-after=2");
  g_autoptr(GError) error = nullptr;
  const auto begin = Clock::now();
  while (emit(p.src, 1, &error)) fail_unless(seconds_since(begin) < 10);
  fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FAILED), "%s",
              error->message);
}
GST_END_TEST;

GST_START_TEST(a_format_that_downstream_refuses_is_an_error_with_advice) {
  Pipeline p("capsfilter caps=video/x-raw,format=I420");
  emit(p.src, 1);
  g_autoptr(GstBus) bus = gst_element_get_bus(p.pipeline);
  g_autoptr(GstMessage) message =
      gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, GST_MESSAGE_ERROR);
  fail_unless(message != nullptr);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  fail_unless(strstr(error->message, "videoconvert") != nullptr, "%s", error->message);
  g_autoptr(GError) next = nullptr;
  fail_unless(eventually([&] {
    g_clear_error(&next);
    return !emit(p.src, 1, &next);
  }));
  fail_unless(g_error_matches(next, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FAILED), "%s",
              next->message);
}
GST_END_TEST;

GST_START_TEST(the_pipeline_can_be_restarted) {
  Pipeline p("", false);
  for (int round = 0; round < 3; round++) {
    p.play();
    const std::size_t before = p.frames();
    fail_unless(emit(p.src, 3));
    fail_unless(p.wait_frames(before + 3));
    gst_element_set_state(p.pipeline, round == 1 ? GST_STATE_READY : GST_STATE_NULL);
  }
}
GST_END_TEST;

GST_START_TEST(errors_name_what_was_expected) {
  Pipeline p;
  guint8 byte = 0;
  const auto refused = [&](gconstpointer data, gsize size, guint n, guint h, guint w,
                           const char* expected) {
    g_autoptr(GError) error = nullptr;
    fail_if(gst_reactor_src_emit_block_copy(p.src, data, size, n, h, w, &error));
    fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_INVALID));
    fail_unless(strstr(error->message, expected) != nullptr, "%s", error->message);
  };
  refused(nullptr, 3, 1, 1, 1, "NULL");
  refused(&byte, 0, 0, 1, 1, "1 to 256 frames");
  refused(&byte, 3, 257, 1, 1, "1 to 256 frames");
  refused(&byte, 3, 1, 0, 1, "(1, 0, 1, 3)");
  refused(&byte, 3, 1, 1, 16385, "16384");
  refused(&byte, 4, 1, 1, 1, "are 3 bytes, got 4");
}
GST_END_TEST;

GST_START_TEST(applications_may_still_push_by_appsrc_functions) {
  Pipeline p;
  GstBuffer* const buffer = gst_buffer_new_allocate(nullptr, 10, nullptr);
  GST_BUFFER_PTS(buffer) = 5;
  fail_unless(gst_app_src_push_buffer(GST_APP_SRC(p.src), buffer) == GST_FLOW_OK);
  fail_unless(p.wait_frames(1));
  fail_unless_equals_uint64(p.seen().back().pts, 5);
}
GST_END_TEST;

static Suite* source_suite() {
  Suite* const suite = suite_create("source");
  TCase* const tc = tcase_create("general");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_lent_block_arrives_as_one_list_over_the_same_memory);
  tcase_add_test(tc, the_lent_block_comes_back_once_whatever_happens);
  tcase_add_test(tc, a_copied_block_is_the_callers_again_and_memory_is_recycled);
  tcase_add_test(tc, the_stamp_is_the_time_of_emit);
  tcase_add_test(tc, emit_runs_ahead_by_one_block_and_waits_while_downstream_is_held);
  tcase_add_test(tc, drop_policies_never_wait_and_count_what_they_drop);
  tcase_add_test(tc, flush_releases_a_waiting_emit_and_starts_an_epoch);
  tcase_add_test(tc, stopping_releases_a_waiting_emit);
  tcase_add_test(tc, without_a_sink_that_owns_sessions_playing_is_the_session);
  tcase_add_test(tc, a_sink_takes_over_sessions_with_its_first_event);
  tcase_add_test(tc, commands_viewers_and_shown_blocks_reach_the_application);
  tcase_add_test(tc, messages_are_checked_and_sent_on);
  tcase_add_test(tc, monitoring_keeps_its_place_among_the_blocks);
  tcase_add_test(tc, black_has_the_size_and_format_of_the_moment);
  tcase_add_test(tc, size_and_format_may_change_between_blocks);
  tcase_add_test(tc, what_was_emitted_goes_out_before_the_end_of_the_stream);
  tcase_add_test(tc, the_end_and_a_flush_in_paused_do_not_wait_for_playing);
  tcase_add_test(tc, a_pipeline_that_fails_does_not_keep_the_model_waiting);
  tcase_add_test(tc, a_format_that_downstream_refuses_is_an_error_with_advice);
  tcase_add_test(tc, the_pipeline_can_be_restarted);
  tcase_add_test(tc, errors_name_what_was_expected);
  tcase_add_test(tc, applications_may_still_push_by_appsrc_functions);
  return suite;
}

GST_CHECK_MAIN(source);
