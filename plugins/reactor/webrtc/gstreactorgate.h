/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The queue of one viewer's branch: an element with a task of its own around reactor::webrtc::Gate.
 * Its chain function never blocks and never fails, so a viewer cannot hold up the encoder. Private
 * to reactorwebrtcsink, no factory.
 */
#pragma once

#include <gst/gst.h>

#include "gate.h"

#define GST_TYPE_REACTOR_GATE (gst_reactor_gate_get_type())
G_DECLARE_FINAL_TYPE(GstReactorGate, gst_reactor_gate, GST, REACTOR_GATE, GstElement)

namespace reactor::webrtc {

// Called in a streaming thread when the viewer needs a key frame.
using RequestKey = void (*)(gpointer user_data);

GstElement* gate_new(const char* name, GateLimits limits);
// Before the element leaves NULL. `destroy` is called with the element's end.
void gate_set_request(GstReactorGate* gate, RequestKey request, gpointer user_data,
                      GDestroyNotify destroy);
// Any thread.
void gate_set_shut(GstReactorGate* gate, bool shut);

struct GateState {
  GateCounts counts;
  std::size_t frames = 0;  // waiting
  std::size_t bytes = 0;   // waiting
  bool open = false;
};
GateState gate_state(GstReactorGate* gate);

}  // namespace reactor::webrtc
