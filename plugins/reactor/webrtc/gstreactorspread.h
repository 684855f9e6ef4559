/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Between a viewer's payloader and its webrtcbin: lets the packets of a large frame leave in groups
 * (spread.h). Waits in the viewer's own streaming thread, so nobody else is held up. Private to
 * reactorwebrtcsink, no factory.
 */
#pragma once

#include <gst/gst.h>

#define GST_TYPE_REACTOR_SPREAD (gst_reactor_spread_get_type())
G_DECLARE_FINAL_TYPE(GstReactorSpread, gst_reactor_spread, GST, REACTOR_SPREAD, GstElement)

namespace reactor::webrtc {

GstElement* spread_new(const char* name);

}  // namespace reactor::webrtc
