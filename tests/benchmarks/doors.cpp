// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ways for blocks of 12 frames of 1280 x 704 RGB pixels to enter a pipeline, side by side in
// one run: the model socket (written in place, and copied in), emit in the process (lent and
// copied), appsrc, GStreamer's shmsink and shmsrc, and memcpy as the limit. For each: throughput of
// a producer that never rests, CPU time of both processes a block, and the time from handing over a
// block to its first frame at reactorpace, by a producer that rests in between. Prints a Markdown
// table of middle values.
//
//   doors [PYTHON SCRIPT]: with doors-appsrc.py also arrays through appsrc from Python
#include <gst/app/gstappsrc.h>
#include <gst/reactor/gstreactor.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/elements/raw-model.h"

namespace {

constexpr gsize kFrames = 12, kHeight = 704, kWidth = 1280;
constexpr gsize kSize = kFrames * kHeight * kWidth * 3;
constexpr char kShape[] = "[12,704,1280,3]";
// A block as one tall picture, for elements that know no blocks.
constexpr char kTall[] = "video/x-raw,format=RGB,width=1280,height=8448,framerate=0/1";
constexpr int kRounds = 5, kWarmUp = 5, kBlocks = 60, kRested = 15;
constexpr auto kRest = std::chrono::milliseconds(100);

std::vector<guint8> frames(kSize, 7);

gint64 now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * G_GINT64_CONSTANT(1000000000) + t.tv_nsec;
}

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double middle(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The producer writes the time at which it begins to hand a block over into the block's first
// bytes.
void stamp(guint8* block) {
  const gint64 now = now_ns();
  memcpy(block, &now, sizeof now);
}

enum class Pace { kNeverRests, kRests };

// What a producer in another process tells: the CPU time of its measured blocks.
struct Told {
  double cpu = 0;
};

// `emit` hands over one block.
void produce(Pace pace, const std::function<bool()>& emit, Told* told) {
  for (int i = 0; i < kWarmUp; i++)
    if (!emit()) return;
  const double begin = cpu_seconds();
  for (int i = 0; i < (pace == Pace::kRests ? kRested : kBlocks); i++) {
    if (pace == Pace::kRests) std::this_thread::sleep_for(kRest);
    if (!emit()) return;
  }
  if (told) told->cpu = cpu_seconds() - begin;
}

struct Arrivals {
  std::mutex mutex;
  struct Arrival {
    gint64 time;
    double latency, cpu;
  };
  std::vector<Arrival> seen;

  static GstPadProbeReturn on_data(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
    auto* const self = static_cast<Arrivals*>(user_data);
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST)
      buffer = gst_buffer_list_get(GST_PAD_PROBE_INFO_BUFFER_LIST(info), 0);
    const gint64 now = now_ns();
    gint64 then = 0;
    gst_buffer_extract(buffer, 0, &then, sizeof then);
    const std::lock_guard lock(self->mutex);
    self->seen.push_back({now, static_cast<double>(now - then) / 1e9, cpu_seconds()});
    return GST_PAD_PROBE_OK;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return seen.size();
  }
};

struct Door {
  std::string name, launch;
  // A producer in this process, which is given the element named src, or in one of its own.
  std::function<void(GstElement*, Pace)> here;
  std::function<void(Pace, int told_fd)> child;
  std::string needed;  // a path that must be there before the pipeline starts
  std::vector<double> rates, cpus, latencies;

  void measure(Pace pace);
};

void Door::measure(Pace pace) {
  const int told_fd = memfd_create("told", 0);
  if (told_fd < 0 || ftruncate(told_fd, sizeof(Told)) != 0) g_error("no memory");
  auto* const told = static_cast<Told*>(
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED, told_fd, 0));
  if (!needed.empty()) unlink(needed.c_str());
  pid_t pid = 0;
  if (child) {
    pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      child(pace, told_fd);
      _exit(0);
    }
  }
  for (int i = 0; !needed.empty() && access(needed.c_str(), F_OK) != 0 && i < 1000; i++)
    g_usleep(10000);
  if (!needed.empty()) g_usleep(100000);  // it is there a moment before it can be connected to
  const char* const rest =
      pace == Pace::kRests
          ? " ! reactorpace name=sink max-fps=1000 ! fakesink sync=false enable-last-sample=false"
          : " ! fakesink name=sink sync=false enable-last-sample=false";
  g_autoptr(GError) error = nullptr;
  GstElement* const pipeline = gst_parse_launch((launch + rest).c_str(), &error);
  if (!pipeline) g_error("%s", error->message);
  GstElement* const sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstElement* const src = gst_bin_get_by_name(GST_BIN(pipeline), "src");
  GstPad* const pad = gst_element_get_static_pad(sink, "sink");
  Arrivals arrivals;
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      Arrivals::on_data, &arrivals, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  gst_element_get_state(pipeline, nullptr, nullptr, GST_SECOND);
  if (here) here(src, pace);
  const std::size_t expected = kWarmUp + (pace == Pace::kRests ? kRested : kBlocks);
  for (const gint64 until = now_ns() + G_GINT64_CONSTANT(30000000000);
       arrivals.count() < expected && now_ns() < until;)
    g_usleep(1000);
  if (arrivals.count() < expected)
    g_error("%s: %zu of %zu blocks came", name.c_str(), arrivals.count(), expected);
  if (child) waitpid(pid, nullptr, 0);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  const auto& first = arrivals.seen[kWarmUp - 1];
  const auto& last = arrivals.seen[expected - 1];
  if (pace == Pace::kNeverRests) {
    rates.push_back(kBlocks * static_cast<double>(kSize) /
                    static_cast<double>(last.time - first.time));
    cpus.push_back((last.cpu - first.cpu + told->cpu) / kBlocks);
  } else {
    for (std::size_t i = kWarmUp; i < expected; i++) latencies.push_back(arrivals.seen[i].latency);
  }
  munmap(told, sizeof(Told));
  close(told_fd);
  gst_object_unref(pad);
  gst_object_unref(sink);
  gst_object_unref(src);
  gst_object_unref(pipeline);
}

// A model in its own process with two slots; `copy`: its frames lie elsewhere.
void socket_model(const std::string& path, Pace pace, int told_fd, bool copy) {
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
  int slot = 1;
  auto* const told = static_cast<Told*>(
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED, told_fd, 0));
  produce(
      pace,
      [&] {
        slot = 1 - slot;
        while (lent[slot])
          if (!collect()) return false;
        guint8* const at = model.data + static_cast<gsize>(slot) * kSize;
        stamp(copy ? frames.data() : at);
        if (copy) memcpy(at, frames.data(), kSize);
        lent[slot] = true;
        return model.block(1, slot, kShape);
      },
      told);
  while (lent[0] || lent[1])
    if (!collect()) return;
}

bool push_wrapped(GstElement* src) {
  stamp(frames.data());
  return gst_app_src_push_buffer(GST_APP_SRC(src), gst_buffer_new_memdup(frames.data(), kSize)) ==
         GST_FLOW_OK;
}

[[noreturn]] void shm_producer(const std::string& path, Pace pace, int told_fd) {
  GstElement* const out = gst_parse_launch(
      ("appsrc name=a block=true max-bytes=1 ! shmsink sync=false wait-for-connection=true "
       "shm-size=" +
       std::to_string(3 * kSize) + " socket-path=" + path)
          .c_str(),
      nullptr);
  GstElement* const a = gst_bin_get_by_name(GST_BIN(out), "a");
  gst_element_set_state(out, GST_STATE_PLAYING);
  auto* const told = static_cast<Told*>(
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED, told_fd, 0));
  produce(
      pace, [&] { return push_wrapped(a); }, told);
  g_usleep(500000);  // until the last one is read
  _exit(0);          // its threads still run
}

// Arrays through appsrc from Python, in a process of its own.
void measure_python(const char* python, const char* script, Door& row) {
  const std::string command = std::string(python) + " " + script + " " + std::to_string(kWarmUp) +
                              " " + std::to_string(kBlocks) + " " + std::to_string(kRested) + " " +
                              std::to_string(std::chrono::duration<double>(kRest).count());
  g_autofree char* printed = nullptr;
  g_autoptr(GError) error = nullptr;
  double rate = 0, cpu = 0, latency = 0;
  if (!g_spawn_command_line_sync(command.c_str(), &printed, nullptr, nullptr, &error) ||
      sscanf(printed, "%lf %lf %lf", &rate, &cpu, &latency) != 3)
    g_error("%s: %s", command.c_str(), error ? error->message : "no figures");
  row.rates.push_back(rate);
  row.cpus.push_back(cpu);
  row.latencies.push_back(latency);
}

// Throughput, and CPU time a block.
std::pair<double, double> copy_in_memory() {
  static std::vector<guint8> other(kSize, 1);
  const double cpu = cpu_seconds();
  const gint64 begin = now_ns();
  for (int i = 0; i < kBlocks; i++) {
    memcpy(other.data(), frames.data(), kSize);
    __asm__ volatile("" : : "r"(other.data()) : "memory");
  }
  return {kBlocks * static_cast<double>(kSize) / static_cast<double>(now_ns() - begin),
          (cpu_seconds() - cpu) / kBlocks};
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc == 5 && !strcmp(argv[1], "--shm"))
    shm_producer(argv[2], atoi(argv[3]) ? Pace::kRests : Pace::kNeverRests, atoi(argv[4]));
  char dir[] = "/tmp/reactor-XXXXXX";
  if (!mkdtemp(dir)) return 1;
  const std::string path = std::string(dir) + "/model", shm = std::string(dir) + "/shm";
  const std::string served = "reactorsrc name=src socket-path=" + path;

  std::vector<Door> doors(5);
  doors[0].name = "model socket, `alloc_block`";
  doors[0].launch = served;
  doors[0].child = [&](Pace pace, int told) { socket_model(path, pace, told, false); };
  doors[1].name = "model socket, array copied in";
  doors[1].launch = served;
  doors[1].child = [&](Pace pace, int told) { socket_model(path, pace, told, true); };
  doors[2].name = "in the process, `emit_block`, lent";
  doors[2].launch = "reactorsrc name=src";
  doors[2].here = [](GstElement* src, Pace pace) {
    produce(
        pace,
        [&] {
          stamp(frames.data());
          return gst_reactor_src_emit_block(
                     GST_REACTOR_SRC(src), frames.data(), kSize, kFrames, kHeight, kWidth,
                     [](gpointer) {}, nullptr, nullptr) != FALSE;
        },
        nullptr);
  };
  doors[3].name = "in the process, `emit_block`, copied";
  doors[3].launch = "reactorsrc name=src";
  doors[3].here = [](GstElement* src, Pace pace) {
    produce(
        pace,
        [&] {
          stamp(frames.data());
          return gst_reactor_src_emit_block_copy(GST_REACTOR_SRC(src), frames.data(), kSize,
                                                 kFrames, kHeight, kWidth, nullptr) != FALSE;
        },
        nullptr);
  };
  doors[4].name = "appsrc, `gst_buffer_new_memdup`";
  doors[4].launch = std::string(
                        "appsrc name=src block=true max-bytes=1 is-live=true do-timestamp=true "
                        "format=time caps=") +
                    kTall;
  doors[4].here = [](GstElement* src, Pace pace) {
    produce(
        pace, [&] { return push_wrapped(src); }, nullptr);
  };
  if (GstElementFactory* const shmsink = gst_element_factory_find("shmsink")) {
    gst_object_unref(shmsink);
    Door& door = doors.emplace_back();
    door.name = "shmsink and shmsrc";
    door.launch =
        "shmsrc name=src is-live=true do-timestamp=true socket-path=" + shm + " ! " + kTall;
    door.needed = shm;
    door.child = [&](Pace pace, int told) {
      // A program of its own: GStreamer's threads do not survive a fork.
      execl("/proc/self/exe", "doors", "--shm", shm.c_str(), pace == Pace::kRests ? "1" : "0",
            std::to_string(told).c_str(), nullptr);
    };
  } else {
    g_printerr("shmsink is not installed\n");
  }

  std::vector<double> copy_rates, copy_cpus;
  for (int round = 0; round < kRounds; round++) {
    const auto [rate, cpu] = copy_in_memory();
    copy_rates.push_back(rate);
    copy_cpus.push_back(cpu);
    for (Door& door : doors) door.measure(Pace::kNeverRests);
  }
  for (Door& door : doors) door.measure(Pace::kRests);
  if (argc == 3) {
    Door row;
    row.name = "appsrc, Python, `new_wrapped(a.tobytes())`";
    for (int round = 0; round < kRounds; round++) measure_python(argv[1], argv[2], row);
    doors.insert(doors.begin() + 5, row);
  }

  const double limit = middle(copy_rates), cost = middle(copy_cpus);
  g_print("12 x 704 x 1280 x 3 bytes = %.1f MB a block\n\n", static_cast<double>(kSize) / 1e6);
  g_print("| %-42s | %6s | %8s | %12s | %8s | %14s |\n", "door", "GB/s", "x memcpy", "CPU ms/block",
          "x memcpy", "to pace, ms");
  g_print("| --- | ---: | ---: | ---: | ---: | ---: |\n");
  g_print("| %-42s | %6.1f | %8s | %12.2f | %8s | %14s |\n", "memcpy alone, the limit", limit, "1",
          cost * 1e3, "1", "");
  for (const Door& door : doors) {
    const double rate = middle(door.rates), cpu = middle(door.cpus);
    g_print("| %-42s | %6.1f | %8.2f | %12.3f | %8.3f | %14.3f |\n", door.name.c_str(), rate,
            rate / limit, cpu * 1e3, cpu / cost, middle(door.latencies) * 1e3);
  }
  unlink(path.c_str());
  unlink(shm.c_str());
  rmdir(dir);
  return 0;
}
