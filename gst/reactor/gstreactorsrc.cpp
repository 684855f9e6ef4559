// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GstReactorSrc: the GObject around reactor::Source. The functions that models call are in
// gstreactorsrc-api.cpp.

#include "gst/reactor/gstreactorsrc.h"

#include "gst/reactor/arraylayout.h"
#include "gst/reactor/source.h"

/**
 * GstReactorSrc:
 *
 * The door by which a real-time generative model enters a pipeline.
 *
 * The model emits blocks of frames, all of a block at once, at whatever rate it manages; each
 * becomes one #GstBufferList, stamped with the running time at which it was emitted, and labelled
 * with a #GstReactorFrameMeta. What follows (reactorpace) turns them into even video.
 */

GST_DEBUG_CATEGORY(gst_reactor_src_debug);
#define GST_CAT_DEFAULT gst_reactor_src_debug

struct _GstReactorSrcState {
  explicit _GstReactorSrcState(GstReactorSrc* element) : source(element) {}
  reactor::Source source;
};

reactor::Source& reactor::source_of(GstReactorSrc* element) {
  return element->state->source;
}

using reactor::source_of;

GType gst_reactor_overflow_get_type(void) {
  static const GEnumValue values[] = {
      {GST_REACTOR_OVERFLOW_WAIT, "Emit waits until there is room", "wait"},
      {GST_REACTOR_OVERFLOW_DROP_OLDEST, "What has waited longest is dropped", "drop-oldest"},
      {GST_REACTOR_OVERFLOW_DROP_NEWEST, "The block that finds no room is dropped", "drop-newest"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorOverflow", values);
  return type;
}

enum {
  PROP_0,
  PROP_OVERFLOW,
  PROP_MONITORING,
  PROP_SESSION_ACTIVE,
  PROP_WIDTH,
  PROP_HEIGHT,
  PROP_SOCKET_PATH,
  PROP_STATS,
  N_PROPERTIES
};

enum { SIGNAL_SESSION_STARTED, SIGNAL_SESSION_ENDED, SIGNAL_COMMAND, N_SIGNALS };

static GParamSpec* properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

G_DEFINE_TYPE_WITH_CODE(GstReactorSrc, gst_reactor_src, GST_TYPE_APP_SRC,
                        GST_DEBUG_CATEGORY_INIT(gst_reactor_src_debug, "reactorsrc", 0,
                                                "blocks of frames from a model"))

static void gst_reactor_src_set_property(GObject* object, guint id, const GValue* value,
                                         GParamSpec* spec) {
  GstReactorSrc* const self = GST_REACTOR_SRC(object);
  switch (id) {
    case PROP_OVERFLOW:
      source_of(self).overflow = static_cast<GstReactorOverflow>(g_value_get_enum(value));
      break;
    case PROP_MONITORING:
      source_of(self).set_monitoring(g_value_get_boolean(value));
      break;
    case PROP_WIDTH:
      source_of(self).black_width = g_value_get_uint(value);
      break;
    case PROP_HEIGHT:
      source_of(self).black_height = g_value_get_uint(value);
      break;
    case PROP_SOCKET_PATH: {
      const gchar* const path = g_value_get_string(value);
      GST_OBJECT_LOCK(self);
      source_of(self).socket_path = path ? path : "";
      GST_OBJECT_UNLOCK(self);
      break;
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_reactor_src_get_property(GObject* object, guint id, GValue* value,
                                         GParamSpec* spec) {
  GstReactorSrc* const self = GST_REACTOR_SRC(object);
  switch (id) {
    case PROP_OVERFLOW:
      g_value_set_enum(value, source_of(self).overflow);
      break;
    case PROP_MONITORING:
      g_value_set_boolean(value, source_of(self).monitoring());
      break;
    case PROP_SESSION_ACTIVE:
      g_value_set_boolean(value, source_of(self).session().active());
      break;
    case PROP_WIDTH:
      g_value_set_uint(value, source_of(self).black_width);
      break;
    case PROP_HEIGHT:
      g_value_set_uint(value, source_of(self).black_height);
      break;
    case PROP_SOCKET_PATH: {
      GST_OBJECT_LOCK(self);
      const std::string& path = source_of(self).socket_path;
      g_value_set_string(value, path.empty() ? nullptr : path.c_str());
      GST_OBJECT_UNLOCK(self);
      break;
    }
    case PROP_STATS:
      g_value_take_boxed(value, source_of(self).stats());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_reactor_src_finalize(GObject* object) {
  delete GST_REACTOR_SRC(object)->state;
  G_OBJECT_CLASS(gst_reactor_src_parent_class)->finalize(object);
}

static GstStateChangeReturn gst_reactor_src_change_state(GstElement* element,
                                                         GstStateChange transition) {
  reactor::Source& source = source_of(GST_REACTOR_SRC(element));
  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!source.open()) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      source.run();
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      source.playing(false);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      // Before the streaming thread is joined: nobody who waits for it is left behind.
      source.halt();
      break;
    default:
      break;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_reactor_src_parent_class)->change_state(element, transition);
  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (result == GST_STATE_CHANGE_FAILURE) source.halt();
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      if (result != GST_STATE_CHANGE_FAILURE) source.playing(true);
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      source.close();
      source.recycled().clear();
      break;
    default:
      break;
  }
  return result;
}

static gboolean gst_reactor_src_send_event(GstElement* element, GstEvent* event) {
  reactor::Source& source = source_of(GST_REACTOR_SRC(element));
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && source.has_blocks()) {
    // The base class would end the stream at once, and wait for the streaming thread, which in
    // PAUSED waits for PLAYING with a block; what was emitted goes first.
    gst_event_unref(event);
    source.set_eos();
    // From 1.24 on appsrc takes nothing in PAUSED.
    if (gst_app_src_end_of_stream(GST_APP_SRC(element)) != GST_FLOW_OK) source.end_later(true);
    return TRUE;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) source.end_later(false);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) source.set_eos();
  return GST_ELEMENT_CLASS(gst_reactor_src_parent_class)->send_event(element, event);
}

static gboolean gst_reactor_src_post_message(GstElement* element, GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) source_of(GST_REACTOR_SRC(element)).fail();
  return GST_ELEMENT_CLASS(gst_reactor_src_parent_class)->post_message(element, message);
}

static GstFlowReturn gst_reactor_src_create(GstBaseSrc* src, guint64 offset, guint size,
                                            GstBuffer** buffer) {
  return source_of(GST_REACTOR_SRC(src))
      .create(GST_BASE_SRC_CLASS(gst_reactor_src_parent_class)->create, offset, size, buffer);
}

static gboolean gst_reactor_src_unlock(GstBaseSrc* src) {
  source_of(GST_REACTOR_SRC(src)).unlock(true);
  return GST_BASE_SRC_CLASS(gst_reactor_src_parent_class)->unlock(src);
}

static gboolean gst_reactor_src_unlock_stop(GstBaseSrc* src) {
  source_of(GST_REACTOR_SRC(src)).unlock(false);
  return GST_BASE_SRC_CLASS(gst_reactor_src_parent_class)->unlock_stop(src);
}

static gboolean gst_reactor_src_event(GstBaseSrc* src, GstEvent* event) {
  if (source_of(GST_REACTOR_SRC(src)).upstream_event(event)) return TRUE;
  return GST_BASE_SRC_CLASS(gst_reactor_src_parent_class)->event(src, event);
}

static gboolean gst_reactor_src_query(GstBaseSrc* src, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    // A block is stamped when it is there; it may wait as long as anybody behind wants.
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
  }
  return GST_BASE_SRC_CLASS(gst_reactor_src_parent_class)->query(src, query);
}

static gboolean gst_reactor_src_negotiate(GstBaseSrc* src) {
  source_of(GST_REACTOR_SRC(src)).renegotiate();
  return TRUE;
}

static void gst_reactor_src_init(GstReactorSrc* self) {
  self->state = new GstReactorSrcState(self);
  // The queue in front of appsrc's is bounded in blocks; appsrc's own limits are smaller than one
  // HD frame.
  g_object_set(self, "is-live", TRUE, "format", GST_FORMAT_TIME, "do-timestamp", FALSE,
               "stream-type", GST_APP_STREAM_TYPE_STREAM, "max-bytes", G_GUINT64_CONSTANT(0),
               "max-buffers", G_GUINT64_CONSTANT(0), "max-time", G_GUINT64_CONSTANT(0),
               "emit-signals", FALSE, nullptr);
}

static void gst_reactor_src_class_init(GstReactorSrcClass* klass) {
  GObjectClass* const object_class = G_OBJECT_CLASS(klass);
  GstElementClass* const element_class = GST_ELEMENT_CLASS(klass);
  GstBaseSrcClass* const src_class = GST_BASE_SRC_CLASS(klass);

  object_class->set_property = gst_reactor_src_set_property;
  object_class->get_property = gst_reactor_src_get_property;
  object_class->finalize = gst_reactor_src_finalize;
  element_class->change_state = gst_reactor_src_change_state;
  element_class->post_message = gst_reactor_src_post_message;
  element_class->send_event = gst_reactor_src_send_event;
  src_class->create = gst_reactor_src_create;
  src_class->unlock = gst_reactor_src_unlock;
  src_class->unlock_stop = gst_reactor_src_unlock_stop;
  src_class->event = gst_reactor_src_event;
  src_class->query = gst_reactor_src_query;
  src_class->negotiate = gst_reactor_src_negotiate;

  const auto flags = [](int more) {
    return static_cast<GParamFlags>(G_PARAM_STATIC_STRINGS | G_PARAM_READABLE | more);
  };
  properties[PROP_OVERFLOW] = g_param_spec_enum(
      "overflow", "Overflow", "What happens to a block for which there is no room",
      GST_TYPE_REACTOR_OVERFLOW, GST_REACTOR_OVERFLOW_WAIT,
      flags(G_PARAM_WRITABLE | GST_PARAM_MUTABLE_PLAYING));
  properties[PROP_MONITORING] = g_param_spec_boolean(
      "monitoring", "Monitoring",
      "Whether the gap before the next block says something about the model's speed; off while "
      "the model pauses on purpose",
      TRUE, flags(G_PARAM_WRITABLE | G_PARAM_EXPLICIT_NOTIFY | GST_PARAM_MUTABLE_PLAYING));
  properties[PROP_SESSION_ACTIVE] = g_param_spec_boolean(
      "session-active", "Session active",
      "Whether somebody watches. Without a sink that owns sessions: whether the pipeline plays",
      FALSE, flags(0));
  properties[PROP_WIDTH] = g_param_spec_uint(
      "width", "Width", "Width of a black frame emitted before any block (pixels)", 1,
      reactor::kMaxDimension, 1280, flags(G_PARAM_WRITABLE | GST_PARAM_MUTABLE_PLAYING));
  properties[PROP_HEIGHT] = g_param_spec_uint(
      "height", "Height", "Height of a black frame emitted before any block (pixels)", 1,
      reactor::kMaxDimension, 704, flags(G_PARAM_WRITABLE | GST_PARAM_MUTABLE_PLAYING));
  properties[PROP_SOCKET_PATH] = g_param_spec_string(
      "socket-path", "Socket path",
      "Path of the socket to serve for a model in another process (at most 107 bytes; NULL = "
      "none). "
      "The environment variable GST_REACTOR_SOCKET tells models where to connect",
      nullptr, flags(G_PARAM_WRITABLE | GST_PARAM_MUTABLE_READY));
  properties[PROP_STATS] = g_param_spec_boxed(
      "stats", "Statistics",
      "Counters since the element was made: blocks and frames sent downstream, frames dropped by "
      "cause, time emit waited (ns), and the state of the model socket",
      GST_TYPE_STRUCTURE, flags(0));
  g_object_class_install_properties(object_class, N_PROPERTIES, properties);

  /**
   * GstReactorSrc::session-started:
   * @self: the source
   * @id: id of the session, "local" when no sink owns sessions
   * @reason: why, in words
   *
   * Somebody watches: the model should generate. Emitted in the thread that brought the news;
   * bindings rather take the element message "reactor-session" of the same content from the bus.
   */
  signals[SIGNAL_SESSION_STARTED] =
      g_signal_new("session-started", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstReactorSrc::session-ended:
   * @self: the source
   * @id: id of the session
   * @reason: why, in words
   *
   * Nobody watches any more: the model should stop. Threads as for #GstReactorSrc::session-started.
   */
  signals[SIGNAL_SESSION_ENDED] =
      g_signal_new("session-ended", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                   nullptr, nullptr, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstReactorSrc::command:
   * @self: the source
   * @json: what the viewer sent, `{"type":…,"data":…}`
   * @viewer: (nullable): id of the viewer
   * @id: id of the command, to be given to gst_reactor_src_set_command_id() when it is applied
   *
   * A viewer sent a command. Emitted in the sink's thread; bindings rather take the element message
   * "reactor-command" of the same content from the bus.
   */
  signals[SIGNAL_COMMAND] =
      g_signal_new("command", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr,
                   nullptr, G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_UINT64);

  gst_element_class_set_static_metadata(
      element_class, "Reactor source", "Source/Video",
      "Takes blocks of frames from a real-time generative model into a pipeline",
      "Reactor for GStreamer");
}
