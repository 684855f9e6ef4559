/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_REACTOR_PACE (gst_reactor_pace_get_type())
G_DECLARE_FINAL_TYPE(GstReactorPace, gst_reactor_pace, GST, REACTOR_PACE, GstElement)

GST_ELEMENT_REGISTER_DECLARE(reactorpace);

G_END_DECLS
