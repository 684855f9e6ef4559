/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/reactor/gstreactor-prelude.h>

G_BEGIN_DECLS

#define GST_REACTOR_ERROR (gst_reactor_error_quark ())
GST_REACTOR_API
GQuark gst_reactor_error_quark (void);

/**
 * GstReactorError:
 * @GST_REACTOR_ERROR_INVALID: an argument cannot be used as it is (shape, format, size); the message says what was
 *   expected and how to get there
 * @GST_REACTOR_ERROR_TOO_LARGE: a message or a block is over its limit
 * @GST_REACTOR_ERROR_JSON: not valid JSON
 * @GST_REACTOR_ERROR_FLUSHING: the element was flushed or stopped while the call waited
 * @GST_REACTOR_ERROR_NO_SESSION: no session is active, nobody would see it
 * @GST_REACTOR_ERROR_EOS: the stream has ended
 * @GST_REACTOR_ERROR_FAILED: anything else
 *
 * Why a call of this library failed.
 */
typedef enum {
  GST_REACTOR_ERROR_INVALID,
  GST_REACTOR_ERROR_TOO_LARGE,
  GST_REACTOR_ERROR_JSON,
  GST_REACTOR_ERROR_FLUSHING,
  GST_REACTOR_ERROR_NO_SESSION,
  GST_REACTOR_ERROR_EOS,
  GST_REACTOR_ERROR_FAILED,
} GstReactorError;

#define GST_TYPE_REACTOR_ERROR (gst_reactor_error_get_type ())
GST_REACTOR_API
GType gst_reactor_error_get_type (void);

G_END_DECLS
