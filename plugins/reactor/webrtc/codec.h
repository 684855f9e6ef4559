// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The video codecs that reactorwebrtcsink sends, under the names that SDP, GStreamer's caps and its
// payloaders use.
#pragma once

#include <string_view>

namespace reactor::webrtc {

enum class Codec { kVp8, kVp9, kH264, kAv1 };

struct CodecNames {
  Codec codec;
  const char* rtpmap;     // encoding name in SDP and in RTP caps, upper case
  const char* caps;       // media type of the encoded stream
  const char* payloader;  // element
};

inline constexpr CodecNames kCodecs[] = {
    {Codec::kVp8, "VP8", "video/x-vp8", "rtpvp8pay"},
    {Codec::kVp9, "VP9", "video/x-vp9", "rtpvp9pay"},
    {Codec::kH264, "H264", "video/x-h264", "rtph264pay"},
    {Codec::kAv1, "AV1", "video/x-av1", "rtpav1pay"},
};

constexpr const CodecNames& names_of(Codec codec) {
  return kCodecs[static_cast<int>(codec)];
}

}  // namespace reactor::webrtc
