// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorwebrtcsink with webrtcbin viewers in the same process: video, messages, joining and
// leaving.

#include <atomic>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gst/wire/json.h"

#include "testviewer.h"

#include "sinkfixture.h"

#include "expect.h"

using reactor::test::http;
using reactor::test::SinkFixture;
using reactor::test::TestViewer;

GST_START_TEST(a_viewer_sees_the_picture_and_talks_both_ways) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=red ! "
      "video/x-raw,format=RGB,width=320,height=240,framerate=20/1");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect(), "%d %s", viewer.reply().status, viewer.reply().body.c_str());
  fail_unless(viewer.wait_connected());
  fail_unless(viewer.wait_pictures(10));
  const auto picture = viewer.pictures().back();
  fail_unless_equals_int(picture.width, 320);
  fail_unless(picture.mean[0] > 235 && picture.mean[1] < 20 && picture.mean[2] < 20,
              "not red: %f %f %f", picture.mean[0], picture.mean[1], picture.mean[2]);

  fail_unless(viewer.wait_open());
  fail_unless(!viewer.wait_message("\"type\":\"state\"").empty());
  sink.send_message("{\"progress\":0.5}");
  const std::string message = viewer.wait_message("progress");
  expect_text(message, "{\"scope\":\"application\",\"data\":{\"progress\":0.5}}");
  viewer.send(
      "{\"scope\":\"application\",\"data\":{\"type\":\"go\",\"data\":{\"x\":1.50}},\"ref\":7}");
  fail_unless(!viewer.wait_message("\"ref\":7").empty());
  fail_unless(sink.wait_command("{\"type\":\"go\",\"data\":{\"x\":1.50}}"));
  fail_unless(viewer.encoded().front().key, "the first frame must be a key frame");
}
GST_END_TEST

// The value of a number in a JSON text; -1 when it is not there.
static double number_of(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":");
  return at == std::string::npos ? -1 : g_ascii_strtod(json.c_str() + at + key.size() + 3, nullptr);
}

GST_START_TEST(paced_blocks_arrive_with_their_frame_notes) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=ball ! "
      "video/x-raw,format=RGB,width=320,height=240,framerate=24/1 ! "
      "reactorsim block-size=6 ! reactorpace");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect(), "%d %s", viewer.reply().status, viewer.reply().body.c_str());
  fail_unless(viewer.wait_pictures(30, 15));
  std::vector<std::string> notes;
  for (const std::string& message : viewer.messages())
    if (message.find("\"type\":\"frame\"") != std::string::npos) notes.push_back(message);
  fail_unless(notes.size() >= 4, "%d notes", static_cast<int>(notes.size()));
  for (std::size_t i = 1; i < notes.size(); i++) {
    fail_unless_equals_float(number_of(notes[i], "block"), number_of(notes[i - 1], "block") + 1);
    fail_unless_equals_float(number_of(notes[i], "count"), 6);
    fail_unless_equals_float(number_of(notes[i], "index"), 0);
    // Six frames at 24 fps are a quarter of a second of the 90 kHz clock, in the long run.
    const auto step = static_cast<guint32>(number_of(notes[i], "rtp")) -
                      static_cast<guint32>(number_of(notes[i - 1], "rtp"));
    fail_unless(step > 0 && step < 90000, "RTP step of a block: %u", step);
    fail_unless(number_of(notes[i], "released") > number_of(notes[i], "emitted"));
  }
  fail_unless(!viewer.wait_message("\"state\":\"running\"").empty());
}
GST_END_TEST

// Until the source knows that somebody watches: what is emitted before is not shown.
static void wait_active(SinkFixture& sink, GstReactorSrc* source) {
  fail_unless(sink.wait_until([&] {
    gboolean active = FALSE;
    g_object_get(source, "session-active", &active, nullptr);
    return active != FALSE;
  }));
}

GST_START_TEST(a_joiner_sees_a_held_frame_within_a_second) {
  // Three seconds of pictures, then nothing more: the pacer holds the last one.
  SinkFixture sink("reactorsrc name=src ! reactorpace hold-framerate=0/1");
  auto* source = GST_REACTOR_SRC(sink.element("src"));
  TestViewer first(sink.port());
  fail_unless(first.connect());
  fail_unless(first.wait_connected());
  wait_active(sink, source);
  std::vector<guint8> block(4 * 240 * 320 * 3);
  // Green with some noise: GStreamer's receivers say nothing of a source before its second packet.
  for (std::size_t i = 0; i < block.size(); i += 3) {
    block[i] = static_cast<guint8>(g_random_int_range(0, 40));
    block[i + 1] = 255;
  }
  fail_unless(
      gst_reactor_src_emit_block_copy(source, block.data(), block.size(), 4, 240, 320, nullptr));
  fail_unless(first.wait_pictures(4));
  g_usleep(700'000);

  TestViewer second(sink.port());
  fail_unless(second.connect());
  fail_unless(second.wait_connected());
  fail_unless(second.wait_pictures(1, 1.0), "no picture within a second");
  const auto picture = second.pictures().back();
  fail_unless(picture.mean[1] > 220 && picture.mean[2] < 40, "not green");
  gst_object_unref(source);
}
GST_END_TEST

GST_START_TEST(a_viewer_that_leaves_costs_the_others_nothing) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=ball ! "
      "video/x-raw,format=RGB,width=320,height=240,framerate=25/1");
  TestViewer stays(sink.port());
  fail_unless(stays.connect() && stays.wait_pictures(5));
  for (int i = 0; i < 4; i++) {
    TestViewer leaves(sink.port());
    fail_unless(leaves.connect(), "%s", leaves.reply().body.c_str());
    fail_unless(leaves.wait_pictures(2));
    if (i % 2 == 0) fail_unless_equals_int(leaves.remove().status, 200);
    leaves.close();
  }
  const std::size_t before = stays.pictures().size();
  fail_unless(stays.wait_pictures(before + 25, 5));
  const auto pictures = stays.pictures();
  for (std::size_t i = 6; i < pictures.size(); i++)
    fail_unless(pictures[i].at - pictures[i - 1].at < 500 * GST_MSECOND, "gap of %u ms",
                static_cast<guint>((pictures[i].at - pictures[i - 1].at) / GST_MSECOND));
  fail_unless(sink.error().empty());
  fail_unless(sink.wait_until([&] { return sink.viewer_count() <= 3; }));
}
GST_END_TEST

static std::atomic<int> alive{0};

// Counts the webrtcbin of the n-th viewer, counted from 1, until it is freed.
static void count_webrtcbin(SinkFixture& sink, int n) {
  g_autoptr(GstElement) branch =
      gst_bin_get_by_name(GST_BIN(sink.sink()), ("viewer-" + std::to_string(n)).c_str());
  fail_unless(branch != nullptr);
  g_autoptr(GstElement) webrtc = gst_bin_get_by_name(GST_BIN(branch), "webrtc");
  alive++;
  g_object_weak_ref(
      G_OBJECT(webrtc), [](gpointer, GObject*) { alive--; }, nullptr);
}

GST_START_TEST(nothing_of_a_viewer_that_left_remains_though_nobody_reads_the_bus) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  for (int n = 1; n <= 5; n++) {
    TestViewer viewer(sink.port());
    fail_unless(viewer.connect() && viewer.wait_pictures(2), "%s", viewer.reply().body.c_str());
    count_webrtcbin(sink, n);
    fail_unless_equals_int(viewer.remove().status, 200);
  }
  fail_unless(sink.wait_until([] { return alive == 0; }), "%d are alive", alive.load());
}
GST_END_TEST

GST_START_TEST(an_offer_that_cannot_be_played_is_refused_and_touches_nothing) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer::Options options;
  options.codec = "VP9";
  TestViewer vp9(sink.port(), options);
  fail_if(vp9.connect());
  fail_unless_equals_int(vp9.reply().status, 406);
  fail_unless(vp9.reply().body.find("VP8") != std::string::npos &&
                  vp9.reply().body.find("VP9") != std::string::npos,
              "both codec lists: %s", vp9.reply().body.c_str());
  fail_unless_equals_int(http(sink.port(), "POST", "/whep", "hello", "application/sdp").status,
                         400);
  fail_unless_equals_int(http(sink.port(), "POST", "/whep", "v=0\r\n", "application/sdp").status,
                         422);
  fail_unless_equals_int(static_cast<int>(sink.viewer_count()), 0);
  fail_unless_equals_uint64(sink.stat_number("offers-refused"), 2);
}
GST_END_TEST

static std::atomic<int> criticals{0};

static void count_criticals(const gchar*, GLogLevelFlags level, const gchar* text, gpointer) {
  if (!(level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR))) return;
  criticals++;
  g_printerr("%s\n", text);
}

GST_START_TEST(an_offer_that_names_sources_is_answered_without_complaint) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  g_log_set_default_handler(count_criticals, nullptr);
  for (const char* source : {"0", "1234", "4294967296", "x"}) {
    TestViewer::Options options;
    options.mangle_from = "a=recvonly\r\n";
    options.mangle_to = std::string("a=recvonly\r\na=ssrc:") + source +
                        " cname:y\r\na=ssrc-group:FID " + source + " 77\r\n";
    TestViewer viewer(sink.port(), options);
    fail_unless(viewer.connect() && viewer.wait_pictures(2), "%s: %d %s", source,
                viewer.reply().status, viewer.reply().body.c_str());
    fail_unless_equals_int(criticals, 0);
  }
}
GST_END_TEST

GST_START_TEST(the_session_follows_its_viewers) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1",
                   "session-grace=3000000000");
  expect_text(sink.stat("session-state"), "idle");
  {
    TestViewer viewer(sink.port());
    fail_unless(viewer.connect() && viewer.wait_connected());
    fail_unless(sink.wait_upstream("started"));
    fail_unless(sink.wait_upstream("joined"));
    expect_text(sink.stat("session-state"), "active");
    viewer.remove();
    fail_unless(sink.wait_upstream("left"));
    expect_text(sink.stat("session-state"), "orphaned");
  }
  fail_unless(sink.wait_upstream("ended"));
  expect_text(sink.stat("session-state"), "idle");
}
GST_END_TEST

GST_START_TEST(a_session_without_grace_begins_and_ends_with_its_viewer) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1",
                   "session-grace=0");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_connected());
  fail_unless(sink.wait_upstream("started"));
  viewer.remove();
  fail_unless(sink.wait_upstream("ended"));
}
GST_END_TEST

GST_START_TEST(the_end_of_the_stream_ends_the_session_and_the_pipeline) {
  SinkFixture sink("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_open());
  gst_element_send_event(sink.pipeline(), gst_event_new_eos());
  fail_unless(!viewer.wait_message("\"state\":\"over\"").empty());
  fail_unless(sink.wait_upstream("ended"));
  g_autoptr(GstBus) bus = gst_element_get_bus(sink.pipeline());
  g_autoptr(GstMessage) eos = gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, GST_MESSAGE_EOS);
  fail_unless(eos != nullptr, "no EOS on the bus");
  fail_unless(viewer.wait_until([&] { return viewer.channel_closed(); }, 3),
              "the viewer was not told");
  TestViewer late(sink.port());
  fail_if(late.connect());
  fail_unless_equals_int(late.reply().status, 503);
  // Another stream.
  g_autoptr(GstElement) element = sink.element("sink");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
  fail_unless(gst_pad_send_event(pad, gst_event_new_stream_start("another")));
  TestViewer next(sink.port());
  fail_unless(next.connect(), "%d %s", next.reply().status, next.reply().body.c_str());
}
GST_END_TEST

// Left half red, right half blue, in the size and the codec given; what the viewer decodes.
static void check_colours(const char* codec, const char* sdp_name, int width, int height,
                          int shown_width, int shown_height) {
  SinkFixture sink("reactorsrc name=src ! reactorpace", std::string("codec=") + codec);
  auto* source = GST_REACTOR_SRC(sink.element("src"));
  TestViewer::Options options;
  options.codec = sdp_name;
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect(), "%s: %s", codec, viewer.reply().body.c_str());
  fail_unless(viewer.wait_connected());
  wait_active(sink, source);
  std::vector<guint8> block(static_cast<std::size_t>(4 * width * height * 3));
  for (std::size_t i = 0; i < block.size() / 3; i++)
    block[i * 3 + (static_cast<int>(i) % width < width / 2 ? 0 : 2)] = 255;
  for (int i = 0; i < 3; i++)
    fail_unless(gst_reactor_src_emit_block_copy(source, block.data(), block.size(), 4,
                                                static_cast<guint>(height),
                                                static_cast<guint>(width), nullptr));
  fail_unless(viewer.wait_pictures(8, 15), "%s: %d pictures; %s", codec,
              static_cast<int>(viewer.pictures().size()), sink.error().c_str());
  const auto p = viewer.pictures().back();
  fail_unless_equals_int(p.width, shown_width);
  fail_unless_equals_int(p.height, shown_height);
  // Half a percent of the columns are where the halves meet.
  fail_unless(p.left[0] > 245 && p.left[1] < 8 && p.left[2] < 10, "%s left: %.1f %.1f %.1f", codec,
              p.left[0], p.left[1], p.left[2]);
  fail_unless(p.right[0] < 10 && p.right[1] < 8 && p.right[2] > 245, "%s right: %.1f %.1f %.1f",
              codec, p.right[0], p.right[1], p.right[2]);
  fail_unless(p.edge[0] < 12 && p.edge[1] < 12 && p.edge[2] > 240, "%s edge: %.1f %.1f %.1f", codec,
              p.edge[0], p.edge[1], p.edge[2]);
  gst_object_unref(source);
}

GST_START_TEST(colours_and_odd_sizes_are_right_in_vp8) {
  check_colours("vp8", "VP8", 1280, 704, 1280, 704);
  check_colours("vp8", "VP8", 319, 241, 319, 241);
}
GST_END_TEST

GST_START_TEST(colours_and_odd_sizes_are_right_in_vp9) {
  check_colours("vp9", "VP9", 319, 241, 319, 241);
}
GST_END_TEST

GST_START_TEST(colours_and_odd_sizes_are_right_in_h264) {
  check_colours("h264", "H264", 1279, 703, 1280, 704);
}
GST_END_TEST

GST_START_TEST(encoded_input_is_sent_as_it_is) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=blue ! "
      "video/x-raw,width=320,height=240,framerate=25/1 ! x264enc tune=zerolatency "
      "key-int-max=1000 ! video/x-h264,profile=constrained-baseline");
  fail_unless(sink.wait_until([&] { return sink.stat("codec") == "H264"; }));
  TestViewer::Options options;
  options.codec = "H264";
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect(), "%s", viewer.reply().body.c_str());
  fail_unless(viewer.wait_pictures(5), "%s", sink.error().c_str());
  fail_unless(viewer.pictures().back().mean[2] > 235);
  expect_text(sink.stat("encoder"), "");
  fail_unless(sink.key_requests() > 0, "the key frame was asked for upstream");
}
GST_END_TEST

GST_START_TEST(reordered_frames_are_refused_with_the_remedy) {
  SinkFixture sink(
      "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=50/1 ! "
      "x264enc bframes=2 b-adapt=false rc-lookahead=4 sync-lookahead=0 threads=1 "
      "key-int-max=1000");
  std::string error;
  fail_unless(sink.wait_until([&] { return !(error = sink.error()).empty(); }, 15));
  fail_unless(error.find("bframes=0") != std::string::npos, "%s", error.c_str());
}
GST_END_TEST

// What /stats says is JSON that the strictest reader takes, and /metrics is text that Prometheus
// takes: each sample's name was announced, no name twice, all values numbers.
GST_START_TEST(stats_and_metrics_are_well_formed) {
  SinkFixture sink(
      "videotestsrc is-live=true ! "
      "video/x-raw,format=RGB,width=320,height=240,framerate=24/1 ! "
      "reactorsim block-size=4 ! reactorpace");
  TestViewer viewer(sink.port());
  fail_unless(viewer.connect() && viewer.wait_pictures(20));
  // The transport's figures come once a second.
  fail_unless(sink.wait_until([&] {
    return http(sink.port(), "GET", "/stats").body.find("\"packets_sent\":0") == std::string::npos;
  }));
  const std::string stats = http(sink.port(), "GET", "/stats").body;
  const auto check = reactor::wire::check_json(stats);
  fail_unless(check.ok, "%s at %u: %s", check.problem, static_cast<guint>(check.offset),
              stats.c_str());
  for (const char* field : {"\"state\":\"active\"", "\"connection\":\"connected\"",
                            "\"codec\":\"VP8\"", "\"width\":320", "\"pacing\":{"})
    fail_unless(stats.find(field) != std::string::npos, "%s lacks %s", stats.c_str(), field);
  fail_unless(number_of(stats, "mean_ms") > 0 && number_of(stats, "bytes_sent") > 1000);

  std::istringstream metrics(http(sink.port(), "GET", "/metrics").body);
  std::set<std::string> announced;
  std::set<std::string> samples;
  for (std::string line; std::getline(metrics, line);) {
    if (line.compare(0, 7, "# TYPE ") == 0) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      fail_unless(announced.insert(name).second, "announced twice: %s", name.c_str());
    } else if (line[0] != '#') {
      const std::size_t space = line.rfind(' ');
      fail_unless(samples.insert(line.substr(0, space)).second, "twice: %s", line.c_str());
      fail_unless(announced.count(line.substr(0, line.find_first_of("{ "))) == 1, "%s",
                  line.c_str());
      char* end = nullptr;
      g_ascii_strtod(line.c_str() + space + 1, &end);
      fail_unless(*end == 0 && end != line.c_str() + space + 1, "%s", line.c_str());
    }
  }
  fail_unless(samples.count("reactor_session_state{state=\"active\"}") == 1);
  fail_unless(samples.size() > 25);
}
GST_END_TEST

GST_START_TEST(the_bitrate_changes_while_it_runs) {
  SinkFixture sink(
      "videotestsrc is-live=true pattern=zone-plate kx2=20 ky2=20 kt=1 ! "
      "video/x-raw,width=320,height=240,framerate=30/1",
      "bitrate=2000000");
  TestViewer::Options options;
  options.decode = false;
  TestViewer viewer(sink.port(), options);
  fail_unless(viewer.connect() && viewer.wait_connected());
  const auto measure = [&] {
    g_usleep(1'000'000);
    const std::uint64_t before = sink.stat_number("encoded-bytes");
    g_usleep(2'000'000);
    return static_cast<double>(sink.stat_number("encoded-bytes") - before);
  };
  const double high = measure();
  g_object_set(sink.sink(), "bitrate", 300000U, nullptr);
  const double low = measure();
  fail_unless(low < high / 2, "%.0f bytes, then %.0f", high, low);
}
GST_END_TEST

int main(int argc, char** argv) {
  gst_check_init(&argc, &argv);
  Suite* suite = suite_create("viewers");
  TCase* tc = tcase_create("viewers");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_viewer_sees_the_picture_and_talks_both_ways);
  tcase_add_test(tc, paced_blocks_arrive_with_their_frame_notes);
  tcase_add_test(tc, a_joiner_sees_a_held_frame_within_a_second);
  tcase_add_test(tc, a_viewer_that_leaves_costs_the_others_nothing);
  tcase_add_test(tc, nothing_of_a_viewer_that_left_remains_though_nobody_reads_the_bus);
  tcase_add_test(tc, an_offer_that_cannot_be_played_is_refused_and_touches_nothing);
  tcase_add_test(tc, an_offer_that_names_sources_is_answered_without_complaint);
  tcase_add_test(tc, the_session_follows_its_viewers);
  tcase_add_test(tc, a_session_without_grace_begins_and_ends_with_its_viewer);
  tcase_add_test(tc, the_end_of_the_stream_ends_the_session_and_the_pipeline);
  tcase_add_test(tc, colours_and_odd_sizes_are_right_in_vp8);
  tcase_add_test(tc, colours_and_odd_sizes_are_right_in_vp9);
  tcase_add_test(tc, colours_and_odd_sizes_are_right_in_h264);
  tcase_add_test(tc, encoded_input_is_sent_as_it_is);
  tcase_add_test(tc, reordered_frames_are_refused_with_the_remedy);
  tcase_add_test(tc, stats_and_metrics_are_well_formed);
  tcase_add_test(tc, the_bitrate_changes_while_it_runs);
  return gst_check_run_suite(suite, "viewers", __FILE__);
}
