// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pace-cost: CPU time of reactorpace for each block that comes in and each frame that goes out, the
// video excluded: the frames are tiny and nothing is behind the element. Prints a Markdown table.
//
//   pace-cost [SECONDS]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include <gst/gst.h>
#include <gst/reactor/gstreactor.h>

namespace {

double thread_cpu() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// What the source task has used when it has released a tenth of the frames, half, and all.
struct Task {
  std::atomic<unsigned> frames = 0;
  unsigned at[3] = {};
  double used[3] = {};

  double per_frame(int from, int to) const {
    return 1e6 * (used[to] - used[from]) / (at[to] - at[from]);
  }
};

GstFlowReturn take(GstPad* pad, GstObject*, GstBuffer* buffer) {
  auto& task = *static_cast<Task*>(gst_pad_get_element_private(pad));
  gst_buffer_unref(buffer);
  const unsigned n = ++task.frames;
  for (int i = 0; i < 3; ++i)
    if (n == task.at[i]) task.used[i] = thread_cpu();
  return GST_FLOW_OK;
}

void measure(unsigned block_size, double fps, double seconds) {
  GstElement* pace = gst_element_factory_make("reactorpace", nullptr);
  gst_object_ref_sink(pace);
  g_object_set(pace, "max-fps", 1000., nullptr);
  GstPad* out = gst_pad_new("out", GST_PAD_SINK);
  GstPad* in = gst_pad_new("in", GST_PAD_SRC);
  Task task;
  const auto blocks = static_cast<unsigned>(seconds * fps / block_size);
  const unsigned frames = blocks * block_size;
  task.at[0] = frames / 10;
  task.at[1] = frames * 55 / 100;
  task.at[2] = frames;
  gst_pad_set_chain_function(out, take);
  gst_pad_set_element_private(out, &task);
  g_autoptr(GstPad) sink = gst_element_get_static_pad(pace, "sink");
  g_autoptr(GstPad) src = gst_element_get_static_pad(pace, "src");
  gst_pad_set_active(out, TRUE);
  gst_pad_set_active(in, TRUE);
  gst_pad_link(in, sink);
  gst_pad_link(src, out);
  g_autoptr(GstClock) clock = gst_system_clock_obtain();
  gst_element_set_clock(pace, clock);
  gst_element_set_base_time(pace, gst_clock_get_time(clock));
  gst_element_set_state(pace, GST_STATE_PLAYING);
  gst_pad_push_event(in, gst_event_new_stream_start("s"));
  g_autoptr(GstCaps) caps =
      gst_caps_from_string("video/x-raw,format=GRAY8,width=4,height=4,framerate=0/1");
  gst_pad_push_event(in, gst_event_new_caps(caps));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(in, gst_event_new_segment(&segment));

  double pushing = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (unsigned k = 0; k < blocks; ++k) {
    GstBufferList* list = gst_buffer_list_new();
    for (unsigned i = 0; i < block_size; ++i) {
      GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
      GstReactorFrameMeta* meta = gst_buffer_add_reactor_frame_meta(buffer);
      meta->block = k;
      meta->index = i;
      meta->count = block_size;
      meta->flags = k > 0 ? GST_REACTOR_FRAME_MONITORED : static_cast<GstReactorFrameFlags>(0);
      gst_buffer_list_add(list, buffer);
    }
    const double before = thread_cpu();
    gst_pad_push_list(in, list);
    pushing += thread_cpu() - before;
    std::this_thread::sleep_until(begin +
                                  std::chrono::duration<double>((k + 1) * block_size / fps));
  }
  for (int i = 0; i < 100 && task.frames < frames; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::printf("| %u | %.0f | %.1f | %.1f | %.1f | %.1f |\n", block_size, fps,
              1e6 * pushing / blocks, task.per_frame(0, 2), task.per_frame(0, 1),
              task.per_frame(1, 2));
  gst_element_set_state(pace, GST_STATE_NULL);
  gst_object_unref(in);
  gst_object_unref(out);
  gst_object_unref(pace);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const double seconds = argc > 1 ? std::max(1., std::atof(argv[1])) : 4;
  std::printf(
      "| frames a block | frames a second | CPU us a block (push) | CPU us a frame (release) | "
      "first half | second "
      "half |\n| --- | --- | --- | --- | --- | --- |\n");
  measure(1, 60, seconds);
  measure(1, 500, seconds);
  measure(12, 60, seconds);
  measure(12, 500, seconds);
  measure(120, 500, seconds);
  return 0;
}
