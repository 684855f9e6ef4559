/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gst/reactor/gstreactorevent.h"

GType gst_reactor_session_state_get_type(void) {
  static const GEnumValue values[] = {
      {GST_REACTOR_SESSION_ENDED, "GST_REACTOR_SESSION_ENDED", "ended"},
      {GST_REACTOR_SESSION_STARTED, "GST_REACTOR_SESSION_STARTED", "started"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorSessionState", values);
  return type;
}

GType gst_reactor_event_kind_get_type(void) {
  static const GEnumValue values[] = {
      {GST_REACTOR_EVENT_NONE, "GST_REACTOR_EVENT_NONE", "none"},
      {GST_REACTOR_EVENT_MESSAGE, "GST_REACTOR_EVENT_MESSAGE", "message"},
      {GST_REACTOR_EVENT_MONITORING, "GST_REACTOR_EVENT_MONITORING", "monitoring"},
      {GST_REACTOR_EVENT_FLUSH, "GST_REACTOR_EVENT_FLUSH", "flush"},
      {GST_REACTOR_EVENT_COMMAND, "GST_REACTOR_EVENT_COMMAND", "command"},
      {GST_REACTOR_EVENT_SESSION, "GST_REACTOR_EVENT_SESSION", "session"},
      {GST_REACTOR_EVENT_VIEWER, "GST_REACTOR_EVENT_VIEWER", "viewer"},
      {GST_REACTOR_EVENT_SHOWN, "GST_REACTOR_EVENT_SHOWN", "shown"},
      {GST_REACTOR_EVENT_RUNTIME, "GST_REACTOR_EVENT_RUNTIME", "runtime"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorEventKind", values);
  return type;
}

namespace {

constexpr const char* kNames[] = {nullptr,
                                  "GstReactorMessage",
                                  "GstReactorMonitoring",
                                  "GstReactorFlush",
                                  "GstReactorCommand",
                                  "GstReactorSession",
                                  "GstReactorViewer",
                                  "GstReactorShown",
                                  "GstReactorRuntime"};

// The structure of an event of the given kind, or null if it is another event.
const GstStructure* structure_of(GstEvent* event, GstReactorEventKind kind) {
  const GstStructure* s = gst_event_get_structure(event);
  return s && gst_structure_has_name(s, kNames[kind]) ? s : nullptr;
}

template <typename... Fields>
GstEvent* new_event(GstEventType type, GstReactorEventKind kind, Fields... fields) {
  return gst_event_new_custom(type, gst_structure_new(kNames[kind], fields..., nullptr));
}

void get_string(const GstStructure* s, const char* field, const gchar** out) {
  if (out) *out = gst_structure_get_string(s, field);
}

}  // namespace

/**
 * gst_reactor_event_get_kind:
 * @event: any #GstEvent
 *
 * Returns: which of this library's events @event is, %GST_REACTOR_EVENT_NONE if none of them
 */
GstReactorEventKind gst_reactor_event_get_kind(GstEvent* event) {
  g_return_val_if_fail(GST_IS_EVENT(event), GST_REACTOR_EVENT_NONE);
  if (!(GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM ||
        GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM ||
        GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_OOB))
    return GST_REACTOR_EVENT_NONE;
  for (int kind = GST_REACTOR_EVENT_MESSAGE; kind <= GST_REACTOR_EVENT_RUNTIME; kind++)
    if (structure_of(event, static_cast<GstReactorEventKind>(kind)))
      return static_cast<GstReactorEventKind>(kind);
  return GST_REACTOR_EVENT_NONE;
}

/**
 * gst_reactor_event_new_message:
 * @json: one JSON value, valid UTF-8
 * @viewer: (nullable): id of the only viewer to receive it, %NULL for all
 *
 * A message from the model. Downstream, out of band: it overtakes queued video.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_message(const gchar* json, const gchar* viewer) {
  g_return_val_if_fail(json != nullptr, nullptr);
  return new_event(GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_REACTOR_EVENT_MESSAGE, "json",
                   G_TYPE_STRING, json, "viewer", G_TYPE_STRING, viewer);
}

/**
 * gst_reactor_event_parse_message:
 * @event: any #GstEvent
 * @json: (out) (optional) (transfer none): the JSON text
 * @viewer: (out) (optional) (nullable) (transfer none): the addressee, %NULL for all
 *
 * Returns: %TRUE if @event is a message
 */
gboolean gst_reactor_event_parse_message(GstEvent* event, const gchar** json,
                                         const gchar** viewer) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_MESSAGE);
  if (!s) return FALSE;
  get_string(s, "json", json);
  get_string(s, "viewer", viewer);
  return TRUE;
}

/**
 * gst_reactor_event_new_monitoring:
 * @enabled: whether the gap before the next block says something about the model's speed
 *
 * Downstream, serialized: it takes its place between the blocks before and after it.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_monitoring(gboolean enabled) {
  return new_event(GST_EVENT_CUSTOM_DOWNSTREAM, GST_REACTOR_EVENT_MONITORING, "enabled",
                   G_TYPE_BOOLEAN, enabled);
}

/**
 * gst_reactor_event_parse_monitoring:
 * @event: any #GstEvent
 * @enabled: (out) (optional): the state
 *
 * Returns: %TRUE if @event switches monitoring
 */
gboolean gst_reactor_event_parse_monitoring(GstEvent* event, gboolean* enabled) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_MONITORING);
  if (!s) return FALSE;
  return !enabled || gst_structure_get_boolean(s, "enabled", enabled);
}

/**
 * gst_reactor_event_new_flush:
 * @epoch: the epoch that begins; frames of an older one are not shown any more
 *
 * Downstream, out of band: drop what is not yet shown and cut to black. Not a GStreamer flush:
 * caps, segment and clock stay.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_flush(guint epoch) {
  return new_event(GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_REACTOR_EVENT_FLUSH, "epoch", G_TYPE_UINT,
                   epoch);
}

/**
 * gst_reactor_event_parse_flush:
 * @event: any #GstEvent
 * @epoch: (out) (optional): the epoch that begins
 *
 * Returns: %TRUE if @event is a model's flush
 */
gboolean gst_reactor_event_parse_flush(GstEvent* event, guint* epoch) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_FLUSH);
  if (!s) return FALSE;
  return !epoch || gst_structure_get_uint(s, "epoch", epoch);
}

/**
 * gst_reactor_event_new_command:
 * @json: what the viewer sent, `{"type":…,"data":…}`
 * @viewer: (nullable): id of the viewer
 * @id: id of the command, counted from 1 by the sink
 *
 * Upstream.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_command(const gchar* json, const gchar* viewer, guint64 id) {
  g_return_val_if_fail(json != nullptr, nullptr);
  return new_event(GST_EVENT_CUSTOM_UPSTREAM, GST_REACTOR_EVENT_COMMAND, "json", G_TYPE_STRING,
                   json, "viewer", G_TYPE_STRING, viewer, "id", G_TYPE_UINT64, id);
}

/**
 * gst_reactor_event_parse_command:
 * @event: any #GstEvent
 * @json: (out) (optional) (transfer none): what the viewer sent
 * @viewer: (out) (optional) (nullable) (transfer none): id of the viewer
 * @id: (out) (optional): id of the command
 *
 * Returns: %TRUE if @event is a command
 */
gboolean gst_reactor_event_parse_command(GstEvent* event, const gchar** json, const gchar** viewer,
                                         guint64* id) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_COMMAND);
  if (!s) return FALSE;
  get_string(s, "json", json);
  get_string(s, "viewer", viewer);
  return !id || gst_structure_get_uint64(s, "id", id);
}

/**
 * gst_reactor_event_new_session:
 * @state: whether it began or ended
 * @id: id of the session
 * @reason: (nullable): why, in words
 *
 * Upstream.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_session(GstReactorSessionState state, const gchar* id,
                                        const gchar* reason) {
  return new_event(GST_EVENT_CUSTOM_UPSTREAM, GST_REACTOR_EVENT_SESSION, "state",
                   GST_TYPE_REACTOR_SESSION_STATE, state, "id", G_TYPE_STRING, id, "reason",
                   G_TYPE_STRING, reason);
}

/**
 * gst_reactor_event_parse_session:
 * @event: any #GstEvent
 * @state: (out) (optional): whether it began or ended
 * @id: (out) (optional) (nullable) (transfer none): id of the session
 * @reason: (out) (optional) (nullable) (transfer none): why
 *
 * Returns: %TRUE if @event is about a session
 */
gboolean gst_reactor_event_parse_session(GstEvent* event, GstReactorSessionState* state,
                                         const gchar** id, const gchar** reason) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_SESSION);
  if (!s) return FALSE;
  get_string(s, "id", id);
  get_string(s, "reason", reason);
  gint value = 0;
  if (!gst_structure_get_enum(s, "state", GST_TYPE_REACTOR_SESSION_STATE, &value)) return FALSE;
  if (state) *state = static_cast<GstReactorSessionState>(value);
  return TRUE;
}

/**
 * gst_reactor_event_new_viewer:
 * @id: id of the viewer
 * @joined: whether it joined or left
 *
 * Upstream.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_viewer(const gchar* id, gboolean joined) {
  return new_event(GST_EVENT_CUSTOM_UPSTREAM, GST_REACTOR_EVENT_VIEWER, "id", G_TYPE_STRING, id,
                   "joined", G_TYPE_BOOLEAN, joined);
}

/**
 * gst_reactor_event_parse_viewer:
 * @event: any #GstEvent
 * @id: (out) (optional) (nullable) (transfer none): id of the viewer
 * @joined: (out) (optional): whether it joined or left
 *
 * Returns: %TRUE if @event is about a viewer
 */
gboolean gst_reactor_event_parse_viewer(GstEvent* event, const gchar** id, gboolean* joined) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_VIEWER);
  if (!s) return FALSE;
  get_string(s, "id", id);
  return !joined || gst_structure_get_boolean(s, "joined", joined);
}

/**
 * gst_reactor_event_new_shown:
 * @block: number of the block
 * @first: running time in ns of the first frame shown, GST_CLOCK_TIME_NONE if none was
 * @last: the same of the last one
 * @dropped: frames of the block that were not shown
 * @reason: (nullable): why they were dropped
 *
 * Upstream, from reactorpace: what became of a block.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_shown(guint64 block, GstClockTime first, GstClockTime last,
                                      guint dropped, const gchar* reason) {
  return new_event(GST_EVENT_CUSTOM_UPSTREAM, GST_REACTOR_EVENT_SHOWN, "block", G_TYPE_UINT64,
                   block, "first", G_TYPE_UINT64, first, "last", G_TYPE_UINT64, last, "dropped",
                   G_TYPE_UINT, dropped, "reason", G_TYPE_STRING, reason);
}

/**
 * gst_reactor_event_parse_shown:
 * @event: any #GstEvent
 * @block: (out) (optional): number of the block
 * @first: (out) (optional): running time in ns of the first frame shown
 * @last: (out) (optional): running time in ns of the last frame shown
 * @dropped: (out) (optional): frames that were not shown
 * @reason: (out) (optional) (nullable) (transfer none): why not
 *
 * Returns: %TRUE if @event says what became of a block
 */
gboolean gst_reactor_event_parse_shown(GstEvent* event, guint64* block, GstClockTime* first,
                                       GstClockTime* last, guint* dropped, const gchar** reason) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_SHOWN);
  if (!s) return FALSE;
  get_string(s, "reason", reason);
  return (!block || gst_structure_get_uint64(s, "block", block)) &&
         (!first || gst_structure_get_uint64(s, "first", first)) &&
         (!last || gst_structure_get_uint64(s, "last", last)) &&
         (!dropped || gst_structure_get_uint(s, "dropped", dropped));
}

/**
 * gst_reactor_event_new_runtime:
 * @json: one JSON object, valid UTF-8
 *
 * What the model, or the program that runs it, tells the sink itself. Downstream, out of band.
 * `{"type":…,"data":{…}}`:
 *
 * - `capabilities`: `commands`, a list of `name`, `description`, `schema`: what viewers may call;
 * replaces what was known
 * - `state`: `state`, `reason`: `warming-up`, `running`, `model-gone`, `restarting`, `over` … for
 * the viewers and for
 *   `/healthz`; an empty `state` leaves it to the sink again
 * - `answer`: `command` (an id), `viewer`, and for a refused or failed one `code`, `message`,
 * `field`: how a command ended
 *
 * Unknown types are ignored, and elements that do not speak to viewers pass the event on.
 *
 * Returns: (transfer full): the event
 */
GstEvent* gst_reactor_event_new_runtime(const gchar* json) {
  g_return_val_if_fail(json != nullptr, nullptr);
  return new_event(GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_REACTOR_EVENT_RUNTIME, "json",
                   G_TYPE_STRING, json);
}

/**
 * gst_reactor_event_parse_runtime:
 * @event: any #GstEvent
 * @json: (out) (optional) (transfer none): the JSON text
 *
 * Returns: %TRUE if @event is for the sink itself
 */
gboolean gst_reactor_event_parse_runtime(GstEvent* event, const gchar** json) {
  const GstStructure* s = structure_of(event, GST_REACTOR_EVENT_RUNTIME);
  if (!s) return FALSE;
  get_string(s, "json", json);
  return TRUE;
}

namespace {
constexpr const char* kStatsName = "GstReactorStats";
}  // namespace

/**
 * gst_reactor_query_new_stats:
 *
 * A query for reactorpace's `stats`, to be sent upstream (gst_pad_peer_query() on a sink pad,
 * gst_element_query() on a sink element), or downstream from a source. Elements on the way pass it
 * on; reactorpace answers it.
 *
 * Returns: (transfer full): the query, not yet answered
 */
GstQuery* gst_reactor_query_new_stats(void) {
  return gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kStatsName));
}

/**
 * gst_reactor_query_is_stats:
 * @query: any #GstQuery
 *
 * Returns: %TRUE if @query was made by gst_reactor_query_new_stats()
 */
gboolean gst_reactor_query_is_stats(GstQuery* query) {
  g_return_val_if_fail(GST_IS_QUERY(query), FALSE);
  if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return FALSE;
  const GstStructure* s = gst_query_get_structure(query);
  return s && gst_structure_has_name(s, kStatsName);
}

/**
 * gst_reactor_query_set_stats:
 * @query: a writable stats query
 * @stats: the answer, copied
 *
 * Answers @query. For the element that measures.
 */
void gst_reactor_query_set_stats(GstQuery* query, const GstStructure* stats) {
  g_return_if_fail(gst_reactor_query_is_stats(query));
  g_return_if_fail(stats != nullptr);
  gst_structure_set(gst_query_writable_structure(query), "stats", GST_TYPE_STRUCTURE, stats,
                    nullptr);
}

/**
 * gst_reactor_query_parse_stats:
 * @query: a stats query
 * @stats: (out) (optional) (transfer none): the answer; lives as long as @query
 *
 * Returns: %TRUE if @query is a stats query and was answered
 */
gboolean gst_reactor_query_parse_stats(GstQuery* query, const GstStructure** stats) {
  if (!gst_reactor_query_is_stats(query)) return FALSE;
  const GValue* value = gst_structure_get_value(gst_query_get_structure(query), "stats");
  if (!value || !GST_VALUE_HOLDS_STRUCTURE(value)) return FALSE;
  if (stats) *stats = gst_value_get_structure(value);
  return TRUE;
}
