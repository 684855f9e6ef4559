// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a stream and its viewers cost, in percent of one core: CPU time of this process over wall
// time. The viewers run in a process of their own and do not decode. Prints a table; passes unless
// something breaks.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "testviewer.h"

#include "sinkfixture.h"

using reactor::test::SinkFixture;
using reactor::test::TestViewer;

static std::string own_path;

static double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Percent of a core over `seconds`.
static double measure(double seconds) {
  const double before = cpu_seconds();
  const gint64 begin = g_get_monotonic_time();
  g_usleep(static_cast<gulong>(seconds * 1e6));
  return 100 * (cpu_seconds() - before) /
         (static_cast<double>(g_get_monotonic_time() - begin) / 1e6);
}

class Viewers {
 public:
  Viewers(SinkFixture& sink, unsigned count, const char* codec) {
    pid_ = fork();
    if (pid_ == 0) {
      execl(own_path.c_str(), own_path.c_str(), "--viewers", std::to_string(sink.port()).c_str(),
            std::to_string(count).c_str(), codec, nullptr);
      _exit(127);
    }
    sink.wait_until([&] { return sink.upstream().size() >= count + 1; }, 30);
    g_usleep(1'000'000);
  }
  ~Viewers() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

static std::string source(int fps) {
  return "videotestsrc is-live=true pattern=zone-plate kx2=20 ky2=20 kt=1 ! "
         "video/x-raw,format=RGB,width=1280,height=704,framerate=" +
         std::to_string(fps) + "/1";
}

static void on_element(GstBin*, GstBin*, GstElement* element, gpointer libyuv) {
  g_autofree gchar* name = gst_element_get_name(element);
  if (g_strcmp0(name, "convert") == 0)
    g_object_set(element, "libyuv", GPOINTER_TO_INT(libyuv), nullptr);
}

static double stream(int fps, const char* codec, const char* sdp_name, bool libyuv) {
  SinkFixture sink(source(fps), std::string("bitrate=2000000 codec=") + codec,
                   [&](GstElement* element) {
                     g_signal_connect(element, "deep-element-added", G_CALLBACK(on_element),
                                      GINT_TO_POINTER(libyuv ? 1 : 0));
                   });
  Viewers viewers(sink, 1, sdp_name);
  const std::uint64_t before = sink.stat_number("encoded-frames");
  const double percent = measure(3);
  const auto frames = static_cast<double>(sink.stat_number("encoded-frames") - before);
  return percent * 10 * 3 / frames;  // ms of CPU a frame: a busy machine drops some
}

static void bench_viewers() {
  std::printf("viewers of one 1280x704 VP8 stream at 24 fps, 2 Mbit/s\n");
  double first = 0;
  for (unsigned count : {1U, 10U, 20U}) {
    SinkFixture sink(source(24), "bitrate=2000000");
    Viewers viewers(sink, count, "VP8");
    const double cpu = measure(5);
    if (count == 1) first = cpu;
    std::printf("  %2u viewers: %5.1f %% of a core%s, dropped for overflow %u\n", count, cpu,
                count > 1 ? (", " + std::to_string((cpu - first) / (count - 1)).substr(0, 4) +
                             " % for each further one")
                                .c_str()
                          : "",
                static_cast<guint>(sink.stat_number("dropped-viewer-overflow")));
  }
}

static int be_viewers(int argc, char** argv) {
  if (argc != 5) return 1;
  gst_init(nullptr, nullptr);
  TestViewer::Options options;
  options.codec = argv[4];
  options.decode = false;
  std::vector<std::unique_ptr<TestViewer>> viewers;
  for (int i = std::atoi(argv[3]); i > 0; i--) {
    viewers.push_back(
        std::make_unique<TestViewer>(static_cast<unsigned>(std::atoi(argv[2])), options));
    if (!viewers.back()->connect()) return 1;
  }
  g_usleep(60'000'000);
  return 0;
}

GST_START_TEST(what_a_stream_and_its_viewers_cost) {
  bench_viewers();
  std::printf(
      "one 1280x704 RGB stream with its test source and one viewer, 2 Mbit/s: ms of CPU a frame\n"
      "  codec fps  libyuv  GStreamer's converter\n");
  for (const auto& [codec, name] : {std::pair("vp8", "VP8"), std::pair("h264", "H264")})
    for (int fps : {16, 30, 60}) {
      const double fast = stream(fps, codec, name, true);
      const double plain = stream(fps, codec, name, false);
      std::printf("  %-5s %3d  %6.2f  %6.2f\n", codec, fps, fast, plain);
    }
}
GST_END_TEST

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--viewers") return be_viewers(argc, argv);
  own_path = argv[0];
  g_setenv("CK_FORK", "no", TRUE);
  gst_check_init(&argc, &argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Suite* suite = suite_create("bench");
  TCase* tc = tcase_create("bench");
  tcase_set_timeout(tc, 180);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, what_a_stream_and_its_viewers_cost);
  return gst_check_run_suite(suite, "bench", __FILE__);
}
