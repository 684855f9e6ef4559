/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gst/reactor/gstreactorframemeta.h"

GType gst_reactor_frame_flags_get_type(void) {
  static const GFlagsValue values[] = {
      {GST_REACTOR_FRAME_MONITORED, "GST_REACTOR_FRAME_MONITORED", "monitored"},
      {GST_REACTOR_FRAME_BLACK, "GST_REACTOR_FRAME_BLACK", "black"},
      {GST_REACTOR_FRAME_REPEAT, "GST_REACTOR_FRAME_REPEAT", "repeat"},
      {GST_REACTOR_FRAME_RECONFIGURED, "GST_REACTOR_FRAME_RECONFIGURED", "reconfigured"},
      {0, nullptr, nullptr}};
  static const GType type = g_flags_register_static("GstReactorFrameFlags", values);
  return type;
}

GType gst_reactor_frame_meta_api_get_type(void) {
  // No tags: the meta describes where the frame comes from, not its pixels, so every transform may
  // copy it.
  static const gchar* tags[] = {nullptr};
  static const GType type = gst_meta_api_type_register("GstReactorFrameMetaAPI", tags);
  return type;
}

namespace {

GstReactorFrameMeta* as_frame_meta(GstMeta* meta) {
  return reinterpret_cast<GstReactorFrameMeta*>(meta);
}

gboolean frame_meta_init(GstMeta* meta, gpointer, GstBuffer*) {
  GstReactorFrameMeta* self = as_frame_meta(meta);
  self->block = 0;
  self->index = 0;
  self->count = 1;
  self->epoch = 0;
  self->flags = static_cast<GstReactorFrameFlags>(0);
  self->emitted = GST_CLOCK_TIME_NONE;
  self->compute = GST_CLOCK_TIME_NONE;
  self->command = 0;
  self->json = nullptr;
  return TRUE;
}

void frame_meta_free(GstMeta* meta, GstBuffer*) {
  g_free(as_frame_meta(meta)->json);
}

gboolean frame_meta_transform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark, gpointer) {
  const GstReactorFrameMeta* from = as_frame_meta(meta);
  GstReactorFrameMeta* copy = gst_buffer_get_reactor_frame_meta(to);
  if (!copy) copy = gst_buffer_add_reactor_frame_meta(to);
  if (!copy) return FALSE;
  copy->block = from->block;
  copy->index = from->index;
  copy->count = from->count;
  copy->epoch = from->epoch;
  copy->flags = from->flags;
  copy->emitted = from->emitted;
  copy->compute = from->compute;
  copy->command = from->command;
  g_free(copy->json);
  copy->json = g_strdup(from->json);
  return TRUE;
}

}  // namespace

const GstMetaInfo* gst_reactor_frame_meta_get_info(void) {
  static const GstMetaInfo* info = gst_meta_register(
      GST_REACTOR_FRAME_META_API_TYPE, "GstReactorFrameMeta", sizeof(GstReactorFrameMeta),
      frame_meta_init, frame_meta_free, frame_meta_transform);
  return info;
}

/**
 * gst_buffer_add_reactor_frame_meta: (skip)
 * @buffer: a writable #GstBuffer
 *
 * Attaches an empty #GstReactorFrameMeta; the caller fills it in. @json is owned by the meta
 * (g_malloc).
 *
 * Returns: (transfer none): the meta
 */
GstReactorFrameMeta* gst_buffer_add_reactor_frame_meta(GstBuffer* buffer) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), nullptr);
  return as_frame_meta(gst_buffer_add_meta(buffer, gst_reactor_frame_meta_get_info(), nullptr));
}

/**
 * gst_buffer_get_reactor_frame_meta:
 * @buffer: a #GstBuffer
 *
 * Returns: (transfer none) (nullable): the frame's meta, %NULL if it does not come from a model
 */
GstReactorFrameMeta* gst_buffer_get_reactor_frame_meta(GstBuffer* buffer) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), nullptr);
  return as_frame_meta(gst_buffer_get_meta(buffer, GST_REACTOR_FRAME_META_API_TYPE));
}

/**
 * gst_reactor_frame_meta_get:
 * @buffer: a #GstBuffer
 *
 * The same as gst_buffer_get_reactor_frame_meta(), where bindings find it:
 * `GstReactor.FrameMeta.get(buffer)`. Keep @buffer as long as the meta is used.
 *
 * Returns: (transfer none) (nullable): the frame's meta, %NULL if it does not come from a model
 */
GstReactorFrameMeta* gst_reactor_frame_meta_get(GstBuffer* buffer) {
  return gst_buffer_get_reactor_frame_meta(buffer);
}
