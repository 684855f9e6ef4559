/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * reactorwebrtcsink: shows a stream in browsers. A bin around one encoder and a webrtcbin for each
 * viewer, an HTTP server, a data channel. This pair is glue; the work is done by
 * reactor::webrtc::Branch (encoder) and reactor::webrtc::Host (viewers, session).
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_REACTOR_WEBRTC_SINK (gst_reactor_webrtc_sink_get_type())
G_DECLARE_FINAL_TYPE(GstReactorWebrtcSink, gst_reactor_webrtc_sink, GST, REACTOR_WEBRTC_SINK,
                     GstBin)

G_END_DECLS
