/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstreactorconvert.h"

#include <cstring>

#include "rgb2i420.h"

namespace {

// The formats that GStreamer's converter reads.
const char kSinkCaps[] = GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL);
const char kSrcCaps[] = "video/x-raw,format=I420";

enum { PROP_0, PROP_LIBYUV };

struct State {
  bool even = false;
  bool libyuv = true;
  GstVideoConverter* converter = nullptr;  // null: the fast path
};

}  // namespace

struct _GstReactorConvert {
  GstVideoFilter parent;
  State* state;
};

G_DEFINE_TYPE(GstReactorConvert, gst_reactor_convert, GST_TYPE_VIDEO_FILTER)

namespace {

// A size that may be given as a number or a range: forward becomes even, backward is what that may
// have been.
void pad_size(GstStructure* structure, const char* field, bool forward) {
  gint value = 0;
  if (!gst_structure_get_int(structure, field, &value)) return;
  if (forward)
    gst_structure_set(structure, field, G_TYPE_INT, (value + 1) & ~1, nullptr);
  else if (value % 2 == 0 && value > 1)
    gst_structure_set(structure, field, GST_TYPE_INT_RANGE, value - 1, value, nullptr);
}

GstCaps* transform_caps(GstBaseTransform* trans, GstPadDirection direction, GstCaps* caps,
                        GstCaps* filter) {
  const State& state = *GST_REACTOR_CONVERT(trans)->state;
  const bool forward = direction == GST_PAD_SINK;
  g_autoptr(GstCaps) templ = gst_caps_from_string(forward ? kSrcCaps : kSinkCaps);
  const GValue* formats = gst_structure_get_value(gst_caps_get_structure(templ, 0), "format");
  GstCaps* result = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    GstStructure* structure = gst_structure_copy(gst_caps_get_structure(caps, i));
    gst_structure_remove_fields(structure, "colorimetry", "chroma-site", nullptr);
    gst_structure_set_value(structure, "format", formats);
    if (forward) gst_structure_set(structure, "colorimetry", G_TYPE_STRING, "bt601", nullptr);
    if (state.even) {
      pad_size(structure, "width", forward);
      pad_size(structure, "height", forward);
    }
    gst_caps_append_structure(result, structure);
  }
  if (filter) {
    GstCaps* some = gst_caps_intersect_full(filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(result);
    result = some;
  }
  return result;
}

gboolean set_info(GstVideoFilter* filter, GstCaps*, GstVideoInfo* in, GstCaps*, GstVideoInfo* out) {
  State& state = *GST_REACTOR_CONVERT(filter)->state;
  g_clear_pointer(&state.converter, gst_video_converter_free);
  const bool same = GST_VIDEO_INFO_FORMAT(in) == GST_VIDEO_FORMAT_I420 &&
                    GST_VIDEO_INFO_WIDTH(in) == GST_VIDEO_INFO_WIDTH(out) &&
                    GST_VIDEO_INFO_HEIGHT(in) == GST_VIDEO_INFO_HEIGHT(out) &&
                    in->colorimetry.matrix == out->colorimetry.matrix &&
                    in->colorimetry.range == out->colorimetry.range;
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(filter), same);
  if (same || (state.libyuv && reactor::webrtc::can_convert_fast(*in))) return TRUE;
  // The source's own size: what is padded is filled in afterwards.
  state.converter = gst_video_converter_new(
      in, out,
      gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DEST_WIDTH, G_TYPE_INT,
                        GST_VIDEO_INFO_WIDTH(in), GST_VIDEO_CONVERTER_OPT_DEST_HEIGHT, G_TYPE_INT,
                        GST_VIDEO_INFO_HEIGHT(in), GST_VIDEO_CONVERTER_OPT_FILL_BORDER,
                        G_TYPE_BOOLEAN, FALSE, nullptr));
  return state.converter != nullptr;
}

// Only brightness needs it: an odd width has as many colour samples as the next even one.
void repeat_edges(GstVideoFrame* out, int width, int height) {
  auto* y = static_cast<guint8*>(GST_VIDEO_FRAME_PLANE_DATA(out, 0));
  const int stride = GST_VIDEO_FRAME_PLANE_STRIDE(out, 0);
  if (GST_VIDEO_FRAME_WIDTH(out) > width)
    for (int row = 0; row < height; row++) y[row * stride + width] = y[row * stride + width - 1];
  if (GST_VIDEO_FRAME_HEIGHT(out) > height)
    memcpy(y + height * stride, y + (height - 1) * stride,
           static_cast<size_t>(GST_VIDEO_FRAME_WIDTH(out)));
}

GstFlowReturn transform_frame(GstVideoFilter* filter, GstVideoFrame* in, GstVideoFrame* out) {
  State& state = *GST_REACTOR_CONVERT(filter)->state;
  if (state.converter)
    gst_video_converter_frame(state.converter, in, out);
  else
    reactor::webrtc::convert_fast(*in, *out);
  repeat_edges(out, GST_VIDEO_FRAME_WIDTH(in), GST_VIDEO_FRAME_HEIGHT(in));
  return GST_FLOW_OK;
}

void set_property(GObject* object, guint, const GValue* value, GParamSpec*) {
  GST_REACTOR_CONVERT(object)->state->libyuv = g_value_get_boolean(value);
}

void get_property(GObject* object, guint, GValue* value, GParamSpec*) {
  g_value_set_boolean(value, GST_REACTOR_CONVERT(object)->state->libyuv);
}

void finalize(GObject* object) {
  State* state = GST_REACTOR_CONVERT(object)->state;
  g_clear_pointer(&state->converter, gst_video_converter_free);
  delete state;
  G_OBJECT_CLASS(gst_reactor_convert_parent_class)->finalize(object);
}

}  // namespace

static void gst_reactor_convert_class_init(GstReactorConvertClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  object_class->finalize = finalize;
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  g_object_class_install_property(
      object_class, PROP_LIBYUV,
      g_param_spec_boolean("libyuv", "libyuv", "Use libyuv where it is built in", TRUE,
                           static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)));
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  g_autoptr(GstCaps) sink = gst_caps_from_string(kSinkCaps);
  g_autoptr(GstCaps) src = gst_caps_from_string(kSrcCaps);
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, sink));
  gst_element_class_add_pad_template(element_class,
                                     gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, src));
  gst_element_class_set_static_metadata(element_class, "Colours for browsers",
                                        "Filter/Converter/Video", "Any raw video to I420 BT.601",
                                        "Reactor for GStreamer");
  GST_BASE_TRANSFORM_CLASS(klass)->transform_caps = transform_caps;
  GST_VIDEO_FILTER_CLASS(klass)->set_info = set_info;
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame = transform_frame;
}

static void gst_reactor_convert_init(GstReactorConvert* self) {
  self->state = new State;
}

namespace reactor::webrtc {

GstElement* convert_new(const char* name, bool even) {
  auto* self = GST_REACTOR_CONVERT(g_object_new(GST_TYPE_REACTOR_CONVERT, "name", name, nullptr));
  self->state->even = even;
  return GST_ELEMENT(self);
}

}  // namespace reactor::webrtc
