// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/arraylayout.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace reactor {
namespace {

// Far above any array, and products with kMaxDimension stay within 64 bits.
constexpr std::int64_t kMaxStride = std::int64_t{1} << 46;
constexpr std::uintptr_t kPage = 4096;  // the smallest there is

std::int64_t reach(unsigned count, std::int64_t stride) {
  return static_cast<std::int64_t>(count - 1) * stride;
}

std::string shape_text(const ArrayView& view) {
  return "(" + std::to_string(view.frames) + ", " + std::to_string(view.height) + ", " +
         std::to_string(view.width) + ", 3)";
}

// Whether the last byte of some frame lies alone on a page.
bool ends_on_fresh_page(const ArrayView& view, const FrameLayout& layout) {
  const auto base = reinterpret_cast<std::uintptr_t>(view.data) +
                    static_cast<std::uintptr_t>(layout.first) + layout.bytes - 1;
  for (unsigned i = 0; i < view.frames; i++)
    if ((base + static_cast<std::uintptr_t>(i * view.frame_stride)) % kPage == 0) return true;
  return false;
}

}  // namespace

ArrayView ArrayView::packed(const void* data, unsigned frames, unsigned height, unsigned width) {
  const std::int64_t row = std::int64_t{3} * width;
  return {static_cast<const std::uint8_t*>(data), frames, height, width, row * height, row, 3, 1};
}

std::string problem_with(const ArrayView& view) {
  if (!view.data)
    return "the address of the frames is NULL: pass the address of element [0, 0, 0, 0]";
  if (view.frames < 1 || view.frames > kMaxFrames)
    return "a block has 1 to " + std::to_string(kMaxFrames) + " frames, got shape " +
           shape_text(view) + ": expected uint8 (N, H, W, 3)";
  if (view.height < 1 || view.height > kMaxDimension || view.width < 1 ||
      view.width > kMaxDimension)
    return "a frame is 1 to " + std::to_string(kMaxDimension) +
           " pixels wide and high, got shape " + shape_text(view) + ": expected uint8 (N, H, W, 3)";
  for (const std::int64_t stride :
       {view.frame_stride, view.row_stride, view.pixel_stride, view.channel_stride})
    if (std::abs(stride) > kMaxStride)
      return "a stride of " + std::to_string(stride) +
             " bytes cannot be right: strides are in bytes, of the axes (N, H, W, 3)";
  const Extent extent = extent_of(view);
  const auto address = reinterpret_cast<std::uintptr_t>(view.data);
  if ((extent.first < 0 && address < static_cast<std::uintptr_t>(-extent.first)) ||
      address + static_cast<std::uintptr_t>(extent.end) < address)
    return "the strides reach beyond the address space: pass the address of element [0, 0, 0, 0]";
  return {};
}

Extent extent_of(const ArrayView& view) {
  Extent extent{0, 1};
  for (const std::int64_t step :
       {reach(view.frames, view.frame_stride), reach(view.height, view.row_stride),
        reach(view.width, view.pixel_stride), reach(3, view.channel_stride)})
    (step < 0 ? extent.first : extent.end) += step;
  return extent;
}

std::optional<FrameLayout> describe(const ArrayView& view) {
  const std::int64_t width = view.width;
  const std::int64_t channel = view.channel_stride;
  const bool packed = std::abs(channel) == 1;
  // An axis of length 1 takes the stride that fits.
  const std::int64_t pixel = view.width > 1 ? view.pixel_stride : packed ? 3 : 1;
  if (packed ? pixel != 3 && pixel != 4 : pixel != 1 || std::abs(channel) < width)
    return std::nullopt;
  const std::int64_t row_bytes = pixel * width;
  const std::int64_t row = view.height > 1 ? view.row_stride : row_bytes;
  if (row < row_bytes || row > INT_MAX) return std::nullopt;

  FrameLayout layout;
  const std::int64_t plane_bytes = row * (view.height - 1) + row_bytes;
  layout.first = channel < 0 ? 2 * channel : 0;
  if (packed) {
    layout.format = pixel == 3    ? channel > 0 ? PixelFormat::kRgb : PixelFormat::kBgr
                    : channel > 0 ? PixelFormat::kRgbx
                                  : PixelFormat::kBgrx;
    layout.bytes = static_cast<std::size_t>(plane_bytes);
    layout.stride[0] = static_cast<int>(row);
    if (pixel == 4 && ends_on_fresh_page(view, layout)) return std::nullopt;
    return layout;
  }
  layout.format = channel > 0 ? PixelFormat::kRgbp : PixelFormat::kBgrp;
  layout.bytes = static_cast<std::size_t>(plane_bytes + 2 * std::abs(channel));
  layout.planes = 3;
  for (unsigned i = 0; i < 3; i++) {
    layout.offset[i] = static_cast<std::size_t>(i * std::abs(channel));
    layout.stride[i] = static_cast<int>(row);
  }
  return layout;
}

}  // namespace reactor
