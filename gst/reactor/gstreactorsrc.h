/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/app/gstappsrc.h>
#include <gst/reactor/gstreactor-prelude.h>

G_BEGIN_DECLS

#define GST_TYPE_REACTOR_SRC (gst_reactor_src_get_type ())
#define GST_REACTOR_SRC(obj) (G_TYPE_CHECK_INSTANCE_CAST ((obj), GST_TYPE_REACTOR_SRC, GstReactorSrc))
#define GST_REACTOR_SRC_CLASS(klass) (G_TYPE_CHECK_CLASS_CAST ((klass), GST_TYPE_REACTOR_SRC, GstReactorSrcClass))
#ifndef __GI_SCANNER__ /* which takes the prefix for that of another namespace */
#define GST_IS_REACTOR_SRC(obj) (G_TYPE_CHECK_INSTANCE_TYPE ((obj), GST_TYPE_REACTOR_SRC))
#endif

typedef struct _GstReactorSrc GstReactorSrc;
typedef struct _GstReactorSrcClass GstReactorSrcClass;
typedef struct _GstReactorSrcState GstReactorSrcState;

struct _GstReactorSrc {
  GstAppSrc parent;

  /*< private >*/
  GstReactorSrcState *state;
  gpointer _gst_reserved[GST_PADDING];
};

struct _GstReactorSrcClass {
  GstAppSrcClass parent_class;

  /*< private >*/
  gpointer _gst_reserved[GST_PADDING_LARGE];
};

/**
 * GstReactorOverflow:
 * @GST_REACTOR_OVERFLOW_WAIT: emit waits until there is room
 * @GST_REACTOR_OVERFLOW_DROP_OLDEST: what has waited longest is dropped
 * @GST_REACTOR_OVERFLOW_DROP_NEWEST: the block that finds no room is dropped
 *
 * What happens to a block for which the pacer has no room.
 */
typedef enum {
  GST_REACTOR_OVERFLOW_WAIT,
  GST_REACTOR_OVERFLOW_DROP_OLDEST,
  GST_REACTOR_OVERFLOW_DROP_NEWEST,
} GstReactorOverflow;

#define GST_TYPE_REACTOR_OVERFLOW (gst_reactor_overflow_get_type ())
GST_REACTOR_API
GType gst_reactor_overflow_get_type (void);

GST_REACTOR_API
GType gst_reactor_src_get_type (void);

GST_REACTOR_API
gboolean gst_reactor_src_emit_block (GstReactorSrc *self, gconstpointer data, gsize size, guint n_frames, guint height,
    guint width, GDestroyNotify release, gpointer user_data, GError **error);
GST_REACTOR_API
gboolean gst_reactor_src_emit_block_copy (GstReactorSrc *self, gconstpointer data, gsize size, guint n_frames,
    guint height, guint width, GError **error);
GST_REACTOR_API
gboolean gst_reactor_src_emit_array (GstReactorSrc *self, gpointer data, guint n_frames, guint height, guint width,
    gint64 frame_stride, gint64 row_stride, gint64 pixel_stride, gint64 channel_stride, guint64 token,
    const gchar * const *metadata, GError **error);
GST_REACTOR_API
guint64 gst_reactor_src_wait_released (GstReactorSrc *self, GstClockTime timeout);
GST_REACTOR_API
gboolean gst_reactor_src_emit_list (GstReactorSrc *self, GstBufferList *list, GstCaps *caps, GError **error);
GST_REACTOR_API
gboolean gst_reactor_src_emit_black (GstReactorSrc *self, GError **error);
GST_REACTOR_API
gboolean gst_reactor_src_send (GstReactorSrc *self, const gchar *json, const gchar *viewer, GError **error);
GST_REACTOR_API
void gst_reactor_src_set_monitoring (GstReactorSrc *self, gboolean enabled);
GST_REACTOR_API
gboolean gst_reactor_src_get_monitoring (GstReactorSrc *self);
GST_REACTOR_API
void gst_reactor_src_set_command_id (GstReactorSrc *self, guint64 id);
GST_REACTOR_API
void gst_reactor_src_flush (GstReactorSrc *self);
GST_REACTOR_API
gboolean gst_reactor_src_should_stop (GstReactorSrc *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstReactorSrc, gst_object_unref)

G_END_DECLS
