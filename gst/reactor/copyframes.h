// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Copies an array of frames, however it lies, into packed RGB: one pass, vectorised for the layouts
// that people have. Reads the bytes that the view's elements touch and no others. Pure C++;
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gst/reactor/arraylayout.h"

namespace reactor {

// Writes frame i, row y at to + i * frame_stride + y * row_stride; padding at the end of rows is
// left as it is.
void copy_frames(const ArrayView& from, std::uint8_t* to, std::size_t frame_stride,
                 std::size_t row_stride);

}  // namespace reactor
