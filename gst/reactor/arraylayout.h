// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the bytes of an array of frames lie, and which GStreamer format describes them as they lie.
//
// | array                                     | strides (row, pixel, channel) | format |
// | packed RGB, also padded rows or a crop    | (>= 3 W, 3, 1)                | RGB    |
// | rgba[..., :3]                             | (>= 4 W, 4, 1)                | RGBx   |
// | bgr[..., ::-1]                            | (>= 3 W, 3, -1)               | BGR    |
// | bgra[..., 2::-1]                          | (>= 4 W, 4, -1)               | BGRx   |
// | x.permute(…) of planar memory             | (>= W, 1, plane)              | RGBP   |
// | the same with the channels reversed       | (>= W, 1, -plane)             | BGRP   |
//
// The frame stride is free: each frame is its own span. The stride of an axis of length 1 says
// nothing and is ignored. What no line describes (flipped rows, broadcast axes, transposed
// pictures) has to be copied.
//
// Pure C++; thread-safe. Strides are in bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace reactor {

// Shape (frames, height, width, 3), unsigned bytes. `data` is the address of element [0, 0, 0, 0].
struct ArrayView {
  const std::uint8_t* data = nullptr;
  unsigned frames = 0, height = 0, width = 0;
  std::int64_t frame_stride = 0, row_stride = 0, pixel_stride = 0, channel_stride = 0;

  static ArrayView packed(const void* data, unsigned frames, unsigned height, unsigned width);
};

inline constexpr unsigned kMaxFrames = 256;       // of a block
inline constexpr unsigned kMaxDimension = 16384;  // pixels, of a frame's width and height

// What is wrong with the view, as a sentence for the user; empty if it can be used.
std::string problem_with(const ArrayView& view);

// The bytes that the view's elements touch, as offsets from `data`: first .. end.
struct Extent {
  std::int64_t first = 0, end = 0;
};
Extent extent_of(const ArrayView& view);

enum class PixelFormat { kRgb, kRgbx, kBgr, kBgrx, kRgbp, kBgrp };

struct FrameLayout {
  PixelFormat format = PixelFormat::kRgb;
  std::int64_t first = 0;  // offset of frame 0's lowest byte from `data`
  std::size_t bytes = 0;   // of one frame, from its lowest to its highest byte
  unsigned planes = 1;
  std::size_t offset[3] = {};  // of each plane from the frame's lowest byte
  int stride[3] = {};
};

// The layout as a GStreamer format describes it; none if no format does. The fourth byte of the
// 4-byte formats is read by nobody who matters, but it is read: a layout in which it could lie on a
// page of its own, beyond the array, is none.
std::optional<FrameLayout> describe(const ArrayView& view);

}  // namespace reactor
