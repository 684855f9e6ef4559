// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ways for blocks of 12 frames of 1280 x 704 RGB pixels to enter a pipeline, side by side in
// one run: the model socket (written in place, and copied in), emit in the process (lent and
// copied), appsrc, GStreamer's shmsink and shmsrc, and memcpy as the limit. For each: throughput of
// a producer that never rests, CPU time of both processes a block, and the time from handing over a
// block to its first frame at the sink (middle value).
#include <gst/app/gstappsrc.h>
#include <gst/reactor/gstreactor.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "tests/elements/raw-model.h"

namespace {

constexpr gsize kFrames = 12, kHeight = 704, kWidth = 1280;
constexpr gsize kSize = kFrames * kHeight * kWidth * 3;
constexpr int kBlocks = 100, kWarmUp = 5;
constexpr char kShape[] = "[12,704,1280,3]";

std::vector<guint8> frames(kSize, 7);

gint64 now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * G_GINT64_CONSTANT(1000000000) + t.tv_nsec;
}

double cpu_seconds() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage;
    getrusage(who, &usage);
    total += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  return total;
}

// The producer writes the time at which it hands a block over into the block's first bytes.
void stamp(guint8* block) {
  const gint64 now = now_ns();
  memcpy(block, &now, sizeof now);
}

struct Run {
  std::mutex mutex;
  std::vector<double> latencies;  // us
  std::atomic<int> blocks{0};

  static GstPadProbeReturn on_data(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
    auto* const self = static_cast<Run*>(user_data);
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST)
      buffer = gst_buffer_list_get(GST_PAD_PROBE_INFO_BUFFER_LIST(info), 0);
    gint64 then = 0;
    gst_buffer_extract(buffer, 0, &then, sizeof then);
    const std::lock_guard lock(self->mutex);
    self->latencies.push_back(static_cast<double>(now_ns() - then) / 1e3);
    self->blocks++;
    return GST_PAD_PROBE_OK;
  }
};

void report(const char* name, double seconds, double cpu, std::vector<double> latencies) {
  std::sort(latencies.begin(), latencies.end());
  g_print("%-34s %7.2f GB/s  %7.2f ms CPU", name,
          kBlocks * static_cast<double>(kSize) / seconds / 1e9, cpu / kBlocks * 1e3);
  if (!latencies.empty()) g_print("  %9.1f us", latencies[latencies.size() / 2]);
  g_print("\n");
}

// `produce` hands over so many blocks. With `child` it runs in a process of its own.
void measure(const char* name, const std::string& launch,
             const std::function<void(GstElement*, int)>& produce, bool child,
             const std::string& needed = "") {
  Run run;
  GError* error = nullptr;
  pid_t pid = 0;
  if (child) {
    pid = fork();
    if (pid == 0) {
      produce(nullptr, kBlocks + kWarmUp);
      _exit(0);
    }
  }
  for (int i = 0; !needed.empty() && access(needed.c_str(), F_OK) != 0 && i < 1000; i++)
    g_usleep(10000);
  GstElement* const pipeline = gst_parse_launch(
      (launch + " ! fakesink name=sink sync=false enable-last-sample=false").c_str(), &error);
  if (!pipeline) g_error("%s", error->message);
  GstElement* const sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstElement* const src = gst_bin_get_by_name(GST_BIN(pipeline), "src");
  GstPad* const pad = gst_element_get_static_pad(sink, "sink");
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      Run::on_data, &run, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  gst_element_get_state(pipeline, nullptr, nullptr, GST_SECOND);

  const auto wait = [&](int count) {
    const gint64 until = now_ns() + G_GINT64_CONSTANT(30000000000);
    while (run.blocks < count && now_ns() < until) g_usleep(200);
  };
  if (!child) produce(src, kWarmUp);
  wait(kWarmUp);
  const gint64 begin = now_ns();
  double cpu = cpu_seconds();
  if (!child) produce(src, kBlocks);
  wait(kWarmUp + kBlocks);
  const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
  if (child) waitpid(pid, nullptr, 0);
  cpu = cpu_seconds() - cpu;
  report(name, seconds, cpu, run.latencies);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pad);
  gst_object_unref(sink);
  gst_object_unref(src);
  gst_object_unref(pipeline);
}

// A model in its own process with two slots; `copy`: its frames lie elsewhere.
void socket_model(const std::string& path, int blocks, bool copy) {
  raw_model::Model model(path);
  if (!model.hello() || !model.pool(1, kSize, 2)) return;
  memset(model.data, 7, 2 * kSize);
  bool lent[2] = {false, false};
  const auto collect = [&] {
    const std::string packet = model.receive();
    if (packet.find("{\"op\":\"release\"") != 0) return !packet.empty() && packet != "timeout";
    lent[packet.back() == '}' && packet[packet.size() - 2] == '1'] = false;
    return true;
  };
  for (int i = 0; i < blocks; i++) {
    const int slot = i % 2;
    while (lent[slot])
      if (!collect()) return;
    guint8* const at = model.data + static_cast<gsize>(slot) * kSize;
    if (copy) memcpy(at, frames.data(), kSize);
    stamp(at);
    if (!model.block(1, slot, kShape)) return;
    lent[slot] = true;
  }
  while (lent[0] || lent[1])
    if (!collect()) return;
}

int shm_producer(const std::string& path, int blocks) {
  GstElement* const out = gst_parse_launch(
      ("appsrc name=a block=true max-bytes=1 ! shmsink sync=false wait-for-connection=true "
       "shm-size=" +
       std::to_string(3 * kSize) + " socket-path=" + path)
          .c_str(),
      nullptr);
  GstElement* const a = gst_bin_get_by_name(GST_BIN(out), "a");
  gst_element_set_state(out, GST_STATE_PLAYING);
  for (int i = 0; i < blocks; i++) {
    stamp(frames.data());
    gst_app_src_push_buffer(GST_APP_SRC(a), gst_buffer_new_memdup(frames.data(), kSize));
  }
  g_usleep(500000);  // until the last one is read
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc == 4 && !strcmp(argv[1], "--shm")) return shm_producer(argv[2], atoi(argv[3]));
  char dir[] = "/tmp/reactor-XXXXXX";
  if (!mkdtemp(dir)) return 1;
  const std::string path = std::string(dir) + "/model", shm = std::string(dir) + "/shm";
  g_print("%-34s %12s  %14s  %12s\n", "12 x 704 x 1280 x 3", "throughput", "a block",
          "to the sink");

  {
    std::vector<guint8> other(kSize, 1);
    const double cpu = cpu_seconds();
    const gint64 begin = now_ns();
    for (int i = 0; i < kBlocks; i++) {
      memcpy(other.data(), frames.data(), kSize);
      __asm__ volatile("" : : "r"(other.data()) : "memory");
    }
    report("memcpy", static_cast<double>(now_ns() - begin) / 1e9, cpu_seconds() - cpu, {});
  }
  const std::string served = "reactorsrc name=src socket-path=" + path;
  measure(
      "model socket, written in place", served,
      [&](GstElement*, int n) { socket_model(path, n, false); }, true);
  measure(
      "model socket, copied in", served, [&](GstElement*, int n) { socket_model(path, n, true); },
      true);
  measure(
      "emit_block, lent", "reactorsrc name=src",
      [](GstElement* src, int n) {
        for (int i = 0; i < n; i++) {
          stamp(frames.data());
          gst_reactor_src_emit_block(
              GST_REACTOR_SRC(src), frames.data(), kSize, kFrames, kHeight, kWidth, [](gpointer) {},
              nullptr, nullptr);
        }
      },
      false);
  measure(
      "emit_block_copy", "reactorsrc name=src",
      [](GstElement* src, int n) {
        for (int i = 0; i < n; i++) {
          stamp(frames.data());
          gst_reactor_src_emit_block_copy(GST_REACTOR_SRC(src), frames.data(), kSize, kFrames,
                                          kHeight, kWidth, nullptr);
        }
      },
      false);
  measure(
      "appsrc, gst_buffer_new_memdup", "appsrc name=src block=true max-bytes=1",
      [](GstElement* src, int n) {
        for (int i = 0; i < n; i++) {
          stamp(frames.data());
          gst_app_src_push_buffer(GST_APP_SRC(src), gst_buffer_new_memdup(frames.data(), kSize));
        }
      },
      false);

  GstElementFactory* const shmsink = gst_element_factory_find("shmsink");
  if (shmsink) {
    gst_object_unref(shmsink);
    measure(
        "shmsink, shmsrc", "shmsrc name=src is-live=true socket-path=" + shm,
        [&](GstElement*, int n) {
          // A program of its own: GStreamer's threads do not survive a fork.
          execl("/proc/self/exe", "doors", "--shm", shm.c_str(), std::to_string(n).c_str(),
                nullptr);
        },
        true, shm);
  } else {
    g_print("shmsink is not installed\n");
  }
  unlink(path.c_str());
  unlink(shm.c_str());
  rmdir(dir);
  return 0;
}
