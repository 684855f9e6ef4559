/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/reactor/gstreactor-prelude.h>

G_BEGIN_DECLS

/**
 * GstReactorSessionState:
 * @GST_REACTOR_SESSION_ENDED: nobody watches; the model should stop
 * @GST_REACTOR_SESSION_STARTED: somebody watches; the model should generate
 *
 * What a session event says.
 */
typedef enum {
  GST_REACTOR_SESSION_ENDED,
  GST_REACTOR_SESSION_STARTED,
} GstReactorSessionState;

#define GST_TYPE_REACTOR_SESSION_STATE (gst_reactor_session_state_get_type ())
GST_REACTOR_API
GType gst_reactor_session_state_get_type (void);

/**
 * GstReactorEventKind:
 * @GST_REACTOR_EVENT_NONE: not an event of this library
 * @GST_REACTOR_EVENT_MESSAGE: downstream, out of band: JSON from the model to the viewers
 * @GST_REACTOR_EVENT_MONITORING: downstream, serialized with the blocks: measuring on or off
 * @GST_REACTOR_EVENT_FLUSH: downstream, out of band: drop what is not yet shown, cut to black
 * @GST_REACTOR_EVENT_COMMAND: upstream: JSON from a viewer to the model
 * @GST_REACTOR_EVENT_SESSION: upstream: a session began or ended
 * @GST_REACTOR_EVENT_VIEWER: upstream: a viewer joined or left
 * @GST_REACTOR_EVENT_SHOWN: upstream: a block was shown, or dropped
 * @GST_REACTOR_EVENT_RUNTIME: downstream, out of band: JSON from the model or its runner to the sink itself
 *
 * The custom events that the elements exchange.
 */
typedef enum {
  GST_REACTOR_EVENT_NONE,
  GST_REACTOR_EVENT_MESSAGE,
  GST_REACTOR_EVENT_MONITORING,
  GST_REACTOR_EVENT_FLUSH,
  GST_REACTOR_EVENT_COMMAND,
  GST_REACTOR_EVENT_SESSION,
  GST_REACTOR_EVENT_VIEWER,
  GST_REACTOR_EVENT_SHOWN,
  GST_REACTOR_EVENT_RUNTIME,
} GstReactorEventKind;

#define GST_TYPE_REACTOR_EVENT_KIND (gst_reactor_event_kind_get_type ())
GST_REACTOR_API
GType gst_reactor_event_kind_get_type (void);

GST_REACTOR_API
GstReactorEventKind gst_reactor_event_get_kind (GstEvent *event);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_message (const gchar *json, const gchar *viewer);
GST_REACTOR_API
gboolean gst_reactor_event_parse_message (GstEvent *event, const gchar **json, const gchar **viewer);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_monitoring (gboolean enabled);
GST_REACTOR_API
gboolean gst_reactor_event_parse_monitoring (GstEvent *event, gboolean *enabled);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_flush (guint epoch);
GST_REACTOR_API
gboolean gst_reactor_event_parse_flush (GstEvent *event, guint *epoch);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_command (const gchar *json, const gchar *viewer, guint64 id);
GST_REACTOR_API
gboolean gst_reactor_event_parse_command (GstEvent *event, const gchar **json, const gchar **viewer, guint64 *id);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_session (GstReactorSessionState state, const gchar *id, const gchar *reason);
GST_REACTOR_API
gboolean gst_reactor_event_parse_session (GstEvent *event, GstReactorSessionState *state, const gchar **id,
    const gchar **reason);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_viewer (const gchar *id, gboolean joined);
GST_REACTOR_API
gboolean gst_reactor_event_parse_viewer (GstEvent *event, const gchar **id, gboolean *joined);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_shown (guint64 block, GstClockTime first, GstClockTime last, guint dropped,
    const gchar *reason);
GST_REACTOR_API
gboolean gst_reactor_event_parse_shown (GstEvent *event, guint64 *block, GstClockTime *first, GstClockTime *last,
    guint *dropped, const gchar **reason);

GST_REACTOR_API
GstEvent *gst_reactor_event_new_runtime (const gchar *json);
GST_REACTOR_API
gboolean gst_reactor_event_parse_runtime (GstEvent *event, const gchar **json);

GST_REACTOR_API
GstQuery *gst_reactor_query_new_stats (void);
GST_REACTOR_API
void gst_reactor_query_set_stats (GstQuery *query, const GstStructure *stats);
GST_REACTOR_API
gboolean gst_reactor_query_parse_stats (GstQuery *query, const GstStructure **stats);
GST_REACTOR_API
gboolean gst_reactor_query_is_stats (GstQuery *query);

G_END_DECLS
