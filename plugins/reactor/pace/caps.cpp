// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/caps.h"

namespace reactor::pace {

CapsPtr output_caps(const GstCaps* input, double max_fps) {
  CapsPtr caps(gst_caps_copy(input));
  gint n = 0, d = 1;
  gst_util_double_to_fraction(max_fps, &n, &d);
  gst_caps_set_simple(caps.get(), "framerate", GST_TYPE_FRACTION, 0, 1, "max-framerate",
                      GST_TYPE_FRACTION, n, d, nullptr);
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
    if (rate && !gst_value_can_intersect(rate, &variable)) continue;
    GstStructure* free = gst_structure_copy(s);
    gst_structure_remove_fields(free, "framerate", "max-framerate", nullptr);
    const GstCapsFeatures* features = gst_caps_get_features(output, i);
    gst_caps_append_structure_full(caps.get(), free,
                                   features ? gst_caps_features_copy(features) : nullptr);
  }
  return caps;
}

}  // namespace reactor::pace
