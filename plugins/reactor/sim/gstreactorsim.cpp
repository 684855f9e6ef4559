/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-reactorsim
 * @title: reactorsim
 *
 * Turns smooth video into what a real-time generative model would deliver: blocks of frames, all at
 * once, at unpredictable times. For demos, tests and trying settings without a model.
 *
 * ## Example
 *
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! video/x-raw,framerate=24/1 !
 *     reactorsim block-size=12 jitter=0.3 hitch-every=20 ! reactorpace ! videoconvert !
 * autovideosink
 * ]|
 */

#include "sim/gstreactorsim.h"

#include "sim/sim.h"

namespace sim = reactor::sim;

struct _GstReactorSim {
  GstElement parent;
  sim::Sim* sim;
};

enum {
  PROP_0,
  PROP_BLOCK_SIZE,
  PROP_FPS,
  PROP_JITTER,
  PROP_HITCH_EVERY,
  PROP_HITCH_LENGTH,
  PROP_PAUSE_EVERY,
  PROP_PAUSE_LENGTH,
  PROP_PAUSE,
  PROP_SEED,
  PROP_TRACE_LOCATION,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-raw(ANY), framerate=(fraction)0/1"));

G_DEFINE_TYPE(GstReactorSim, gst_reactor_sim, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(reactorsim, "reactorsim", GST_RANK_NONE, GST_TYPE_REACTOR_SIM)

static sim::Sim& sim_of(gpointer object) {
  return *GST_REACTOR_SIM(object)->sim;
}

static GstFlowReturn reactor_sim_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  return sim_of(parent).chain(reactor::BufferPtr(buffer));
}

static GstFlowReturn reactor_sim_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  return sim_of(parent).chain_list(reactor::BufferListPtr(list));
}

static gboolean reactor_sim_sink_event(GstPad*, GstObject* parent, GstEvent* event) {
  return sim_of(parent).sink_event(reactor::EventPtr(event));
}

static gboolean reactor_sim_sink_query(GstPad*, GstObject* parent, GstQuery* query) {
  return sim_of(parent).sink_query(query);
}

static gboolean reactor_sim_src_query(GstPad*, GstObject* parent, GstQuery* query) {
  return sim_of(parent).src_query(query);
}

static gboolean reactor_sim_activate_sink(GstPad*, GstObject* parent, GstPadMode mode,
                                          gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  sim_of(parent).set_flushing(!active);
  return TRUE;
}

static GstStateChangeReturn gst_reactor_sim_change_state(GstElement* element,
                                                         GstStateChange transition) {
  sim::Sim& sim = sim_of(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !sim.start())
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) sim.pause();

  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_reactor_sim_parent_class)->change_state(element, transition);
  if (result == GST_STATE_CHANGE_FAILURE) return result;

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      return GST_STATE_CHANGE_NO_PREROLL;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      sim.play();
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      sim.stop();
      break;
    default:
      break;
  }
  return result;
}

static void gst_reactor_sim_set_property(GObject* object, guint id, const GValue* value,
                                         GParamSpec* pspec) {
  const auto ns = [value] { return sim::Duration(static_cast<gint64>(g_value_get_uint64(value))); };
  sim_of(object).change_options([&](sim::Options& o) {
    switch (id) {
      case PROP_BLOCK_SIZE:
        o.manner.block_size = g_value_get_uint(value);
        break;
      case PROP_FPS:
        o.fps = g_value_get_double(value);
        break;
      case PROP_JITTER:
        o.manner.jitter = g_value_get_double(value);
        break;
      case PROP_HITCH_EVERY:
        o.manner.hitch_every = g_value_get_uint(value);
        break;
      case PROP_HITCH_LENGTH:
        o.manner.hitch_length = ns();
        break;
      case PROP_PAUSE_EVERY:
        o.manner.pause_every = g_value_get_uint(value);
        break;
      case PROP_PAUSE_LENGTH:
        o.manner.pause_length = ns();
        break;
      case PROP_PAUSE:
        o.pause = g_value_get_boolean(value);
        break;
      case PROP_SEED:
        o.seed = g_value_get_uint64(value);
        break;
      case PROP_TRACE_LOCATION: {
        const gchar* path = g_value_get_string(value);
        o.trace_location = path ? path : "";
        break;
      }
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
  });
}

static void gst_reactor_sim_get_property(GObject* object, guint id, GValue* value,
                                         GParamSpec* pspec) {
  const sim::Options o = sim_of(object).options();
  switch (id) {
    case PROP_BLOCK_SIZE:
      g_value_set_uint(value, o.manner.block_size);
      break;
    case PROP_FPS:
      g_value_set_double(value, o.fps);
      break;
    case PROP_JITTER:
      g_value_set_double(value, o.manner.jitter);
      break;
    case PROP_HITCH_EVERY:
      g_value_set_uint(value, o.manner.hitch_every);
      break;
    case PROP_HITCH_LENGTH:
      g_value_set_uint64(value, static_cast<guint64>(o.manner.hitch_length.count()));
      break;
    case PROP_PAUSE_EVERY:
      g_value_set_uint(value, o.manner.pause_every);
      break;
    case PROP_PAUSE_LENGTH:
      g_value_set_uint64(value, static_cast<guint64>(o.manner.pause_length.count()));
      break;
    case PROP_PAUSE:
      g_value_set_boolean(value, o.pause);
      break;
    case PROP_SEED:
      g_value_set_uint64(value, o.seed);
      break;
    case PROP_TRACE_LOCATION:
      g_value_set_string(value, o.trace_location.empty() ? nullptr : o.trace_location.c_str());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
      break;
  }
}

static void gst_reactor_sim_finalize(GObject* object) {
  delete GST_REACTOR_SIM(object)->sim;
  G_OBJECT_CLASS(gst_reactor_sim_parent_class)->finalize(object);
}

static void gst_reactor_sim_class_init(GstReactorSimClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_reactor_sim_set_property;
  object_class->get_property = gst_reactor_sim_get_property;
  object_class->finalize = gst_reactor_sim_finalize;
  element_class->change_state = gst_reactor_sim_change_state;

  gst_element_class_set_static_metadata(
      element_class, "Reactor model simulator", "Filter/Effect/Video",
      "Delivers video in blocks, all at once and at unpredictable times, as a real-time model does",
      "Reactor for GStreamer");
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);

  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  const auto ready = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  const auto install = [object_class](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  install(PROP_BLOCK_SIZE,
          g_param_spec_uint("block-size", "Block size", "Frames that are delivered at once", 1,
                            1024, 12, live));
  install(PROP_FPS, g_param_spec_double("fps", "Rate",
                                        "Mean rate of the model in frames per second (0 = that of "
                                        "the input caps, or 24 when they have none)",
                                        0, 1000, 0, live));
  install(PROP_JITTER,
          g_param_spec_double("jitter", "Jitter",
                              "Standard deviation of the time a block takes, as a part of the mean "
                              "time",
                              0, 2, .15, live));
  install(PROP_HITCH_EVERY,
          g_param_spec_uint("hitch-every", "Hitch every",
                            "Every how many blocks one takes hitch-length longer, unannounced (0 = "
                            "never)",
                            0, G_MAXUINT, 0, live));
  install(PROP_HITCH_LENGTH,
          g_param_spec_uint64("hitch-length", "Hitch length",
                              "What a hitch adds to the time of a block, in nanoseconds", 0,
                              3600 * GST_SECOND, GST_SECOND, live));
  install(PROP_PAUSE_EVERY,
          g_param_spec_uint("pause-every", "Pause every",
                            "Before every how many blocks the model pauses for pause-length and "
                            "says so by switching monitoring off (0 = never)",
                            0, G_MAXUINT, 0, live));
  install(PROP_PAUSE_LENGTH, g_param_spec_uint64("pause-length", "Pause length",
                                                 "Length of such a pause, in nanoseconds", 0,
                                                 3600 * GST_SECOND, 3 * GST_SECOND, live));
  install(PROP_PAUSE,
          g_param_spec_boolean("pause", "Pause",
                               "The model does nothing while this is set, and says so by switching "
                               "monitoring off",
                               FALSE, live));
  install(PROP_SEED, g_param_spec_uint64("seed", "Seed",
                                         "Of the random numbers: the same seed gives the same "
                                         "blocks",
                                         0, G_MAXUINT64, 0, ready));
  install(PROP_TRACE_LOCATION,
          g_param_spec_string("trace-location", "Trace location",
                              "File with recorded arrivals, as reactorpace writes it, that are "
                              "repeated in place of the made-up ones (NULL = none)",
                              nullptr, ready));
}

static void gst_reactor_sim_init(GstReactorSim* self) {
  GstPad* sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(sink, reactor_sim_chain);
  gst_pad_set_chain_list_function(sink, reactor_sim_chain_list);
  gst_pad_set_event_function(sink, reactor_sim_sink_event);
  gst_pad_set_query_function(sink, reactor_sim_sink_query);
  gst_pad_set_activatemode_function(sink, reactor_sim_activate_sink);
  GstPad* src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_query_function(src, reactor_sim_src_query);
  self->sim = new sim::Sim(GST_ELEMENT(self), sink, src);
  gst_element_add_pad(GST_ELEMENT(self), sink);
  gst_element_add_pad(GST_ELEMENT(self), src);
}
