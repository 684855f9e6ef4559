// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/copyframes.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define REACTOR_X86 1
#endif

namespace reactor {
namespace {

// One row: `red` is the address of its first element, strides in bytes.
using RowCopy = void (*)(const std::uint8_t* red, std::int64_t pixel, std::int64_t channel,
                         unsigned width, std::uint8_t* to);

void copy_row_packed(const std::uint8_t* red, std::int64_t, std::int64_t, unsigned width,
                     std::uint8_t* to) {
  std::memcpy(to, red, std::size_t{3} * width);
}

void copy_row_any(const std::uint8_t* red, std::int64_t pixel, std::int64_t channel, unsigned width,
                  std::uint8_t* to) {
  for (unsigned x = 0; x < width; x++, red += pixel, to += 3) {
    to[0] = red[0];
    to[1] = red[channel];
    to[2] = red[2 * channel];
  }
}

#ifdef REACTOR_X86

// Planes to packed, 16 pixels a step. Each of the three output vectors takes bytes from all planes.
template <bool kStream>
__attribute__((target("ssse3"))) void merge_planes(const std::uint8_t* red, std::int64_t,
                                                   std::int64_t channel, unsigned width,
                                                   std::uint8_t* to) {
  const std::uint8_t* const green = red + channel;
  const std::uint8_t* const blue = green + channel;
  const char n = -1;
  const __m128i r0 = _mm_setr_epi8(0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n, 5);
  const __m128i g0 = _mm_setr_epi8(n, 0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n);
  const __m128i b0 = _mm_setr_epi8(n, n, 0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n);
  const __m128i r1 = _mm_setr_epi8(n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n, 10, n);
  const __m128i g1 = _mm_setr_epi8(5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n, 10);
  const __m128i b1 = _mm_setr_epi8(n, 5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n);
  const __m128i r2 = _mm_setr_epi8(n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n, n);
  const __m128i g2 = _mm_setr_epi8(n, n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n);
  const __m128i b2 = _mm_setr_epi8(10, n, n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15);
  unsigned x = 0;
  for (; x + 16 <= width; x += 16, to += 48) {
    const __m128i r = _mm_loadu_si128(reinterpret_cast<const __m128i*>(red + x));
    const __m128i g = _mm_loadu_si128(reinterpret_cast<const __m128i*>(green + x));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(blue + x));
    const __m128i v0 = _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(r, r0), _mm_shuffle_epi8(g, g0)),
                                    _mm_shuffle_epi8(b, b0));
    const __m128i v1 = _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(r, r1), _mm_shuffle_epi8(g, g1)),
                                    _mm_shuffle_epi8(b, b1));
    const __m128i v2 = _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(r, r2), _mm_shuffle_epi8(g, g2)),
                                    _mm_shuffle_epi8(b, b2));
    __m128i* const out = reinterpret_cast<__m128i*>(to);
    if constexpr (kStream) {
      _mm_stream_si128(out, v0);
      _mm_stream_si128(out + 1, v1);
      _mm_stream_si128(out + 2, v2);
    } else {
      _mm_storeu_si128(out, v0);
      _mm_storeu_si128(out + 1, v1);
      _mm_storeu_si128(out + 2, v2);
    }
  }
  copy_row_any(red + x, 1, channel, width - x, to);
}

// Four-byte pixels to packed, four a step: 12 of the 16 bytes written count, the rest is
// overwritten by the next step. The last pixels go one by one: their fourth byte, and the bytes
// after the row, belong to others.
template <bool kReversed>
__attribute__((target("ssse3"))) void drop_fourth(const std::uint8_t* red, std::int64_t,
                                                  std::int64_t, unsigned width, std::uint8_t* to) {
  const std::uint8_t* const base = kReversed ? red - 2 : red;
  const char n = -1;
  const __m128i order = kReversed
                            ? _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, n, n, n, n)
                            : _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, n, n, n, n);
  unsigned x = 0;
  for (; x + 6 <= width; x += 4, to += 12)
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to),
        _mm_shuffle_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(base + std::size_t{4} * x)), order));
  copy_row_any(red + std::size_t{4} * x, 4, kReversed ? -1 : 1, width - x, to);
}

// BGR to RGB, five pixels a step.
__attribute__((target("ssse3"))) void swap_packed(const std::uint8_t* red, std::int64_t,
                                                  std::int64_t, unsigned width, std::uint8_t* to) {
  const std::uint8_t* const base = red - 2;
  const __m128i order = _mm_setr_epi8(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15);
  unsigned x = 0;
  for (; x + 6 <= width; x += 5, to += 15)
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to),
        _mm_shuffle_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(base + std::size_t{3} * x)), order));
  copy_row_any(red + std::size_t{3} * x, 3, -1, width - x, to);
}

#endif  // REACTOR_X86

RowCopy choose_row(const ArrayView& from, bool stream) {
  const std::int64_t pixel = from.pixel_stride, channel = from.channel_stride;
  if (pixel == 3 && channel == 1) return copy_row_packed;
#ifdef REACTOR_X86
  static const bool ssse3 = __builtin_cpu_supports("ssse3");
  if (ssse3) {
    if (pixel == 1) return stream ? merge_planes<true> : merge_planes<false>;
    if (pixel == 4 && channel == 1) return drop_fourth<false>;
    if (pixel == 4 && channel == -1) return drop_fourth<true>;
    if (pixel == 3 && channel == -1) return swap_packed;
  }
#endif
  return nullptr;
}

// Any strides. In tiles, so that a transposed picture is not read one cache line a pixel.
void copy_frame_any(const ArrayView& from, const std::uint8_t* frame, std::uint8_t* to,
                    std::size_t row_stride) {
  constexpr unsigned kTile =
      64;  // pixels: 64 x 64 pixels of source and target fit the first-level cache
  for (unsigned top = 0; top < from.height; top += kTile)
    for (unsigned left = 0; left < from.width; left += kTile)
      for (unsigned y = top; y < std::min(from.height, top + kTile); y++)
        copy_row_any(frame + y * from.row_stride + left * from.pixel_stride, from.pixel_stride,
                     from.channel_stride, std::min(kTile, from.width - left),
                     to + y * row_stride + std::size_t{3} * left);
}

}  // namespace

void copy_frames(const ArrayView& from, std::uint8_t* to, std::size_t frame_stride,
                 std::size_t row_stride) {
  const std::size_t row_bytes = std::size_t{3} * from.width;
  const std::size_t total = frame_stride * from.frames;
  // Stores past the cache pay when the block is larger than what a reader would still find in it.
  constexpr std::size_t kStreamFrom = std::size_t{4} << 20;
  const bool stream = total >= kStreamFrom && reinterpret_cast<std::uintptr_t>(to) % 16 == 0 &&
                      frame_stride % 16 == 0 && row_stride % 16 == 0;
  const RowCopy copy_row = choose_row(from, stream);

  const bool whole_frames = copy_row == copy_row_packed && row_stride == row_bytes &&
                            from.row_stride == static_cast<std::int64_t>(row_bytes);
  const std::size_t frame_bytes = row_bytes * from.height;
  if (whole_frames && frame_stride == frame_bytes &&
      from.frame_stride == static_cast<std::int64_t>(frame_bytes)) {
    std::memcpy(to, from.data, frame_bytes * from.frames);
    return;
  }
  for (unsigned i = 0; i < from.frames; i++, to += frame_stride) {
    const std::uint8_t* const frame = from.data + i * from.frame_stride;
    if (whole_frames) {
      std::memcpy(to, frame, frame_bytes);
    } else if (copy_row) {
      for (unsigned y = 0; y < from.height; y++)
        copy_row(frame + y * from.row_stride, from.pixel_stride, from.channel_stride, from.width,
                 to + y * row_stride);
    } else {
      copy_frame_any(from, frame, to, row_stride);
    }
  }
#ifdef REACTOR_X86
  if (stream) _mm_sfence();
#endif
}

}  // namespace reactor
