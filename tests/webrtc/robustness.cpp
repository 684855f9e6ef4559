// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorwebrtcsink when viewers or networks do not behave: a branch that is stuck, a process that
// is killed, an offer that leads nowhere, floods, a second offer, a session after another.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "testviewer.h"

#include "sinkfixture.h"

#include "expect.h"

using reactor::test::http;
using reactor::test::SinkFixture;
using reactor::test::TestViewer;

static std::string own_path;

// A model in the test: one frame every 40 ms, the left half of the grey that `left` says, the right
// one of another grey each time.
class Model {
 public:
  explicit Model(SinkFixture& sink) : source_(GST_REACTOR_SRC(sink.element("src"))) {
    thread_ = std::thread([this] { run(); });
  }
  ~Model() {
    stop_ = true;
    thread_.join();
    gst_object_unref(source_);
  }
  std::atomic<int> left{50};

 private:
  void run() {
    constexpr int kWidth = 320, kHeight = 240;
    std::vector<guint8> frame(kWidth * kHeight * 3);
    for (int i = 0; !stop_; i++) {
      for (int y = 0; y < kHeight; y++)
        for (int x = 0; x < kWidth; x++)
          for (int c = 0; c < 3; c++)
            frame[static_cast<std::size_t>((y * kWidth + x) * 3 + c)] =
                static_cast<guint8>(x < kWidth / 2 ? left.load() : 60 + i % 20 * 8);
      gst_reactor_src_emit_block_copy(source_, frame.data(), frame.size(), 1, kHeight, kWidth,
                                      nullptr);
      g_usleep(40'000);
    }
  }

  GstReactorSrc* source_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The pad into the payloader of the n-th viewer, counted from 1.
static GstPad* payloader_pad(SinkFixture& sink, int n) {
  g_autoptr(GstElement) branch =
      gst_bin_get_by_name(GST_BIN(sink.sink()), ("viewer-" + std::to_string(n)).c_str());
  g_autoptr(GstElement) pay = gst_bin_get_by_name(GST_BIN(branch), "pay");
  return gst_element_get_static_pad(pay, "sink");
}

static GstPadProbeReturn keep_blocked(GstPad*, GstPadProbeInfo*, gpointer) {
  return GST_PAD_PROBE_OK;
}

static void check_stuck_branch(const char* codec, const char* sdp_name) {
  SinkFixture sink("reactorsrc name=src ! reactorpace", std::string("codec=") + codec);
  TestViewer::Options options;
  options.codec = sdp_name;
  TestViewer stuck(sink.port(), options);
  fail_unless(stuck.connect() && stuck.wait_connected(), "%s", stuck.reply().body.c_str());
  TestViewer other(sink.port(), options);
  fail_unless(other.connect() && other.wait_connected());
  Model model(sink);
  fail_unless(stuck.wait_pictures(10) && other.wait_pictures(10));

  g_autoptr(GstPad) pad = payloader_pad(sink, 1);
  const std::size_t other_before = other.pictures().size();
  const gulong block = gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
      keep_blocked, nullptr, nullptr);
  g_usleep(700'000);
  model.left = 200;  // what the stuck viewer misses, and what never changes again
  g_usleep(800'000);
  const std::size_t before = stuck.encoded().size();
  const std::size_t pictures_before = stuck.pictures().size();
  const auto released = static_cast<GstClockTime>(g_get_monotonic_time()) * 1000;
  gst_pad_remove_probe(pad, block);
  fail_unless(stuck.wait_pictures(pictures_before + 15, 10));

  // The frame that was inside the blocked push follows directly on what came before it; the one
  // after it is a key frame.
  const auto encoded = stuck.encoded();
  const std::size_t key = encoded[before].key ? before : before + 1;
  fail_unless(encoded[key].key, "%s: what came after the block is no key frame", codec);
  fail_unless(encoded[key].at - released < 500 * GST_MSECOND, "%s: the key frame took %u ms", codec,
              static_cast<guint>((encoded[key].at - released) / GST_MSECOND));
  const auto pictures = stuck.pictures();
  for (std::size_t i = pictures_before + 2; i < pictures.size(); i++)
    fail_unless(ABS(pictures[i].left[0] - 200) < 6, "%s: picture %d after the block: left is %.1f",
                codec, static_cast<int>(i - pictures_before), pictures[i].left[0]);
  const auto others = other.pictures();
  for (std::size_t i = other_before + 1; i < others.size(); i++)
    fail_unless(others[i].at - others[i - 1].at < 400 * GST_MSECOND,
                "%s: the other viewer waited %u ms", codec,
                static_cast<guint>((others[i].at - others[i - 1].at) / GST_MSECOND));
  fail_unless(sink.stat_number("dropped-viewer-overflow") > 0);
}

GST_START_TEST(a_stuck_branch_goes_on_with_a_key_frame_vp8) {
  check_stuck_branch("vp8", "VP8");
}
GST_END_TEST

GST_START_TEST(a_stuck_branch_goes_on_with_a_key_frame_h264) {
  check_stuck_branch("h264", "H264");
}
GST_END_TEST

GST_START_TEST(the_next_session_sees_nothing_of_the_former) {
  SinkFixture sink("reactorsrc name=src ! reactorpace", "session-grace=2000000000");
  {
    Model model(sink);
    model.left = 250;
    TestViewer first(sink.port());
    fail_unless(first.connect() && first.wait_pictures(5));
    sink.send_message("{\"secret\":1}");
    first.remove();
    first.close();
    fail_unless(sink.wait_upstream("ended"));
  }
  TestViewer later(sink.port());
  fail_unless(later.connect() && later.wait_open());
  g_usleep(700'000);
  const auto before = later.pictures();
  for (const auto& picture : before)
    fail_unless(picture.mean[0] < 10, "not black: %.1f", picture.mean[0]);
  fail_unless(later.wait_message("secret", 0.1).empty());
  Model model(sink);
  fail_unless(later.wait_pictures(before.size() + 4));
  fail_unless(ABS(later.pictures().back().left[0] - 50) < 6);
  fail_unless_equals_uint64(sink.stat_number("sessions"), 2);
}
GST_END_TEST

GST_START_TEST(a_killed_viewer_is_removed_and_an_idle_offer_too) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1",
                   "connect-timeout=2000000000 silence-timeout=12000000000");
  TestViewer stays(sink.port());
  fail_unless(stays.connect() && stays.wait_pictures(2));
  const pid_t victim = fork();
  if (victim == 0) {
    execl(own_path.c_str(), own_path.c_str(), "--victim", std::to_string(sink.port()).c_str(),
          nullptr);
    _exit(127);
  }
  fail_unless(sink.wait_until(
                  [&] {
                    const auto events = sink.upstream();
                    return std::count_if(events.begin(), events.end(),
                                         [](const std::string& event) {
                                           return event.compare(0, 6, "joined") == 0;
                                         }) == 2;
                  },
                  20),
              "the victim never connected");
  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);
  // An offer whose client never sends a packet.
  TestViewer silent(sink.port());
  const std::string offer = silent.offer();
  silent.close();
  fail_unless_equals_int(http(sink.port(), "POST", "/whep", offer, "application/sdp").status, 201);
  fail_unless_equals_int(static_cast<int>(sink.viewer_count()), 3);
  fail_unless(sink.wait_until([&] { return sink.viewer_count() == 2; }, 4), "an idle offer stays");
  fail_unless(sink.wait_until([&] { return sink.viewer_count() == 1; }, 25), "a dead viewer stays");
  const auto reply = http(sink.port(), "GET", "/stats");
  fail_unless(reply.body.find("no connection within 2 s") != std::string::npos, "%s",
              reply.body.c_str());
  const auto pictures = stays.pictures();
  for (std::size_t i = 3; i < pictures.size(); i++)
    fail_unless(pictures[i].at - pictures[i - 1].at < 600 * GST_MSECOND);
}
GST_END_TEST

GST_START_TEST(a_flood_on_the_data_channel_is_answered_and_costs_nobody) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_open());
  for (int i = 0; i < 1000; i++)
    viewer.send(
        "{\"scope\":\"application\",\"data\":{\"type\":\"n\",\"data\":" + std::to_string(i) + "}}");
  fail_unless(!viewer.wait_message("\"code\":\"too-many\"").empty());
  fail_unless(sink.stat_number("commands") >= 100 && sink.stat_number("commands") < 400,
              "%u commands passed", static_cast<guint>(sink.stat_number("commands")));
  g_usleep(1'200'000);
  viewer.send("{\"scope\":\"runtime\",\"data\":{\"type\":\"ping\",\"data\":{\"n\":7}}}");
  fail_unless(!viewer.wait_message("\"pong\",\"data\":{\"n\":7}").empty());
  viewer.send("nonsense");
  fail_unless(!viewer.wait_message("\"code\":\"json\"").empty());
  viewer.send(std::string(60000, '['));
  fail_unless(
      viewer.wait_until([&] { return viewer.count_messages("\"code\":\"json\"") == 2; }, 5));
  fail_if(viewer.channel_closed());
}
GST_END_TEST

GST_START_TEST(many_messages_arrive_in_order_and_the_largest_too) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_open());
  for (int i = 0; i < 200; i++) {
    sink.send_message(("{\"n\":" + std::to_string(i) + "}").c_str());
    g_usleep(1000);
  }
  sink.send_message(("\"" + std::string(65500, 'b') + "\"").c_str());
  fail_unless(!viewer.wait_message(std::string(65500, 'b')).empty());
  int next = 0;
  for (const std::string& message : viewer.messages())
    if (message.find("\"n\":") != std::string::npos)
      expect_text(message,
                  "{\"scope\":\"application\",\"data\":{\"n\":" + std::to_string(next++) + "}}");
  fail_unless_equals_int(next, 200);
}
GST_END_TEST

GST_START_TEST(a_view_only_viewer_watches_and_may_not_command) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1",
                   "auth-token=full-token view-token=look-token");
  TestViewer::Options options;
  options.token = "look-token";
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect() && viewer.wait_open(), "%s", viewer.reply().body.c_str());
  fail_unless(viewer.wait_pictures(2));
  fail_unless(!viewer.wait_message("\"role\":\"view\"").empty());
  viewer.send("{\"scope\":\"application\",\"data\":{\"type\":\"go\"},\"ref\":\"r\"}");
  const std::string refusal = viewer.wait_message("\"code\":\"view-only\"");
  fail_unless(refusal.find("\"ref\":\"r\"") != std::string::npos, "%s", refusal.c_str());
  fail_unless_equals_uint64(sink.stat_number("commands"), 0);
}
GST_END_TEST

GST_START_TEST(viewers_come_and_go_at_random) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=25/1",
                   "max-viewers=3");
  TestViewer stays(sink.port());
  fail_unless(stays.connect() && stays.wait_open());
  for (int i = 0; i < 12; i++) {
    TestViewer a(sink.port());
    TestViewer b(sink.port());
    a.connect();
    b.connect();
    if (i % 3 == 0) a.wait_connected(2);
    if (i % 4 == 0) a.remove();
    sink.send_message(("{\"round\":" + std::to_string(i) + "}").c_str());
    b.remove();
    a.remove();
  }
  fail_unless(!stays.wait_message("\"round\":11").empty());
  fail_unless(sink.wait_until([&] { return sink.viewer_count() == 1; }));
  fail_unless(sink.error().empty());
}
GST_END_TEST

GST_START_TEST(an_offer_of_audio_and_video_gets_its_video) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer::Options options;
  options.audio = true;
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect(), "%s", viewer.reply().body.c_str());
  fail_unless(viewer.answer().find("m=audio 0 ") != std::string::npos ||
                  viewer.answer().find("a=inactive") != std::string::npos,
              "%s", viewer.answer().c_str());
  fail_unless(viewer.wait_pictures(3), "%s", viewer.answer().c_str());
}
GST_END_TEST

// An SDP in JSON and back.
static std::string escape(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\r' ? "\\r" : c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

static std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      const char c = text[++i];
      if (c == 'u') {
        out += static_cast<char>(std::stoi(text.substr(i + 1, 4), nullptr, 16));
        i += 4;
        continue;
      }
      out += c == 'r' ? '\r' : c == 'n' ? '\n' : c;
    } else {
      out += text[i];
    }
  }
  return out;
}

static std::string json_text(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":\"");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size() + 4;
  return unescape(json.substr(begin, json.find('"', begin) - begin));
}

// Offers by the Reactor protocol; the status of the answer.
static int reactor_offer(unsigned port, const std::string& session, const char* method,
                         const std::string& sdp, TestViewer& viewer) {
  const std::string path = "/sessions/" + session + "/transport/webrtc/sdp_params";
  const std::string body =
      "{\"sdp_offer\":\"" + escape(sdp) +
      "\",\"client_info\":{},\"track_mapping\":[{\"mid\":\"video0\","
      "\"name\":\"main_video\",\"kind\":\"video\",\"direction\":\"recvonly\"}]}";
  int status = http(port, method, path, body, "application/json").status;
  if (status != 202) return status;
  for (int i = 0; i < 100; i++) {
    const auto reply = http(port, "GET", path);
    if (reply.status != 202) {
      if (reply.status == 200 && !viewer.accept(json_text(reply.body, "sdp_answer"))) return -1;
      return reply.status;
    }
    g_usleep(50'000);
  }
  return 0;
}

GST_START_TEST(a_second_offer_takes_over_and_a_bad_one_changes_nothing) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  const std::string session = json_text(
      http(sink.port(), "POST", "/start_session", "{}", "application/json").body, "session_id");
  fail_if(session.empty());
  TestViewer old(sink.port());
  fail_unless_equals_int(reactor_offer(sink.port(), session, "POST", old.offer(), old), 200);
  fail_unless(old.wait_pictures(3));

  std::string bad = old.offer();
  bad.replace(bad.find("VP8"), 3, "XYZ");
  TestViewer nobody(sink.port());
  const int status = reactor_offer(sink.port(), session, "PUT", bad, nobody);
  fail_unless(status >= 400 && status < 500, "%d", status);
  std::size_t before = old.pictures().size();
  fail_unless(old.wait_pictures(before + 5), "the working connection suffered from a bad offer");

  TestViewer renewed(sink.port());
  fail_unless_equals_int(reactor_offer(sink.port(), session, "PUT", renewed.offer(), renewed), 200);
  fail_unless(renewed.wait_pictures(3));
  fail_unless_equals_int(static_cast<int>(sink.viewer_count()), 1);
  sink.send_message("{\"after\":1}");
  fail_unless(!renewed.wait_message("after").empty());
  expect_text(sink.stat("session-state"), "active");
  expect_text(sink.stat("session-id"), session);
  // Nobody left and nobody joined for the model.
  const auto events = sink.upstream();
  fail_unless_equals_int(static_cast<int>(events.size()), 2);

  fail_unless_equals_int(http(sink.port(), "POST", "/stop_session").status, 200);
  fail_unless(!renewed.wait_message("\"state\":\"over\"").empty());
  fail_unless(sink.wait_upstream("ended " + session));
  fail_unless(renewed.wait_until([&] { return renewed.channel_closed(); }, 3));
}
GST_END_TEST

GST_START_TEST(pausing_resuming_stopping_and_starting_again_work) {
  SinkFixture sink(
      "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! "
      "reactorsim block-size=4 ! reactorpace");
  for (int round = 0; round < 2; round++) {
    unsigned port = 0;
    g_object_get(sink.sink(), "port", &port, nullptr);
    TestViewer viewer(port);
    fail_unless(viewer.connect() && viewer.wait_pictures(5), "round %d: %s", round,
                viewer.reply().body.c_str());
    gst_element_set_state(sink.pipeline(), GST_STATE_PAUSED);
    g_usleep(400'000);
    gst_element_set_state(sink.pipeline(), GST_STATE_PLAYING);
    const std::size_t before = viewer.pictures().size();
    fail_unless(viewer.wait_pictures(before + 10, 5), "round %d: nothing after the pause", round);
    gst_element_set_state(sink.pipeline(), GST_STATE_PAUSED);
    g_usleep(100'000);
    const gint64 begin = g_get_monotonic_time();
    gst_element_set_state(sink.pipeline(), GST_STATE_NULL);
    fail_unless(g_get_monotonic_time() - begin < 2 * G_USEC_PER_SEC, "stopping took %u ms",
                static_cast<guint>((g_get_monotonic_time() - begin) / 1000));
    fail_unless_equals_int(http(port, "GET", "/healthz").status, 0);
    g_object_set(sink.sink(), "port", 0U, nullptr);
    fail_if(gst_element_set_state(sink.pipeline(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
  }
  fail_unless(sink.error().empty());
}
GST_END_TEST

// When the packets of key frames pass into webrtcbin.
struct Packets {
  std::mutex mutex;
  std::vector<std::pair<GstClockTime, GstClockTime>> seen;  // PTS, monotonic ns
};

static GstPadProbeReturn note_group(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* packets = static_cast<Packets*>(data);
  const auto now = static_cast<GstClockTime>(g_get_monotonic_time()) * 1000;
  std::lock_guard lock(packets->mutex);
  GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
  for (guint i = 0; i < gst_buffer_list_length(list); i++)
    packets->seen.emplace_back(GST_BUFFER_PTS(gst_buffer_list_get(list, i)), now);
  return GST_PAD_PROBE_OK;
}

GST_START_TEST(a_large_key_frame_leaves_over_a_third_of_its_interval) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=snow ! "
      "video/x-raw,width=640,height=480,framerate=20/1");
  TestViewer::Options options;
  options.decode = false;
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect() && viewer.wait_connected());
  g_autoptr(GstElement) branch = gst_bin_get_by_name(GST_BIN(sink.sink()), "viewer-1");
  g_autoptr(GstElement) spread = gst_bin_get_by_name(GST_BIN(branch), "spread");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(spread, "src");
  Packets packets;
  const gulong probe =
      gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER_LIST, note_group, &packets, nullptr);
  g_usleep(2'000'000);
  gst_pad_remove_probe(pad, probe);
  std::lock_guard lock(packets.mutex);
  int large = 0;
  for (std::size_t i = 0; i < packets.seen.size();) {
    std::size_t end = i;
    while (end < packets.seen.size() && packets.seen[end].first == packets.seen[i].first) end++;
    if (end - i > 40) {
      large++;
      const GstClockTime took = packets.seen[end - 1].second - packets.seen[i].second;
      fail_unless(took > 12 * GST_MSECOND, "%d packets in %u us", static_cast<int>(end - i),
                  static_cast<guint>(took / 1000));
    }
    i = end;
  }
  fail_unless(large > 3, "the test saw no large frame");
}
GST_END_TEST

// What a handler that stops the pipeline has seen.
struct Stopper {
  GstElement* pipeline;
  std::atomic<unsigned> begun{0};
  std::atomic<unsigned> done{0};
};

static void stop_pipeline(gpointer data) {
  auto* stopper = static_cast<Stopper*>(data);
  stopper->begun++;
  gst_element_set_state(stopper->pipeline, GST_STATE_NULL);
  stopper->done++;
}

static GstState state_of(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const GstState state = GST_STATE(element);
  GST_OBJECT_UNLOCK(element);
  return state;
}

// A pipeline whose source's handler of `signal` stops it; then what `cause` does.
static void check_stop_by_handler(const char* signal,
                                  const std::function<void(SinkFixture&, TestViewer&)>& cause) {
  SinkFixture sink("reactorsrc name=src ! reactorpace");
  g_autoptr(GstElement) source = sink.element("src");
  Stopper stopper{sink.pipeline()};
  const gulong handler =
      g_signal_connect_swapped(source, signal, G_CALLBACK(stop_pipeline), &stopper);
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_connected() && viewer.wait_open());
  fail_unless(sink.wait_upstream("joined"));
  cause(sink, viewer);
  fail_unless(
      sink.wait_until([&] { return stopper.begun > 0 && stopper.begun == stopper.done; }, 5),
      "%s: a handler does not return", signal);
  fail_unless(sink.wait_until([&] { return state_of(sink.pipeline()) == GST_STATE_NULL; }, 5));
  fail_unless_equals_int(http(sink.port(), "GET", "/healthz").status, 0);
  g_signal_handler_disconnect(source, handler);
  // And it can be started again.
  g_object_set(sink.sink(), "port", 0U, nullptr);
  fail_if(gst_element_set_state(sink.pipeline(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
  unsigned port = 0;
  g_object_get(sink.sink(), "port", &port, nullptr);
  TestViewer later(port);
  fail_unless(later.connect() && later.wait_connected(), "%s", later.reply().body.c_str());
}

GST_START_TEST(a_command_may_stop_the_pipeline) {
  check_stop_by_handler("command", [](SinkFixture&, TestViewer& viewer) {
    viewer.send("{\"scope\":\"application\",\"data\":{\"type\":\"quit\"}}");
  });
}
GST_END_TEST

GST_START_TEST(the_end_of_the_session_may_stop_the_pipeline) {
  check_stop_by_handler("session-ended", [](SinkFixture& sink, TestViewer&) {
    sink.send_event(gst_reactor_event_new_runtime(
        "{\"type\":\"state\",\"data\":{\"state\":\"over\",\"reason\":\"enough\"}}"));
  });
}
GST_END_TEST

GST_START_TEST(a_handler_and_the_application_may_stop_at_the_same_time) {
  check_stop_by_handler("session-ended", [](SinkFixture& sink, TestViewer&) {
    gst_element_set_state(sink.pipeline(), GST_STATE_NULL);
  });
}
GST_END_TEST

// A handler that takes its time until it is told to return.
struct Slow {
  std::atomic<bool> begun{false};
  std::atomic<bool> release{false};
};

static void wait_released(gpointer data) {
  auto* slow = static_cast<Slow*>(data);
  slow->begun = true;
  for (int i = 0; i < 1000 && !slow->release; i++) g_usleep(10'000);
}

GST_START_TEST(a_slow_handler_keeps_no_held_picture_from_a_joiner) {
  Slow slow;
  SinkFixture sink("reactorsrc name=src ! reactorpace hold-framerate=0/1");
  g_autoptr(GstElement) source = sink.element("src");
  g_signal_connect_swapped(source, "command", G_CALLBACK(wait_released), &slow);
  TestViewer first(sink.port());
  fail_unless(first.connect() && first.wait_open() && sink.wait_upstream("joined"));
  // Noise: GStreamer's receivers say nothing of a source before its second packet.
  std::vector<guint8> block(4 * 240 * 320 * 3);
  for (guint8& value : block) value = static_cast<guint8>(g_random_int_range(0, 40));
  fail_unless(gst_reactor_src_emit_block_copy(GST_REACTOR_SRC(source), block.data(), block.size(),
                                              4, 240, 320, nullptr));
  fail_unless(first.wait_pictures(4));
  first.send("{\"scope\":\"application\",\"data\":{\"type\":\"think\"}}");
  fail_unless(sink.wait_until([&] { return slow.begun.load(); }));
  g_usleep(500'000);
  TestViewer second(sink.port());
  fail_unless(second.connect() && second.wait_connected());
  const bool seen = second.wait_pictures(1, 2);
  slow.release = true;
  fail_unless(seen, "no picture while a handler runs");
}
GST_END_TEST

GST_START_TEST(branches_that_wait_to_be_taken_down_are_bounded) {
  Slow slow;
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1",
                   "max-viewers=2");
  TestViewer viewer(sink.port());
  const std::string offer = viewer.offer();
  viewer.close();
  // Holds up the thread that takes branches down.
  g_signal_connect_swapped(sink.sink(), "element-removed", G_CALLBACK(wait_released), &slow);
  const auto come_and_go = [&] {
    const auto reply = http(sink.port(), "POST", "/whep", offer, "application/sdp");
    if (reply.status == 201) http(sink.port(), "DELETE", "/" + reply.header("Location"));
    return reply.status;
  };
  int status = 0;
  int admitted = 0;
  while (admitted < 40 && (status = come_and_go()) == 201) admitted++;
  fail_unless_equals_int(status, 503);
  fail_unless(admitted > 2, "%d", admitted);
  slow.release = true;
  fail_unless(sink.wait_until([&] { return come_and_go() == 201; }));
}
GST_END_TEST

GST_START_TEST(a_viewer_with_too_many_data_channels_is_removed) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_open());
  viewer.open_channels(8);
  sink.send_message("{\"few\":1}");
  fail_unless(!viewer.wait_message("few").empty());
  fail_unless_equals_int(static_cast<int>(sink.viewer_count()), 1);
  viewer.open_channels(40);
  fail_unless(sink.wait_until([&] { return sink.viewer_count() == 0; }));
  const auto reply = http(sink.port(), "GET", "/stats");
  fail_unless(reply.body.find("more than 16 data channels") != std::string::npos, "%s",
              reply.body.c_str());
}
GST_END_TEST

static std::atomic<int> channels_seen{0};
static std::atomic<int> channels_freed{0};

static void watch_channel(GstElement*, GObject* channel, gpointer) {
  channels_seen++;
  g_object_weak_ref(
      channel, [](gpointer, GObject*) { channels_freed++; }, nullptr);
}

// What is inside webrtcbin for a data channel uses it until webrtcbin has stopped.
GST_START_TEST(a_closed_data_channel_outlives_its_webrtcbin) {
  Slow slow;
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer earlier(sink.port());
  fail_unless(earlier.connect() && earlier.wait_open());
  TestViewer later(sink.port());
  // Its webrtcbin is known before its channel is there.
  g_signal_connect(sink.sink(), "deep-element-added",
                   G_CALLBACK(+[](GstBin*, GstBin*, GstElement* element, gpointer) {
                     g_autofree gchar* name = gst_object_get_name(GST_OBJECT(element));
                     if (g_str_equal(name, "webrtc"))
                       g_signal_connect(element, "on-data-channel", G_CALLBACK(watch_channel),
                                        nullptr);
                   }),
                   nullptr);
  fail_unless(later.connect() && later.wait_open());
  fail_unless(sink.wait_until([] { return channels_seen == 1; }));
  // The second viewer's branch cannot be taken down as long as the first one's is not.
  g_signal_connect_swapped(sink.sink(), "element-removed", G_CALLBACK(wait_released), &slow);
  earlier.remove();
  fail_unless(sink.wait_until([&] { return slow.begun.load(); }));
  later.close_channel();
  fail_unless(sink.wait_until([&] { return sink.viewer_count() == 0; }));
  g_usleep(300'000);
  fail_unless_equals_int(channels_freed, 0);
  slow.release = true;
  fail_unless(sink.wait_until([] { return channels_freed == 1; }));
}
GST_END_TEST

static int be_victim(unsigned port) {
  gst_init(nullptr, nullptr);
  TestViewer::Options options;
  options.decode = false;
  TestViewer viewer(port, options);
  if (!viewer.connect()) return 1;
  g_usleep(60'000'000);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--victim")
    return be_victim(static_cast<unsigned>(std::atoi(argv[2])));
  own_path = argv[0];
  gst_check_init(&argc, &argv);
  Suite* suite = suite_create("robustness");
  TCase* tc = tcase_create("robustness");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_stuck_branch_goes_on_with_a_key_frame_vp8);
  tcase_add_test(tc, a_stuck_branch_goes_on_with_a_key_frame_h264);
  tcase_add_test(tc, the_next_session_sees_nothing_of_the_former);
  tcase_add_test(tc, a_killed_viewer_is_removed_and_an_idle_offer_too);
  tcase_add_test(tc, a_flood_on_the_data_channel_is_answered_and_costs_nobody);
  tcase_add_test(tc, many_messages_arrive_in_order_and_the_largest_too);
  tcase_add_test(tc, a_view_only_viewer_watches_and_may_not_command);
  tcase_add_test(tc, viewers_come_and_go_at_random);
  tcase_add_test(tc, an_offer_of_audio_and_video_gets_its_video);
  tcase_add_test(tc, a_second_offer_takes_over_and_a_bad_one_changes_nothing);
  tcase_add_test(tc, pausing_resuming_stopping_and_starting_again_work);
  tcase_add_test(tc, a_large_key_frame_leaves_over_a_third_of_its_interval);
  tcase_add_test(tc, a_command_may_stop_the_pipeline);
  tcase_add_test(tc, the_end_of_the_session_may_stop_the_pipeline);
  tcase_add_test(tc, a_handler_and_the_application_may_stop_at_the_same_time);
  tcase_add_test(tc, a_slow_handler_keeps_no_held_picture_from_a_joiner);
  tcase_add_test(tc, branches_that_wait_to_be_taken_down_are_bounded);
  tcase_add_test(tc, a_viewer_with_too_many_data_channels_is_removed);
  tcase_add_test(tc, a_closed_data_channel_outlives_its_webrtcbin);
  return gst_check_run_suite(suite, "robustness", __FILE__);
}
