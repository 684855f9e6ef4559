// SPDX-License-Identifier: LGPL-2.1-or-later

#include "variablerate.h"

namespace reactor {

CapsPtr output_caps(const GstCaps* input, std::optional<double> max_fps) {
  CapsPtr caps(gst_caps_copy(input));
  gst_caps_set_simple(caps.get(), "framerate", GST_TYPE_FRACTION, 0, 1, nullptr);
  for (guint i = 0; i < gst_caps_get_size(caps.get()); ++i)
    gst_structure_remove_field(gst_caps_get_structure(caps.get(), i), "max-framerate");
  if (max_fps) {
    gint n = 0, d = 1;
    gst_util_double_to_fraction(*max_fps, &n, &d);
    gst_caps_set_simple(caps.get(), "max-framerate", GST_TYPE_FRACTION, n, d, nullptr);
  }
  return caps;
}

CapsPtr input_caps(const GstCaps* output) {
  CapsPtr caps(gst_caps_new_empty());
  g_auto(GValue) variable = G_VALUE_INIT;
  g_value_init(&variable, GST_TYPE_FRACTION);
  gst_value_set_fraction(&variable, 0, 1);
  if (gst_caps_is_any(output)) return CapsPtr(gst_caps_new_any());
  for (guint i = 0; i < gst_caps_get_size(output); ++i) {
    const GstStructure* s = gst_caps_get_structure(output, i);
    const GValue* rate = gst_structure_get_value(s, "framerate");
    if (rate && !gst_value_intersect(nullptr, rate, &variable)) continue;
    GstStructure* free = gst_structure_copy(s);
    gst_structure_remove_fields(free, "framerate", "max-framerate", nullptr);
    const GstCapsFeatures* features = gst_caps_get_features(output, i);
    gst_caps_append_structure_full(caps.get(), free,
                                   features ? gst_caps_features_copy(features) : nullptr);
  }
  return caps;
}

namespace {
void answer(GstQuery* query, CapsPtr caps) {
  GstCaps* filter = nullptr;
  gst_query_parse_caps(query, &filter);
  if (filter) caps.reset(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
  gst_query_set_caps_result(query, caps.get());
}
}  // namespace

void answer_sink_caps(GstQuery* query, GstPad* sink, GstPad* src) {
  CapsPtr peer(gst_pad_peer_query_caps(src, nullptr));
  CapsPtr mine(gst_pad_get_pad_template_caps(sink));
  answer(query, CapsPtr(gst_caps_intersect(mine.get(), input_caps(peer.get()).get())));
}

void answer_src_caps(GstQuery* query, GstPad* sink, std::optional<double> max_fps) {
  CapsPtr peer(gst_pad_peer_query_caps(sink, nullptr));
  CapsPtr mine(gst_pad_get_pad_template_caps(sink));
  CapsPtr enters(gst_caps_intersect(mine.get(), peer.get()));
  answer(query, output_caps(enters.get(), max_fps));
}

}  // namespace reactor
