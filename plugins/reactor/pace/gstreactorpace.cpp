/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-reactorpace
 * @title: reactorpace
 *
 * Takes video that arrives in blocks, many frames at once at an unpredictable rate, and releases
 * single frames evenly, at the rate the producer really has. Any raw video; the pacing decisions
 * are gst/pacing's.
 *
 * ## Example
 *
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! video/x-raw,framerate=16/1 ! reactorsim block-size=12
 * ! reactorpace smoothness=0.5 ! videoconvert ! autovideosink
 * ]|
 */

#include "pace/gstreactorpace.h"

#include "pace/pace.h"

#include <cmath>

GST_DEBUG_CATEGORY(gst_reactor_pace_debug);

namespace pace = reactor::pace;
namespace pacing = reactor::pacing;

struct _GstReactorPace {
  GstElement parent;
  pace::Pace* pace;
};

enum {
  PROP_0,
  PROP_MAX_FPS,
  PROP_MIN_FPS,
  PROP_SMOOTHNESS,
  PROP_MAX_LATENCY,
  PROP_OVERFLOW,
  PROP_HOLD_FRAMERATE,
  PROP_PROCESSING_DEADLINE,
  PROP_MONITORING,
  PROP_TRACE_LOCATION,
  PROP_PACER_STATE,
  PROP_FPS,
  PROP_STATS,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-raw(ANY), framerate=(fraction)0/1"));

G_DEFINE_TYPE_WITH_CODE(GstReactorPace, gst_reactor_pace, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(gst_reactor_pace_debug, "reactorpace", 0,
                                                "pacing of bursty video"))
GST_ELEMENT_REGISTER_DEFINE(reactorpace, "reactorpace", GST_RANK_NONE, GST_TYPE_REACTOR_PACE)

static pace::Pace& pace_of(gpointer object) {
  return *GST_REACTOR_PACE(object)->pace;
}

static GstFlowReturn reactor_pace_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  return pace_of(parent).chain(reactor::BufferPtr(buffer));
}

static GstFlowReturn reactor_pace_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  return pace_of(parent).chain_list(reactor::BufferListPtr(list));
}

static GstFlowReturn reactor_pace_sink_event(GstPad*, GstObject* parent, GstEvent* event) {
  return pace_of(parent).sink_event(reactor::EventPtr(event));
}

static gboolean reactor_pace_sink_query(GstPad*, GstObject* parent, GstQuery* query) {
  return pace_of(parent).sink_query(query);
}

static gboolean reactor_pace_src_event(GstPad*, GstObject* parent, GstEvent* event) {
  return pace_of(parent).src_event(reactor::EventPtr(event));
}

static gboolean reactor_pace_src_query(GstPad*, GstObject* parent, GstQuery* query) {
  return pace_of(parent).src_query(query);
}

static gboolean reactor_pace_activate_sink(GstPad*, GstObject* parent, GstPadMode mode,
                                           gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  pace_of(parent).activate_sink(active);
  return TRUE;
}

static gboolean reactor_pace_activate_src(GstPad*, GstObject* parent, GstPadMode mode,
                                          gboolean active) {
  return mode == GST_PAD_MODE_PUSH && pace_of(parent).activate_src(active);
}

static GstStateChangeReturn gst_reactor_pace_change_state(GstElement* element,
                                                          GstStateChange transition) {
  pace::Pace& pace = pace_of(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !pace.start())
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) pace.pause();

  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_reactor_pace_parent_class)->change_state(element, transition);
  if (result == GST_STATE_CHANGE_FAILURE) return result;

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      // Nothing is released while paused: a sink must not wait for a frame.
      return GST_STATE_CHANGE_NO_PREROLL;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      pace.play();
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      pace.stop();
      break;
    default:
      break;
  }
  return result;
}

static gboolean gst_reactor_pace_set_clock(GstElement* element, GstClock* clock) {
  const gboolean set = GST_ELEMENT_CLASS(gst_reactor_pace_parent_class)->set_clock(element, clock);
  pace_of(element).clock_changed();
  return set;
}

static pacing::Overflow to_overflow(gint value) {
  switch (value) {
    case GST_REACTOR_OVERFLOW_DROP_OLDEST:
      return pacing::Overflow::kDropOldest;
    case GST_REACTOR_OVERFLOW_DROP_NEWEST:
      return pacing::Overflow::kDropNewest;
    default:
      return pacing::Overflow::kWait;
  }
}

static gint from_overflow(pacing::Overflow value) {
  switch (value) {
    case pacing::Overflow::kDropOldest:
      return GST_REACTOR_OVERFLOW_DROP_OLDEST;
    case pacing::Overflow::kDropNewest:
      return GST_REACTOR_OVERFLOW_DROP_NEWEST;
    default:
      return GST_REACTOR_OVERFLOW_WAIT;
  }
}

static void gst_reactor_pace_set_property(GObject* object, guint id, const GValue* value,
                                          GParamSpec* pspec) {
  pace::Pace& pace = pace_of(object);
  pace.change_options([&](pace::Options& o) {
    switch (id) {
      case PROP_MAX_FPS:
        o.pacing.max_fps = g_value_get_double(value);
        break;
      case PROP_MIN_FPS:
        o.pacing.min_fps = g_value_get_double(value);
        break;
      case PROP_SMOOTHNESS:
        o.pacing.smoothness = g_value_get_double(value);
        break;
      case PROP_MAX_LATENCY: {
        const guint64 ns = g_value_get_uint64(value);
        o.pacing.max_latency.reset();
        if (ns > 0) o.pacing.max_latency = reactor::Duration(static_cast<gint64>(ns));
        break;
      }
      case PROP_OVERFLOW:
        o.pacing.overflow = to_overflow(g_value_get_enum(value));
        break;
      case PROP_HOLD_FRAMERATE:
        o.hold_n = gst_value_get_fraction_numerator(value);
        o.hold_d = gst_value_get_fraction_denominator(value);
        break;
      case PROP_PROCESSING_DEADLINE:
        o.processing_deadline = g_value_get_uint64(value);
        break;
      case PROP_TRACE_LOCATION: {
        const gchar* path = g_value_get_string(value);
        o.trace_location = path ? path : "";
        break;
      }
      default:
        break;
    }
  });
  switch (id) {
    case PROP_MONITORING:
      pace.set_monitoring(g_value_get_boolean(value));
      break;
    case PROP_PACER_STATE: {
      const gchar* text = g_value_get_string(value);
      pace.set_state(text ? text : "");
      break;
    }
    case PROP_PROCESSING_DEADLINE:
    case PROP_OVERFLOW:
    case PROP_MAX_LATENCY:
      if (GST_STATE(object) >= GST_STATE_PAUSED)
        gst_element_post_message(GST_ELEMENT(object), gst_message_new_latency(GST_OBJECT(object)));
      break;
    default:
      if (id > PROP_PACER_STATE) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_reactor_pace_get_property(GObject* object, guint id, GValue* value,
                                          GParamSpec* pspec) {
  pace::Pace& pace = pace_of(object);
  const pace::Options o = pace.options();
  switch (id) {
    case PROP_MAX_FPS:
      g_value_set_double(value, o.pacing.max_fps);
      break;
    case PROP_MIN_FPS:
      g_value_set_double(value, o.pacing.min_fps);
      break;
    case PROP_SMOOTHNESS:
      g_value_set_double(value, o.pacing.smoothness);
      break;
    case PROP_MAX_LATENCY:
      g_value_set_uint64(
          value, o.pacing.max_latency ? static_cast<guint64>(o.pacing.max_latency->count()) : 0);
      break;
    case PROP_OVERFLOW:
      g_value_set_enum(value, from_overflow(o.pacing.overflow));
      break;
    case PROP_HOLD_FRAMERATE:
      gst_value_set_fraction(value, o.hold_n, o.hold_d);
      break;
    case PROP_PROCESSING_DEADLINE:
      g_value_set_uint64(value, o.processing_deadline);
      break;
    case PROP_MONITORING:
      g_value_set_boolean(value, pace.monitoring());
      break;
    case PROP_TRACE_LOCATION:
      g_value_set_string(value, o.trace_location.empty() ? nullptr : o.trace_location.c_str());
      break;
    case PROP_PACER_STATE: {
      const std::string state = pace.state();
      g_value_set_string(value, state.empty() ? nullptr : state.c_str());
      break;
    }
    case PROP_FPS:
      g_value_set_double(value, pace.fps());
      break;
    case PROP_STATS:
      g_value_take_boxed(value, pace.stats().release());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_reactor_pace_finalize(GObject* object) {
  delete GST_REACTOR_PACE(object)->pace;
  G_OBJECT_CLASS(gst_reactor_pace_parent_class)->finalize(object);
}

static void gst_reactor_pace_class_init(GstReactorPaceClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_reactor_pace_set_property;
  object_class->get_property = gst_reactor_pace_get_property;
  object_class->finalize = gst_reactor_pace_finalize;
  element_class->change_state = gst_reactor_pace_change_state;
  element_class->set_clock = gst_reactor_pace_set_clock;

  gst_element_class_set_static_metadata(
      element_class, "Reactor pacer", "Filter/Video",
      "Releases video that arrives in blocks evenly, at the rate its producer really has",
      "Reactor for GStreamer");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  const auto ready = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  const auto read = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const auto install = [object_class](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(PROP_MAX_FPS,
          g_param_spec_double("max-fps", "Maximum rate",
                              "Frames per second that are never exceeded: no two frames are closer "
                              "than its inverse. A faster producer waits or loses frames (see "
                              "overflow). Also the max-framerate of the output caps",
                              1, 1000, 60, live));
  install(PROP_MIN_FPS,
          g_param_spec_double("min-fps", "Minimum rate",
                              "Slowest rate planned while frames are queued, in frames per second "
                              "(0 = none)",
                              0, 1000, 0, live));
  install(PROP_SMOOTHNESS,
          g_param_spec_double("smoothness", "Smoothness",
                              "What to pay for even motion with latency: 0 = lowest latency, more "
                              "stalls; 1 = smoothest, more latency",
                              0, 1, .5, live));
  install(PROP_MAX_LATENCY,
          g_param_spec_uint64("max-latency", "Maximum latency",
                              "No frame is shown later than this after its block arrived, in "
                              "nanoseconds (0 = no limit)",
                              0, G_MAXINT64, 0, live));
  install(PROP_OVERFLOW,
          g_param_spec_enum("overflow", "Overflow",
                            "What happens when a block arrives for which there is no room",
                            GST_TYPE_REACTOR_OVERFLOW, GST_REACTOR_OVERFLOW_WAIT, live));
  install(PROP_HOLD_FRAMERATE,
          gst_param_spec_fraction("hold-framerate", "Hold framerate",
                                  "How often the last frame is repeated while no new one is "
                                  "there, in frames per second (0/1 = only when a key frame is "
                                  "requested)",
                                  0, 1, 60, 1, 2, 1, live));
  install(PROP_PROCESSING_DEADLINE,
          g_param_spec_uint64("processing-deadline", "Processing deadline",
                              "Time that downstream has for a frame, reported as the minimum "
                              "latency, in nanoseconds",
                              0, G_MAXINT64, 20 * GST_MSECOND, live));
  install(PROP_MONITORING,
          g_param_spec_boolean("monitoring", "Monitoring",
                               "Whether the time until the next block says something about the "
                               "producer's rate. Off: the rate is kept. Also switched by the "
                               "model's own event",
                               TRUE, live));
  install(PROP_TRACE_LOCATION,
          g_param_spec_string("trace-location", "Trace location",
                              "File that gets a CSV line for each arrival and each release "
                              "(NULL = none)",
                              nullptr, ready));
  install(PROP_PACER_STATE,
          g_param_spec_string("pacer-state", "Pacer state",
                              "What was learnt about the producer, as JSON: read it at the end of "
                              "a session, set it before the next one begins",
                              nullptr, ready));
  install(PROP_FPS, g_param_spec_double("fps", "Measured rate",
                                        "Rate of the producer as measured, in frames per second "
                                        "(0 = not known yet)",
                                        0, G_MAXDOUBLE, 0, read));
  install(PROP_STATS,
          g_param_spec_boxed("stats", "Statistics",
                             "Counters by cause, the measured period, the queue, the added "
                             "latency, and why the pacer does what it does",
                             GST_TYPE_STRUCTURE, read));
}

static void gst_reactor_pace_init(GstReactorPace* self) {
  GstPad* sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(sink, reactor_pace_chain);
  gst_pad_set_chain_list_function(sink, reactor_pace_chain_list);
  gst_pad_set_event_full_function(sink, reactor_pace_sink_event);
  gst_pad_set_query_function(sink, reactor_pace_sink_query);
  gst_pad_set_activatemode_function(sink, reactor_pace_activate_sink);
  GstPad* src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(src, reactor_pace_src_event);
  gst_pad_set_query_function(src, reactor_pace_src_query);
  gst_pad_set_activatemode_function(src, reactor_pace_activate_src);
  self->pace = new pace::Pace(GST_ELEMENT(self), sink, src);
  gst_element_add_pad(GST_ELEMENT(self), sink);
  gst_element_add_pad(GST_ELEMENT(self), src);
}
