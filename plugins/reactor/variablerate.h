// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How reactorpace changes caps: what leaves has no fixed rate, so `framerate` becomes 0/1 and
// `max-framerate` says the limit; what enters may have any rate. Reentrant.
#pragma once

#include "handles.h"

#include <optional>

namespace reactor {

// What leaves when `input` enters.
CapsPtr output_caps(const GstCaps* input, std::optional<double> max_fps);
// What may enter so that `output`, as the next element accepts it, can leave.
CapsPtr input_caps(const GstCaps* output);

// Answers a CAPS query on the sink pad, and on the source pad, of such an element.
void answer_sink_caps(GstQuery* query, GstPad* sink, GstPad* src);
void answer_src_caps(GstQuery* query, GstPad* sink, std::optional<double> max_fps);

}  // namespace reactor
