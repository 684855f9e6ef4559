// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which encoder, and its settings for real time: no look-ahead, no frame that refers to a later
// one, key frames only when asked for, constant bitrate. Reentrant.
#pragma once

#include <gst/gst.h>

#include <string>

#include "codec.h"

namespace reactor::webrtc {

// Factory name of the best encoder that this machine has and that starts; hardware first for H.264.
// Empty: there is none.
std::string find_encoder(Codec codec);
// Names of what find_encoder() looks for, for error texts.
std::string encoder_names(Codec codec);

// A new encoder with its settings, or NULL.
GstElement* make_encoder(const std::string& factory, unsigned bitrate);
// Bits per second; while running too.
void set_encoder_bitrate(GstElement* encoder, unsigned bitrate);
// Whether widths and heights must be even.
bool needs_even_size(const std::string& factory);
// What must come out: profile and stream format.
GstCaps* encoder_output_caps(Codec codec);

}  // namespace reactor::webrtc
