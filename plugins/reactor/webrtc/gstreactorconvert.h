/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The step before the encoder: whatever the model draws becomes I420 with the matrix of BT.601 in
 * limited range, the one thing that every codec and browser shows alike. Odd sizes can be padded to
 * even ones by repeating the last column and row. Packed and planar 8-bit RGB goes through libyuv
 * where that is built in, everything else through GStreamer's converter; the colours are the same.
 * Private to reactorwebrtcsink, no factory.
 */
#pragma once

#include <gst/video/gstvideofilter.h>

#define GST_TYPE_REACTOR_CONVERT (gst_reactor_convert_get_type())
G_DECLARE_FINAL_TYPE(GstReactorConvert, gst_reactor_convert, GST, REACTOR_CONVERT, GstVideoFilter)

namespace reactor::webrtc {

// `even`: pad odd widths and heights.
GstElement* convert_new(const char* name, bool even);

}  // namespace reactor::webrtc
