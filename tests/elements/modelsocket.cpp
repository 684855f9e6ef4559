// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The model socket of reactorsrc, spoken to with system calls only: the way a model goes, the ways
// it ends, every limit.
#include "tests/elements/raw-model.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <optional>

#include "tests/elements/source-fixture.h"

using namespace source_test;
using raw_model::make_memfd;
using raw_model::Model;

namespace {

constexpr char kShape[] = "[2,8,16,3]";
constexpr gsize kFrame = 16 * 8 * 3, kSlot = 2 * kFrame;

struct Served : Pipeline {
  std::string path;

  explicit Served(const std::string& middle = "", bool start = true,
                  const std::string& last = kAppSink)
      : Pipeline(middle, false, last), path(make_path()) {
    g_object_set(src, "socket-path", path.c_str(), nullptr);
    if (start) play();
  }
  ~Served() {
    open();
    gst_element_set_state(pipeline, GST_STATE_NULL);
    rmdir(path.substr(0, path.rfind('/')).c_str());
  }
  static std::string make_path() {
    char name[] = "/tmp/reactor-XXXXXX";
    return std::string(mkdtemp(name)) + "/model";
  }
};

bool has(const std::string& packet, const std::string& part) {
  return packet.find(part) != std::string::npos;
}

#define fail_unless_has(packet, part)                                                        \
  do {                                                                                       \
    const std::string got = packet;                                                          \
    fail_unless(has(got, part), "«%s» not in «%s»", std::string(part).c_str(), got.c_str()); \
  } while (0)

#define fail_unless_same(packet, text)                                                    \
  do {                                                                                    \
    const std::string got = packet;                                                       \
    fail_unless(got == text, "«%s» is not «%s»", got.c_str(), std::string(text).c_str()); \
  } while (0)

int open_descriptors() {
  int count = 0;
  GDir* const dir = g_dir_open("/proc/self/fd", 0, nullptr);
  while (g_dir_read_name(dir)) count++;
  g_dir_close(dir);
  return count;
}

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// While it lives, this process has no free descriptor.
struct NoDescriptors {
  std::vector<int> taken;
  rlimit limit;

  NoDescriptors() {
    fail_unless(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit low{static_cast<rlim_t>(open_descriptors()) + 20, limit.rlim_max};
    fail_unless(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(fd);
    fail_unless(errno == EMFILE && !taken.empty());
  }
  ~NoDescriptors() { give_back(); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

  void give_back() {
    setrlimit(RLIMIT_NOFILE, &limit);  // first: many are free at once
    for (const int fd : taken) close(fd);
    taken.clear();
  }
};

int mapped_pools() {
  g_autofree gchar* maps = nullptr;
  g_file_get_contents("/proc/self/maps", &maps, nullptr, nullptr);
  int count = 0;
  // Those of the source are read-only; the test's own are not.
  for (const gchar* at = maps; (at = strstr(at, "memfd:pool")); at++) {
    const gchar* line = at;
    while (line > maps && line[-1] != '\n') line--;
    if (strstr(line, " r--s ") && strstr(line, " r--s ") < at) count++;
  }
  return count;
}

}  // namespace

GST_START_TEST(a_block_goes_from_slot_to_buffer_without_a_copy) {
  Served p;
  Model model(p.path);
  fail_unless(model.connect());
  fail_unless(model.send(R"({"op":"hello","protocol":1,"name":"raw","future":true})"));
  const std::string hello = model.receive();
  fail_unless_has(hello, R"("session":{"id":"local","state":"started"})");
  fail_unless_has(hello, R"("limits":{"data":65536,"meta":16384,"pools":8,"slots":64,)"
                         R"("bytes":4294967296,"repeated":268435456,"frames":256,"width":8192,)"
                         R"("height":8192,"send":1000,"control":100})");
  fail_unless(model.pool(7, kSlot, 2));
  for (gsize i = 0; i < kSlot; i++) model.data[kSlot + i] = static_cast<guint8>(i * 7);
  fail_unless(model.block(7, 1, kShape, R"(,"compute_ns":5,"command":9,"meta":[null,{"a":1}])"));
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    GstBuffer* const buffer = gst_sample_get_buffer(sample);
    GstMapInfo map;
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    fail_unless(memcmp(map.data, model.data + kSlot + i * kFrame, kFrame) == 0);
    // The same memory: what the model writes (which it must not) is seen.
    const guint8 before = model.data[kSlot + i * kFrame];
    model.data[kSlot + i * kFrame] = static_cast<guint8>(before + 1);
    fail_unless_equals_int(map.data[0], static_cast<guint8>(before + 1));
    model.data[kSlot + i * kFrame] = before;
    gst_buffer_unmap(buffer, &map);
    const auto* const meta = gst_buffer_get_reactor_frame_meta(buffer);
    fail_unless_equals_uint64(meta->compute, 5);
    fail_unless_equals_uint64(meta->command, 9);
    fail_unless(i == 0 ? meta->json == nullptr : !strcmp(meta->json, "{\"a\":1}"));
  }
  fail_unless_equals_int(mapped_pools(), 1);
  // The next block pushes the last sample out of appsink; the slot comes back.
  fail_unless(model.block(7, 0, kShape));
  for (int i = 0; i < 2; i++) gst_sample_unref(p.pull());
  fail_unless_same(model.receive_op("release"), R"({"op":"release","pool":7,"slot":1})");
  fail_unless_equals_uint64(p.stat("model-pid"), static_cast<guint64>(getpid()));
}
GST_END_TEST;

GST_START_TEST(strided_and_padded_blocks_arrive_as_they_should) {
  Served p("videoconvert ! capsfilter caps=video/x-raw,format=RGB");
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, 4096, 4));
  // Planar, rows upwards, and padded rows with an offset: the same picture each time.
  const auto pixel = [](gsize y, gsize x, gsize c) {
    return static_cast<guint8>(y * 31 + x * 5 + c * 80);
  };
  for (gsize y = 0; y < 8; y++)
    for (gsize x = 0; x < 16; x++)
      for (gsize c = 0; c < 3; c++) {
        model.data[c * 128 + y * 16 + x] = pixel(y, x, c);
        model.data[4096 + (7 - y) * 48 + x * 3 + c] = pixel(y, x, c);
        model.data[8192 + 100 + y * 60 + x * 3 + c] = pixel(y, x, c);
      }
  fail_unless(model.block(1, 0, "[1,8,16,3]", R"(,"strides":[384,16,1,128])"));
  fail_unless(model.block(1, 1, "[1,8,16,3]", R"(,"strides":[384,-48,3,1],"offset":336)"));
  fail_unless(model.block(1, 2, "[1,8,16,3]", R"(,"strides":[0,60,3,1],"offset":100)"));
  for (int i = 0; i < 3; i++) {
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    GstMapInfo map;
    fail_unless(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
    for (gsize y = 0; y < 8; y++)
      for (gsize x = 0; x < 16; x++)
        for (gsize c = 0; c < 3; c++)
          fail_unless_equals_int(map.data[y * 48 + x * 3 + c], pixel(y, x, c));
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
  }
}
GST_END_TEST;

GST_START_TEST(blocks_that_are_copied_hold_the_model_back_too) {
  Served p("", true, "fakesink name=sink sync=false enable-last-sample=false");
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 2));
  p.close();
  // Rows upwards: no format describes them.
  const std::string upwards = R"(,"strides":[384,-48,3,1],"offset":336)";
  unsigned blocks = 2;
  for (int slot = 0; slot < 2; slot++) fail_unless(model.block(1, slot, "[1,8,16,3]", upwards));
  fail_unless(p.wait_held());
  for (int i = 0; i < 10; i++) {
    const std::string release = model.receive_op("release", 20);
    if (!has(release, "\"slot\"")) continue;
    fail_unless(model.block(1, has(release, "\"slot\":1") ? 1 : 0, "[1,8,16,3]", upwards));
    blocks++;
  }
  fail_unless_equals_int(blocks, 2);
  p.open();
  fail_unless(p.wait_frames(2));
  for (int i = 0; i < 2; i++) fail_unless_has(model.receive_op("release"), "\"pool\":1");
}
GST_END_TEST;

GST_START_TEST(strides_that_repeat_bytes_are_bounded) {
  Served p("", true, "fakesink name=sink sync=false enable-last-sample=false");
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, 3, 2));
  // One pixel that claims to be 51 GB.
  fail_unless(model.block(1, 0, "[256,8192,8192,3]", R"(,"strides":[0,0,0,1])"));
  fail_unless_has(model.receive_op("error"), R"("code":"limit")");
  // As large as may be, and not twice at the same time.
  p.close();
  fail_unless(model.block(1, 0, "[1,8192,8192,3]", R"(,"strides":[0,0,0,1])"));
  fail_unless(model.block(1, 1, "[1,8192,8192,3]", R"(,"strides":[0,0,0,1])"));
  fail_unless_has(model.receive_op("error"), R"("code":"limit")");
  p.open();
  fail_unless_has(model.receive_op("release"), "\"slot\":0");
  fail_unless(model.block(1, 1, "[1,8192,8192,3]", R"(,"strides":[0,0,0,1])"));
  fail_unless(p.wait_frames(2));
}
GST_END_TEST;

GST_START_TEST(the_socket_is_private_and_gone_afterwards) {
  Served p;
  struct stat s;
  fail_unless(stat(p.path.c_str(), &s) == 0);
  fail_unless_equals_int(s.st_mode & 0777, 0600);
  gst_element_set_state(p.pipeline, GST_STATE_NULL);
  fail_unless(stat(p.path.c_str(), &s) != 0);
}
GST_END_TEST;

GST_START_TEST(a_stale_socket_is_replaced_and_nothing_else) {
  const auto start = [](const std::string& path, std::string& message) {
    GstElement* const src = gst_element_factory_make("reactorsrc", nullptr);
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(src, bus);
    g_object_set(src, "socket-path", path.c_str(), nullptr);
    const bool ok = gst_element_set_state(src, GST_STATE_READY) == GST_STATE_CHANGE_SUCCESS;
    if (!ok) {
      g_autoptr(GstMessage) error = gst_bus_timed_pop_filtered(bus, GST_SECOND, GST_MESSAGE_ERROR);
      fail_unless(error != nullptr);
      g_autoptr(GError) e = nullptr;
      gst_message_parse_error(error, &e, nullptr);
      message = e->message;
    }
    gst_element_set_state(src, GST_STATE_NULL);
    gst_element_set_bus(src, nullptr);
    gst_object_unref(src);
    return ok;
  };
  std::string message;
  // Left behind by a process that died.
  const std::string path = Served::make_path();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  fail_unless(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  close(dead);
  fail_unless(start(path, message));
  // A file.
  g_file_set_contents(path.c_str(), "mine", -1, nullptr);
  fail_if(start(path, message));
  fail_unless_has(message, "no socket");
  unlink(path.c_str());
  rmdir(path.substr(0, path.rfind('/')).c_str());
  // Another pipeline's.
  Served other;
  fail_if(start(other.path, message));
  fail_unless_has(message, "served by another program");
  // Too long, and nowhere.
  fail_if(start("/tmp/" + std::string(200, 'x'), message));
  fail_unless_has(message, "107");
  fail_if(start("/nowhere/at/all", message));
  fail_unless_has(message, "No such file");
}
GST_END_TEST;

GST_START_TEST(one_model_at_a_time) {
  Served p;
  Model first(p.path), second(p.path);
  fail_unless(first.hello());
  fail_unless(second.connect());
  const std::string busy = second.receive();
  fail_unless_has(busy, R"("code":"busy")");
  fail_unless_has(busy, "\"pid\":" + std::to_string(getpid()));
  fail_unless(second.closed());
  first.disconnect();
  fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  fail_unless(second.hello());
}
GST_END_TEST;

GST_START_TEST(a_model_that_dies_makes_way_even_if_its_child_lives) {
  Served p;
  int pipe_fds[2];
  fail_unless(pipe(pipe_fds) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    Model model(p.path);
    const bool ok = model.hello();
    const pid_t child = fork();
    if (child == 0) {
      // Holds the socket open.
      sleep(20);
      _exit(0);
    }
    const char result = ok ? 'y' : 'n';
    [[maybe_unused]] auto w = write(pipe_fds[1], &result, 1);
    w = write(pipe_fds[1], &child, sizeof child);
    pause();
    _exit(0);
  }
  char result = 0;
  pid_t child = 0;
  fail_unless(read(pipe_fds[0], &result, 1) == 1 && result == 'y');
  fail_unless(read(pipe_fds[0], &child, sizeof child) == sizeof child);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  const auto begin = Clock::now();
  kill(pid, SIGKILL);
  fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  fail_unless(seconds_since(begin) < 3);
  Model next(p.path);
  fail_unless(next.hello());
  fail_unless(p.stat("model-connections") == 2);
  gboolean monitoring = FALSE;
  g_object_get(p.src, "monitoring", &monitoring, nullptr);
  fail_unless(monitoring);
  kill(child, SIGKILL);
  waitpid(pid, nullptr, 0);
}
GST_END_TEST;

// A process that ends without hello, while a child of it keeps its connection open: before the
// source has accepted it, and after.
GST_START_TEST(a_stranger_that_dies_is_closed_at_once) {
  Served p;
  for (const bool accepted : {false, true}) {
    int pipe_fds[2];
    fail_unless(pipe(pipe_fds) == 0);
    std::optional<NoDescriptors> none;
    if (!accepted) none.emplace();
    const pid_t pid = fork();
    if (pid == 0) {
      if (none) none->give_back();
      Model model(p.path);
      const bool ok = model.connect();
      // What a model gets that never says hello is an error.
      if (fork() == 0) {
        const char result = ok && model.receive(8000).empty() ? 'y' : 'n';
        [[maybe_unused]] const auto written = write(pipe_fds[1], &result, 1);
      }
      _exit(0);
    }
    fail_unless(waitpid(pid, nullptr, 0) == pid);
    none.reset();
    close(pipe_fds[1]);
    const double before = cpu_seconds();
    char result = 0;
    fail_unless(read(pipe_fds[0], &result, 1) == 1);
    const double spent = cpu_seconds() - before;
    close(pipe_fds[0]);
    fail_unless(result == 'y');
    fail_unless(spent < 0.5, "%.3f s of CPU time", spent);
  }
}
GST_END_TEST;

GST_START_TEST(nothing_leaks_over_many_models) {
  Served p;
  int before = 0;
  for (int round = 0; round < 20; round++) {
    if (round == 3) before = open_descriptors();  // whatever GStreamer opens once is open
    Model model(p.path);
    fail_unless(model.hello());
    fail_unless(model.pool(1, kSlot, 2));
    fail_unless(model.block(1, 0, kShape));
    for (int i = 0; i < 2; i++) gst_sample_unref(p.pull());
    munmap(model.data, 2 * kSlot);
    model.disconnect();
    fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  }
  fail_unless(eventually([&] { return open_descriptors() <= before; }));
  fail_unless(eventually([&] { return mapped_pools() <= 1; }));  // appsink holds the last sample
}
GST_END_TEST;

GST_START_TEST(frames_of_a_model_that_is_gone_play_out) {
  Served p;
  p.close();
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 4));
  for (int slot = 0; slot < 4; slot++) fail_unless(model.block(1, slot, kShape));
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 3; }));
  model.disconnect();
  fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  fail_unless_equals_int(mapped_pools(), 1);
  g_autoptr(GstMessage) gone = p.message("reactor-model");
  p.open();
  fail_unless(p.wait_frames(8));
  gboolean monitoring = TRUE;
  g_object_get(p.src, "monitoring", &monitoring, nullptr);
  fail_if(monitoring);
}
GST_END_TEST;

GST_START_TEST(the_reader_never_blocks_and_flush_overtakes_waiting_blocks) {
  Served p;
  p.close();
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 8));
  for (int slot = 0; slot < 8; slot++) fail_unless(model.block(1, slot, kShape));
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 7; }));
  fail_unless(model.send(R"({"op":"send","data":{"now":true}})"));
  g_autoptr(GstMessage) message = p.message("reactor-message");
  fail_unless(message != nullptr);
  const auto begin = Clock::now();
  fail_unless(model.send(R"({"op":"flush","seq":5})"));
  int released = 0, shown = 0;
  for (;;) {
    const std::string packet = model.receive();
    if (has(packet, "\"op\":\"release\"")) released++;
    if (has(packet, "\"op\":\"shown\"")) {
      fail_unless_has(packet, R"("first":null,"last":null,"dropped":2,"reason":"flushed")");
      shown++;
    }
    if (has(packet, "flushed\",\"seq\"")) {
      fail_unless_same(packet, R"({"op":"flushed","seq":5})");
      break;
    }
    fail_if(packet == "timeout" || packet.empty());
  }
  fail_unless_equals_int(released, 7);
  fail_unless_equals_int(shown, 7);
  fail_unless(seconds_since(begin) < 2);
  p.open();
  fail_unless(model.block(1, 3, kShape));
  fail_unless(p.wait_frames(4));
}
GST_END_TEST;

// What is on the screen behind a pacer.
struct Screen {
  std::mutex mutex;
  bool black = true;        // now, or since the last picture
  guint epoch = 0;          // of the last picture
  int pictures = 0;         // frames that are none
  int blacks = 0;           // times it turned black
  bool always_cut = true;   // it was black between the pictures of two epochs
  bool ever_older = false;  // a picture was of an older epoch than one before it

  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
    auto* const self = static_cast<Screen*>(user_data);
    const auto* const meta = gst_buffer_get_reactor_frame_meta(GST_PAD_PROBE_INFO_BUFFER(info));
    const std::lock_guard lock(self->mutex);
    if (meta->flags & GST_REACTOR_FRAME_BLACK) {
      if (!self->black) self->blacks++;
      self->black = true;
      return GST_PAD_PROBE_OK;
    }
    if (self->pictures++) {
      if (meta->epoch != self->epoch && !self->black) self->always_cut = false;
      if (meta->epoch < self->epoch) self->ever_older = true;
    }
    self->epoch = meta->epoch;
    self->black = false;
    return GST_PAD_PROBE_OK;
  }
};

GST_START_TEST(five_hundred_flushes_leave_nothing_behind) {
  constexpr int kRounds = 500, kSlots = 4;
  Screen screen;
  Served p("reactorpace max-fps=240", true,
           "fakesink name=sink sync=false enable-last-sample=false");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, Screen::on_buffer, &screen, nullptr);
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, kSlots));
  bool lent[kSlots] = {};
  int next = 0;
  const auto collect = [&] {
    const std::string packet = model.receive();
    fail_if(packet.empty() || packet == "timeout" || has(packet, R"({"op":"error")"), "%s",
            packet.c_str());
    int slot = 0;
    if (sscanf(packet.c_str(), R"({"op":"release","pool":1,"slot":%d})", &slot) == 1)
      lent[slot] = false;
    return packet;
  };
  const auto emit = [&] {
    while (lent[next]) collect();
    fail_unless(model.block(1, next, kShape));
    lent[next] = true;
    next = (next + 1) % kSlots;
  };
  const auto begin = Clock::now();
  int descriptors = 0, seen = 0;
  for (int round = 0; round < kRounds; round++) {
    if (round == 50) descriptors = open_descriptors();
    // 100 a second are allowed, and 200 at once.
    std::this_thread::sleep_until(begin + (round - 100) * 10ms);
    for (int blocks = round % (kSlots + 1); blocks > 0; blocks--) emit();
    fail_unless(model.send("{\"op\":\"flush\",\"seq\":" + std::to_string(round) + "}"));
    while (collect() != "{\"op\":\"flushed\",\"seq\":" + std::to_string(round) + "}") continue;
    if (round % 10) continue;
    emit();
    const auto shows = [&] {
      const std::lock_guard lock(screen.mutex);
      return !screen.black && screen.epoch == static_cast<guint>(round) + 1;
    };
    fail_unless(eventually(shows), "round %d", round);
    seen++;
  }
  while (std::count(lent, lent + kSlots, true)) collect();
  {
    const std::lock_guard lock(screen.mutex);
    fail_unless(screen.always_cut && !screen.ever_older);
    fail_unless(screen.blacks >= seen - 1, "%d", screen.blacks);
  }
  fail_unless_equals_int(mapped_pools(), 1);
  fail_unless(eventually([&] { return open_descriptors() <= descriptors; }), "%d, were %d",
              open_descriptors(), descriptors);
  model.disconnect();
  fail_unless(eventually([&] { return p.stat("model-pid") == 0 && mapped_pools() == 0; }));
}
GST_END_TEST;

GST_START_TEST(a_one_slot_pool_and_drop_policies_do_not_stall) {
  for (const char* policy : {"wait", "drop-oldest", "drop-newest"}) {
    Served p("", false, "fakesink name=sink sync=false enable-last-sample=false");
    gst_util_set_object_arg(G_OBJECT(p.src), "overflow", policy);
    p.play();
    Model model(p.path);
    fail_unless(model.hello());
    fail_unless(model.pool(1, kSlot, 1));
    for (int i = 0; i < 50; i++) {
      fail_unless(model.block(1, 0, kShape));
      fail_unless_has(model.receive_op("release"), "\"slot\":0");
    }
  }
}
GST_END_TEST;

GST_START_TEST(the_model_hears_of_sessions_viewers_commands_and_shown_blocks) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 2));
  g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
  gst_pad_push_event(pad, gst_reactor_event_new_viewer("v1", TRUE));
  fail_unless_same(model.receive_op("viewer"), R"({"op":"viewer","id":"v1","state":"joined"})");
  gst_pad_push_event(pad, gst_reactor_event_new_command("{\"type\":\"x\"}", "v1", 7));
  fail_unless_same(model.receive_op("command"),
                   R"({"op":"command","id":7,"viewer":"v1","data":{"type":"x"}})");
  // A block of another door makes the source's count differ from this connection's.
  guint8 other[3] = {1, 2, 3};
  fail_unless(gst_reactor_src_emit_block_copy(p.src, other, 3, 1, 1, 1, nullptr));
  fail_unless(model.block(1, 0, kShape));
  fail_unless(p.wait_frames(3));
  gst_pad_push_event(pad, gst_reactor_event_new_shown(1, 10, 20, 0, nullptr));
  fail_unless_same(model.receive_op("shown"),
                   R"({"op":"shown","block":0,"first":10,"last":20,"dropped":0,"reason":null})");
  gst_pad_push_event(pad, gst_reactor_event_new_session(GST_REACTOR_SESSION_ENDED, "", "idle"));
  fail_unless_has(model.receive_op("session"), R"("id":"local","state":"ended","reason":"idle")");
  // Blocks that nobody sees come back at once, and nothing can be sent.
  fail_unless(model.block(1, 1, kShape));
  fail_unless_has(model.receive_op("release"), "\"slot\":1");
  fail_unless_equals_uint64(p.stat("dropped-no-session"), 2);
  fail_unless(model.send(R"({"op":"send","data":1,"seq":3})"));
  const std::string error = model.receive_op("error");
  fail_unless_has(error, R"("code":"session")");
  fail_unless_has(error, R"("seq":3)");
  gst_pad_push_event(pad, gst_reactor_event_new_session(GST_REACTOR_SESSION_STARTED, "s2", "join"));
  fail_unless_has(model.receive_op("session"), R"("id":"s2","state":"started")");
}
GST_END_TEST;

GST_START_TEST(messages_with_a_frame_travel_in_its_meta) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 2));
  fail_unless(model.send(R"({"op":"send","data":{"k":1},"with_frame":1})"));
  fail_unless(model.block(1, 0, kShape));
  for (int i = 0; i < 2; i++) {
    g_autoptr(GstSample) sample = p.pull();
    const auto* const meta = gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample));
    fail_unless(i == 0 ? meta->json == nullptr : !strcmp(meta->json, "{\"k\":1}"));
  }
}
GST_END_TEST;

GST_START_TEST(control_ops_do_what_they_say) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.send(R"({"op":"black"})"));
  g_autoptr(GstSample) sample = p.pull();
  fail_unless(gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample))->flags &
              GST_REACTOR_FRAME_BLACK);
  fail_unless(model.send(R"({"op":"monitoring","enabled":false})"));
  fail_unless(eventually([&] { return !gst_reactor_src_get_monitoring(p.src); }));
  fail_unless(model.send(R"({"op":"send","data":"hi","to":"v9"})"));
  g_autoptr(GstMessage) message = p.message("reactor-message");
  fail_unless_equals_string(gst_structure_get_string(gst_message_get_structure(message), "viewer"),
                            "v9");
  fail_unless(model.send(R"({"op":"runtime","data":{"type":"state"}})"));
  fail_unless(eventually([&] { return p.count("GstReactorRuntime") >= 2; }));
  fail_unless_has(model.receive_op("stats"), "\"fps\":");
}
GST_END_TEST;

GST_START_TEST(a_refused_packet_uses_nothing_and_the_stream_goes_on) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 2));
  const auto refused = [&](const std::string& packet, const char* code,
                           const std::vector<int>& fds = {}) {
    fail_unless(model.send(packet, fds));
    const std::string error = model.receive_op("error");
    fail_unless_has(error, std::string("\"code\":\"") + code + "\"");
  };
  refused(R"({"op":"hello","protocol":1})", "op");
  refused(R"({"op":"fly"})", "op");
  refused(R"({"op":"pool","id":1,"size":10,"slots":1})", "field");
  const int memory = make_memfd(100);
  refused(R"({"op":"pool","id":1,"size":10,"slots":1})", "field", {memory});
  refused(R"({"op":"pool","id":2,"size":10,"slots":1})", "field", {memory, memory});
  refused(R"({"op":"black"})", "field", {memory});
  refused(R"({"op":"pool","id":2,"size":4294967296,"slots":2})", "limit", {memory});
  for (int id = 2; id <= 8; id++)
    fail_unless(model.send(
        "{\"op\":\"pool\",\"id\":" + std::to_string(id) + ",\"size\":100,\"slots\":1}", {memory}));
  refused(R"({"op":"pool","id":9,"size":10,"slots":1})", "limit", {memory});
  close(memory);
  refused(R"({"op":"drop-pool","id":99})", "field");
  refused(R"({"op":"block","pool":99,"slot":0,"shape":[2,8,16,3]})", "slot");
  refused(R"({"op":"block","pool":1,"slot":2,"shape":[2,8,16,3]})", "slot");
  refused(R"({"op":"block","pool":1,"slot":0,"shape":[3,8,16,3]})", "strides");
  refused(R"({"op":"block","pool":1,"slot":0,"shape":[2,8,16,3],"offset":1})", "strides");
  refused(R"({"op":"block","pool":1,"slot":0,"shape":[2,8,16,3],"strides":[384,48,3,-1]})",
          "strides");
  p.close();
  fail_unless(model.block(1, 0, kShape));
  fail_unless(p.wait_held());
  refused(R"({"op":"block","pool":1,"slot":0,"shape":[2,8,16,3]})", "slot");
  // Dropped while a slot is out: gone for new blocks, its id not free until the slot is back.
  fail_unless(model.send(R"({"op":"drop-pool","id":1})"));
  refused(R"({"op":"block","pool":1,"slot":1,"shape":[2,8,16,3]})", "slot");
  p.open();
  fail_unless(p.wait_frames(2));
  fail_unless_equals_uint64(p.frames(), 2);
  fail_unless_equals_uint64(p.stat("model-refused"), 16);
}
GST_END_TEST;

GST_START_TEST(what_cannot_be_lived_with_closes_the_connection) {
  Served p;
  const auto closing = [&](const std::string& packet, const char* code,
                           const std::vector<int>& fds = {}, bool hello = true) {
    Model model(p.path);
    fail_unless(hello ? model.hello() : model.connect());
    fail_unless(model.send(packet, fds));
    const std::string error = model.receive_op("error");
    fail_unless_has(error, std::string("\"code\":\"") + code + "\"");
    fail_unless(model.closed());
    fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  };
  closing("{", "json");
  closing("[1]", "json");
  closing(std::string(100000, '['), "packet");
  closing(std::string(69633, ' '), "packet");
  closing(R"({"op":"black"})", "hello", {}, false);
  closing(R"({"op":"hello","protocol":2})", "protocol", {}, false);
  closing(R"({"op":"hello"})", "hello", {}, false);
  const std::string pool = R"({"op":"pool","id":1,"size":100,"slots":2})";
  const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
  for (const int seal : seals) {
    const int memory = make_memfd(200, seal);
    closing(pool, "pool", {memory});
    close(memory);
  }
  const int small = make_memfd(199);
  closing(pool, "pool", {small});
  close(small);
  int fds[2];
  fail_unless(pipe(fds) == 0);
  closing(pool, "pool", {fds[0]});
  close(fds[0]);
  close(fds[1]);
  const int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (file >= 0) {
    fail_unless(ftruncate(file, 200) == 0);
    closing(pool, "pool", {file});
    close(file);
  }
  const int huge = memfd_create("huge", MFD_ALLOW_SEALING | MFD_HUGETLB);
  if (huge >= 0) {
    fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    closing(pool, "pool", {huge});
    close(huge);
  }
}
GST_END_TEST;

GST_START_TEST(rates_are_limited_and_a_flood_is_cut_off) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  int refused = 0;
  for (int i = 0; i < 300; i++) fail_unless(model.send(R"({"op":"monitoring","enabled":true})"));
  for (;;) {
    const std::string packet = model.receive(500);
    if (packet == "timeout") break;
    if (has(packet, R"("code":"limit")")) refused++;
    fail_if(packet.empty());
  }
  fail_unless(refused >= 50 && refused <= 100, "%d refused", refused);
  // A flood by a model that reads what it is told, as fast as this machine can.
  std::atomic<bool> cut{false}, told{false}, sent_all{false};
  std::thread reader([&] {
    for (;;) {
      const std::string packet = model.receive(2000);
      if (has(packet, R"("code":"flood")")) told = true;
      if (packet.empty() || packet == "timeout" || sent_all) break;
    }
    cut = true;
  });
  int sent = 0;
  const auto begin = Clock::now();
  while (!cut && seconds_since(begin) < 2 && model.send(R"({"op":"fly"})")) sent++;
  sent_all = true;
  reader.join();
  // Under a sanitizer it may be too slow to be one.
  fail_unless(told || sent < 40000, "%d packets in %.1f s", sent, seconds_since(begin));
  model.disconnect();
  // By one that does not read.
  fail_unless(eventually([&] { return model.hello(); }));
  for (sent = 0; sent < 100000 && model.send(R"({"op":"fly"})");) sent++;
  fail_unless(sent < 100000);
  Model next(p.path);
  fail_unless(eventually([&] { return next.hello(); }));
}
GST_END_TEST;

GST_START_TEST(a_model_that_does_not_read_loses_notices_first_and_is_closed_at_last) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  g_autoptr(GstPad) pad = gst_element_get_static_pad(p.sink, "sink");
  // Each packet is large, so that the kernel's buffer is full soon.
  const std::string id(4000, 'v');
  for (int i = 0; i < 1000; i++)
    gst_pad_push_event(pad, gst_reactor_event_new_viewer(id.c_str(), TRUE));
  fail_unless(eventually([&] { return p.stat("model-notices-dropped") > 0; }));
  fail_unless(p.stat("model-pid") != 0);
  // What must not be lost piles up until it is enough.
  const std::string json = "\"" + id + "\"";
  for (guint64 i = 1; i < 1200; i++)
    gst_pad_push_event(pad, gst_reactor_event_new_command(json.c_str(), "v", i));
  fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
  Model next(p.path);
  fail_unless(next.hello());
}
GST_END_TEST;

GST_START_TEST(a_hundred_connections_do_not_keep_a_model_out) {
  Served p;
  std::vector<std::unique_ptr<Model>> idle;
  for (int i = 0; i < 100; i++) {
    idle.push_back(std::make_unique<Model>(p.path));
    fail_unless(idle.back()->connect());
  }
  // Those that the source could not keep are told so; the others never speak.
  idle.resize(10);
  Model model(p.path);
  fail_unless(eventually([&] { return model.hello(); }));
  fail_unless(model.pool(1, kSlot, 1));
  fail_unless(model.block(1, 0, kShape));
  fail_unless(p.wait_frames(2));
  // Who never says hello is told and closed after 5 s.
  std::string last;
  while (true) {
    const std::string packet = idle[0]->receive(8000);
    if (packet.empty() || packet == "timeout") break;
    last = packet;
  }
  fail_unless(has(last, R"("code":"hello")") || has(last, R"("code":"busy")"), "%s", last.c_str());
}
GST_END_TEST;

GST_START_TEST(a_process_without_free_descriptors_waits_for_one) {
  Served p;
  std::this_thread::sleep_for(200ms);  // what the start opens for a moment is closed again
  std::optional<NoDescriptors> none(std::in_place);
  close(none->taken.back());
  none->taken.pop_back();
  Model model(p.path);
  fail_unless(model.connect());  // with the last descriptor, so that it cannot be accepted
  fail_unless(model.send(R"({"op":"hello","protocol":1})"));
  const double before = cpu_seconds();
  std::this_thread::sleep_for(700ms);
  const double spent = cpu_seconds() - before;
  fail_unless_equals_uint64(p.stat("model-connections"), 0);
  none.reset();
  fail_unless_has(model.receive(), R"({"op":"hello","protocol":1)");
  fail_unless(spent < 0.2, "%.3f s of CPU time in 0.7 s", spent);
}
GST_END_TEST;

GST_START_TEST(a_punched_hole_reads_as_zeros) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  const std::size_t size = 1 << 20;
  const int memory = make_memfd(size);
  fail_unless(model.send(
      "{\"op\":\"pool\",\"id\":1,\"size\":" + std::to_string(size) + ",\"slots\":1}", {memory}));
  fail_unless(model.block(1, 0, "[1,256,256,3]"));
  fail_unless(p.wait_frames(1));
  fail_unless(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) == 0);
  g_autoptr(GstSample) sample = p.pull();
  GstMapInfo map;
  fail_unless(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
  for (gsize i = 0; i < map.size; i += 4096) fail_unless_equals_int(map.data[i], 0);
  gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
  close(memory);
}
GST_END_TEST;

// What docs/model-socket.md advises a model that wants no holes.
GST_START_TEST(a_pool_sealed_against_holes_has_none) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  const std::size_t size = 1 << 20;
  const int memory = make_memfd(size);
  void* const data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  fail_unless(data != MAP_FAILED);
  fail_unless(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) != 0 && errno == EBUSY);
  if (fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0) {
    memset(data, 5, size);
    fail_unless(model.send(
        "{\"op\":\"pool\",\"id\":1,\"size\":" + std::to_string(size) + ",\"slots\":1}", {memory}));
    fail_unless(model.block(1, 0, "[1,256,256,3]"));
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    fail_if(fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) == 0);
    fail_unless_equals_int(errno, EPERM);
    GstMapInfo map;
    fail_unless(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
    for (gsize i = 0; i < map.size; i += 4096) fail_unless_equals_int(map.data[i], 5);
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
  }
  munmap(data, size);
  close(memory);
}
GST_END_TEST;

GST_START_TEST(a_connected_model_does_not_hold_up_the_end) {
  for (int round = 0; round < 5; round++) {
    Served p;
    p.close();
    Model model(p.path);
    fail_unless(model.hello());
    fail_unless(model.pool(1, kSlot, 4));
    for (int slot = 0; slot < 4; slot++) fail_unless(model.block(1, slot, kShape));
    fail_unless(p.wait_held());
    p.open();
    const auto begin = Clock::now();
    gst_element_set_state(p.pipeline, GST_STATE_NULL);
    fail_unless(seconds_since(begin) < 2);
    fail_unless(model.closed());
  }
}
GST_END_TEST;

GST_START_TEST(other_users_are_refused) {
  if (geteuid() != 0) return;  // only root can become somebody else
  Served p;
  // Even if the path is opened to all.
  fail_unless(chmod(p.path.c_str(), 0666) == 0);
  fail_unless(chmod(p.path.substr(0, p.path.rfind('/')).c_str(), 0755) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    if (setuid(65534) != 0) _exit(2);
    Model model(p.path);
    if (!model.connect()) _exit(3);
    model.send(R"({"op":"hello","protocol":1})");
    const std::string answer = model.receive();
    _exit(has(answer, R"("code":"forbidden")") && model.closed() ? 0 : 4);
  }
  int status = -1;
  fail_unless(waitpid(pid, &status, 0) == pid);
  fail_unless(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
  fail_unless_equals_uint64(p.stat("model-connections"), 0);
}
GST_END_TEST;

GST_START_TEST(what_a_model_said_before_it_died_is_heard) {
  Served p("", true, "fakesink name=sink sync=false enable-last-sample=false");
  const pid_t pid = fork();
  if (pid == 0) {
    Model model(p.path);
    if (!model.hello() || !model.pool(1, 3, 1)) _exit(2);
    // A large copy keeps the reader busy meanwhile.
    model.block(1, 0, "[1,8192,8192,3]", R"(,"strides":[0,0,0,1])");
    for (int i = 0; i < 100; i++)
      if (!model.send(R"({"op":"send","data":1})")) _exit(3);
    _exit(0);
  }
  int status = -1;
  fail_unless(waitpid(pid, &status, 0) == pid);
  fail_unless(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const auto heard = [&] {
    int count = 0;
    for (const auto& seen : p.seen()) count += seen.what == "GstReactorMessage";
    return count;
  };
  fail_unless(eventually([&] { return heard() == 100; }), "%d", heard());
  fail_unless(eventually([&] { return p.stat("model-pid") == 0; }));
}
GST_END_TEST;

GST_START_TEST(switches_that_nobody_takes_do_not_pile_up) {
  Served p;
  Model model(p.path);
  fail_unless(model.hello());
  fail_unless(model.pool(1, kSlot, 3));
  p.close();
  fail_unless(model.block(1, 0, kShape));
  fail_unless(p.wait_held());
  fail_unless(model.block(1, 1, kShape));
  for (int i = 0; i < 50; i++) {
    fail_unless(model.send(R"({"op":"monitoring","enabled":false})"));
    fail_unless(model.send(R"({"op":"monitoring","enabled":true})"));
  }
  fail_unless(model.send(R"({"op":"monitoring","enabled":false})"));
  fail_unless(model.block(1, 2, kShape));
  fail_unless(eventually([&] { return p.stat("queued-blocks") == 2; }));
  p.open();
  fail_unless(p.wait_frames(6));
  int switches = 0;
  for (const auto& seen : p.seen()) switches += seen.what == "GstReactorMonitoring";
  fail_unless_equals_int(switches, 2);
  gboolean on = TRUE;
  g_object_get(p.src, "monitoring", &on, nullptr);
  fail_if(on);
}
GST_END_TEST;

// Peers that do anything at random, beside a stream that must not notice.
GST_START_TEST(random_peers_disturb_nothing) {
  Served p("", true, "fakesink name=sink sync=false enable-last-sample=false");
  std::atomic<bool> stop{false};
  std::atomic<int> emitted{0};
  std::thread stream([&] {
    const std::vector<guint8> data(kSlot, 1);
    while (!stop) {
      fail_unless(
          gst_reactor_src_emit_block_copy(p.src, data.data(), data.size(), 2, 8, 16, nullptr));
      emitted++;
      std::this_thread::sleep_for(2ms);
    }
  });
  std::srand(11);
  const auto pick = [](int count) { return std::rand() % count; };
  const std::string packets[] = {
      R"({"op":"hello","protocol":1})",
      R"({"op":"pool","id":1,"size":768,"slots":2})",
      R"({"op":"pool","id":2,"size":100000000,"slots":64})",
      R"({"op":"block","pool":1,"slot":0,"shape":[2,8,16,3]})",
      R"({"op":"block","pool":1,"slot":1,"shape":[2,8,16,3],"strides":[384,-48,3,1],"offset":336})",
      R"({"op":"block","pool":1,"slot":1,"shape":[256,8192,8192,3]})",
      R"({"op":"drop-pool","id":1})",
      R"({"op":"monitoring","enabled":false})",
      R"({"op":"send","data":{"x":[1,2,3]},"with_frame":9007199254740992})",
      R"({"op":"black"})",
      R"({"op":"runtime","data":{}})",
      R"({"op":"block","pool":1,"slot":0,"shape":[1,1,1,3],"strides":[0,0,0,0],"meta":[7]})",
      "{\"op\":\"send\",\"data\":\"" + std::string(65000, 'x') + "\"}",
      std::string(70, '['),
      "",
      std::string("\0\xff", 2)};
  for (int round = 0; round < 150; round++) {
    Model model(p.path);
    fail_unless(model.connect());
    if (pick(4)) model.send(packets[0]);
    for (int i = pick(30); i > 0; i--) {
      std::string packet = packets[pick(G_N_ELEMENTS(packets))];
      if (!packet.empty() && pick(5) == 0)
        packet[static_cast<std::size_t>(pick(static_cast<int>(packet.size())))] =
            static_cast<char>(pick(256));
      std::vector<int> descriptors;
      if (has(packet, "pool\",\"id") || pick(10) == 0)
        for (int k = pick(8) ? 1 : pick(20); k > 0; k--) {
          const int memory =
              pick(4) ? make_memfd(1536, F_SEAL_SHRINK | F_SEAL_GROW) : make_memfd(10, 0);
          descriptors.push_back(memory);
        }
      const bool sent = model.send(packet, descriptors);
      for (const int fd : descriptors) {
        // What the seals forbid, and what they do not.
        [[maybe_unused]] int ignored = ftruncate(fd, 0);
        ignored = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1536);
        close(fd);
      }
      if (!sent) break;
      if (pick(3) == 0) model.receive(0);
    }
  }
  const int before = emitted;
  fail_unless(eventually([&] { return emitted > before + 10; }));
  stop = true;
  stream.join();
  Model model(p.path);
  fail_unless(eventually([&] { return model.hello(); }));
  fail_unless(model.pool(1, kSlot, 1));
  fail_unless(model.block(1, 0, kShape));
  fail_unless_has(model.receive_op("release"), "\"slot\":0");
  model.disconnect();
  fail_unless(eventually([&] { return p.stat("model-pid") == 0 && mapped_pools() == 0; }));
}
GST_END_TEST;

static Suite* modelsocket_suite() {
  Suite* const suite = suite_create("modelsocket");
  TCase* const tc = tcase_create("general");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_block_goes_from_slot_to_buffer_without_a_copy);
  tcase_add_test(tc, strided_and_padded_blocks_arrive_as_they_should);
  tcase_add_test(tc, blocks_that_are_copied_hold_the_model_back_too);
  tcase_add_test(tc, strides_that_repeat_bytes_are_bounded);
  tcase_add_test(tc, the_socket_is_private_and_gone_afterwards);
  tcase_add_test(tc, a_stale_socket_is_replaced_and_nothing_else);
  tcase_add_test(tc, one_model_at_a_time);
  tcase_add_test(tc, a_model_that_dies_makes_way_even_if_its_child_lives);
  tcase_add_test(tc, a_stranger_that_dies_is_closed_at_once);
  tcase_add_test(tc, nothing_leaks_over_many_models);
  tcase_add_test(tc, frames_of_a_model_that_is_gone_play_out);
  tcase_add_test(tc, the_reader_never_blocks_and_flush_overtakes_waiting_blocks);
  tcase_add_test(tc, five_hundred_flushes_leave_nothing_behind);
  tcase_add_test(tc, a_one_slot_pool_and_drop_policies_do_not_stall);
  tcase_add_test(tc, the_model_hears_of_sessions_viewers_commands_and_shown_blocks);
  tcase_add_test(tc, messages_with_a_frame_travel_in_its_meta);
  tcase_add_test(tc, control_ops_do_what_they_say);
  tcase_add_test(tc, a_refused_packet_uses_nothing_and_the_stream_goes_on);
  tcase_add_test(tc, what_cannot_be_lived_with_closes_the_connection);
  tcase_add_test(tc, rates_are_limited_and_a_flood_is_cut_off);
  tcase_add_test(tc, a_model_that_does_not_read_loses_notices_first_and_is_closed_at_last);
  tcase_add_test(tc, a_hundred_connections_do_not_keep_a_model_out);
  tcase_add_test(tc, a_process_without_free_descriptors_waits_for_one);
  tcase_add_test(tc, a_punched_hole_reads_as_zeros);
  tcase_add_test(tc, a_pool_sealed_against_holes_has_none);
  tcase_add_test(tc, other_users_are_refused);
  tcase_add_test(tc, what_a_model_said_before_it_died_is_heard);
  tcase_add_test(tc, switches_that_nobody_takes_do_not_pile_up);
  tcase_add_test(tc, random_peers_disturb_nothing);
  tcase_add_test(tc, a_connected_model_does_not_hold_up_the_end);
  return suite;
}

GST_CHECK_MAIN(modelsocket);
