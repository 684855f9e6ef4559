/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gst/reactor/gstreactorsrc.h"

GType gst_reactor_overflow_get_type(void) {
  static const GEnumValue values[] = {
      {GST_REACTOR_OVERFLOW_WAIT, "GST_REACTOR_OVERFLOW_WAIT", "wait"},
      {GST_REACTOR_OVERFLOW_DROP_OLDEST, "GST_REACTOR_OVERFLOW_DROP_OLDEST", "drop-oldest"},
      {GST_REACTOR_OVERFLOW_DROP_NEWEST, "GST_REACTOR_OVERFLOW_DROP_NEWEST", "drop-newest"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorOverflow", values);
  return type;
}

G_DEFINE_TYPE(GstReactorSrc, gst_reactor_src, GST_TYPE_APP_SRC)

static void gst_reactor_src_init(GstReactorSrc*) {}
static void gst_reactor_src_class_init(GstReactorSrcClass*) {}
