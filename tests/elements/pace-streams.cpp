// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorpace when streams begin, end, fail and stop at awkward moments: while a push is under way,
// while frames of another stream wait, from inside a handler.

#include "pace-fixture.h"

#include <ctime>

using namespace pace_test;

namespace {

void push_caps(Fixture& f, gint width) {
  g_autoptr(GstCaps) caps = gst_caps_from_string(kCaps);
  caps = gst_caps_make_writable(caps);
  gst_caps_set_simple(caps, "width", G_TYPE_INT, width, nullptr);
  gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
}

void push_segment(Fixture& f) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
}

void begin_stream(Fixture& f, const char* id) {
  gst_pad_push_event(f.h->srcpad, gst_event_new_stream_start(id));
  push_caps(f, 8);
  push_segment(f);
}

gint width_seen(Fixture& f) {
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f.h->sinkpad);
  gint width = 0;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
  return width;
}

void push_wide(Fixture& f, guint64 number) {
  GstBuffer* buffer = new_frame(7, 16 * 4 * 3);
  add_meta(buffer, {.frames = 1, .number = number}, 0);
  f.push_single(buffer);
}

GstPadProbeReturn note_type(GstPad*, GstPadProbeInfo* info, gpointer types) {
  static_cast<std::vector<GstEventType>*>(types)->push_back(
      GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)));
  return GST_PAD_PROBE_OK;
}

GST_START_TEST(a_question_behind_new_caps_is_answered) {
  // The frame that is being pushed becomes the held one, for which new caps would wait.
  Fixture f;
  Holdup frame;
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, Holdup::hold, &frame, nullptr);
  f.push({.frames = 1});
  ck_assert(frame.wait_reached());
  Holdup asked;
  f.act([&] {
    push_caps(f, 16);
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(f.h->srcpad);
    GstQuery* query = gst_query_new_allocation(caps, FALSE);
    asked.reached = true;
    gst_pad_peer_query(f.h->srcpad, query);
    gst_query_unref(query);
  });
  ck_assert(asked.wait_reached());
  std::this_thread::sleep_for(50ms);  // the question takes its place
  frame.released = true;
  ck_assert(f.wait_idle());
  ck_assert_int_eq(width_seen(f), 16);
}
GST_END_TEST

GST_START_TEST(numbers_of_a_former_run_do_not_confuse_the_queue) {
  Fixture f;
  f.push({.frames = 12});
  f.next_frame();
  gst_element_set_state(f.h->element, GST_STATE_READY);
  Holdup start{GST_EVENT_STREAM_START};
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, Holdup::hold, &start,
                    nullptr);
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  f.act([&] { gst_pad_push_list(f.h->srcpad, new_list({.frames = 4, .number = 1})); });
  ck_assert(eventually([&] { return f.stat("frames") == 4; }));
  gst_pad_push_event(f.h->srcpad, gst_reactor_event_new_flush(1));
  ck_assert_uint_eq(f.stat("queue-frames"), 0);
  start.released = true;
  ck_assert(f.wait_idle());
  ck_assert(f.next_frame().black());
  f.push({.frames = 1, .number = 2, .epoch = 1});
  ck_assert_uint_eq(f.next_frame().block, 2);
}
GST_END_TEST

GstPadProbeReturn stop_at_the_end(GstPad*, GstPadProbeInfo* info, gpointer element) {
  if (gst_reactor_event_get_kind(GST_PAD_PROBE_INFO_EVENT(info)) == GST_REACTOR_EVENT_SESSION)
    gst_element_set_state(GST_ELEMENT(element), GST_STATE_READY);
  return GST_PAD_PROBE_OK;
}

GST_START_TEST(who_hears_of_the_end_of_a_session_may_stop_it) {
  Fixture f;
  f.push({.frames = 2});
  f.next_frame();
  const gulong id = gst_pad_add_probe(f.h->srcpad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                                      stop_at_the_end, f.h->element, nullptr);
  gst_harness_push_upstream_event(
      f.h, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "a", "over"));
  gst_pad_remove_probe(f.h->srcpad, id);
  std::vector<GstEventType> types;
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note_type, &types, nullptr);
  gst_element_set_state(f.h->element, GST_STATE_PLAYING);
  f.push({.frames = 1, .number = 1});
  const Frame frame = f.next_frame();
  ck_assert(!frame.black());
  ck_assert_uint_eq(frame.block, 1);
  ck_assert_int_eq(types.front(), GST_EVENT_STREAM_START);
}
GST_END_TEST

GST_START_TEST(caps_behind_a_push_that_fails_are_not_lost) {
  Fixture f;
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  f.push({.frames = 4});
  f.next_frame();
  const gulong id = gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push,
                                      GINT_TO_POINTER(GST_FLOW_NOT_LINKED), nullptr);
  f.act([&] { push_caps(f, 16); });
  ck_assert(f.wait_idle());
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  ck_assert(eventually([&] { return f.stat("queue-frames") == 0; }));
  gst_pad_remove_probe(src, id);
  gst_pad_send_event(src, gst_event_new_reconfigure());
  push_wide(f, 1);
  ck_assert_int_eq(f.flow(), GST_FLOW_OK);
  ck_assert_uint_eq(f.next_frame().block, 1);
  ck_assert_int_eq(width_seen(f), 16);
}
GST_END_TEST

struct FlushMeets {
  Fixture* f;
  Holdup frame;

  // The push ends while the flush is under way, and before the element knows of it.
  static GstPadProbeReturn on_flush(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<FlushMeets*>(data);
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_FLUSH_START) {
      self->frame.released = true;
      eventually([self] { return self->f->stat("queue-frames") == 0; });
    }
    return GST_PAD_PROBE_OK;
  }
  static GstPadProbeReturn on_buffer(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<FlushMeets*>(data);
    if (self->frame.released) return GST_PAD_PROBE_OK;
    Holdup::hold(pad, info, &self->frame);
    return fail_push(pad, info, GINT_TO_POINTER(GST_FLOW_FLUSHING));
  }
};

GST_START_TEST(caps_behind_a_push_that_a_flush_ends_are_not_lost) {
  Fixture f;
  FlushMeets meets{&f, {}};
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, FlushMeets::on_buffer, &meets, nullptr);
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_FLUSH, FlushMeets::on_flush, &meets,
                    nullptr);
  f.act([&] {
    gst_pad_push_list(f.h->srcpad, new_list({.frames = 4}));
    push_caps(f, 16);
  });
  ck_assert(meets.frame.wait_reached());
  ck_assert(f.wait_idle());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_start());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_stop(FALSE));
  f.act([&] { push_segment(f); });
  push_wide(f, 1);
  ck_assert_int_eq(f.flow(), GST_FLOW_OK);
  ck_assert_uint_eq(f.next_frame().block, 1);
  ck_assert_int_eq(width_seen(f), 16);
}
GST_END_TEST

GST_START_TEST(a_stream_that_begins_while_the_end_leaves_is_shown) {
  Fixture f;
  Holdup end{GST_EVENT_EOS};
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, Holdup::hold, &end, nullptr);
  f.push({.frames = 1});
  f.next_frame();
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_eos());
    end.wait_reached();
    begin_stream(f, "another");
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 1, .number = 1});
  end.released = true;
  ck_assert_uint_eq(f.next_frame().block, 1);
}
GST_END_TEST

GST_START_TEST(a_stream_that_begins_before_the_former_has_drained_is_shown) {
  Fixture f;
  f.push({.frames = 6});
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_eos());
    begin_stream(f, "another");
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 2, .number = 1});
  for (guint i = 0; i < 6; ++i) ck_assert_uint_eq(f.next_frame().index, i);
  for (guint i = 0; i < 2; ++i) ck_assert_uint_eq(f.next_frame().block, 1);
}
GST_END_TEST

GST_START_TEST(a_stream_begins_after_downstream_has_had_enough_of_another) {
  Fixture f;
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  const gulong id = gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push,
                                      GINT_TO_POINTER(GST_FLOW_EOS), nullptr);
  ck_assert(eventually([&] {
    f.push_single(new_frame(0));
    return f.flow() == GST_FLOW_EOS;
  }));
  gst_pad_remove_probe(src, id);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_eos());
    begin_stream(f, "another");
  });
  ck_assert(f.wait_idle());
  f.push({.frames = 1, .number = 1});
  ck_assert_uint_eq(f.next_frame().block, 1);
}
GST_END_TEST

GST_START_TEST(a_flush_that_meets_a_stop_starts_nothing) {
  Fixture f;
  f.push({.frames = 1});
  f.next_frame();
  Holdup stop{GST_EVENT_FLUSH_STOP};
  gst_pad_add_probe(f.h->sinkpad, GST_PAD_PROBE_TYPE_EVENT_FLUSH, Holdup::hold, &stop, nullptr);
  f.act([&] {
    gst_pad_push_event(f.h->srcpad, gst_event_new_flush_start());
    gst_pad_push_event(f.h->srcpad, gst_event_new_flush_stop(FALSE));
  });
  ck_assert(stop.wait_reached());
  std::thread stopper([&] { gst_element_set_state(f.pace, GST_STATE_READY); });
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  ck_assert(eventually([&] { return !gst_pad_is_active(src); }));
  std::this_thread::sleep_for(20ms);
  stop.released = true;
  stopper.join();
  ck_assert(f.wait_idle());
  ck_assert_int_eq(gst_pad_get_task_state(src), GST_TASK_STOPPED);
}
GST_END_TEST

GST_START_TEST(an_end_that_cannot_be_drained_does_not_spin) {
  Fixture f;
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.pace, "src");
  f.push({.frames = 12});
  f.next_frame();
  f.act([&] { gst_pad_push_event(f.h->srcpad, gst_event_new_eos()); });
  ck_assert(f.wait_idle());
  const gulong id = gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, fail_push,
                                      GINT_TO_POINTER(GST_FLOW_NOT_LINKED), nullptr);
  const auto wake = f.next_wake();
  ck_assert(wake);
  f.wake_at(*wake);
  ck_assert(eventually([&] { return f.stat("queue-frames") == 0; }));
  gst_pad_remove_probe(src, id);
  gst_test_clock_set_time(f.clock, f.now() + 60 * GST_SECOND);  // past any deadline
  gst_pad_send_event(src, gst_event_new_reconfigure());
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(200ms);
  ck_assert_int_lt(std::clock() - before, CLOCKS_PER_SEC / 10);
}
GST_END_TEST

Suite* pace_streams_suite() {
  Suite* s = suite_create("reactorpace-streams");
  TCase* t = tcase_create("streams");
  suite_add_tcase(s, t);
  tcase_add_test(t, a_question_behind_new_caps_is_answered);
  tcase_add_test(t, numbers_of_a_former_run_do_not_confuse_the_queue);
  tcase_add_test(t, who_hears_of_the_end_of_a_session_may_stop_it);
  tcase_add_test(t, caps_behind_a_push_that_fails_are_not_lost);
  tcase_add_test(t, caps_behind_a_push_that_a_flush_ends_are_not_lost);
  tcase_add_test(t, a_stream_that_begins_while_the_end_leaves_is_shown);
  tcase_add_test(t, a_stream_that_begins_before_the_former_has_drained_is_shown);
  tcase_add_test(t, a_stream_begins_after_downstream_has_had_enough_of_another);
  tcase_add_test(t, a_flush_that_meets_a_stop_starts_nothing);
  tcase_add_test(t, an_end_that_cannot_be_drained_does_not_spin);
  return s;
}

}  // namespace

GST_CHECK_MAIN(pace_streams)
