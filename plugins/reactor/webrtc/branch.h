// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the sink pad to the tee: one encoder for all viewers, or none when the input is encoded.
//
//    input ─▶ [ convert (I420, BT.601) ─▶ encoder ─▶ profile ] ─▶ tee ─▶ viewers
//                          or [ parser ] for encoded input      └─▶ fakesink
//
// The fakesink keeps the stream's end and the caps alive while nobody watches. The part in brackets
// is made when the first caps arrive, in the streaming thread; everything else is thread-safe.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "codec.h"

namespace reactor::webrtc {

struct EncoderStats {
  std::string element;       // factory name of the encoder, empty for encoded input
  std::uint64_t frames = 0;  // encoded
  std::uint64_t key_frames = 0;
  std::uint64_t bytes = 0;
  double mean_ms = 0;  // from raw frame in to encoded frame out, moving average
  double max_ms = 0;
  std::uint64_t idle_drops = 0;    // raw frames not encoded because nobody watched
  std::uint64_t former_drops = 0;  // frames of a former session
  int width = 0;
  int height = 0;
};

class Branch {
 public:
  explicit Branch(GstBin* bin);
  ~Branch();
  Branch(const Branch&) = delete;
  Branch& operator=(const Branch&) = delete;

  // Called in the streaming thread for each frame that is not black; before the element leaves
  // NULL.
  void set_on_frame(std::function<void()> on_frame) { on_frame_ = std::move(on_frame); }

  GstElement* input() const { return input_; }
  GstElement* tee() const { return tee_; }

  // NULL → READY. Whether the machine can do it; otherwise a sentence for the user.
  std::optional<std::string> prepare(Codec codec, unsigned bitrate);
  // READY → NULL: takes the encoder out again.
  void reset();

  // Streaming thread, with each CAPS event before it is passed on. A sentence for the user when
  // they cannot be used.
  std::optional<std::string> negotiate(const GstCaps* caps);

  // Any thread.
  void set_bitrate(unsigned bits_per_second);
  void request_key_frame();  // from our encoder; the caller asks upstream
  // Without viewers raw frames are dropped before the encoder.
  void set_wanted(bool wanted) { wanted_ = wanted; }
  // Frames that carry a frame meta and were emitted before this running time belong to a former
  // session, except black ones: they are dropped.
  void set_session_start(GstClockTime running_time) { session_start_ = running_time; }
  Codec codec() const { return codec_.load(); }
  bool has_caps() const { return has_caps_.load(); }
  EncoderStats stats();

  static GstCaps* sink_caps();

 private:
  static GstPadProbeReturn on_raw(GstPad*, GstPadProbeInfo*, gpointer self);
  static GstPadProbeReturn on_encoder_in(GstPad*, GstPadProbeInfo*, gpointer self);
  static GstPadProbeReturn on_encoded(GstPad*, GstPadProbeInfo*, gpointer self);
  bool link_raw(std::string& problem);
  bool link_encoded(Codec codec, std::string& problem);
  void unlink();

  std::function<void()> on_frame_;
  GstBin* bin_;
  GstElement* input_;
  GstElement* tee_;
  GstElement* fakesink_;
  std::string encoder_factory_;
  unsigned bitrate_ = 0;

  std::mutex mutex_;
  GstBin* chain_ = nullptr;        // guarded by mutex_: what stands between input and tee
  GstElement* encoder_ = nullptr;  // guarded by mutex_: inside chain_
  EncoderStats stats_;             // guarded by mutex_
  std::map<GstClockTime, std::int64_t> inside_;  // guarded by mutex_: PTS → monotonic us
  GstClockTime last_pts_ = GST_CLOCK_TIME_NONE;  // streaming thread

  std::atomic<Codec> codec_{Codec::kVp8};
  std::atomic<bool> raw_{true};
  std::atomic<bool> has_caps_{false};
  std::atomic<bool> wanted_{false};
  std::atomic<GstClockTime> session_start_{0};
};

// Real-time settings of a payloader for browsers.
void configure_payloader(GstElement* payloader, Codec codec);

}  // namespace reactor::webrtc
