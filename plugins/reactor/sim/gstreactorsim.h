/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_REACTOR_SIM (gst_reactor_sim_get_type())
G_DECLARE_FINAL_TYPE(GstReactorSim, gst_reactor_sim, GST, REACTOR_SIM, GstElement)

GST_ELEMENT_REGISTER_DECLARE(reactorsim);

G_END_DECLS
