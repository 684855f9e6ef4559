// SPDX-License-Identifier: LGPL-2.1-or-later

#include "branch.h"

#include <gst/reactor/gstreactorframemeta.h>
#include <gst/video/video.h>

#include <algorithm>
#include <utility>

#include "debug.h"
#include "encoder.h"
#include "gstreactorconvert.h"
#include "handles.h"

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxInside = 64;  // frames inside an encoder that are timed

bool is_raw(const GstCaps* caps) {
  return gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw");
}

}  // namespace

Branch::Branch(GstBin* bin)
    : bin_(bin),
      input_(gst_element_factory_make("identity", "input")),
      tee_(gst_element_factory_make("tee", "tee")),
      fakesink_(gst_element_factory_make("fakesink", "nobody")) {
  g_object_set(input_, "silent", TRUE, nullptr);
  g_object_set(tee_, "allow-not-linked", TRUE, nullptr);
  g_object_set(fakesink_, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
  gst_bin_add_many(bin_, input_, tee_, fakesink_, nullptr);
  // The first of tee's pads, which refuses an ALLOCATION query: tee asks none of the viewers' after
  // it, and so no thread waits for a stuck one.
  gst_element_link(tee_, fakesink_);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(input_, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_raw, this, nullptr);
  g_autoptr(GstPad) encoded = gst_element_get_static_pad(tee_, "sink");
  gst_pad_add_probe(encoded, GST_PAD_PROBE_TYPE_BUFFER, on_encoded, this, nullptr);
}

Branch::~Branch() = default;  // the elements are the bin's

GstCaps* Branch::sink_caps() {
  return gst_caps_from_string(
      "video/x-raw,width=(int)[1,16383],height=(int)[1,16383];"
      "video/x-vp8;video/x-vp9;"
      "video/x-h264,stream-format=(string){byte-stream,avc},alignment=(string)au;"
      "video/x-av1");
}

std::optional<std::string> Branch::prepare(Codec codec, unsigned bitrate) {
  const CodecNames& names = names_of(codec);
  g_autoptr(GstElementFactory) payloader = gst_element_factory_find(names.payloader);
  if (!payloader)
    return std::string("codec ") + names.rtpmap + " needs the element " + names.payloader +
           ", which is not installed: install it, or set the property codec to vp8, vp9 or h264";
  encoder_factory_ = find_encoder(codec);
  if (encoder_factory_.empty())
    GST_INFO("no encoder for %s: only encoded input will work", names.rtpmap);
  codec_ = codec;
  bitrate_ = bitrate;
  has_caps_ = false;
  wanted_ = false;
  session_start_ = 0;
  last_pts_ = GST_CLOCK_TIME_NONE;
  std::lock_guard lock(mutex_);
  stats_ = {};
  inside_.clear();
  return std::nullopt;
}

void Branch::unlink() {
  GstBin* chain = nullptr;
  {
    std::lock_guard lock(mutex_);
    chain = std::exchange(chain_, nullptr);
    encoder_ = nullptr;
    inside_.clear();
  }
  if (!chain) return;
  gst_element_set_locked_state(GST_ELEMENT(chain), TRUE);
  gst_element_unlink(input_, GST_ELEMENT(chain));
  gst_element_unlink(GST_ELEMENT(chain), tee_);
  gst_element_set_state(GST_ELEMENT(chain), GST_STATE_NULL);
  gst_bin_remove(bin_, GST_ELEMENT(chain));
}

void Branch::reset() {
  unlink();
  has_caps_ = false;
}

std::optional<std::string> Branch::negotiate(const GstCaps* caps) {
  if (gst_caps_get_size(caps) == 0) return "empty caps";
  const bool raw = is_raw(caps);
  Codec codec = codec_;
  if (!raw) {
    const GstStructure* structure = gst_caps_get_structure(caps, 0);
    const auto* found = std::find_if(std::begin(kCodecs), std::end(kCodecs), [&](const auto& c) {
      return gst_structure_has_name(structure, c.caps);
    });
    if (found == std::end(kCodecs)) return "unknown format";
    codec = found->codec;
  }
  GstVideoInfo info;
  if (raw && gst_video_info_from_caps(&info, caps)) {
    std::lock_guard lock(mutex_);
    stats_.width = GST_VIDEO_INFO_WIDTH(&info);
    stats_.height = GST_VIDEO_INFO_HEIGHT(&info);
  }
  const bool linked = [&] {
    std::lock_guard lock(mutex_);
    return chain_ != nullptr;
  }();
  if (linked && raw == raw_ && codec == codec_) {
    has_caps_ = true;
    return std::nullopt;
  }
  unlink();
  std::string problem;
  if (!(raw ? link_raw(problem) : link_encoded(codec, problem))) return problem;
  raw_ = raw;
  codec_ = codec;
  has_caps_ = true;
  return std::nullopt;
}

bool Branch::link_raw(std::string& problem) {
  if (encoder_factory_.empty()) {
    problem = std::string("no encoder for ") + names_of(codec_).rtpmap + " is installed (one of " +
              encoder_names(codec_) + "): install one, or set the property codec";
    return false;
  }
  GstElement* encoder = make_encoder(encoder_factory_, bitrate_);
  // To I420 and BT.601, and from there, for hardware that takes nothing else, to NV12.
  GstElement* convert = convert_new("convert", needs_even_size(encoder_factory_));
  GstElement* adapt = gst_element_factory_make("videoconvert", "adapt");
  GstElement* profile = gst_element_factory_make("capsfilter", "profile");
  if (!encoder || !adapt || !profile) {
    problem = "videoconvert, capsfilter or " + encoder_factory_ + " is missing";
    for (GstElement* element : {encoder, convert, adapt, profile})
      if (element) gst_object_unref(gst_object_ref_sink(element));
    return false;
  }
  g_autoptr(GstCaps) out = encoder_output_caps(codec_);
  g_object_set(profile, "caps", out, nullptr);

  GstElement* chain = gst_bin_new("encode");
  gst_bin_add_many(GST_BIN(chain), convert, adapt, encoder, profile, nullptr);
  gst_element_link_many(convert, adapt, encoder, profile, nullptr);
  g_autoptr(GstPad) sink = gst_element_get_static_pad(convert, "sink");
  g_autoptr(GstPad) src = gst_element_get_static_pad(profile, "src");
  gst_element_add_pad(chain, gst_ghost_pad_new("sink", sink));
  gst_element_add_pad(chain, gst_ghost_pad_new("src", src));
  g_autoptr(GstPad) encoder_sink = gst_element_get_static_pad(encoder, "sink");
  gst_pad_add_probe(encoder_sink, GST_PAD_PROBE_TYPE_BUFFER, on_encoder_in, this, nullptr);
  {
    std::lock_guard lock(mutex_);
    chain_ = GST_BIN(chain);
    encoder_ = encoder;
    stats_.element = encoder_factory_;
  }
  gst_bin_add(bin_, chain);
  gst_element_link(chain, tee_);
  gst_element_sync_state_with_parent(chain);
  return gst_element_link(input_, chain);
}

bool Branch::link_encoded(Codec codec, std::string& problem) {
  g_autoptr(GstElementFactory) payloader = gst_element_factory_find(names_of(codec).payloader);
  if (!payloader) {
    problem = std::string("the input is ") + names_of(codec).rtpmap + ", which needs the element " +
              names_of(codec).payloader + ", which is not installed";
    return false;
  }
  GstElement* chain = gst_bin_new("encode");
  GstElement* first = nullptr;
  GstElement* last = nullptr;
  if (codec == Codec::kH264) {
    // Parameter sets before every key frame: a viewer may join at any of them.
    first = gst_element_factory_make("h264parse", "parse");
    last = gst_element_factory_make("capsfilter", "profile");
    if (!first || !last) {
      problem = "h264parse is missing (gst-plugins-bad)";
      for (GstElement* element : {first, last, chain})
        if (element) gst_object_unref(gst_object_ref_sink(element));
      return false;
    }
    g_object_set(first, "config-interval", -1, nullptr);
    g_autoptr(GstCaps) caps =
        gst_caps_from_string("video/x-h264,stream-format=byte-stream,alignment=au");
    g_object_set(last, "caps", caps, nullptr);
    gst_bin_add_many(GST_BIN(chain), first, last, nullptr);
    gst_element_link(first, last);
  } else {
    first = last = gst_element_factory_make("identity", "parse");
    gst_bin_add(GST_BIN(chain), first);
  }
  g_autoptr(GstPad) sink = gst_element_get_static_pad(first, "sink");
  g_autoptr(GstPad) src = gst_element_get_static_pad(last, "src");
  gst_element_add_pad(chain, gst_ghost_pad_new("sink", sink));
  gst_element_add_pad(chain, gst_ghost_pad_new("src", src));
  {
    std::lock_guard lock(mutex_);
    chain_ = GST_BIN(chain);
    encoder_ = nullptr;
    stats_.element.clear();
  }
  gst_bin_add(bin_, chain);
  gst_element_link(chain, tee_);
  gst_element_sync_state_with_parent(chain);
  return gst_element_link(input_, chain);
}

GstPadProbeReturn Branch::on_raw(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Branch*>(data);
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
  const GstClockTime start = self->session_start_;
  const bool black = meta && meta->flags & GST_REACTOR_FRAME_BLACK;
  const bool former = meta && start > 0 && GST_CLOCK_TIME_IS_VALID(meta->emitted) &&
                      meta->emitted < start && !black;
  if (!black && !former && self->on_frame_) self->on_frame_();
  if (!self->raw_) {
    // Reordered frames make RTP time run backwards, and no receiver shows them right.
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (GST_CLOCK_TIME_IS_VALID(pts)) {
      const bool backwards = GST_CLOCK_TIME_IS_VALID(self->last_pts_) && pts < self->last_pts_ &&
                             !GST_BUFFER_IS_DISCONT(buffer);
      self->last_pts_ = pts;
      if (backwards) {
        GST_ELEMENT_ERROR(
            self->bin_, STREAM, FORMAT,
            ("The encoded input has reordered frames (B-frames), which WebRTC cannot carry. "
             "Encode without them: x264enc tune=zerolatency bframes=0."),
            ("PTS went back to %" GST_TIME_FORMAT, GST_TIME_ARGS(pts)));
        return GST_PAD_PROBE_DROP;
      }
    }
    return GST_PAD_PROBE_OK;
  }
  if (former) {
    std::lock_guard lock(self->mutex_);
    self->stats_.former_drops++;
    return GST_PAD_PROBE_DROP;
  }
  if (!self->wanted_) {
    std::lock_guard lock(self->mutex_);
    self->stats_.idle_drops++;
    return GST_PAD_PROBE_DROP;
  }
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Branch::on_encoder_in(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Branch*>(data);
  const GstClockTime pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
  std::lock_guard lock(self->mutex_);
  if (self->inside_.size() >= kMaxInside) self->inside_.erase(self->inside_.begin());
  self->inside_[pts] = g_get_monotonic_time();
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Branch::on_encoded(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Branch*>(data);
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  std::lock_guard lock(self->mutex_);
  EncoderStats& stats = self->stats_;
  stats.frames++;
  stats.bytes += gst_buffer_get_size(buffer);
  if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)) stats.key_frames++;
  const auto entered = self->inside_.find(GST_BUFFER_PTS(buffer));
  if (entered != self->inside_.end()) {
    const double ms = static_cast<double>(g_get_monotonic_time() - entered->second) / 1000.0;
    // About the last 32 frames.
    stats.mean_ms = stats.mean_ms == 0 ? ms : stats.mean_ms + (ms - stats.mean_ms) / 32;
    stats.max_ms = std::max(stats.max_ms, ms);
    self->inside_.erase(entered);
  }
  return GST_PAD_PROBE_OK;
}

void Branch::set_bitrate(unsigned bits_per_second) {
  ElementPtr encoder;
  {
    std::lock_guard lock(mutex_);
    bitrate_ = bits_per_second;
    if (encoder_) encoder.reset(static_cast<GstElement*>(gst_object_ref(encoder_)));
  }
  if (encoder) set_encoder_bitrate(encoder.get(), bits_per_second);
}

void Branch::request_key_frame() {
  ElementPtr encoder;
  {
    std::lock_guard lock(mutex_);
    if (encoder_) encoder.reset(static_cast<GstElement*>(gst_object_ref(encoder_)));
  }
  if (!encoder) return;
  gst_element_send_event(encoder.get(),
                         gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

EncoderStats Branch::stats() {
  std::lock_guard lock(mutex_);
  return stats_;
}

void configure_payloader(GstElement* payloader, Codec codec) {
  const auto set = [&](const char* property, const char* value) {
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(payloader), property))
      gst_util_set_object_arg(G_OBJECT(payloader), property, value);
  };
  switch (codec) {
    case Codec::kVp8:
    case Codec::kVp9:
      set("picture-id-mode", "15-bit");
      break;
    case Codec::kH264:
      set("config-interval", "-1");
      set("aggregate-mode", "zero-latency");
      break;
    case Codec::kAv1:
      break;
  }
}

}  // namespace reactor::webrtc
