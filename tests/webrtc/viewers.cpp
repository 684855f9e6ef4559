// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reactorwebrtcsink with webrtcbin viewers in the same process: video, messages, joining and
// leaving.

#include <memory>
#include <string>
#include <vector>

#include "testviewer.h"

#include "sinkfixture.h"

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
  fail_unless_equals_string(message.c_str(),
                            "{\"scope\":\"application\",\"data\":{\"progress\":0.5}}");
  viewer.send(
      "{\"scope\":\"application\",\"data\":{\"type\":\"go\",\"data\":{\"x\":1.50}},\"ref\":7}");
  fail_unless(!viewer.wait_message("\"ref\":7").empty());
  fail_unless(sink.wait_command("{\"type\":\"go\",\"data\":{\"x\":1.50}}"));
  fail_unless(viewer.encoded().front().key, "the first frame must be a key frame");
}
GST_END_TEST

int main(int argc, char** argv) {
  gst_check_init(&argc, &argv);
  Suite* suite = suite_create("viewers");
  TCase* tc = tcase_create("viewers");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_viewer_sees_the_picture_and_talks_both_ways);
  return gst_check_run_suite(suite, "viewers", __FILE__);
}
