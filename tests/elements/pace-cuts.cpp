// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorpace: what cuts a stream or stands still in it: flush, black, hold, monitoring, caps, the
// end.

#include "pace-fixture.h"

#include <fstream>
#include <sstream>

using namespace pace_test;

namespace {

void flush(Fixture& f, guint epoch) {
  gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_flush(epoch));
}

// Plays `blocks` blocks of 12 frames, one every 500 ms, and stands at the arrival of the last.
void warm_up(Fixture& f, guint blocks = 4) {
  for (guint k = 0; k < blocks; ++k) {
    f.run_to(k * 500 * kMs);
    f.push({.frames = 12, .number = k});
  }
  f.collect();
}

GST_START_TEST(flush_drops_what_is_queued_and_shows_one_black_frame) {
  Fixture f;
  warm_up(f);
  const Frame last = f.next_frame();
  const guint64 queued = f.stat("queue-frames");
  ck_assert_uint_gt(queued, 5);
  flush(f, 1);
  const Frame black = f.next_frame();
  ck_assert(black.black() && !black.repeat());
  ck_assert_uint_eq(black.value, 0);
  ck_assert_uint_eq(black.block, G_MAXUINT64);
  ck_assert_uint_ge(black.pts - last.pts + 1, GST_SECOND / 60);
  ck_assert_uint_le(black.pts - last.pts, GST_SECOND / 60 + kMs);
  ck_assert_uint_eq(f.stat("dropped-flushed"), queued);
  // Once more soon after, for decoders that show a picture when the next one comes.
  const Frame again = f.next_frame();
  ck_assert(again.black() && again.repeat() && again.gap);
  ck_assert_uint_le(again.pts - black.pts, 100 * kMs);
  f.run_to(f.now() + 2000 * kMs);
  ck_assert_uint_eq(f.collect().size(), 0);
}
GST_END_TEST

GST_START_TEST(flushed_blocks_are_reported_with_the_reason) {
  Fixture f;
  f.push({.frames = 12, .number = 0});
  f.next_frame();
  flush(f, 1);
  g_autoptr(GstEvent) event = f.upstream_event(GST_REACTOR_EVENT_SHOWN);
  guint dropped = 0;
  GstClockTime first = 1;
  const gchar* reason = nullptr;
  ck_assert(gst_reactor_event_parse_shown(event, nullptr, &first, nullptr, &dropped, &reason));
  ck_assert_uint_eq(first, 0);
  ck_assert_uint_eq(dropped, 11);
  ck_assert_str_eq(reason, "flushed");
}
GST_END_TEST

GST_START_TEST(blocks_of_an_ended_epoch_are_not_shown) {
  Fixture f;
  warm_up(f);
  flush(f, 1);
  ck_assert(f.next_frame().black());
  // Was on its way when the flush overtook it: as a list, and as single buffers.
  f.act([&] { gst_pad_push_list(f.h->srcpad, new_list({.frames = 12, .number = 4, .epoch = 0})); });
  for (guint i = 0; i < 3; ++i) {
    auto* b = new_frame(9);
    add_meta(b, {.frames = 3, .number = 5, .epoch = 0}, i);
    f.push_single(b);
  }
  ck_assert(f.wait_idle());
  f.push({.frames = 12, .number = 6, .epoch = 1});
  f.run_to(f.now() + 3000 * kMs);
  guint shown = 0;
  for (const auto& frame : f.collect()) {
    if (frame.black()) continue;
    ck_assert_uint_eq(frame.block, 6);
    ++shown;
  }
  ck_assert_uint_eq(shown, 12);
  ck_assert_uint_eq(f.stat("dropped-stale"), 15);
}
GST_END_TEST

GST_START_TEST(a_flush_that_was_lost_is_made_up_for) {
  Fixture f;
  warm_up(f);
  f.push({.frames = 12, .number = 4, .epoch = 3});
  const Frame black = f.next_frame();
  ck_assert(black.black());
  ck_assert_uint_eq(f.next_frame().block, 4);
  // The event comes late: the new epoch has begun already.
  flush(f, 3);
  ck_assert_uint_eq(f.next_frame().block, 4);
}
GST_END_TEST

GST_START_TEST(flush_releases_a_held_producer) {
  Fixture f;
  guint64 number = 0;
  // Far faster than can be shown, so that the push is held.
  for (int i = 0; i < 50 && f.idle(); ++i) {
    f.push({.frames = 12, .number = number++});
    std::this_thread::sleep_for(5ms);
  }
  ck_assert(!f.idle());
  flush(f, 1);
  ck_assert(f.wait_idle());
  ck_assert_int_eq(f.flow(), GST_FLOW_OK);
}
GST_END_TEST

GST_START_TEST(resets_never_show_the_old_world) {
  Fixture f;
  guint64 number = 0;
  for (guint epoch = 0; epoch < 100; ++epoch) {
    for (int i = 0; i < 3; ++i)
      f.act([&f, n = number++, epoch] {
        gst_pad_push_list(f.h->srcpad, new_list({.frames = 12, .number = n, .epoch = epoch}));
      });
    if (epoch % 3 == 0) std::this_thread::sleep_for(1ms);
    if (epoch % 2 == 0) {
      f.next_wake();
      f.run_to(f.now() + 100 * kMs);
    }
    flush(f, epoch + 1);
    ck_assert(f.wait_idle());  // released at once
    const guint64 old = number;
    f.collect();
    f.run_to(f.now() + 20 * kMs);
    guint black = 0;
    for (const auto& frame : f.collect()) {
      ck_assert_msg(frame.black(), "block %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, frame.block,
                    old);
      black += !frame.repeat();
    }
    ck_assert_uint_le(black, 1);
  }
}
GST_END_TEST

GST_START_TEST(a_black_frame_of_the_models_cuts_at_once) {
  Fixture f;
  warm_up(f);
  GstBuffer* buffer = new_frame(0);
  add_meta(buffer, {.frames = 1, .number = 0, .black = true}, 0);
  f.push_single(buffer);
  ck_assert(f.wait_idle());
  const Frame black = f.next_frame();
  ck_assert(black.black() && !black.repeat());
  ck_assert(f.next_frame().repeat());
  ck_assert_uint_eq(f.stat("black"), 1);
  const GstClockTime resumed = f.now() + 700 * kMs;
  f.run_to(resumed);
  f.push({.frames = 12, .number = 5, .monitored = false});
  ck_assert_uint_eq(f.next_frame().pts, resumed);
}
GST_END_TEST

GST_START_TEST(black_is_black_in_every_format) {
  struct {
    const char *format, *more;
    std::vector<guint8> begin;
  } formats[] = {
      {"RGB", "", {0, 0, 0, 0}},
      {"RGBA", "", {0, 0, 0, 255}},
      {"BGRx", "", {0, 0, 0}},
      {"I420", "", {16, 16, 16, 16}},
      {"I420", ",colorimetry=1:3:5:1", {0, 0, 0, 0}},
      {"NV12", "", {16, 16, 16, 16}},
      {"YUY2", "", {16, 128, 16, 128}},
      {"UYVY", "", {128, 16, 128, 16}},
      {"GBR", "", {0, 0, 0, 0}},
      {"AYUV", "", {255, 16, 128, 128}},
      {"P010_10LE", "", {0, 16, 0, 16}},
  };
  for (const auto& f_ : formats) {
    Fixture f("", false);
    const std::string caps =
        std::string("video/x-raw,width=18,height=10,framerate=24/1,format=") + f_.format + f_.more;
    gst_harness_set_src_caps_str(f.h, caps.c_str());
    g_autoptr(GstCaps) parsed = gst_caps_from_string(caps.c_str());
    GstVideoInfo info;
    ck_assert(gst_video_info_from_caps(&info, parsed));
    GstBuffer* buffer = new_frame(77, info.size);
    add_meta(buffer, {.frames = 1}, 0);
    f.push_single(buffer);
    ck_assert(f.wait_idle());
    f.next_frame();
    flush(f, 1);
    const auto wake = f.next_wake();
    ck_assert(wake);
    f.wake_at(*wake);
    GstBuffer* black = f.pull();
    ck_assert_uint_eq(gst_buffer_get_size(black), info.size);
    std::vector<guint8> begin(f_.begin.size());
    gst_buffer_extract(black, 0, begin.data(), begin.size());
    ck_assert_msg(begin == f_.begin, "%s begins %d %d %d", f_.format, begin[0], begin[1], begin[2]);
    if (std::string(f_.format) == "I420") {
      guint8 chroma = 0;
      gst_buffer_extract(black, GST_VIDEO_INFO_PLANE_OFFSET(&info, 1), &chroma, 1);
      ck_assert_uint_eq(chroma, 128);
    }
    gst_buffer_unref(black);
  }
}
GST_END_TEST

GST_START_TEST(the_end_of_a_session_cuts_to_black) {
  Fixture f;
  warm_up(f);
  f.next_frame();
  gst_harness_push_upstream_event(
      f.h, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "a", "over"));
  ck_assert(f.next_frame().black());
  g_autoptr(GstEvent) passed = f.upstream_event(GST_REACTOR_EVENT_SESSION);
  ck_assert(passed != nullptr);
  ck_assert_uint_eq(f.stat("queue-frames"), 0);
}
GST_END_TEST

// What the source hands out until it knows that the session is over.
GstPadProbeReturn late_block(GstPad*, GstPadProbeInfo* info, gpointer self) {
  if (gst_reactor_event_get_kind(GST_PAD_PROBE_INFO_EVENT(info)) == GST_REACTOR_EVENT_SESSION)
    static_cast<Fixture*>(self)->push({.frames = 4, .number = 9});
  return GST_PAD_PROBE_OK;
}

GST_START_TEST(what_the_source_hands_out_until_it_knows_of_the_end_is_cut) {
  Fixture f;
  warm_up(f);
  f.next_frame();
  gst_pad_add_probe(f.h->srcpad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, late_block, &f, nullptr);
  gst_harness_push_upstream_event(
      f.h, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "a", "over"));
  ck_assert_uint_eq(f.stat("queue-frames"), 0);
  ck_assert(f.next_frame().black());
}
GST_END_TEST

GST_START_TEST(the_last_frame_is_repeated_while_nothing_comes) {
  Fixture f("hold-framerate=2/1");
  f.push({.frames = 1, .number = 0});
  const Frame first = f.next_frame();
  for (int i = 1; i <= 6; ++i) {
    const Frame repeat = f.next_frame();
    ck_assert(repeat.repeat() && repeat.gap && repeat.json.empty());
    ck_assert_uint_eq(repeat.value, first.value);
    ck_assert_uint_eq(repeat.block, first.block);
    ck_assert_uint_eq(repeat.pts, first.pts + i * 500 * kMs);
  }
  ck_assert_uint_eq(f.stat("repeats"), 6);
}
GST_END_TEST

GST_START_TEST(repeats_keep_to_max_fps) {
  Fixture f("hold-framerate=50/1 max-fps=5");
  f.push({.frames = 1, .number = 0});
  const Frame first = f.next_frame();
  for (int i = 1; i <= 3; ++i) ck_assert_uint_eq(f.next_frame().pts, first.pts + i * 200 * kMs);
  gst_harness_push_upstream_event(
      f.h, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "a", ""));
  const Frame black = f.next_frame();
  ck_assert(black.black());
  ck_assert_uint_eq(f.next_frame().pts, black.pts + 200 * kMs);
}
GST_END_TEST

GST_START_TEST(json_goes_out_with_the_first_showing_only) {
  Fixture f("hold-framerate=2/1");
  GstBuffer* buffer = new_frame(5);
  add_meta(buffer, {.frames = 1}, 0);
  gst_buffer_get_reactor_frame_meta(buffer)->json = g_strdup("1");
  f.push_single(buffer);
  ck_assert(f.wait_idle());
  ck_assert(f.next_frame().json == "1");
  ck_assert(f.next_frame().json.empty());
}
GST_END_TEST

GstEvent* key_unit_request() {
  return gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0);
}

GST_START_TEST(a_key_unit_request_shows_the_held_frame_at_once) {
  Fixture f("hold-framerate=0/1");
  f.push({.frames = 1, .number = 3});
  f.next_frame();
  f.next_wake();
  gst_test_clock_set_time(f.clock, 90000 * kMs);
  gst_harness_push_upstream_event(f.h, key_unit_request());
  GstBuffer* buffer = f.pull();
  const Frame repeat = Fixture::parse(buffer);
  gst_buffer_unref(buffer);
  ck_assert(repeat.repeat());
  ck_assert_uint_eq(repeat.pts, 90000 * kMs);
  // Many at once cost one frame, and never two closer than the limit.
  for (int i = 0; i < 20; ++i) gst_harness_push_upstream_event(f.h, key_unit_request());
  const Frame next = f.next_frame();
  ck_assert_uint_ge(next.pts - repeat.pts + 1, GST_SECOND / 60);
  ck_assert_uint_eq(f.collect().size(), 0);
  // They are passed on, too.
  bool forwarded = false;
  while (GstEvent* e = gst_harness_try_pull_upstream_event(f.h)) {
    forwarded |= gst_video_event_is_force_key_unit(e);
    gst_event_unref(e);
  }
  ck_assert(forwarded);
}
GST_END_TEST

GST_START_TEST(a_new_frame_keeps_its_distance_from_a_repeat) {
  Fixture f("hold-framerate=2/1");
  f.push({.frames = 1, .number = 0});
  f.next_frame();
  const Frame repeat = f.next_frame();
  ck_assert(repeat.repeat());
  gst_test_clock_set_time(f.clock, repeat.pts + kMs);
  f.push({.frames = 1, .number = 1});
  const Frame fresh = f.next_frame();
  ck_assert(!fresh.repeat());
  ck_assert_uint_ge(fresh.pts - repeat.pts + 1, GST_SECOND / 60);
}
GST_END_TEST

GST_START_TEST(a_held_frame_gives_the_blocks_memory_back) {
  for (const char* hold : {"hold-framerate=2/1", "hold-framerate=0/1"}) {
    Fixture f(hold);
    static std::atomic<int> released;
    released = 0;
    guint8* data = static_cast<guint8*>(g_malloc(2 * 96));
    memset(data, 33, 2 * 96);
    GstMemory* memory = gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, data, 2 * 96, 0, 2 * 96,
                                               data, [](gpointer d) {
                                                 g_free(d);
                                                 ++released;
                                               });
    GstBufferList* list = gst_buffer_list_new();
    for (guint i = 0; i < 2; ++i) {
      GstBuffer* buffer = gst_buffer_new();
      gst_buffer_append_memory(buffer, gst_memory_share(memory, i * 96, 96));
      add_meta(buffer, {.frames = 2}, i);
      gst_buffer_list_add(list, buffer);
    }
    gst_memory_unref(memory);
    f.act([&] { gst_pad_push_list(f.h->srcpad, list); });
    const Frame a = f.next_frame(), b = f.next_frame();
    ck_assert_int_eq(released, 0);
    // Longer than its own interval, and the picture has memory of its own.
    const auto copy = f.next_wake();
    ck_assert(copy);
    ck_assert_uint_eq(*copy, b.pts + b.duration);
    f.wake_at(*copy);
    ck_assert(eventually([] { return released == 1; }));
    gst_harness_push_upstream_event(f.h, key_unit_request());
    GstBuffer* shown = f.pull();
    ck_assert_uint_eq(Fixture::parse(shown).value, 33);
    gst_buffer_unref(shown);
    ck_assert_uint_eq(a.value, 33);
  }
}
GST_END_TEST

GST_START_TEST(the_rate_survives_an_announced_pause) {
  Fixture f;
  warm_up(f, 8);
  const double before = f.get<gdouble>("fps");
  f.event(gst_reactor_event_new_monitoring(FALSE));
  ck_assert(!f.get<gboolean>("monitoring"));
  f.run_to(30000 * kMs);
  f.collect();
  f.event(gst_reactor_event_new_monitoring(TRUE));
  f.push({.frames = 12, .number = 8, .monitored = false});
  ck_assert(f.get<gdouble>("fps") == before);
  const Frame a = f.next_frame(), b = f.next_frame();
  ck_assert_uint_eq(a.pts, 30000 * kMs);
  // Slower by what fills the cushion again, no more.
  assert_near(static_cast<double>(b.pts - a.pts), 1e9 / before, .2e9 / before);
}
GST_END_TEST

GST_START_TEST(a_block_after_an_excused_gap_does_not_slow_the_rate) {
  // The flag alone, as when the events were lost.
  Fixture f;
  warm_up(f, 8);
  const double before = f.get<gdouble>("fps");
  f.run_to(20000 * kMs);
  f.push({.frames = 12, .number = 8, .monitored = false});
  ck_assert(f.get<gdouble>("fps") == before);
}
GST_END_TEST

GST_START_TEST(serialized_events_keep_their_place_between_frames) {
  Fixture f;
  f.push({.frames = 2, .number = 0});
  f.event(gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "one", nullptr)));
  f.event(gst_reactor_event_new_monitoring(TRUE));
  f.push({.frames = 2, .number = 1});
  // The order in which things left is seen by a probe.
  static std::mutex mutex;
  static std::vector<std::string> order;
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  gst_pad_add_probe(
      src,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        const std::lock_guard lock(mutex);
        order.push_back(info->type & GST_PAD_PROBE_TYPE_BUFFER
                            ? "frame"
                            : GST_EVENT_TYPE_NAME(GST_PAD_PROBE_INFO_EVENT(info)));
        return GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
  f.run_to(2000 * kMs);
  ck_assert_uint_eq(f.stat("shown"), 4);
  const std::lock_guard lock(mutex);
  const std::vector<std::string> tail(order.end() - 5, order.end());
  ck_assert(tail ==
            (std::vector<std::string>{"frame", "tag", "custom-downstream", "frame", "frame"}));
}
GST_END_TEST

GST_START_TEST(messages_overtake_the_queue) {
  Fixture f;
  f.push({.frames = 12, .number = 0});
  gst_event_unref(gst_harness_pull_event(f.h));
  gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_message("{}", nullptr));
  bool seen = false;
  while (GstEvent* e = gst_harness_try_pull_event(f.h)) {
    seen |= gst_reactor_event_get_kind(e) == GST_REACTOR_EVENT_MESSAGE;
    gst_event_unref(e);
  }
  ck_assert(seen);
}
GST_END_TEST

GST_START_TEST(new_caps_come_with_their_first_frame_and_end_the_hold) {
  Fixture f("hold-framerate=2/1");
  f.push({.frames = 1, .number = 0});
  f.next_frame();
  f.act([&] {
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-raw,format=RGB,width=16,height=4,framerate=24/1");
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
  });
  ck_assert(f.wait_idle());
  // Held on with the old caps until the new frame is here.
  const Frame repeat = f.next_frame();
  ck_assert(repeat.repeat());
  g_autoptr(GstCaps) old_caps = gst_pad_get_current_caps(f.h->sinkpad);
  gint width = 0;
  gst_structure_get_int(gst_caps_get_structure(old_caps, 0), "width", &width);
  ck_assert_int_eq(width, 8);
  GstBuffer* wide = new_frame(3, 16 * 4 * 3);
  add_meta(wide, {.frames = 1, .number = 1}, 0);
  f.push_single(wide);
  ck_assert(f.wait_idle());
  ck_assert_uint_eq(f.next_frame().block, 1);
  g_autoptr(GstCaps) new_caps = gst_pad_get_current_caps(f.h->sinkpad);
  gst_structure_get_int(gst_caps_get_structure(new_caps, 0), "width", &width);
  ck_assert_int_eq(width, 16);
  // What is repeated from here on is the new frame.
  ck_assert_uint_eq(f.next_frame().block, 1);
}
GST_END_TEST

GST_START_TEST(a_flush_between_two_sizes_is_black_in_the_new_one) {
  Fixture f;
  f.push({.frames = 4, .number = 0});
  f.next_frame();
  f.act([&] {
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-raw,format=RGB,width=16,height=4,framerate=24/1");
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
  });
  ck_assert(f.wait_idle());
  flush(f, 1);
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  GstBuffer* black = f.pull();
  ck_assert_uint_eq(gst_buffer_get_size(black), 16 * 4 * 3);
  gst_buffer_unref(black);
}
GST_END_TEST

GST_START_TEST(caps_that_are_no_video_are_refused) {
  Fixture f("", false);
  gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("s"));
  g_autoptr(GstCaps) caps = gst_caps_from_string("video/x-raw,format=RGB");
  gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  ck_assert_int_eq(gst_pad_push(f.h->srcpad, new_frame(0)), GST_FLOW_NOT_NEGOTIATED);
}
GST_END_TEST

GST_START_TEST(the_end_drains_at_pace_and_keeps_its_number) {
  Fixture f;
  warm_up(f, 8);
  GstEvent* eos = gst_event_new_eos();
  const guint32 number = gst_event_get_seqnum(eos);
  const guint64 left = f.stat("queue-frames");
  f.act([&] { gst_pad_push_event(f.h->srcpad, eos); });
  ck_assert(f.wait_idle());
  std::vector<Frame> frames;
  for (guint64 i = 0; i < left; ++i) frames.push_back(f.next_frame());
  for (std::size_t i = 2; i < frames.size(); ++i)
    assert_near(static_cast<double>(frames[i].pts - frames[i - 1].pts), 500e6 / 12, 25e6 / 12);
  GstEvent* out = nullptr;
  ck_assert(eventually([&] {
    while (GstEvent* e = gst_harness_try_pull_event(f.h)) {
      if (GST_EVENT_TYPE(e) == GST_EVENT_EOS) {
        out = e;
        return true;
      }
      gst_event_unref(e);
    }
    return false;
  }));
  ck_assert_uint_eq(gst_event_get_seqnum(out), number);
  gst_event_unref(out);
  f.act([&] { ck_assert_int_eq(gst_pad_push(f.h->srcpad, new_frame(1)), GST_FLOW_EOS); });
  ck_assert(f.wait_idle());
}
GST_END_TEST

GST_START_TEST(the_end_does_not_wait_for_ever_for_a_slow_clock) {
  Fixture f("min-fps=0");
  // One frame every 4 s; then the clock jumps far past any plan while the task is held downstream.
  for (guint k = 0; k < 3; ++k) {
    f.run_to(k * 4000 * kMs);
    f.push({.frames = 1, .number = k});
  }
  f.push({.frames = 100, .number = 3, .compute = 100 * GST_SECOND});
  f.run_to(8100 * kMs);
  f.act([&] { gst_pad_push_event(f.h->srcpad, gst_event_new_eos()); });
  ck_assert(f.wait_idle());
  const guint64 left = f.stat("queue-frames");
  ck_assert_uint_gt(left, 50);
  // The pipeline's clock stops for the frames, as it were: all of the time goes by at once.
  f.next_wake();
  f.wake_at(G_MAXINT64 / 4);
  ck_assert(eventually([&] { return f.stat("dropped-eos") > 0 && f.stat("queue-frames") == 0; }));
}
GST_END_TEST

GST_START_TEST(after_the_end_a_new_stream_begins) {
  Fixture f;
  f.push({.frames = 1, .number = 0});
  f.next_frame();
  f.act([&] { gst_pad_push_event(f.h->srcpad, gst_event_new_eos()); });
  ck_assert(f.wait_idle());
  ck_assert(eventually([&] {
    bool eos = false;
    while (GstEvent* e = gst_harness_try_pull_event(f.h)) {
      eos |= GST_EVENT_TYPE(e) == GST_EVENT_EOS;
      gst_event_unref(e);
    }
    return eos;
  }));
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start("again"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 1, .number = 0});
  ck_assert_uint_eq(f.next_frame().block, 0);
}
GST_END_TEST

GST_START_TEST(a_trace_says_what_arrived_and_left_and_why) {
  g_autofree gchar* path = g_strdup_printf("%s/reactor-trace-%d.csv", g_get_tmp_dir(), getpid());
  {
    Fixture f(std::string("trace-location=") + path);
    warm_up(f, 3);
    flush(f, 1);
    f.run_to(2000 * kMs);
  }
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  ck_assert_str_eq(line.c_str(), "# reactor-trace 1");
  int arrivals = 0, releases = 0, plans = 0, drops = 0, flushes = 0;
  double last = 0;
  while (std::getline(in, line)) {
    std::stringstream fields(line);
    std::string time, kind;
    std::getline(fields, time, ',');
    std::getline(fields, kind, ',');
    ck_assert_uint_eq(time.size() - time.find('.'), 10);
    ck_assert(std::stod(time) >= last);
    last = std::stod(time);
    arrivals += kind == "arrival";
    releases += kind == "release";
    plans += kind == "plan";
    drops += kind == "drop";
    flushes += line == time + ",event,flush";
    if (kind == "arrival" && arrivals == 2)
      ck_assert_str_eq(line.c_str(), "0.500000000,arrival,1,12,1");
  }
  ck_assert_int_eq(arrivals, 3);
  ck_assert_int_eq(plans, 3);
  ck_assert_int_eq(flushes, 1);
  ck_assert_int_eq(releases + drops, 36);
  ck_assert_int_gt(drops, 0);
  std::remove(path);
}
GST_END_TEST

GST_START_TEST(a_trace_that_cannot_be_written_is_an_error_with_a_reason) {
  GstElement* pace = gst_element_factory_make("reactorpace", nullptr);
  gst_object_ref_sink(pace);
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(pace, bus);
  g_object_set(pace, "trace-location", "/nowhere/at/all.csv", nullptr);
  ck_assert_int_eq(gst_element_set_state(pace, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  ck_assert(message != nullptr);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  ck_assert(g_strstr_len(error->message, -1, "/nowhere/at/all.csv") != nullptr);
  gst_message_unref(message);
  gst_element_set_state(pace, GST_STATE_NULL);
  gst_element_set_bus(pace, nullptr);
  gst_object_unref(bus);
  gst_object_unref(pace);
}
GST_END_TEST

Suite* pace_cuts_suite() {
  Suite* s = suite_create("reactorpace-cuts");
  TCase* t = tcase_create("cuts");
  suite_add_tcase(s, t);
  tcase_add_test(t, flush_drops_what_is_queued_and_shows_one_black_frame);
  tcase_add_test(t, flushed_blocks_are_reported_with_the_reason);
  tcase_add_test(t, blocks_of_an_ended_epoch_are_not_shown);
  tcase_add_test(t, a_flush_that_was_lost_is_made_up_for);
  tcase_add_test(t, flush_releases_a_held_producer);
  tcase_add_test(t, resets_never_show_the_old_world);
  tcase_add_test(t, a_black_frame_of_the_models_cuts_at_once);
  tcase_add_test(t, black_is_black_in_every_format);
  tcase_add_test(t, the_end_of_a_session_cuts_to_black);
  tcase_add_test(t, what_the_source_hands_out_until_it_knows_of_the_end_is_cut);
  tcase_add_test(t, the_last_frame_is_repeated_while_nothing_comes);
  tcase_add_test(t, repeats_keep_to_max_fps);
  tcase_add_test(t, json_goes_out_with_the_first_showing_only);
  tcase_add_test(t, a_key_unit_request_shows_the_held_frame_at_once);
  tcase_add_test(t, a_new_frame_keeps_its_distance_from_a_repeat);
  tcase_add_test(t, a_held_frame_gives_the_blocks_memory_back);
  tcase_add_test(t, the_rate_survives_an_announced_pause);
  tcase_add_test(t, a_block_after_an_excused_gap_does_not_slow_the_rate);
  tcase_add_test(t, serialized_events_keep_their_place_between_frames);
  tcase_add_test(t, messages_overtake_the_queue);
  tcase_add_test(t, new_caps_come_with_their_first_frame_and_end_the_hold);
  tcase_add_test(t, a_flush_between_two_sizes_is_black_in_the_new_one);
  tcase_add_test(t, caps_that_are_no_video_are_refused);
  tcase_add_test(t, the_end_drains_at_pace_and_keeps_its_number);
  tcase_add_test(t, the_end_does_not_wait_for_ever_for_a_slow_clock);
  tcase_add_test(t, after_the_end_a_new_stream_begins);
  tcase_add_test(t, a_trace_says_what_arrived_and_left_and_why);
  tcase_add_test(t, a_trace_that_cannot_be_written_is_an_error_with_a_reason);
  return s;
}

}  // namespace

GST_CHECK_MAIN(pace_cuts)
