// SPDX-License-Identifier: LGPL-2.1-or-later

#include "encoder.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace reactor::webrtc {

namespace {

struct Setting {
  const char* property;
  const char* value;  // as gst-launch would take it
};

struct Encoder {
  const char* factory;
  Codec codec;
  const char* bitrate_property;
  unsigned bitrate_unit;  // bits per second that the property counts
  bool even;              // refuses odd sizes
  std::vector<Setting> settings;
};

// In order of preference for each codec. A setting that this version of an element does not have is
// left out.
const std::vector<Encoder>& encoders() {
  static const std::vector<Encoder> kEncoders = {
      {"vp8enc",
       Codec::kVp8,
       "target-bitrate",
       1,
       false,
       {{"deadline", "1"},
        {"cpu-used", "8"},
        {"end-usage", "cbr"},
        {"lag-in-frames", "0"},
        {"keyframe-mode", "disabled"},
        {"keyframe-max-dist", "2147483647"},
        {"error-resilient", "default"},
        {"min-quantizer", "4"},
        {"max-quantizer", "56"},
        {"undershoot", "95"},
        {"buffer-initial-size", "300"},
        {"buffer-optimal-size", "400"},
        {"buffer-size", "600"},
        {"static-threshold", "1"},
        // Its threads spin while they wait for each other: beside a busy model on two cores, two
        // of them take five to ten times as long for a frame as one does (8 ms at 1280x704).
        {"threads", "1"}}},
      {"vp9enc",
       Codec::kVp9,
       "target-bitrate",
       1,
       false,
       {{"deadline", "1"},
        {"cpu-used", "8"},
        {"end-usage", "cbr"},
        {"lag-in-frames", "0"},
        {"keyframe-mode", "disabled"},
        {"keyframe-max-dist", "2147483647"},
        {"error-resilient", "default"},
        {"min-quantizer", "4"},
        {"max-quantizer", "56"},
        {"undershoot", "95"},
        {"buffer-initial-size", "300"},
        {"buffer-optimal-size", "400"},
        {"buffer-size", "600"},
        {"row-mt", "true"},
        {"tile-columns", "1"},
        {"threads", "2"}}},
      {"nvh264enc",
       Codec::kH264,
       "bitrate",
       1000,
       true,
       {{"preset", "low-latency-hq"},
        {"rc-mode", "cbr"},
        {"zerolatency", "true"},
        {"bframes", "0"},
        {"gop-size", "-1"}}},
      {"vah264enc",
       Codec::kH264,
       "bitrate",
       1000,
       true,
       {{"rate-control", "cbr"}, {"b-frames", "0"}, {"key-int-max", "1024"}, {"ref-frames", "1"}}},
      {"vah264lpenc",
       Codec::kH264,
       "bitrate",
       1000,
       true,
       {{"rate-control", "cbr"}, {"b-frames", "0"}, {"key-int-max", "1024"}, {"ref-frames", "1"}}},
      {"qsvh264enc",
       Codec::kH264,
       "bitrate",
       1000,
       true,
       {{"rate-control", "cbr"}, {"b-frames", "0"}, {"low-latency", "true"}, {"gop-size", "0"}}},
      {"v4l2h264enc", Codec::kH264, nullptr, 1, true, {}},
      {"x264enc",
       Codec::kH264,
       "bitrate",
       1000,
       true,
       {{"tune", "zerolatency"},
        {"speed-preset", "ultrafast"},
        {"key-int-max", "2147483647"},
        {"bframes", "0"},
        {"byte-stream", "true"},
        {"aud", "false"},
        {"option-string", "scenecut=0"},
        {"vbv-buf-capacity", "400"},
        {"threads", "2"}}},
      {"openh264enc",
       Codec::kH264,
       "bitrate",
       1,
       true,
       {{"usage-type", "camera"},
        {"complexity", "low"},
        {"rate-control", "bitrate"},
        {"gop-size", "2147483647"},
        {"scene-change-detection", "false"},
        {"multi-thread", "2"}}},
      {"nvav1enc", Codec::kAv1, "bitrate", 1000, true, {{"rc-mode", "cbr"}, {"gop-size", "-1"}}},
      {"svtav1enc", Codec::kAv1, "target-bitrate", 1000, true, {{"preset", "12"}}},
      {"av1enc",
       Codec::kAv1,
       "target-bitrate",
       1000,
       false,
       {{"usage-profile", "realtime"},
        {"cpu-used", "10"},
        {"end-usage", "cbr"},
        {"lag-in-frames", "0"},
        {"keyframe-mode", "disabled"},
        {"row-mt", "true"},
        {"threads", "2"}}},
  };
  return kEncoders;
}

const Encoder* find(const std::string& factory) {
  for (const Encoder& encoder : encoders())
    if (factory == encoder.factory) return &encoder;
  return nullptr;
}

void set_if_there(GstElement* element, const char* property, const char* value) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property))
    gst_util_set_object_arg(G_OBJECT(element), property, value);
}

// A hardware encoder's element can be there without a device that works.
bool starts(const char* factory) {
  GstElement* element = gst_element_factory_make(factory, nullptr);
  if (!element) return false;
  gst_object_ref_sink(element);
  const bool ok = gst_element_set_state(element, GST_STATE_READY) != GST_STATE_CHANGE_FAILURE;
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
  return ok;
}

}  // namespace

std::string find_encoder(Codec codec) {
  for (const Encoder& encoder : encoders())
    if (encoder.codec == codec && starts(encoder.factory)) return encoder.factory;
  return {};
}

std::string encoder_names(Codec codec) {
  std::string names;
  for (const Encoder& encoder : encoders())
    if (encoder.codec == codec) names += (names.empty() ? "" : ", ") + std::string(encoder.factory);
  return names;
}

GstElement* make_encoder(const std::string& factory, unsigned bitrate) {
  const Encoder* encoder = find(factory);
  GstElement* element = encoder ? gst_element_factory_make(encoder->factory, "encoder") : nullptr;
  if (!element) return nullptr;
  for (const Setting& setting : encoder->settings)
    set_if_there(element, setting.property, setting.value);
  set_encoder_bitrate(element, bitrate);
  return element;
}

void set_encoder_bitrate(GstElement* element, unsigned bitrate) {
  GstElementFactory* factory = gst_element_get_factory(element);
  const Encoder* encoder = factory ? find(GST_OBJECT_NAME(factory)) : nullptr;
  if (!encoder || !encoder->bitrate_property) return;
  const std::string value = std::to_string(std::max(1U, bitrate / encoder->bitrate_unit));
  set_if_there(element, encoder->bitrate_property, value.c_str());
}

bool needs_even_size(const std::string& factory) {
  const Encoder* encoder = find(factory);
  return encoder && encoder->even;
}

GstCaps* encoder_output_caps(Codec codec) {
  if (codec == Codec::kH264)
    return gst_caps_from_string(
        "video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline");
  return gst_caps_new_empty_simple(names_of(codec).caps);
}

}  // namespace reactor::webrtc
