/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

#ifdef BUILDING_GST_REACTOR
#define GST_REACTOR_API extern __attribute__ ((visibility ("default")))
#else
#define GST_REACTOR_API extern
#endif
