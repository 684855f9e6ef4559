// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorsim: smooth video in, blocks out, at the times a model would need, under a test clock.

#include "pace-fixture.h"

#include <atomic>
#include <cmath>
#include <fstream>

using namespace pace_test;

namespace {

struct Delivered {
  GstClockTime time = 0;
  std::vector<guint8> values;
  guint64 block = 0;
  guint count = 0;
  bool monitored = false, black = false;
  GstClockTime compute = 0;
};

// A reactorsim under a test clock; what leaves is seen by a probe, with the time at which it left.
class SimFixture {
 public:
  explicit SimFixture(const std::string& properties) {
    h = gst_harness_new_parse(("reactorsim name=sim " + properties).c_str());
    sim = gst_bin_get_by_name(GST_BIN(h->element), "sim");
    gst_harness_use_testclock(h);
    clock = gst_harness_get_testclock(h);
    gst_element_set_state(h->element, GST_STATE_READY);
    gst_element_set_state(h->element, GST_STATE_PLAYING);
    g_autoptr(GstPad) src = gst_element_get_static_pad(sim, "src");
    gst_pad_add_probe(
        src,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER_LIST | GST_PAD_PROBE_TYPE_BUFFER |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        on_data, this, nullptr);
    gst_harness_set_src_caps_str(h, kCaps);
  }
  ~SimFixture() {
    gst_element_set_state(h->element, GST_STATE_NULL);
    if (feeder.joinable()) feeder.join();
    gst_object_unref(clock);
    gst_object_unref(sim);
    gst_harness_teardown(h);
  }

  // Feeds frames numbered from 1, as fast as they are taken, then the end.
  void feed(guint frames) {
    feeder = std::thread([this, frames] {
      for (guint i = 1; i <= frames; ++i)
        if (gst_pad_push(h->srcpad, new_frame(static_cast<guint8>(i))) != GST_FLOW_OK) return;
      gst_pad_push_event(h->srcpad, gst_event_new_eos());
      fed = true;
    });
  }
  // Time moves until the feeder is through.
  void run(GstClockTime until = GST_CLOCK_TIME_NONE) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!fed && std::chrono::steady_clock::now() < give_up) {
      GList* ids = nullptr;
      if (!gst_test_clock_timed_wait_for_multiple_pending_ids(clock, 1, 10, &ids)) continue;
      const GstClockTime t = gst_clock_id_get_time(ids->data);
      g_list_free_full(ids, gst_clock_id_unref);
      if (GST_CLOCK_TIME_IS_VALID(until) && t > until) return;
      if (t > gst_clock_get_time(GST_CLOCK(clock))) gst_test_clock_set_time(clock, t);
      if (GstClockID id = gst_test_clock_process_next_clock_id(clock)) gst_clock_id_unref(id);
    }
    ck_assert(fed || GST_CLOCK_TIME_IS_VALID(until));
  }

  static GstPadProbeReturn on_data(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<SimFixture*>(data);
    const std::lock_guard lock(self.mutex);
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
      gboolean on = FALSE;
      guint epoch = 0;
      GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
      if (gst_reactor_event_parse_monitoring(event, &on)) self.log.push_back(on ? "on" : "off");
      if (gst_reactor_event_parse_flush(event, &epoch)) self.log.push_back("flush");
      return GST_PAD_PROBE_OK;
    }
    Delivered d;
    d.time = gst_clock_get_time(GST_CLOCK(self.clock));
    const auto add = [&](GstBuffer* buffer) {
      const Frame f = Fixture::parse(buffer);
      ck_assert(f.has_meta);
      ck_assert_uint_eq(f.index, d.values.size());
      ck_assert_uint_eq(f.pts, d.time);
      d.values.push_back(f.value);
      const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
      d.block = meta->block;
      d.count = meta->count;
      d.compute = meta->compute;
      d.monitored = meta->flags & GST_REACTOR_FRAME_MONITORED;
      d.black = meta->flags & GST_REACTOR_FRAME_BLACK;
    };
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
      GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
      for (guint i = 0; i < gst_buffer_list_length(list); ++i) add(gst_buffer_list_get(list, i));
    } else {
      add(GST_PAD_PROBE_INFO_BUFFER(info));
    }
    self.log.push_back(d.black ? "black" : "block");
    self.blocks.push_back(d);
    return GST_PAD_PROBE_OK;
  }

  GstHarness* h;
  GstElement* sim;
  GstTestClock* clock;
  std::vector<Delivered> blocks;
  std::vector<std::string> log;
  std::atomic<bool> fed = false;
  std::thread feeder;
  std::mutex mutex;
};

GST_START_TEST(frames_become_blocks_at_the_rate_of_the_input) {
  SimFixture f("block-size=12 jitter=0");
  f.feed(60);
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 5);
  guint8 next = 1;
  for (std::size_t k = 0; k < 5; ++k) {
    const Delivered& b = f.blocks[k];
    ck_assert_uint_eq(b.block, k);
    ck_assert_uint_eq(b.count, 12);
    ck_assert_uint_eq(b.values.size(), 12);
    for (const guint8 value : b.values) ck_assert_uint_eq(value, next++);
    assert_near(static_cast<double>(b.time), (static_cast<double>(k) + 1) * 500e6, 1e3);
    assert_near(static_cast<double>(b.compute), 500e6, 1e3);
    ck_assert(b.monitored == (k > 0));  // nothing went before the first
  }
}
GST_END_TEST

GST_START_TEST(the_rate_can_be_the_models_own) {
  SimFixture f("block-size=10 jitter=0 fps=50");
  f.feed(30);
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 3);
  assert_near(static_cast<double>(f.blocks[2].time), 600e6, 1e3);
}
GST_END_TEST

GST_START_TEST(the_end_delivers_what_is_left) {
  SimFixture f("block-size=12 jitter=0");
  f.feed(15);
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 2);
  ck_assert_uint_eq(f.blocks[1].values.size(), 3);
  ck_assert_uint_eq(f.blocks[1].count, 3);
}
GST_END_TEST

std::vector<GstClockTime> gaps(const std::string& properties, guint frames = 1200) {
  SimFixture f("block-size=12 " + properties);
  f.feed(frames);
  f.run();
  std::vector<GstClockTime> out;
  for (std::size_t i = 1; i < f.blocks.size(); ++i)
    out.push_back(f.blocks[i].time - f.blocks[i - 1].time);
  return out;
}

GST_START_TEST(jitter_is_as_large_as_asked_for_and_repeats_with_its_seed) {
  const auto a = gaps("jitter=0.2 seed=7"), b = gaps("jitter=0.2 seed=7"),
             c = gaps("jitter=0.2 seed=8");
  ck_assert(a == b);
  ck_assert(a != c);
  double mean = 0, deviation = 0;
  for (const auto g : a) mean += static_cast<double>(g) / static_cast<double>(a.size());
  for (const auto g : a) deviation += std::pow(static_cast<double>(g) / mean - 1, 2);
  deviation = std::sqrt(deviation / static_cast<double>(a.size()));
  assert_near(mean, 500e6, 50e6);
  assert_near(deviation, .2, .07);
}
GST_END_TEST

GST_START_TEST(hitches_come_as_often_as_asked_for) {
  const auto g = gaps("jitter=0 hitch-every=4 hitch-length=2000000000", 240);
  for (std::size_t i = 0; i < g.size(); ++i)
    assert_near(static_cast<double>(g[i]), (i + 2) % 4 == 0 ? 2500e6 : 500e6, 1e3);
}
GST_END_TEST

GST_START_TEST(pauses_are_announced) {
  SimFixture f("block-size=12 jitter=0 pause-every=2 pause-length=3000000000");
  f.feed(48);
  f.run();
  ck_assert(f.log == (std::vector<std::string>{"block", "off", "on", "block", "block", "off", "on",
                                               "block"}));
  assert_near(static_cast<double>(f.blocks[1].time - f.blocks[0].time), 3500e6, 1e3);
  ck_assert(!f.blocks[1].monitored);
  ck_assert(f.blocks[2].monitored);
}
GST_END_TEST

GST_START_TEST(it_can_be_paused_by_hand) {
  SimFixture f("block-size=12 jitter=0");
  g_object_set(f.sim, "pause", TRUE, nullptr);
  f.feed(24);
  ck_assert(eventually([&] {
    const std::lock_guard lock(f.mutex);
    return f.log == std::vector<std::string>{"off"};
  }));
  gst_test_clock_set_time(f.clock, 9 * GST_SECOND);
  g_object_set(f.sim, "pause", FALSE, nullptr);
  f.run();
  assert_near(static_cast<double>(f.blocks[0].time), 9500e6, 1e3);
  ck_assert_str_eq(f.log[1].c_str(), "on");
}
GST_END_TEST

GST_START_TEST(a_producer_that_is_held_begins_its_next_block_afterwards) {
  SimFixture f("block-size=12 jitter=0");
  g_autoptr(GstPad) src = gst_element_get_static_pad(f.sim, "src");
  gst_pad_add_probe(
      src, GST_PAD_PROBE_TYPE_BUFFER_LIST,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        // As if downstream had kept the push for 700 ms.
        gst_test_clock_advance_time(static_cast<GstTestClock*>(data), 700 * kMs);
        return GST_PAD_PROBE_OK;
      },
      f.clock, nullptr);
  f.feed(36);
  f.run();
  assert_near(static_cast<double>(f.blocks[2].time - f.blocks[1].time), 1200e6, 1e3);
  assert_near(static_cast<double>(f.blocks[2].compute), 500e6, 1e3);
}
GST_END_TEST

class TraceFile {
 public:
  explicit TraceFile(const std::string& text)
      : path(std::string(g_get_tmp_dir()) + "/reactor-sim-" + std::to_string(getpid()) + ".csv") {
    std::ofstream(path) << text;
  }
  ~TraceFile() { std::remove(path.c_str()); }
  std::string path;
};

GST_START_TEST(a_trace_is_replayed_with_all_that_happened) {
  const TraceFile trace(
      "# reactor-trace 1\n"
      "10.000000000,arrival,0,4,1\n"
      "10.000000000,plan,1,2,3\n"
      "10.010000000,release,0,0,10.010000000\n"
      "10.250000000,arrival,1,2,1\n"
      "10.300000000,event,monitoring-off\n"
      "12.300000000,event,monitoring-on\n"
      "12.600000000,arrival,2,4,0\n"
      "12.700000000,event,flush\n"
      "12.800000000,event,black\n"
      "13.000000000,arrival,3,1,0\n");
  SimFixture f("trace-location=" + trace.path);
  f.feed(11);
  f.run();
  ck_assert(f.log == (std::vector<std::string>{"block", "block", "off", "on", "block", "flush",
                                               "black", "block"}));
  const GstClockTime times[] = {0, 250 * kMs, 2600 * kMs, 2800 * kMs, 3000 * kMs};
  const std::size_t sizes[] = {4, 2, 4, 1, 1};
  for (int i = 0; i < 5; ++i) {
    assert_near(static_cast<double>(f.blocks[i].time), static_cast<double>(times[i]), 1e3);
    ck_assert_uint_eq(f.blocks[i].values.size(), sizes[i]);
  }
}
GST_END_TEST

GST_START_TEST(a_trace_repeats) {
  const TraceFile trace("# reactor-trace 1\n0.0,arrival,0,2,1\n0.5,arrival,1,2,1\n");
  SimFixture f("trace-location=" + trace.path);
  f.feed(12);
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 6);
}
GST_END_TEST

GST_START_TEST(a_trace_that_is_none_is_an_error_that_names_the_line) {
  const struct {
    const char *text, *expected;
  } cases[] = {
      {"", "empty"},
      {"seconds,frames,event\n", "line 1"},
      {"# reactor-trace 1\n", "no arrival"},
      {"# reactor-trace 1\n1.0,arrival,0,12,1\nx,arrival,0,12,1\n", "line 3"},
      {"# reactor-trace 1\n1.0,arrival,0,0,1\n", "1 to 1024"},
      {"# reactor-trace 1\n1.0,arrival,0,99999999999,1\n", "1 to 1024"},
      {"# reactor-trace 1\n2.0,arrival,0,1,1\n1.0,arrival,1,1,1\n", "backwards"},
      {"# reactor-trace 1\nnan,arrival,0,1,1\n", "line 2"},
      {"# reactor-trace 1\n1e300,arrival,0,1,1\n", "line 2"},
      {"# reactor-trace 1\n,,,,,\n", "line 2"},
  };
  for (const auto& c : cases) {
    const TraceFile trace(c.text);
    g_autoptr(GstElement) sim = gst_element_factory_make("reactorsim", nullptr);
    gst_object_ref_sink(sim);
    GstBus* bus = gst_bus_new();
    gst_element_set_bus(sim, bus);
    g_object_set(sim, "trace-location", trace.path.c_str(), nullptr);
    ck_assert_int_eq(gst_element_set_state(sim, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    ck_assert(message != nullptr);
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    ck_assert_msg(g_strstr_len(error->message, -1, c.expected) != nullptr, "%s", error->message);
    gst_message_unref(message);
    gst_element_set_state(sim, GST_STATE_NULL);
    gst_element_set_bus(sim, nullptr);
    gst_object_unref(bus);
  }
}
GST_END_TEST

GST_START_TEST(stopping_while_it_waits_is_immediate) {
  SimFixture f("block-size=2");
  f.feed(100);
  ck_assert(gst_test_clock_timed_wait_for_multiple_pending_ids(f.clock, 1, 10000, nullptr));
  const auto begin = std::chrono::steady_clock::now();
  gst_element_set_state(f.h->element, GST_STATE_NULL);
  f.feeder.join();
  ck_assert(std::chrono::steady_clock::now() - begin < 2s);
}
GST_END_TEST

GST_START_TEST(a_flush_forgets_the_frames_that_were_gathered) {
  SimFixture f("block-size=4 jitter=0");
  for (int i = 0; i < 3; ++i)
    ck_assert_int_eq(gst_pad_push(f.h->srcpad, new_frame(100)), GST_FLOW_OK);
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_start());
  gst_pad_push_event(f.h->srcpad, gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(f.h->srcpad, gst_event_new_segment(&segment));
  f.feed(4);
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 1);
  ck_assert_uint_eq(f.blocks[0].values[0], 1);
}
GST_END_TEST

GST_START_TEST(other_caps_end_a_block) {
  SimFixture f("block-size=4 jitter=0");
  for (int i = 0; i < 2; ++i)
    ck_assert_int_eq(gst_pad_push(f.h->srcpad, new_frame(1)), GST_FLOW_OK);
  f.feeder = std::thread([&] {
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-raw,format=RGB,width=8,height=4,framerate=12/1");
    gst_pad_push_event(f.h->srcpad, gst_event_new_caps(caps));
    for (int i = 0; i < 4; ++i) gst_pad_push(f.h->srcpad, new_frame(2));
    f.fed = true;
  });
  f.run();
  ck_assert_uint_eq(f.blocks.size(), 2);
  ck_assert_uint_eq(f.blocks[0].values.size(), 2);
  ck_assert_uint_eq(f.blocks[1].values.size(), 4);
  assert_near(static_cast<double>(f.blocks[1].compute), 4e9 / 12, 1e3);
}
GST_END_TEST

GST_START_TEST(it_feeds_the_pacer_in_real_time) {
  g_autoptr(GError) error = nullptr;
  g_autoptr(GstElement) pipeline = gst_parse_launch(
      // No pool: a buffer that is used again is handed over inside GStreamer, where sanitizers see
      // no lock.
      "fakesrc num-buffers=96 format=time sizetype=fixed sizemax=6144 ! "
      "video/x-raw,format=RGB,width=64,height=32,framerate=48/1 ! "
      "reactorsim block-size=12 jitter=0.2 ! reactorpace name=pace ! fakesink name=sink",
      &error);
  g_assert_no_error(error);
  g_autoptr(GstElement) pace = gst_bin_get_by_name(GST_BIN(pipeline), "pace");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  GstMessage* end = gst_bus_timed_pop_filtered(
      bus, 30 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ck_assert(end && GST_MESSAGE_TYPE(end) == GST_MESSAGE_EOS);
  gst_message_unref(end);
  GstStructure* stats = nullptr;
  g_object_get(pace, "stats", &stats, nullptr);
  guint64 shown = 0, blocks = 0;
  gst_structure_get(stats, "shown", G_TYPE_UINT64, &shown, "blocks", G_TYPE_UINT64, &blocks,
                    nullptr);
  gst_structure_free(stats);
  ck_assert_uint_eq(shown, 96);
  ck_assert_uint_eq(blocks, 8);
  gst_element_set_state(pipeline, GST_STATE_NULL);
}
GST_END_TEST

Suite* sim_suite() {
  Suite* s = suite_create("reactorsim");
  TCase* t = tcase_create("sim");
  suite_add_tcase(s, t);
  tcase_add_test(t, frames_become_blocks_at_the_rate_of_the_input);
  tcase_add_test(t, the_rate_can_be_the_models_own);
  tcase_add_test(t, the_end_delivers_what_is_left);
  tcase_add_test(t, jitter_is_as_large_as_asked_for_and_repeats_with_its_seed);
  tcase_add_test(t, hitches_come_as_often_as_asked_for);
  tcase_add_test(t, pauses_are_announced);
  tcase_add_test(t, it_can_be_paused_by_hand);
  tcase_add_test(t, a_producer_that_is_held_begins_its_next_block_afterwards);
  tcase_add_test(t, a_trace_is_replayed_with_all_that_happened);
  tcase_add_test(t, a_trace_repeats);
  tcase_add_test(t, a_trace_that_is_none_is_an_error_that_names_the_line);
  tcase_add_test(t, stopping_while_it_waits_is_immediate);
  tcase_add_test(t, a_flush_forgets_the_frames_that_were_gathered);
  tcase_add_test(t, other_caps_end_a_block);
  tcase_add_test(t, it_feeds_the_pacer_in_real_time);
  return s;
}

}  // namespace

GST_CHECK_MAIN(sim)
