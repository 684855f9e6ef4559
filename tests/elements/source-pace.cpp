// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorsrc before reactorpace: the model is held back by the pacer and loses nothing; a flush
// overtakes everything.
#include "tests/elements/raw-model.h"
#include "tests/elements/source-fixture.h"

using namespace source_test;

namespace {

constexpr guint kWidth = 16, kHeight = 8;
constexpr gsize kFrame = kWidth * kHeight * 3;

struct Shown {
  guint64 block;
  guint index, epoch;
  int flags;
  guint64 command;
};

// A pipeline whose sink notes each frame that is not a repeat.
struct Paced {
  GstElement* pipeline;
  GstReactorSrc* src;
  std::mutex mutex;
  std::vector<Shown> frames;
  std::vector<std::string> messages;

  explicit Paced(const std::string& pace, const std::string& source = "") {
    g_autoptr(GError) error = nullptr;
    pipeline = gst_parse_launch(("reactorsrc name=src " + source + " ! reactorpace " + pace +
                                 " ! fakesink name=sink sync=false enable-last-sample=false")
                                    .c_str(),
                                &error);
    g_assert_no_error(error);
    src = GST_REACTOR_SRC(gst_bin_get_by_name(GST_BIN(pipeline), "src"));
    GstElement* const sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    gst_object_unref(sink);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    fail_unless(eventually([&] { return !gst_reactor_src_should_stop(src); }));
  }
  ~Paced() {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(src);
    gst_object_unref(pipeline);
  }

  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
    auto* const self = static_cast<Paced*>(user_data);
    const auto* const meta = gst_buffer_get_reactor_frame_meta(GST_PAD_PROBE_INFO_BUFFER(info));
    if (!meta || meta->flags & GST_REACTOR_FRAME_REPEAT) return GST_PAD_PROBE_OK;
    const std::lock_guard lock(self->mutex);
    self->frames.push_back({meta->block, meta->index, meta->epoch, meta->flags, meta->command});
    return GST_PAD_PROBE_OK;
  }
  std::vector<Shown> shown() {
    const std::lock_guard lock(mutex);
    return frames;
  }
};

// A path for a model socket, in a directory of its own.
struct Path {
  std::string directory, path;

  Path() {
    char name[] = "/tmp/reactor-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/model";
  }
  ~Path() { rmdir(directory.c_str()); }
};

gboolean emit(GstReactorSrc* src, guint frames, GError** error = nullptr) {
  const std::vector<guint8> data(frames * kFrame, 100);
  return gst_reactor_src_emit_block_copy(src, data.data(), data.size(), frames, kHeight, kWidth,
                                         error);
}

}  // namespace

GST_START_TEST(blocks_of_every_size_come_out_once_and_in_order) {
  Paced p("max-fps=240");
  const guint sizes[] = {1, 12, 29, 48, 120, 4, 1};
  guint total = 0;
  for (const guint size : sizes) {
    fail_unless(emit(p.src, size));  // a model that never waits
    total += size;
  }
  fail_unless(eventually([&] { return p.shown().size() >= total; }));
  const auto shown = p.shown();
  fail_unless_equals_int(shown.size(), total);
  std::size_t at = 0;
  for (guint64 block = 0; block < G_N_ELEMENTS(sizes); block++)
    for (guint index = 0; index < sizes[block]; index++, at++) {
      fail_unless_equals_uint64(shown[at].block, block);
      fail_unless_equals_int(shown[at].index, index);
    }
}
GST_END_TEST;

GST_START_TEST(a_fast_model_is_held_to_the_rate_of_the_pacer) {
  Paced p("max-fps=100");
  const auto begin = Clock::now();
  for (int i = 0; i < 20; i++) fail_unless(emit(p.src, 10));
  // 200 frames at 100 a second; at most some blocks of them may still be under way.
  const double took = seconds_since(begin);
  fail_unless(took > 0.8, "%.2f s", took);
  fail_unless(eventually([&] { return p.shown().size() >= 200; }));
}
GST_END_TEST;

GST_START_TEST(nothing_old_is_shown_after_a_flush_however_often) {
  Paced p("max-fps=240");
  for (int round = 0; round < 15; round++) {
    fail_unless(emit(p.src, 16));
    std::atomic<bool> returned{false};
    std::thread blocked([&] {
      emit(p.src, 16, nullptr);  // refused or shown before the flush, as it happens
      emit(p.src, 16, nullptr);
      returned = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 12));
    const auto begin = Clock::now();
    gst_reactor_src_flush(p.src);
    blocked.join();
    fail_unless(seconds_since(begin) < 2);
    gst_reactor_src_flush(p.src);
    gst_reactor_src_set_command_id(p.src, static_cast<guint64>(round) + 1);
    fail_unless(emit(p.src, 1));
    const guint epoch = static_cast<guint>(round + 1) * 2;
    fail_unless(eventually([&] {
      const auto shown = p.shown();
      return !shown.empty() && shown.back().epoch == epoch &&
             !(shown.back().flags & GST_REACTOR_FRAME_BLACK);
    }));
    fail_unless_equals_uint64(p.shown().back().command, static_cast<guint64>(round) + 1);
  }
  guint epoch = 0;
  for (const Shown& frame : p.shown()) {
    fail_unless(frame.epoch >= epoch || frame.flags & GST_REACTOR_FRAME_BLACK);
    epoch = MAX(epoch, frame.epoch);
  }
}
GST_END_TEST;

GST_START_TEST(a_full_pacer_does_not_hold_up_the_end) {
  for (int round = 0; round < 10; round++) {
    auto p = std::make_unique<Paced>("max-fps=20");
    std::atomic<int> calls{0};
    std::atomic<bool> stop{false};
    std::thread emitter([&] {
      while (!stop) {
        emit(p->src, 12, nullptr);
        calls++;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(30 + round * 7));
    const auto begin = Clock::now();
    gst_element_set_state(p->pipeline, GST_STATE_NULL);
    fail_unless(seconds_since(begin) < 2);
    stop = true;
    emitter.join();
    fail_unless(seconds_since(begin) < 3);
  }
}
GST_END_TEST;

GST_START_TEST(a_one_slot_pool_keeps_going_and_shown_tells_of_each_block) {
  const Path at;
  Paced p("max-fps=240", "socket-path=" + at.path);
  raw_model::Model model(at.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, 12 * kFrame, 1));
  for (int block = 0; block < 8; block++) {
    fail_unless(model.block(1, 0, "[12,8,16,3]"));
    fail_unless(model.receive_op("release", 8000) == R"({"op":"release","pool":1,"slot":0})");
  }
  // Between the releases came what was shown: ask for the rest.
  fail_unless(model.block(1, 0, "[12,8,16,3]"));
  const std::string shown = model.receive_op("shown");
  fail_unless(shown.find("\"dropped\":0") != std::string::npos, "%s", shown.c_str());
  fail_unless(eventually([&] { return p.shown().size() >= 9 * 12; }));
  // The pacer's own figures, once a second.
  fail_unless(eventually([&] {
    const std::string stats = model.receive_op("stats");
    return stats.find("\"fps\":") != std::string::npos &&
           stats.find("\"fps\":0.000") == std::string::npos;
  }));
}
GST_END_TEST;

GST_START_TEST(a_model_that_never_waits_is_refused_slots_and_loses_nothing_else) {
  constexpr int kSent = 300;
  const Path at;
  Paced p("max-fps=240", "socket-path=" + at.path);
  raw_model::Model model(at.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, 4 * kFrame, 2));
  for (int i = 0; i < kSent; i++) {
    fail_unless(model.block(1, i % 2, "[4,8,16,3]"));
    std::this_thread::sleep_for(1ms);
  }
  int refused = 0, released = 0;
  while (refused + released < kSent) {
    const std::string packet = model.receive();
    fail_if(packet.empty() || packet == "timeout");
    if (packet.find(R"({"op":"release")") == 0) released++;
    if (packet.find(R"({"op":"error")") == 0) {
      fail_unless(packet.find(R"("code":"slot")") != std::string::npos, "%s", packet.c_str());
      refused++;
    }
  }
  fail_unless(refused > 0 && released > 2, "%d and %d", refused, released);
  const auto frames = static_cast<std::size_t>(released) * 4;
  fail_unless(eventually([&] { return p.shown().size() >= frames; }));
  const auto shown = p.shown();
  fail_unless_equals_int(shown.size(), frames);
  for (std::size_t i = 0; i < frames; i++) {
    fail_unless_equals_uint64(shown[i].block, i / 4);
    fail_unless_equals_int(shown[i].index, i % 4);
  }
}
GST_END_TEST;

// Ten times as fast as max-fps, and as fast as the socket: whoever has to wait or to drop, each
// slot comes back and each frame is accounted for.
GST_START_TEST(a_model_far_faster_than_max_fps_never_stalls) {
  constexpr int kBlocks = 24, kFrames = 12, kSlots = 4;
  constexpr double kMaxFps = 240;
  for (const auto period : {std::chrono::microseconds(5000), std::chrono::microseconds(0)}) {
    for (const char* source : {"wait", "drop-oldest", "drop-newest"}) {
      for (const char* pacer : {"wait", "drop-oldest"}) {
        const Path at;
        Paced p("max-fps=240 overflow=" + std::string(pacer),
                "socket-path=" + at.path + " overflow=" + source);
        raw_model::Model model(at.path);
        fail_unless(model.hello());
        fail_unless(model.pool(1, kFrames * kFrame, kSlots));
        bool lent[kSlots] = {};
        int told = 0, dropped = 0;
        const auto collect = [&] {
          const std::string packet = model.receive(10000);
          fail_if(packet.empty() || packet == "timeout" || packet.find("\"error\"") != packet.npos,
                  "%s, %s: %s", source, pacer, packet.c_str());
          int slot = 0;
          if (sscanf(packet.c_str(), R"({"op":"release","pool":1,"slot":%d})", &slot) == 1)
            lent[slot] = false;
          if (packet.find(R"({"op":"shown")") != 0) return;
          told++;
          dropped += atoi(packet.c_str() + packet.find("\"dropped\":") + strlen("\"dropped\":"));
        };
        const auto begin = Clock::now();
        for (int block = 0; block < kBlocks; block++) {
          while (lent[block % kSlots]) collect();
          fail_unless(model.block(1, block % kSlots, "[12,8,16,3]"));
          lent[block % kSlots] = true;
          std::this_thread::sleep_for(period);
        }
        while (told < kBlocks || std::count(lent, lent + kSlots, true)) collect();
        const std::size_t shown = static_cast<std::size_t>(kBlocks * kFrames - dropped);
        const double took = seconds_since(begin);
        fail_unless(eventually([&] { return p.shown().size() >= shown; }));
        fail_unless_equals_int(p.shown().size(), shown);
        fail_unless(took > 0.9 * (static_cast<double>(shown) - 1) / kMaxFps, "%zu frames in %.2f s",
                    shown, took);
        if (!strcmp(source, "wait") && !strcmp(pacer, "wait")) fail_unless_equals_int(dropped, 0);
      }
    }
  }
}
GST_END_TEST;

static Suite* source_pace_suite() {
  Suite* const suite = suite_create("source-pace");
  TCase* const tc = tcase_create("general");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, blocks_of_every_size_come_out_once_and_in_order);
  tcase_add_test(tc, a_fast_model_is_held_to_the_rate_of_the_pacer);
  tcase_add_test(tc, nothing_old_is_shown_after_a_flush_however_often);
  tcase_add_test(tc, a_full_pacer_does_not_hold_up_the_end);
  tcase_add_test(tc, a_one_slot_pool_keeps_going_and_shown_tells_of_each_block);
  tcase_add_test(tc, a_model_that_never_waits_is_refused_slots_and_loses_nothing_else);
  tcase_add_test(tc, a_model_far_faster_than_max_fps_never_stalls);
  return suite;
}

GST_CHECK_MAIN(source_pace);
