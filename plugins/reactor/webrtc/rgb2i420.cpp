// SPDX-License-Identifier: LGPL-2.1-or-later

#include "rgb2i420.h"

#ifdef HAVE_LIBYUV
#include <libyuv.h>

#include <vector>
#endif

namespace reactor::webrtc {

#ifdef HAVE_LIBYUV

namespace {

using Packed = int (*)(const uint8_t*, int, uint8_t*, int, uint8_t*, int, uint8_t*, int, int, int);

// libyuv names the order of the bytes in a little-endian word, GStreamer that in memory.
Packed packed_converter(GstVideoFormat format) {
  switch (format) {
    case GST_VIDEO_FORMAT_RGB:
      return libyuv::RAWToI420;
    case GST_VIDEO_FORMAT_BGR:
      return libyuv::RGB24ToI420;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA:
      return libyuv::ABGRToI420;
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_BGRA:
      return libyuv::ARGBToI420;
    case GST_VIDEO_FORMAT_xRGB:
    case GST_VIDEO_FORMAT_ARGB:
      return libyuv::BGRAToI420;
    case GST_VIDEO_FORMAT_xBGR:
    case GST_VIDEO_FORMAT_ABGR:
      return libyuv::RGBAToI420;
    default:
      return nullptr;
  }
}

bool is_planar(GstVideoFormat format) {
  return format == GST_VIDEO_FORMAT_RGBP || format == GST_VIDEO_FORMAT_BGRP;
}

const uint8_t* plane(const GstVideoFrame& frame, int index) {
  return static_cast<const uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, index));
}

}  // namespace

bool can_convert_fast(const GstVideoInfo& in) {
  const GstVideoFormat format = GST_VIDEO_INFO_FORMAT(&in);
  return (packed_converter(format) || is_planar(format)) &&
         in.colorimetry.range != GST_VIDEO_COLOR_RANGE_16_235;
}

void convert_fast(const GstVideoFrame& in, GstVideoFrame& out) {
  uint8_t* y = static_cast<uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&out, 0));
  uint8_t* u = static_cast<uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&out, 1));
  uint8_t* v = static_cast<uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&out, 2));
  const int ys = GST_VIDEO_FRAME_PLANE_STRIDE(&out, 0);
  const int us = GST_VIDEO_FRAME_PLANE_STRIDE(&out, 1);
  const int vs = GST_VIDEO_FRAME_PLANE_STRIDE(&out, 2);
  const int width = GST_VIDEO_FRAME_WIDTH(&in);
  const int height = GST_VIDEO_FRAME_HEIGHT(&in);
  const GstVideoFormat format = GST_VIDEO_FRAME_FORMAT(&in);
  if (const Packed convert = packed_converter(format)) {
    convert(plane(in, 0), GST_VIDEO_FRAME_PLANE_STRIDE(&in, 0), y, ys, u, us, v, vs, width, height);
    return;
  }
  // Planar: two rows at a time become packed ones, which stay in the cache.
  std::vector<uint8_t> rows(static_cast<size_t>(width) * 3 * 2);
  const int row_bytes = width * 3;
  // In GStreamer's formats the component's number is its colour, whatever the plane's order.
  const auto component = [&](int c) {
    return static_cast<const uint8_t*>(GST_VIDEO_FRAME_COMP_DATA(&in, c));
  };
  for (int row = 0; row < height; row += 2) {
    const int count = height - row < 2 ? 1 : 2;
    const auto at = [&](int c) { return component(c) + row * GST_VIDEO_FRAME_COMP_STRIDE(&in, c); };
    libyuv::MergeRGBPlane(
        at(0), GST_VIDEO_FRAME_COMP_STRIDE(&in, 0), at(1), GST_VIDEO_FRAME_COMP_STRIDE(&in, 1),
        at(2), GST_VIDEO_FRAME_COMP_STRIDE(&in, 2), rows.data(), row_bytes, width, count);
    // MergeRGBPlane writes libyuv's RGB24 or RAW after what it is given first: here R, G, B.
    libyuv::RAWToI420(rows.data(), row_bytes, y + row * ys, ys, u + row / 2 * us, us,
                      v + row / 2 * vs, vs, width, count);
  }
}

#else

bool can_convert_fast(const GstVideoInfo&) {
  return false;
}

void convert_fast(const GstVideoFrame&, GstVideoFrame&) {}

#endif

}  // namespace reactor::webrtc
