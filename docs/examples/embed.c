/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A model inside an application: frames made by the application's own thread, paced, and taken out of the pipeline again
 * one by one, evenly. Needs nothing but pkg-config:
 *
 *   cc embed.c -o embed $(pkg-config --cflags --libs gstreamer-reactor-1.0 gstreamer-app-1.0)
 *   ./embed [SECONDS]
 *
 * Prints how the frames came out: their number and the middle and the longest time between two of them, beside the time
 * between two blocks.
 */
#include <gst/app/gstappsink.h>
#include <gst/reactor/gstreactor.h>
#include <stdlib.h>

#define WIDTH 320
#define HEIGHT 176
#define BLOCK 12             /* frames that the model makes at a time */
#define BLOCK_TIME 400000    /* microseconds that it takes for them: 30 frames a second */
#define FRAME (WIDTH * HEIGHT * 3)

static gint running = 1;

/* What a model does: make a block, hand it over, look whether anybody still watches. */
static gpointer
model (gpointer user_data)
{
  GstReactorSrc *src = user_data;
  guint8 *frames = g_malloc (BLOCK * FRAME);
  guint block = 0;

  while (g_atomic_int_get (&running)) {
    GError *error = NULL;
    guint i;

    if (gst_reactor_src_should_stop (src)) {
      g_usleep (10000);
      continue;
    }
    g_usleep (BLOCK_TIME);
    for (i = 0; i < BLOCK; i++)
      memset (frames + i * FRAME, (block * BLOCK + i) * 4, FRAME);
    /* Copied: `frames` may be written to again at once. gst_reactor_src_emit_block() would lend it. */
    if (!gst_reactor_src_emit_block_copy (src, frames, BLOCK * FRAME, BLOCK, HEIGHT, WIDTH, &error)) {
      g_printerr ("%s\n", error->message);
      g_clear_error (&error);
    }
    block++;
  }
  g_free (frames);
  return NULL;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;
  return (x > y) - (x < y);
}

int
main (int argc, char **argv)
{
  const gdouble seconds = argc > 1 ? g_ascii_strtod (argv[1], NULL) : 5;
  GError *error = NULL;
  GstElement *pipeline, *src, *sink;
  GThread *thread;
  GArray *gaps = g_array_new (FALSE, FALSE, sizeof (gint64));
  gint64 end, last = 0;
  guint frames = 0;

  gst_init (&argc, &argv);
  pipeline = gst_parse_launch ("reactorsrc name=src ! reactorpace ! appsink name=sink sync=false", &error);
  if (!pipeline) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  thread = g_thread_new ("model", model, src);

  end = g_get_monotonic_time () + (gint64) (seconds * G_USEC_PER_SEC);
  while (g_get_monotonic_time () < end) {
    GstSample *sample = gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 100 * GST_MSECOND);
    gint64 now = g_get_monotonic_time ();
    GstReactorFrameMeta *meta;

    if (!sample)
      continue;
    /* Where a frame comes from travels with it. */
    meta = gst_buffer_get_reactor_frame_meta (gst_sample_get_buffer (sample));
    if (meta && !(meta->flags & GST_REACTOR_FRAME_REPEAT)) {
      frames++;
      /* The first blocks teach the pacer the model's speed. */
      if (last && meta->block > 2) {
        gint64 gap = now - last;
        g_array_append_val (gaps, gap);
      }
      last = now;
    }
    gst_sample_unref (sample);
  }

  g_atomic_int_set (&running, 0);
  gst_element_set_state (pipeline, GST_STATE_NULL); /* ends a waiting emit */
  g_thread_join (thread);
  if (gaps->len > 0) {
    g_array_sort (gaps, compare);
    g_print ("%u frames; between two: %.1f ms in the middle, %.1f ms at most; blocks came every %d ms\n", frames,
        g_array_index (gaps, gint64, gaps->len / 2) / 1e3, g_array_index (gaps, gint64, gaps->len - 1) / 1e3,
        BLOCK_TIME / 1000);
  }
  g_array_unref (gaps);
  gst_object_unref (src);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  return frames > 0 ? 0 : 1;
}
