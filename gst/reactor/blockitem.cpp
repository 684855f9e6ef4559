// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/blockitem.h"

#include <algorithm>
#include <cstring>

#include "gst/reactor/copyframes.h"

namespace reactor {
namespace {

// Rows of GStreamer's packed formats begin at multiples of 4 bytes.
std::size_t default_row_stride(unsigned width) {
  return (std::size_t{3} * width + 3) / 4 * 4;
}

// Whether the layout is what GStreamer assumes for the format when no GstVideoMeta says otherwise.
bool is_default(const FrameLayout& layout, unsigned width, unsigned height) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, video_format(layout.format), width, height);
  if (layout.bytes != GST_VIDEO_INFO_SIZE(&info)) return false;
  for (unsigned i = 0; i < layout.planes; i++)
    if (layout.offset[i] != GST_VIDEO_INFO_PLANE_OFFSET(&info, i) ||
        layout.stride[i] != GST_VIDEO_INFO_PLANE_STRIDE(&info, i))
      return false;
  return true;
}

}  // namespace

GstVideoFormat video_format(PixelFormat format) {
  switch (format) {
    case PixelFormat::kRgb:
      return GST_VIDEO_FORMAT_RGB;
    case PixelFormat::kRgbx:
      return GST_VIDEO_FORMAT_RGBx;
    case PixelFormat::kBgr:
      return GST_VIDEO_FORMAT_BGR;
    case PixelFormat::kBgrx:
      return GST_VIDEO_FORMAT_BGRx;
    case PixelFormat::kRgbp:
      return GST_VIDEO_FORMAT_RGBP;
    case PixelFormat::kBgrp:
      return GST_VIDEO_FORMAT_BGRP;
  }
  return GST_VIDEO_FORMAT_UNKNOWN;
}

CapsPtr raw_caps(GstVideoFormat format, unsigned width, unsigned height) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, format, width, height);
  GST_VIDEO_INFO_FPS_N(&info) = 0;  // what a model delivers has no fixed rate
  GST_VIDEO_INFO_FPS_D(&info) = 1;
  return CapsPtr(gst_video_info_to_caps(&info));
}

std::unique_ptr<BlockItem> lend_block(const ArrayView& view, const FrameLayout& layout,
                                      GDestroyNotify release, gpointer user_data) {
  const std::int64_t last = static_cast<std::int64_t>(view.frames - 1) * view.frame_stride;
  const std::int64_t lowest = layout.first + std::min<std::int64_t>(last, 0);
  const std::size_t bytes = layout.bytes + static_cast<std::size_t>(std::abs(last));
  auto* const base = const_cast<std::uint8_t*>(view.data) + lowest;
  const MemoryPtr memory(
      gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, base, bytes, 0, bytes, user_data, release));
  auto item = std::make_unique<BlockItem>();
  item->frames = view.frames;
  item->view = view;
  item->needs_video_meta = !is_default(layout, view.width, view.height);
  item->caps = raw_caps(video_format(layout.format), view.width, view.height);
  item->list.reset(gst_buffer_list_new_sized(view.frames));
  for (unsigned i = 0; i < view.frames; i++) {
    GstBuffer* const buffer = gst_buffer_new();
    const std::int64_t at = i * view.frame_stride - std::min<std::int64_t>(last, 0);
    gst_buffer_append_memory(buffer,
                             gst_memory_share(memory.get(), at, static_cast<gssize>(layout.bytes)));
    if (item->needs_video_meta) {
      gsize offset[GST_VIDEO_MAX_PLANES] = {};
      gint stride[GST_VIDEO_MAX_PLANES] = {};
      std::copy_n(layout.offset, 3, offset);
      std::copy_n(layout.stride, 3, stride);
      gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, video_format(layout.format),
                                     view.width, view.height, layout.planes, offset, stride);
    }
    gst_buffer_list_add(item->list.get(), buffer);
  }
  return item;
}

BufferListPtr copy_to_list(const ArrayView& view, RecycledMemory& recycled) {
  const std::size_t row = default_row_stride(view.width);
  const std::size_t frame = row * view.height;
  std::uint8_t* data = nullptr;
  const MemoryPtr memory(recycled.allocate(frame * view.frames, data));
  if (!memory) return nullptr;
  copy_frames(view, data, frame, row);
  BufferListPtr list(gst_buffer_list_new_sized(view.frames));
  for (unsigned i = 0; i < view.frames; i++) {
    GstBuffer* const buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, gst_memory_share(memory.get(), static_cast<gssize>(i * frame),
                                                      static_cast<gssize>(frame)));
    gst_buffer_list_add(list.get(), buffer);
  }
  return list;
}

std::unique_ptr<BlockItem> copy_block(const ArrayView& view, RecycledMemory& recycled,
                                      GDestroyNotify release, gpointer user_data) {
  auto item = std::make_unique<BlockItem>();
  item->frames = view.frames;
  item->list = copy_to_list(view, recycled);
  if (!item->list) return nullptr;
  if (release) {
    // All frames share the memory of the first one's parent: the last of them takes it along.
    const GstMemory* const span =
        gst_buffer_peek_memory(gst_buffer_list_get(item->list.get(), 0), 0);
    static const GQuark quark = g_quark_from_static_string("reactor-copied-from");
    gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(span->parent), quark, user_data, release);
  }
  item->caps = raw_caps(GST_VIDEO_FORMAT_RGB, view.width, view.height);
  return item;
}

BufferPtr make_black(GstCaps* caps) {
  GstVideoInfo to;
  const GstCapsFeatures* const features = gst_caps_get_features(caps, 0);
  if ((features && !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)) ||
      !gst_video_info_from_caps(&to, caps) ||
      GST_VIDEO_INFO_FORMAT(&to) == GST_VIDEO_FORMAT_ENCODED)
    return nullptr;
  BufferPtr black(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&to), nullptr));
  if (GST_VIDEO_INFO_IS_RGB(&to) && !GST_VIDEO_INFO_HAS_ALPHA(&to)) {
    gst_buffer_memset(black.get(), 0, 0, GST_VIDEO_INFO_SIZE(&to));
    return black;
  }
  GstVideoInfo from;
  gst_video_info_set_format(&from, GST_VIDEO_FORMAT_RGB, GST_VIDEO_INFO_WIDTH(&to),
                            GST_VIDEO_INFO_HEIGHT(&to));
  GST_VIDEO_INFO_FPS_N(&from) = GST_VIDEO_INFO_FPS_N(&to);
  GST_VIDEO_INFO_FPS_D(&from) = GST_VIDEO_INFO_FPS_D(&to);
  from.interlace_mode = to.interlace_mode;
  GstVideoConverter* const converter = gst_video_converter_new(&from, &to, nullptr);
  if (!converter) return nullptr;
  const BufferPtr rgb(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&from), nullptr));
  gst_buffer_memset(rgb.get(), 0, 0, GST_VIDEO_INFO_SIZE(&from));
  GstVideoFrame in, out;
  const bool mapped_in = gst_video_frame_map(&in, &from, rgb.get(), GST_MAP_READ);
  const bool mapped_out = gst_video_frame_map(&out, &to, black.get(), GST_MAP_WRITE);
  if (mapped_in && mapped_out) gst_video_converter_frame(converter, &in, &out);
  if (mapped_in) gst_video_frame_unmap(&in);
  if (mapped_out) gst_video_frame_unmap(&out);
  gst_video_converter_free(converter);
  return mapped_in && mapped_out ? std::move(black) : nullptr;
}

}  // namespace reactor
