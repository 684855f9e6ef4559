// SPDX-License-Identifier: LGPL-2.1-or-later
//
// 8-bit RGB to I420 (BT.601, limited range) by libyuv, ten times as fast as GStreamer's converter.
// Without libyuv nothing can be converted this way. Reentrant.
#pragma once

#include <gst/video/video.h>

namespace reactor::webrtc {

bool can_convert_fast(const GstVideoInfo& in);
// `out` is I420 and at least as large as `in`; only the part that `in` covers is written.
void convert_fast(const GstVideoFrame& in, GstVideoFrame& out);

}  // namespace reactor::webrtc
