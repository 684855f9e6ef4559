/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstreactorgate.h"

#include <condition_variable>
#include <mutex>

GST_DEBUG_CATEGORY_STATIC(gate_debug);
#define GST_CAT_DEFAULT gate_debug

namespace {

using reactor::webrtc::Gate;
using reactor::webrtc::GateLimits;
using reactor::webrtc::GateState;
using reactor::webrtc::RequestKey;

struct State {
  std::mutex mutex;
  std::condition_variable wake;
  Gate<GstBuffer*> gate;  // guarded by mutex
  bool flushing = true;   // guarded by mutex
  RequestKey request = nullptr;
  gpointer user_data = nullptr;
  GDestroyNotify destroy = nullptr;
};

void release(std::deque<GstBuffer*>& buffers) {
  for (GstBuffer* buffer : buffers) gst_buffer_unref(buffer);
}

}  // namespace

struct _GstReactorGate {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  State* state;
};

G_DEFINE_TYPE(GstReactorGate, gst_reactor_gate, GST_TYPE_ELEMENT)

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

void request_key(GstReactorGate* self) {
  if (self->state->request) self->state->request(self->state->user_data);
}

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  GstReactorGate* self = GST_REACTOR_GATE(parent);
  const bool key = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  const gsize size = gst_buffer_get_size(buffer);
  const auto now = static_cast<guint64>(g_get_monotonic_time()) * 1000;
  Gate<GstBuffer*>::Outcome outcome;
  {
    std::lock_guard lock(self->state->mutex);
    outcome = self->state->gate.push(buffer, key, size, now);
  }
  self->state->wake.notify_one();
  if (!outcome.dropped.empty())
    GST_LOG_OBJECT(self, "dropped %" G_GSIZE_FORMAT " frames", outcome.dropped.size());
  release(outcome.dropped);
  return GST_FLOW_OK;
}

// Caps and segment go straight on, ahead of what waits: they are sticky, and a change of caps
// always comes with a key frame. The end of the stream is the sink's business, not the viewer's.
gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  GstReactorGate* self = GST_REACTOR_GATE(parent);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_CAPS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_TAG:
      // Stored on the source pad only: its task sends them on before the next buffer, so that a
      // stuck viewer does not hold up the encoder here.
      gst_pad_store_sticky_event(self->srcpad, event);
      gst_event_unref(event);
      return TRUE;
    case GST_EVENT_FLUSH_START:
    case GST_EVENT_FLUSH_STOP: {
      std::deque<GstBuffer*> dropped;
      {
        std::lock_guard lock(self->state->mutex);
        dropped = self->state->gate.clear();
      }
      release(dropped);
      gst_event_unref(event);
      return TRUE;
    }
    default:
      gst_event_unref(event);
      return TRUE;
  }
}

void loop(gpointer data) {
  GstReactorGate* self = GST_REACTOR_GATE(data);
  State* state = self->state;
  GstBuffer* buffer = nullptr;
  {
    std::unique_lock lock(state->mutex);
    state->wake.wait(lock, [&] { return state->flushing || !state->gate.empty(); });
    if (state->flushing) {
      lock.unlock();
      gst_pad_pause_task(self->srcpad);
      return;
    }
    buffer = state->gate.pop();
  }
  const GstFlowReturn flow = gst_pad_push(self->srcpad, buffer);
  bool wants_key = false;
  {
    std::lock_guard lock(state->mutex);
    wants_key = state->gate.moved();
  }
  if (flow < GST_FLOW_EOS) {
    GST_DEBUG_OBJECT(self, "viewer's branch: %s", gst_flow_get_name(flow));
    gst_pad_pause_task(self->srcpad);
    return;
  }
  if (wants_key) request_key(self);
}

gboolean activate_src(GstPad* pad, GstObject* parent, GstPadMode, gboolean active) {
  GstReactorGate* self = GST_REACTOR_GATE(parent);
  std::deque<GstBuffer*> dropped;
  {
    std::lock_guard lock(self->state->mutex);
    self->state->flushing = !active;
    if (!active) dropped = self->state->gate.clear();
  }
  self->state->wake.notify_all();
  release(dropped);
  if (active) return gst_pad_start_task(pad, loop, self, nullptr);
  return gst_pad_stop_task(pad);
}

// Key frames are asked for through the sink's throttle, not by events of single viewers; a PLI of
// this viewer arrives here as a force-key-unit event.
gboolean src_event(GstPad*, GstObject* parent, GstEvent* event) {
  GstReactorGate* self = GST_REACTOR_GATE(parent);
  const GstStructure* structure = gst_event_get_structure(event);
  if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM && structure &&
      gst_structure_has_name(structure, "GstForceKeyUnit"))
    request_key(self);
  gst_event_unref(event);
  return TRUE;
}

void finalize(GObject* object) {
  GstReactorGate* self = GST_REACTOR_GATE(object);
  if (self->state->destroy) self->state->destroy(self->state->user_data);
  delete self->state;
  G_OBJECT_CLASS(gst_reactor_gate_parent_class)->finalize(object);
}

}  // namespace

static void gst_reactor_gate_class_init(GstReactorGateClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gate_debug, "reactorgate", 0, "queue of a viewer's branch");
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Viewer gate", "Generic",
                                        "Queue that closes until a key frame when it overflows",
                                        "Reactor for GStreamer");
  G_OBJECT_CLASS(klass)->finalize = finalize;
}

static void gst_reactor_gate_init(GstReactorGate* self) {
  self->state = new State;
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, chain);
  gst_pad_set_event_function(self->sinkpad, sink_event);
  GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_activatemode_function(self->srcpad, activate_src);
  gst_pad_set_event_function(self->srcpad, src_event);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}

namespace reactor::webrtc {

GstElement* gate_new(const char* name, GateLimits limits) {
  auto* self = GST_REACTOR_GATE(g_object_new(GST_TYPE_REACTOR_GATE, "name", name, nullptr));
  self->state->gate = Gate<GstBuffer*>(limits);
  return GST_ELEMENT(self);
}

void gate_set_request(GstReactorGate* gate, RequestKey request, gpointer user_data,
                      GDestroyNotify destroy) {
  gate->state->request = request;
  gate->state->user_data = user_data;
  gate->state->destroy = destroy;
}

void gate_set_shut(GstReactorGate* gate, bool shut) {
  Gate<GstBuffer*>::Outcome outcome;
  {
    std::lock_guard lock(gate->state->mutex);
    outcome = gate->state->gate.set_shut(shut);
  }
  release(outcome.dropped);
  if (outcome.request_key) request_key(gate);
}

GateState gate_state(GstReactorGate* gate) {
  std::lock_guard lock(gate->state->mutex);
  const auto& g = gate->state->gate;
  return {g.counts(), g.frames(), g.bytes(), g.open()};
}

}  // namespace reactor::webrtc
