/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/reactor/gstreactor-prelude.h>

G_BEGIN_DECLS

/**
 * GstReactorFrameFlags:
 * @GST_REACTOR_FRAME_MONITORED: the gap before this frame's block says something about the model's speed
 * @GST_REACTOR_FRAME_BLACK: a black frame asked for by the model; what was queued before it is not shown
 * @GST_REACTOR_FRAME_REPEAT: the held frame once more (set by reactorpace)
 * @GST_REACTOR_FRAME_RECONFIGURED: first frame after a change of size or format
 *
 * What is special about a frame.
 */
typedef enum {
  GST_REACTOR_FRAME_MONITORED = 1 << 0,
  GST_REACTOR_FRAME_BLACK = 1 << 1,
  GST_REACTOR_FRAME_REPEAT = 1 << 2,
  GST_REACTOR_FRAME_RECONFIGURED = 1 << 3,
} GstReactorFrameFlags;

#define GST_TYPE_REACTOR_FRAME_FLAGS (gst_reactor_frame_flags_get_type ())
GST_REACTOR_API
GType gst_reactor_frame_flags_get_type (void);

typedef struct _GstReactorFrameMeta GstReactorFrameMeta;

/**
 * GstReactorFrameMeta:
 * @meta: parent
 * @block: number of the block, counted from 0 over the source's life
 * @index: the frame's place in its block, from 0
 * @count: frames in the block
 * @epoch: number of flushes before this block; a frame of an older epoch is never shown
 * @flags: #GstReactorFrameFlags
 * @emitted: running time in ns at which the block was emitted
 * @compute: ns the model took for the whole block, waiting in emit excluded, or GST_CLOCK_TIME_NONE
 * @command: id of the last command applied when the block was generated, 0 for none
 * @json: (nullable): JSON that belongs to this frame
 *
 * Where a frame comes from. Attached by reactorsrc, read by reactorpace and by sinks; survives
 * conversion and scaling.
 */
struct _GstReactorFrameMeta {
  GstMeta meta;

  guint64 block;
  guint index;
  guint count;
  guint epoch;
  GstReactorFrameFlags flags;
  GstClockTime emitted;
  GstClockTime compute;
  guint64 command;
  gchar *json;

  /*< private >*/
  gpointer _gst_reserved[4];
};

#define GST_REACTOR_FRAME_META_API_TYPE (gst_reactor_frame_meta_api_get_type ())
GST_REACTOR_API
GType gst_reactor_frame_meta_api_get_type (void);

GST_REACTOR_API
const GstMetaInfo *gst_reactor_frame_meta_get_info (void);

#ifndef __GI_SCANNER__ /* other languages read it with gst_reactor_frame_meta_get() */
GST_REACTOR_API
GstReactorFrameMeta *gst_buffer_add_reactor_frame_meta (GstBuffer *buffer);

GST_REACTOR_API
GstReactorFrameMeta *gst_buffer_get_reactor_frame_meta (GstBuffer *buffer);
#endif

GST_REACTOR_API
GstReactorFrameMeta *gst_reactor_frame_meta_get (GstBuffer *buffer);

G_END_DECLS
