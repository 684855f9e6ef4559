/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstreactorspread.h"

#include "spread.h"

struct _GstReactorSpread {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  GstClockTime last_pts;  // streaming thread
};

G_DEFINE_TYPE(GstReactorSpread, gst_reactor_spread, GST_TYPE_ELEMENT)

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  return gst_pad_push(GST_REACTOR_SPREAD(parent)->srcpad, buffer);
}

// A payloader pushes the packets of one frame as one list.
GstFlowReturn chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  GstReactorSpread* self = GST_REACTOR_SPREAD(parent);
  const guint count = gst_buffer_list_length(list);
  // The interval before this frame stands for the one after it.
  const GstClockTime pts = count ? GST_BUFFER_PTS(gst_buffer_list_get(list, 0)) : 0;
  std::chrono::nanoseconds interval{0};
  if (GST_CLOCK_TIME_IS_VALID(pts) && GST_CLOCK_TIME_IS_VALID(self->last_pts) &&
      pts > self->last_pts)
    interval = std::chrono::nanoseconds(pts - self->last_pts);
  self->last_pts = pts;
  const reactor::webrtc::SpreadLimits limits;
  const auto gap =
      reactor::webrtc::spread_gap(count, gst_buffer_list_calculate_size(list), interval, limits);
  if (gap.count() == 0) return gst_pad_push_list(self->srcpad, list);
  GstFlowReturn flow = GST_FLOW_OK;
  const gint64 begin = g_get_monotonic_time();
  for (guint at = 0; at < count && flow == GST_FLOW_OK;) {
    GstBufferList* group = gst_buffer_list_new();
    for (std::size_t i = 0; i < limits.group && at < count; i++, at++)
      gst_buffer_list_add(group, gst_buffer_ref(gst_buffer_list_get(list, at)));
    flow = gst_pad_push_list(self->srcpad, group);
    // By the plan, not by the last sleep: sleeps that are too long do not add up.
    const gint64 due = begin + gap.count() * static_cast<gint64>(at / limits.group) / 1000;
    const gint64 wait = due - g_get_monotonic_time();
    if (at < count && wait > 0) g_usleep(static_cast<gulong>(wait));
  }
  gst_buffer_list_unref(list);
  return flow;
}

}  // namespace

static void gst_reactor_spread_class_init(GstReactorSpreadClass* klass) {
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Packet spreader", "Generic/Network",
                                        "Lets the packets of a large frame leave in groups",
                                        "Reactor for GStreamer");
}

static void gst_reactor_spread_init(GstReactorSpread* self) {
  self->last_pts = GST_CLOCK_TIME_NONE;
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, chain);
  gst_pad_set_chain_list_function(self->sinkpad, chain_list);
  GST_PAD_SET_PROXY_CAPS(self->sinkpad);
  GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);
  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  GST_PAD_SET_PROXY_CAPS(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);
}

namespace reactor::webrtc {

GstElement* spread_new(const char* name) {
  return GST_ELEMENT(g_object_new(GST_TYPE_REACTOR_SPREAD, "name", name, nullptr));
}

}  // namespace reactor::webrtc
