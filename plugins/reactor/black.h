// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Black frames of any raw video format. Reentrant; called from the streaming thread.
#pragma once

#include "handles.h"

namespace reactor {

// A black frame as `caps` describe it: opaque, in the colour range of the caps. Null when `caps`
// are no raw video. For memory that is not the system's (CUDA, DMABuf …) `like` must be a frame of
// these caps: its copy is painted black, and the result is null when the copy cannot be mapped.
BufferPtr make_black(GstCaps* caps, GstBuffer* like);

}  // namespace reactor
