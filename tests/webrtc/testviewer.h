// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A viewer in the same process: a webrtcbin that offers to receive video and a data channel, talks
// WHEP over plain HTTP and decodes what comes. For tests; waits with timeouts, never for ever.
#pragma once

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace reactor::test {

struct HttpReply {
  int status = 0;  // 0: no connection, or nothing that is HTTP
  std::string headers;
  std::string body;
  std::string header(const std::string& name) const;
};

HttpReply http(unsigned port, const std::string& method, const std::string& path,
               const std::string& body = {}, const std::string& type = {},
               const std::string& token = {});

// One decoded picture.
struct Picture {
  GstClockTime at = 0;  // monotonic, ns
  GstClockTime pts = 0;
  int width = 0;
  int height = 0;
  // Mean colour of the whole picture and of its left and right half, RGB.
  double mean[3] = {0, 0, 0};
  double left[3] = {0, 0, 0};
  double right[3] = {0, 0, 0};
  double edge[3] = {0, 0, 0};  // last column and last row
};

// One encoded frame as it came out of the network.
struct Encoded {
  GstClockTime at = 0;  // monotonic, ns
  bool key = false;
  std::size_t size = 0;
};

class TestViewer {
 public:
  struct Options {
    std::string codec = "VP8";
    bool data_channel = true;
    bool decode = true;
    bool audio = false;       // an m-line of audio before the video
    std::string token;        // sent as Authorization: Bearer
    std::string mangle_from;  // replaced in the offer before it is sent…
    std::string mangle_to;    // …by this
  };

  explicit TestViewer(unsigned port) : TestViewer(port, Options()) {}
  TestViewer(unsigned port, Options options);
  ~TestViewer();

  // Offers by WHEP and sets the answer. False: see reply().
  bool connect();
  // Only builds the offer; for tests that send it themselves.
  std::string offer();
  bool accept(const std::string& answer);
  const HttpReply& reply() const { return reply_; }
  std::string location() const;  // absolute path
  const std::string& answer() const { return answer_; }
  HttpReply remove();  // DELETE on the location
  void close();        // the pipeline to NULL

  bool wait_connected(double seconds = 10);
  bool wait_open(double seconds = 10);
  bool wait_pictures(std::size_t count, double seconds = 10);
  // Waits for a message that contains `text`; empty when none came.
  std::string wait_message(const std::string& text, double seconds = 10);
  std::size_t count_messages(const std::string& text);  // that contain it
  bool wait_until(const std::function<bool()>& condition, double seconds);
  void send(const std::string& text);
  void open_channels(unsigned count);  // beside the one that is there
  void close_channel();

  std::vector<Picture> pictures();
  std::vector<Encoded> encoded();
  std::vector<std::string> messages();
  std::string state();  // connection-state
  bool channel_closed();

 private:
  static void on_pad(GstElement*, GstPad* pad, gpointer self);
  static void on_message(GstWebRTCDataChannel*, gchar* text, gpointer self);
  static void on_channel_change(GstWebRTCDataChannel*, gpointer self);
  static GstFlowReturn on_sample(GstElement* sink, gpointer self);
  static GstPadProbeReturn on_encoded(GstPad*, GstPadProbeInfo* info, gpointer self);
  bool wait_promise(GstPromise* promise, GstStructure** reply);

  unsigned port_;
  Options options_;
  GstElement* pipeline_ = nullptr;
  GstElement* webrtc_ = nullptr;
  GstWebRTCDataChannel* channel_ = nullptr;
  HttpReply reply_;
  std::string answer_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Picture> pictures_;      // guarded by mutex_
  std::vector<Encoded> encoded_;       // guarded by mutex_
  std::vector<std::string> messages_;  // guarded by mutex_
};

}  // namespace reactor::test
