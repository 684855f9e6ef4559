/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gst/reactor/gstreactorerror.h"

GQuark gst_reactor_error_quark(void) {
  return g_quark_from_static_string("gst-reactor-error-quark");
}

GType gst_reactor_error_get_type(void) {
  static const GEnumValue values[] = {
      {GST_REACTOR_ERROR_INVALID, "GST_REACTOR_ERROR_INVALID", "invalid"},
      {GST_REACTOR_ERROR_TOO_LARGE, "GST_REACTOR_ERROR_TOO_LARGE", "too-large"},
      {GST_REACTOR_ERROR_JSON, "GST_REACTOR_ERROR_JSON", "json"},
      {GST_REACTOR_ERROR_FLUSHING, "GST_REACTOR_ERROR_FLUSHING", "flushing"},
      {GST_REACTOR_ERROR_NO_SESSION, "GST_REACTOR_ERROR_NO_SESSION", "no-session"},
      {GST_REACTOR_ERROR_EOS, "GST_REACTOR_ERROR_EOS", "eos"},
      {GST_REACTOR_ERROR_FAILED, "GST_REACTOR_ERROR_FAILED", "failed"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorError", values);
  return type;
}
