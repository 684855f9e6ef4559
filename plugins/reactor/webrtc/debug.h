// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The debug category "reactorwebrtcsink" for the plain C++ files around the element.
#pragma once

#include <gst/gst.h>

GST_DEBUG_CATEGORY_EXTERN(reactor_webrtc_debug);
#define GST_CAT_DEFAULT reactor_webrtc_debug
