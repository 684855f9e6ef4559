// SPDX-License-Identifier: LGPL-2.1-or-later

#include "black.h"

#include <gst/video/video.h>

#include <cstdint>
#include <vector>

namespace reactor {

namespace {

// Unpacked pixels are four components of 8 or 16 bits: alpha, then Y U V or R G B.
template <typename Component>
std::vector<Component> black_line(const GstVideoInfo& info, const GstVideoFormatInfo& unpacked,
                                  unsigned width) {
  // GStreamer packs without converting the range, so black is where the caps put it.
  gint offset[GST_VIDEO_MAX_COMPONENTS], scale[GST_VIDEO_MAX_COMPONENTS];
  gst_video_color_range_offsets(info.colorimetry.range, &unpacked, offset, scale);
  std::vector<Component> line(4 * width);
  for (unsigned x = 0; x < width; ++x) {
    line[4 * x] = static_cast<Component>(-1);
    for (int c = 0; c < 3; ++c) line[4 * x + 1 + c] = static_cast<Component>(offset[c]);
  }
  return line;
}

void paint_black(GstVideoFrame* frame) {
  const GstVideoInfo& info = frame->info;
  const GstVideoFormatInfo* format = info.finfo;
  const GstVideoFormatInfo* unpacked = gst_video_format_get_info(format->unpack_format);
  std::vector<std::uint8_t> line8;
  std::vector<std::uint16_t> line16;
  gpointer line = nullptr;
  // Chroma siting makes a packer read a little beyond the width.
  const unsigned width = GST_VIDEO_INFO_WIDTH(&info) + 8;
  if (GST_VIDEO_FORMAT_INFO_BITS(unpacked) > 8) {
    line16 = black_line<std::uint16_t>(info, *unpacked, width);
    line = line16.data();
  } else {
    line8 = black_line<std::uint8_t>(info, *unpacked, width);
    line = line8.data();
  }
  for (int y = 0; y < GST_VIDEO_INFO_HEIGHT(&info); ++y)
    format->pack_func(format, GST_VIDEO_PACK_FLAG_NONE, line, 0, frame->data, info.stride,
                      info.chroma_site, y, GST_VIDEO_INFO_WIDTH(&info));
}

bool is_system_memory(GstCaps* caps) {
  const GstCapsFeatures* features = gst_caps_get_features(caps, 0);
  return !features || gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
}

}  // namespace

BufferPtr make_black(GstCaps* caps, GstBuffer* like) {
  GstVideoInfo info;
  if (!caps || !gst_video_info_from_caps(&info, caps) || !info.finfo->pack_func) return {};
  BufferPtr buffer;
  if (is_system_memory(caps)) {
    buffer.reset(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  } else if (like) {
    buffer.reset(gst_buffer_copy_deep(like));
  }
  GstVideoFrame frame;
  if (!buffer || !gst_video_frame_map(&frame, &info, buffer.get(), GST_MAP_WRITE)) return {};
  paint_black(&frame);
  gst_video_frame_unmap(&frame);
  return buffer;
}

}  // namespace reactor
