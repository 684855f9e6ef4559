/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A model over a plain webrtcbin, without reactorwebrtcsink: the application does its own signalling.
 *
 *     reactorsrc ! reactorpace ! videoconvert ! vp8enc ! rtpvp8pay ! webrtcbin
 *
 * What the application adds for the JSON both ways is on_model_message (model to viewer) and on_viewer_text (viewer to
 * model). The viewer is a second webrtcbin in the same process, so that the program runs by itself; it prints how evenly
 * the frames arrive and what came back, and exits with 0 when both are as they should be.
 *
 *     cc bare-webrtc.c -o bare-webrtc $(pkg-config --cflags --libs gstreamer-reactor-1.0 gstreamer-webrtc-1.0 gstreamer-sdp-1.0)
 *     ./bare-webrtc [SECONDS]
 */
#ifndef GST_USE_UNSTABLE_API
#define GST_USE_UNSTABLE_API
#endif
#include <gst/gst.h>
#include <gst/reactor/gstreactor.h>
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4, WIDTH = 320, HEIGHT = 192, FPS = 16, MAX_ARRIVALS = 4096 };

/* colorimetry: VP8 cannot say which matrix it uses, receivers take BT.601. ssrc: fixed in the caps before the offer is made,
 * since a model that is still silent would leave the offer without one. */
static const char PUBLISHER[] =
    "webrtcbin name=peer bundle-policy=max-bundle "
    "reactorsrc name=model ! reactorpace name=pace ! videoconvert ! video/x-raw,format=I420,colorimetry=bt601 "
    "! vp8enc deadline=1 cpu-used=8 lag-in-frames=0 error-resilient=partitions keyframe-max-dist=2147483647 "
    "target-bitrate=1500000 ! queue ! rtpvp8pay pt=96 ssrc=1234567 picture-id-mode=15-bit mtu=1200 "
    "! application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,ssrc=(uint)1234567 ! peer.";

typedef struct {
  GMainLoop *loop;
  GstElement *publisher, *publisher_peer, *pace, *viewer, *viewer_peer;
  GstReactorSrc *model;
  GObject *channel;       /* the publisher's end */
  gboolean channel_open;
  GQueue waiting;         /* messages sent before it was open */
  guint64 commands;
  GThread *thread;
  gint stop;              /* atomic */
  gint hello;             /* atomic: commands that reached the model */
  gboolean echoed;
  GMutex lock;            /* arrivals come from the viewer's streaming thread */
  gint64 arrivals[MAX_ARRIVALS];
  guint n_arrivals;
} App;

/* --- the model: a thread of its own; blocks at 16 frames a second, up to 10 % early or late --- */

static gpointer
model_thread (gpointer data)
{
  App *app = data;
  GRand *chance = g_rand_new_with_seed (1);
  const gsize size = (gsize) BLOCK * HEIGHT * WIDTH * 3;
  guint8 *block = g_malloc (size);
  gint answered = 0;
  guint8 shade = 0;

  while (!g_atomic_int_get (&app->stop)) {
    g_usleep ((gulong) (1e6 * BLOCK / FPS * g_rand_double_range (chance, 0.9, 1.1)));
    for (int i = 0; i < BLOCK; i++)
      memset (block + size / BLOCK * i, shade += 5, size / BLOCK);

    GError *error = NULL;
    if (!gst_reactor_src_emit_block_copy (app->model, block, size, BLOCK, HEIGHT, WIDTH, &error)) {
      g_clear_error (&error);   /* the pipeline stops: the loop ends with app->stop */
      continue;
    }
    for (; answered < g_atomic_int_get (&app->hello); answered++)
      if (!gst_reactor_src_send (app->model, "{\"type\":\"echo\"}", NULL, &error)) {
        g_printerr ("send: %s\n", error->message);
        g_clear_error (&error);
      }
  }
  g_free (block);
  g_rand_free (chance);
  return NULL;
}

/* Emitted in the thread that delivers the viewer's command: only counted here, answered by the model. */
static void
on_command (GstReactorSrc *model, const gchar *json, const gchar *viewer, guint64 id, App *app)
{
  g_print ("model: command %" G_GUINT64_FORMAT " of %s: %s\n", id, viewer, json);
  g_atomic_int_inc (&app->hello);
}

/* --- JSON both ways --- */

static void
send_text (App *app, const gchar *text)
{
  if (app->channel_open)
    g_signal_emit_by_name (app->channel, "send-string", text);
  else
    g_queue_push_tail (&app->waiting, g_strdup (text));
}

/* Model to viewer: what the model sends stands on the bus. */
static void
on_model_message (GstBus *bus, GstMessage *message, App *app)
{
  const GstStructure *structure = gst_message_get_structure (message);
  if (!gst_structure_has_name (structure, "reactor-message"))
    return;
  gchar *envelope = g_strdup_printf ("{\"scope\":\"application\",\"data\":%s}", gst_structure_get_string (structure, "json"));
  send_text (app, envelope);
  g_free (envelope);
}

/* Viewer to model: one event, sent into the pacer, which passes it up to reactorsrc. A real application takes `data` out of
 * the viewer's envelope with a JSON library and bounds its size. */
static void
on_viewer_text (GObject *channel, const gchar *text, App *app)
{
  gst_element_send_event (app->pace, gst_reactor_event_new_command (text, "viewer-1", ++app->commands));
}

/* Channel signals come in webrtcbin's own thread; what touches `waiting` happens in the main loop. */
static gboolean
channel_opened (gpointer data)
{
  App *app = data;
  app->channel_open = TRUE;
  for (gchar *text; (text = g_queue_pop_head (&app->waiting)); g_free (text))
    g_signal_emit_by_name (app->channel, "send-string", text);
  return G_SOURCE_REMOVE;
}

static void
on_channel_open (GObject *channel, App *app)
{
  g_idle_add (channel_opened, app);
}

/* --- signalling: here, function calls between two peers of one process --- */

static void
on_publisher_candidate (GstElement *peer, guint line, gchar *candidate, App *app)
{
  g_signal_emit_by_name (app->viewer_peer, "add-ice-candidate", line, candidate);
}

static void
on_viewer_candidate (GstElement *peer, guint line, gchar *candidate, App *app)
{
  g_signal_emit_by_name (app->publisher_peer, "add-ice-candidate", line, candidate);
}

static void
on_answer_created (GstPromise *promise, gpointer data)
{
  App *app = data;
  GstWebRTCSessionDescription *answer = NULL;
  gst_structure_get (gst_promise_get_reply (promise), "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer, NULL);
  g_signal_emit_by_name (app->viewer_peer, "set-local-description", answer, NULL);
  g_signal_emit_by_name (app->publisher_peer, "set-remote-description", answer, NULL);
  gst_webrtc_session_description_free (answer);
  gst_promise_unref (promise);
}

static void
on_offer_created (GstPromise *promise, gpointer data)
{
  App *app = data;
  GstWebRTCSessionDescription *offer = NULL;
  gst_structure_get (gst_promise_get_reply (promise), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer, NULL);
  g_signal_emit_by_name (app->publisher_peer, "set-local-description", offer, NULL);
  g_signal_emit_by_name (app->viewer_peer, "set-remote-description", offer, NULL);
  gst_webrtc_session_description_free (offer);
  gst_promise_unref (promise);
  g_signal_emit_by_name (app->viewer_peer, "create-answer", NULL,
      gst_promise_new_with_change_func (on_answer_created, app, NULL));
}

static void
on_negotiation_needed (GstElement *peer, App *app)
{
  g_signal_emit_by_name (peer, "create-offer", NULL, gst_promise_new_with_change_func (on_offer_created, app, NULL));
}

/* --- the viewer --- */

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  App *app = data;
  g_mutex_lock (&app->lock);
  if (app->n_arrivals < MAX_ARRIVALS)
    app->arrivals[app->n_arrivals++] = g_get_monotonic_time ();
  g_mutex_unlock (&app->lock);
  return GST_PAD_PROBE_OK;
}

static void
on_pad (GstElement *peer, GstPad *pad, App *app)
{
  if (GST_PAD_DIRECTION (pad) != GST_PAD_SRC)
    return;
  GstElement *branch = gst_parse_bin_from_description ("rtpvp8depay ! vp8dec ! fakesink name=out sync=false", TRUE, NULL);
  GstElement *out = gst_bin_get_by_name (GST_BIN (branch), "out");
  GstPad *out_pad = gst_element_get_static_pad (out, "sink");
  gst_pad_add_probe (out_pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, app, NULL);
  gst_object_unref (out_pad);
  gst_object_unref (out);
  gst_bin_add (GST_BIN (app->viewer), branch);
  gst_element_sync_state_with_parent (branch);
  GstPad *sink = gst_element_get_static_pad (branch, "sink");
  gst_pad_link (pad, sink);
  gst_object_unref (sink);
}

static void
on_text (GObject *channel, const gchar *text, App *app)
{
  g_print ("viewer: %s\n", text);
  if (strstr (text, "echo"))
    app->echoed = TRUE;
}

static void
on_channel (GstElement *peer, GObject *channel, App *app)
{
  g_signal_connect (channel, "on-message-string", G_CALLBACK (on_text), app);
  g_signal_emit_by_name (channel, "send-string", "{\"type\":\"hello\"}");
}

static void
on_error (GstBus *bus, GstMessage *message, App *app)
{
  GError *error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("error: %s\n", error->message);
  g_clear_error (&error);
  g_main_loop_quit (app->loop);
}

static void
watch (App *app, GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_bus_add_signal_watch (bus);
  g_signal_connect (bus, "message::element", G_CALLBACK (on_model_message), app);
  g_signal_connect (bus, "message::error", G_CALLBACK (on_error), app);
  gst_object_unref (bus);
}

static void
unwatch (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_bus_remove_signal_watch (bus);
  gst_object_unref (bus);
}

static gboolean
on_timeout (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static int
compare (const void *a, const void *b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;
  return (x > y) - (x < y);
}

/* The second half of what arrived: by then the rate is known. */
static gboolean
evenly_spaced (App *app)
{
  const guint first = app->n_arrivals / 2, n = app->n_arrivals > first + 1 ? app->n_arrivals - first - 1 : 0;
  if (n < FPS) {
    g_printerr ("only %u frames arrived\n", app->n_arrivals);
    return FALSE;
  }
  gint64 *intervals = g_new (gint64, n);
  for (guint i = 0; i < n; i++)
    intervals[i] = app->arrivals[first + i + 1] - app->arrivals[first + i];
  qsort (intervals, n, sizeof *intervals, compare);
  const double median = intervals[n / 2] / 1e6;
  guint late = 0;
  for (guint i = 0; i < n; i++)
    late += intervals[i] / 1e6 > 1.5 * median;
  g_free (intervals);
  g_print ("%u frames; interval median %.1f ms, %.1f %% above 1.5 x median\n", app->n_arrivals, 1e3 * median,
      100.0 * late / n);
  return late < 0.15 * n && median * FPS > 0.85 && median * FPS < 1.15;
}

int
main (int argc, char **argv)
{
  App app = { 0 };
  GError *error = NULL;

  gst_init (&argc, &argv);
  const double seconds = argc > 1 ? g_ascii_strtod (argv[1], NULL) : 8.0;
  g_mutex_init (&app.lock);
  g_queue_init (&app.waiting);
  app.loop = g_main_loop_new (NULL, FALSE);

  app.publisher = gst_parse_launch (PUBLISHER, &error);
  if (!app.publisher || error) {
    g_printerr ("pipeline: %s\n", error ? error->message : "unknown");
    return 1;
  }
  app.publisher_peer = gst_bin_get_by_name (GST_BIN (app.publisher), "peer");
  app.pace = gst_bin_get_by_name (GST_BIN (app.publisher), "pace");
  app.model = GST_REACTOR_SRC (gst_bin_get_by_name (GST_BIN (app.publisher), "model"));
  app.viewer = gst_pipeline_new ("viewer");
  app.viewer_peer = gst_element_factory_make ("webrtcbin", NULL);
  if (!app.viewer_peer) {
    g_printerr ("webrtcbin is missing: install gst-plugins-bad\n");
    return 1;
  }
  gst_util_set_object_arg (G_OBJECT (app.viewer_peer), "bundle-policy", "max-bundle");
  gst_bin_add (GST_BIN (app.viewer), app.viewer_peer);

  watch (&app, app.publisher);
  watch (&app, app.viewer);
  g_signal_connect (app.model, "command", G_CALLBACK (on_command), &app);
  g_signal_connect (app.publisher_peer, "on-ice-candidate", G_CALLBACK (on_publisher_candidate), &app);
  g_signal_connect (app.publisher_peer, "on-negotiation-needed", G_CALLBACK (on_negotiation_needed), &app);
  g_signal_connect (app.viewer_peer, "on-ice-candidate", G_CALLBACK (on_viewer_candidate), &app);
  g_signal_connect (app.viewer_peer, "on-data-channel", G_CALLBACK (on_channel), &app);
  g_signal_connect (app.viewer_peer, "pad-added", G_CALLBACK (on_pad), &app);

  gst_element_set_state (app.viewer, GST_STATE_PLAYING);
  gst_element_set_state (app.publisher, GST_STATE_READY);   /* a channel can be made from READY on, before the offer */
  g_signal_emit_by_name (app.publisher_peer, "create-data-channel", "data", NULL, &app.channel);
  g_signal_connect (app.channel, "on-open", G_CALLBACK (on_channel_open), &app);
  g_signal_connect (app.channel, "on-message-string", G_CALLBACK (on_viewer_text), &app);
  gst_element_set_state (app.publisher, GST_STATE_PLAYING);

  app.thread = g_thread_new ("model", model_thread, &app);
  g_timeout_add ((guint) (1000 * seconds), on_timeout, app.loop);
  g_main_loop_run (app.loop);

  g_atomic_int_set (&app.stop, 1);
  gst_element_set_state (app.publisher, GST_STATE_NULL);    /* an emit that waits returns */
  gst_element_set_state (app.viewer, GST_STATE_NULL);
  g_thread_join (app.thread);
  const gboolean even = evenly_spaced (&app);
  if (!app.echoed)
    g_printerr ("the viewer's hello did not come back\n");

  unwatch (app.publisher);
  unwatch (app.viewer);
  g_queue_clear_full (&app.waiting, g_free);
  g_object_unref (app.channel);
  gst_object_unref (app.model);
  gst_object_unref (app.pace);
  gst_object_unref (app.publisher_peer);
  gst_object_unref (app.publisher);
  gst_object_unref (app.viewer);
  g_main_loop_unref (app.loop);
  g_mutex_clear (&app.lock);
  return even && app.echoed ? 0 : 1;
}
