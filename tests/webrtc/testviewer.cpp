// SPDX-License-Identifier: LGPL-2.1-or-later

#include "testviewer.h"

#include <gio/gio.h>
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace reactor::test {

namespace {

GstClockTime now_ns() {
  return static_cast<GstClockTime>(g_get_monotonic_time()) * 1000;
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
  const std::string wanted = "\r\n" + name + ": ";
  const auto found =
      std::search(headers.begin(), headers.end(), wanted.begin(), wanted.end(),
                  [](char a, char b) { return g_ascii_tolower(a) == g_ascii_tolower(b); });
  if (found == headers.end()) return {};
  const auto begin = found + static_cast<long>(wanted.size());
  return std::string(begin, std::find(begin, headers.end(), '\r'));
}

HttpReply http(unsigned port, const std::string& method, const std::string& path,
               const std::string& body, const std::string& type, const std::string& token) {
  HttpReply reply;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_socket_client_set_timeout(client, 10);
  g_autoptr(GSocketConnection) connection = g_socket_client_connect_to_host(
      client, "127.0.0.1", static_cast<guint16>(port), nullptr, nullptr);
  if (!connection) return reply;
  std::string request = method + " " + path +
                        " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                        "\r\nConnection: close\r\n";
  if (!type.empty()) request += "Content-Type: " + type + "\r\n";
  if (!token.empty()) request += "Authorization: Bearer " + token + "\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  GOutputStream* out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
  if (!g_output_stream_write_all(out, request.data(), request.size(), nullptr, nullptr, nullptr))
    return reply;
  GInputStream* in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
  std::string text;
  char chunk[4096];
  for (;;) {
    const gssize got = g_input_stream_read(in, chunk, sizeof chunk, nullptr, nullptr);
    if (got <= 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos || text.compare(0, 7, "HTTP/1.") != 0) return reply;
  reply.status = std::atoi(text.c_str() + 9);
  reply.headers = text.substr(0, end + 2);
  reply.body = text.substr(end + 4);
  return reply;
}

TestViewer::TestViewer(unsigned port, Options options) : port_(port), options_(options) {
  pipeline_ = gst_pipeline_new(nullptr);
  webrtc_ = gst_element_factory_make("webrtcbin", nullptr);
  g_object_set(webrtc_, "bundle-policy", 3, "latency", 20U, nullptr);
  gst_bin_add(GST_BIN(pipeline_), webrtc_);
  g_signal_connect(webrtc_, "pad-added", G_CALLBACK(on_pad), this);
  gst_element_set_state(pipeline_, GST_STATE_READY);
  const std::string text =
      "application/x-rtp,media=video,clock-rate=90000,payload=97,encoding-name=" + options_.codec +
      (options_.codec == "H264" ? ",packetization-mode=(string)1,profile-level-id=(string)42e01f"
                                : "");
  if (options_.audio) {
    g_autoptr(GstCaps) opus = gst_caps_from_string(
        "application/x-rtp,media=audio,clock-rate=48000,payload=111,encoding-name=OPUS,"
        "encoding-params=(string)2");
    GstWebRTCRTPTransceiver* audio = nullptr;
    g_signal_emit_by_name(webrtc_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          opus, &audio);
    if (audio) gst_object_unref(audio);
  }
  g_autoptr(GstCaps) caps = gst_caps_from_string(text.c_str());
  GstWebRTCRTPTransceiver* transceiver = nullptr;
  g_signal_emit_by_name(webrtc_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                        caps, &transceiver);
  if (transceiver) gst_object_unref(transceiver);
  if (options_.data_channel) {
    g_signal_emit_by_name(webrtc_, "create-data-channel", "data", nullptr, &channel_);
    g_signal_connect(channel_, "on-message-string", G_CALLBACK(on_message), this);
    g_signal_connect(channel_, "on-open", G_CALLBACK(on_channel_change), this);
    g_signal_connect(channel_, "on-close", G_CALLBACK(on_channel_change), this);
  }
  gst_element_set_state(pipeline_, GST_STATE_PLAYING);
}

TestViewer::~TestViewer() {
  close();
}

void TestViewer::close() {
  if (!pipeline_) return;
  gst_element_set_state(pipeline_, GST_STATE_NULL);
  if (channel_) {
    g_signal_handlers_disconnect_by_data(channel_, this);
    g_clear_object(&channel_);
  }
  g_clear_pointer(&pipeline_, gst_object_unref);
  webrtc_ = nullptr;
}

bool TestViewer::wait_promise(GstPromise* promise, GstStructure** reply) {
  const bool ok = gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED;
  const GstStructure* structure = ok ? gst_promise_get_reply(promise) : nullptr;
  const bool error = structure && gst_structure_has_field(structure, "error");
  if (reply) *reply = structure ? gst_structure_copy(structure) : nullptr;
  gst_promise_unref(promise);
  return ok && !error;
}

std::string TestViewer::offer() {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtc_, "create-offer", nullptr, promise);
  GstStructure* reply = nullptr;
  if (!wait_promise(promise, &reply) || !reply) return {};
  g_autoptr(GstWebRTCSessionDescription) description = nullptr;
  gst_structure_get(reply, "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, nullptr);
  gst_structure_free(reply);
  if (!description) return {};
  promise = gst_promise_new();
  g_signal_emit_by_name(webrtc_, "set-local-description", description, promise);
  if (!wait_promise(promise, nullptr)) return {};
  for (int i = 0; i < 300; i++) {
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtc_, "ice-gathering-state", &state, nullptr);
    if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) break;
    g_usleep(10'000);
  }
  g_autoptr(GstWebRTCSessionDescription) local = nullptr;
  g_object_get(webrtc_, "local-description", &local, nullptr);
  g_autofree gchar* text = gst_sdp_message_as_text(local->sdp);
  std::string sdp = text;
  if (!options_.mangle_from.empty()) {
    for (std::size_t at = 0; (at = sdp.find(options_.mangle_from, at)) != std::string::npos;
         at += options_.mangle_to.size())
      sdp.replace(at, options_.mangle_from.size(), options_.mangle_to);
  }
  return sdp;
}

bool TestViewer::accept(const std::string& answer) {
  answer_ = answer;
  GstSDPMessage* sdp = nullptr;
  gst_sdp_message_new(&sdp);
  gst_sdp_message_parse_buffer(reinterpret_cast<const guint8*>(answer.data()),
                               static_cast<guint>(answer.size()), sdp);
  g_autoptr(GstWebRTCSessionDescription) description =
      gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtc_, "set-remote-description", description, promise);
  return wait_promise(promise, nullptr);
}

bool TestViewer::connect() {
  const std::string sdp = offer();
  if (sdp.empty()) return false;
  reply_ = http(port_, "POST", "/whep", sdp, "application/sdp", options_.token);
  return reply_.status == 201 && accept(reply_.body);
}

std::string TestViewer::location() const {
  const std::string location = reply_.header("Location");
  return location.empty() || location.front() == '/' ? location : "/" + location;
}

HttpReply TestViewer::remove() {
  return http(port_, "DELETE", location(), {}, {}, options_.token);
}

bool TestViewer::wait_until(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    g_usleep(5'000);
  }
  return condition();
}

std::string TestViewer::state() {
  if (!webrtc_) return "closed";
  GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
  g_object_get(webrtc_, "connection-state", &state, nullptr);
  static const char* const kNames[] = {"new",          "connecting", "connected",
                                       "disconnected", "failed",     "closed"};
  return kNames[state];
}

bool TestViewer::wait_connected(double seconds) {
  return wait_until([this] { return state() == "connected"; }, seconds);
}

bool TestViewer::wait_open(double seconds) {
  return wait_until(
      [this] {
        GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
        g_object_get(channel_, "ready-state", &state, nullptr);
        return state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
      },
      seconds);
}

bool TestViewer::channel_closed() {
  GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
  if (channel_) g_object_get(channel_, "ready-state", &state, nullptr);
  return state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED ||
         state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING;
}

bool TestViewer::wait_pictures(std::size_t count, double seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                           [&] { return pictures_.size() >= count; });
}

std::string TestViewer::wait_message(const std::string& text, double seconds) {
  std::unique_lock lock(mutex_);
  std::string found;
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    for (const std::string& message : messages_)
      if (message.find(text) != std::string::npos) {
        found = message;
        return true;
      }
    return false;
  });
  return found;
}

std::size_t TestViewer::count_messages(const std::string& text) {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      messages_.begin(), messages_.end(),
      [&](const std::string& message) { return message.find(text) != std::string::npos; }));
}

void TestViewer::send(const std::string& text) {
  gst_webrtc_data_channel_send_string_full(channel_, text.c_str(), nullptr);
}

void TestViewer::open_channels(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    g_autoptr(GstWebRTCDataChannel) channel = nullptr;
    g_signal_emit_by_name(webrtc_, "create-data-channel", "more", nullptr, &channel);
  }
}

void TestViewer::close_channel() {
  gst_webrtc_data_channel_close(channel_);
}

std::vector<Picture> TestViewer::pictures() {
  std::lock_guard lock(mutex_);
  return pictures_;
}

std::vector<Encoded> TestViewer::encoded() {
  std::lock_guard lock(mutex_);
  return encoded_;
}

std::vector<std::string> TestViewer::messages() {
  std::lock_guard lock(mutex_);
  return messages_;
}

void TestViewer::on_pad(GstElement*, GstPad* pad, gpointer data) {
  auto* self = static_cast<TestViewer*>(data);
  if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
  const std::string& codec = self->options_.codec;
  const std::string depay =
      codec == "H264"  ? "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au,"
                         "profile=constrained-baseline"
      : codec == "VP9" ? "rtpvp9depay"
                       : "rtpvp8depay";
  const std::string decoder = codec == "H264"  ? "openh264dec"
                              : codec == "VP9" ? "vp9dec"
                                               : "vp8dec";
  const std::string text =
      depay + " ! identity name=encoded silent=true ! " +
      (self->options_.decode ? decoder +
                                   " ! video/x-raw,format=I420 ! appsink name=sink sync=false "
                                   "emit-signals=true"
                             : std::string("fakesink sync=false"));
  GstElement* bin = gst_parse_bin_from_description(text.c_str(), TRUE, nullptr);
  gst_bin_add(GST_BIN(self->pipeline_), bin);
  g_autoptr(GstElement) identity = gst_bin_get_by_name(GST_BIN(bin), "encoded");
  g_autoptr(GstPad) src = gst_element_get_static_pad(identity, "src");
  gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, on_encoded, self, nullptr);
  if (self->options_.decode) {
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(bin), "sink");
    g_signal_connect(sink, "new-sample", G_CALLBACK(on_sample), self);
  }
  gst_element_sync_state_with_parent(bin);
  g_autoptr(GstPad) bin_sink = gst_element_get_static_pad(bin, "sink");
  gst_pad_link(pad, bin_sink);
}

GstPadProbeReturn TestViewer::on_encoded(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<TestViewer*>(data);
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  std::lock_guard lock(self->mutex_);
  self->encoded_.push_back({now_ns(), !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT),
                            gst_buffer_get_size(buffer)});
  return GST_PAD_PROBE_OK;
}

GstFlowReturn TestViewer::on_sample(GstElement* sink, gpointer data) {
  auto* self = static_cast<TestViewer*>(data);
  GstSample* sample = nullptr;
  g_signal_emit_by_name(sink, "pull-sample", &sample);
  if (!sample) return GST_FLOW_EOS;
  GstVideoInfo info;
  GstVideoFrame frame;
  Picture picture;
  picture.at = now_ns();
  picture.pts = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
  if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) &&
      gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ)) {
    picture.width = GST_VIDEO_FRAME_WIDTH(&frame);
    picture.height = GST_VIDEO_FRAME_HEIGHT(&frame);
    // As browsers do it: BT.601 in limited range, whatever the size.
    const auto pixel = [&](int x, int y, double rgb[3]) {
      const auto value = [&](int plane, int px, int py) {
        return static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(
            &frame, plane))[py * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane) + px];
      };
      const double luma = 1.164 * (value(0, x, y) - 16);
      const double u = value(1, x / 2, y / 2) - 128.0;
      const double v = value(2, x / 2, y / 2) - 128.0;
      rgb[0] = std::clamp(luma + 1.596 * v, 0.0, 255.0);
      rgb[1] = std::clamp(luma - 0.392 * u - 0.813 * v, 0.0, 255.0);
      rgb[2] = std::clamp(luma + 2.017 * u, 0.0, 255.0);
    };
    double rgb[3];
    double count[2] = {0, 0};
    double sum[2][3] = {};
    for (int y = 0; y < picture.height; y += 4) {
      for (int x = 0; x < picture.width; x += 4) {
        const int half = x < picture.width / 2 ? 0 : 1;
        count[half]++;
        pixel(x, y, rgb);
        for (int c = 0; c < 3; c++) sum[half][c] += rgb[c];
      }
    }
    double edges = 0;
    for (int y = 0; y < picture.height; y++) {
      const int first = y == picture.height - 1 ? picture.width / 2 + 4 : picture.width - 1;
      for (int x = first; x < picture.width; x++, edges++) {
        pixel(x, y, rgb);
        for (int c = 0; c < 3; c++) picture.edge[c] += rgb[c];
      }
    }
    for (int c = 0; c < 3; c++) {
      picture.edge[c] /= std::max(1.0, edges);
      picture.left[c] = sum[0][c] / std::max(1.0, count[0]);
      picture.right[c] = sum[1][c] / std::max(1.0, count[1]);
      picture.mean[c] = (sum[0][c] + sum[1][c]) / std::max(1.0, count[0] + count[1]);
    }
    gst_video_frame_unmap(&frame);
  }
  gst_sample_unref(sample);
  {
    std::lock_guard lock(self->mutex_);
    self->pictures_.push_back(picture);
  }
  self->changed_.notify_all();
  return GST_FLOW_OK;
}

void TestViewer::on_message(GstWebRTCDataChannel*, gchar* text, gpointer data) {
  auto* self = static_cast<TestViewer*>(data);
  {
    std::lock_guard lock(self->mutex_);
    self->messages_.emplace_back(text ? text : "");
  }
  self->changed_.notify_all();
}

void TestViewer::on_channel_change(GstWebRTCDataChannel*, gpointer data) {
  static_cast<TestViewer*>(data)->changed_.notify_all();
}

}  // namespace reactor::test
