// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pace-comparison: the same bursts through `queue ! clocksync`, through `videorate` and through
// reactorpace, at the same time in one process. Prints the Markdown table of docs/comparison.md.
//
//   pace-comparison [SECONDS]
//
// The bursts are reactorsim's: 12 frames of a 24 fps model every 0.5 s +- 15 %. What counts is when
// which frame reaches the sink.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gst/gst.h>
#include <gst/reactor/gstreactor.h>

namespace {

constexpr double kRefresh = 60;  // Hz of the display that a frame has to be seen on

struct Shown {
  double time;  // s of running time
  guint64 frame;
  double emitted;
};

struct Run {
  std::string name, elements;
  GstElement* pipeline = nullptr;
  std::mutex mutex;
  std::vector<Shown> shown;

  static GstPadProbeReturn on_frame(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    auto& self = *static_cast<Run*>(data);
    const auto add = [&](GstBuffer* buffer) {
      const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
      if (!meta) return;
      g_autoptr(GstElement) sink = gst_pad_get_parent_element(pad);
      g_autoptr(GstClock) clock = gst_element_get_clock(sink);
      if (!clock) return;
      const double now =
          static_cast<double>(gst_clock_get_time(clock) - gst_element_get_base_time(sink)) * 1e-9;
      const std::lock_guard lock(self.mutex);
      self.shown.push_back(
          {now, meta->block * 12 + meta->index, static_cast<double>(meta->emitted) * 1e-9});
    };
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
      GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
      for (guint i = 0; i < gst_buffer_list_length(list); ++i) add(gst_buffer_list_get(list, i));
    } else {
      add(GST_PAD_PROBE_INFO_BUFFER(info));
    }
    return GST_PAD_PROBE_OK;
  }

  bool start(unsigned frames) {
    const std::string text = "videotestsrc pattern=ball num-buffers=" + std::to_string(frames) +
                             " ! video/x-raw,format=RGB,width=320,height=176,framerate=24/1 ! "
                             "reactorsim block-size=12 jitter=0.15 seed=5 ! " +
                             elements + " ! fakesink name=sink sync=false enable-last-sample=false";
    g_autoptr(GError) error = nullptr;
    pipeline = gst_parse_launch(text.c_str(), &error);
    if (error) {
      std::fprintf(stderr, "pace-comparison: %s\n", error->message);
      return false;
    }
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        on_frame, this, nullptr);
    return gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  }

  void finish() {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) end = gst_bus_timed_pop_filtered(
        bus, 600 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    if (!end || GST_MESSAGE_TYPE(end) == GST_MESSAGE_ERROR)
      std::fprintf(stderr, "pace-comparison: %s did not come to its end\n", name.c_str());
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
  }
};

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1) + .5)];
}

void print_row(Run& run, unsigned frames, unsigned skip) {
  const std::lock_guard lock(run.mutex);
  // A picture is what is new on screen; a repeated one changes nothing.
  std::vector<Shown> pictures;
  for (const Shown& s : run.shown)
    if (s.frame >= skip && (pictures.empty() || s.frame != pictures.back().frame))
      pictures.push_back(s);
  std::vector<double> intervals, latencies;
  for (std::size_t i = 1; i < pictures.size(); ++i)
    intervals.push_back((pictures[i].time - pictures[i - 1].time) * 1e3);
  std::map<long, guint64> refreshes;  // the last picture before each refresh is the one seen
  for (const Shown& s : pictures) {
    refreshes[std::lround(std::floor(s.time * kRefresh))] = s.frame;
    if (s.frame % 12 == 0) latencies.push_back((s.time - s.emitted) * 1e3);
  }
  const double median = percentile(intervals, .5);
  const auto odd =
      std::count_if(intervals.begin(), intervals.end(), [&](double i) { return i > 1.5 * median; });
  const double all = frames - skip;
  double mean = 0;
  for (const double i : intervals) mean += i / static_cast<double>(intervals.size());
  double deviation = 0;
  for (const double i : intervals)
    deviation += (i - mean) * (i - mean) / static_cast<double>(intervals.size());
  double latency = 0;
  for (const double l : latencies) latency += l / static_cast<double>(latencies.size());
  std::printf("| %s | %.0f %% | %.0f %% | %.1f | %.1f | %.1f | %.1f | %.0f %% | %.0f |\n",
              run.name.c_str(), 100. * static_cast<double>(pictures.size()) / all,
              100. * static_cast<double>(refreshes.size()) / all, median,
              percentile(intervals, .95), percentile(intervals, 1), std::sqrt(deviation),
              100. * static_cast<double>(odd) / static_cast<double>(intervals.size()), latency);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const int seconds = argc > 1 ? std::max(4, std::atoi(argv[1])) : 20;
  const unsigned frames = static_cast<unsigned>(seconds) * 24;
  const unsigned skip = 36;  // three blocks to find out the rate
  Run runs[] = {
      {"`queue ! clocksync`",
       "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! clocksync"},
      {"`videorate`, 24/1",
       "videorate ! video/x-raw,framerate=24/1 ! queue max-size-buffers=0 "
       "max-size-bytes=0 max-size-time=0 ! clocksync"},
      {"`reactorpace smoothness=0`", "reactorpace smoothness=0 hold-framerate=0/1"},
      {"`reactorpace`", "reactorpace hold-framerate=0/1"},
      {"`reactorpace smoothness=1`", "reactorpace smoothness=1 hold-framerate=0/1"},
  };
  for (Run& run : runs)
    if (!run.start(frames)) return 1;
  for (Run& run : runs) run.finish();
  std::printf(
      "| through | frames that reach the sink | seen at %.0f Hz | interval p50 ms | p95 | max | sd "
      "| over 1.5 x "
      "median | first frame of a block after ms |\n| --- | --- | --- | --- | --- | --- | --- | --- "
      "| --- |\n",
      kRefresh);
  for (Run& run : runs) print_row(run, frames, skip);
  return 0;
}
