// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The functions of GstReactorSrc that models call: they check arguments and hand over to
// reactor::Source.

#include <cstring>

#include "gst/reactor/arraylayout.h"
#include "gst/reactor/gstreactorerror.h"
#include "gst/reactor/gstreactorsrc.h"
#include "gst/reactor/source.h"
#include "gst/wire/json.h"

using reactor::ArrayView;
using reactor::Source;
using reactor::source_of;

namespace {

constexpr std::size_t kMaxFrameJson = reactor::wire::kMaxMessageBytes;

bool fail_invalid(GError** error, const std::string& problem) {
  if (problem.empty()) return false;
  g_set_error_literal(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_INVALID, problem.c_str());
  return true;
}

// What is wrong with the size of packed memory.
std::string size_problem(const ArrayView& view, gsize size) {
  std::string problem = problem_with(view);
  if (!problem.empty()) return problem;
  const auto expected = static_cast<gsize>(extent_of(view).end);
  if (size == expected) return problem;
  return std::to_string(view.frames) + " frames of " + std::to_string(view.width) + " x " +
         std::to_string(view.height) + " packed RGB pixels are " + std::to_string(expected) +
         " bytes, got " + std::to_string(size) +
         ": expected uint8 (N, H, W, 3) without padding; for any other layout call "
         "gst_reactor_src_emit_array with its strides";
}

bool metadata_valid(const gchar* const* metadata, guint n_frames, GError** error) {
  if (!metadata) return true;
  const guint count = g_strv_length(const_cast<gchar**>(metadata));
  if (count != n_frames) {
    g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_INVALID,
                "expected metadata for each of the %u frames, got %u: pass \"\" for frames "
                "without any",
                n_frames, count);
    return false;
  }
  for (guint i = 0; i < count; i++) {
    const std::size_t size = std::strlen(metadata[i]);
    if (size == 0) continue;
    if (size > kMaxFrameJson) {
      g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_TOO_LARGE,
                  "the metadata of a frame is at most %zu bytes, frame %u has %zu", kMaxFrameJson,
                  i, size);
      return false;
    }
    const auto check = reactor::wire::check_json({metadata[i], size});
    if (!check.ok) {
      g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_JSON,
                  "the metadata of frame %u is not one JSON value: %s at byte %zu", i,
                  check.problem, check.offset);
      return false;
    }
  }
  return true;
}

bool fail_no_memory(GError** error, guint n_frames) {
  g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FAILED,
              "no memory left for %u frames: emit smaller blocks or fewer at a time", n_frames);
  return false;
}

bool emit_copied(Source& source, const ArrayView& view, const gchar* const* metadata,
                 GError** error) {
  const Source::Call call = source.begin();
  if (!call.wanted) {
    source.count_unwanted(view.frames);
    return true;
  }
  auto item = copy_block(view, source.recycled());
  if (!item) return fail_no_memory(error, view.frames);
  return source.finish(call, std::move(item), metadata, error);
}

struct TokenLoan {
  std::shared_ptr<reactor::ReleasedTokens> tokens;
  guint64 token;
};

void return_token(gpointer user_data) {
  const std::unique_ptr<TokenLoan> loan(static_cast<TokenLoan*>(user_data));
  loan->tokens->put(loan->token);
}

}  // namespace

/**
 * gst_reactor_src_emit_block: (skip)
 * @self: the source
 * @data: @n_frames frames of @height x @width packed RGB pixels, one after the other, without
 * padding
 * @size: bytes at @data: @n_frames x @height x @width x 3
 * @n_frames: frames in the block, 1 to 256
 * @height: of a frame, in pixels, 1 to 16384
 * @width: of a frame, in pixels, 1 to 16384
 * @release: (nullable): called with @user_data when nobody reads @data any more; %NULL: the frames
 * are copied and @data is the caller's again on return
 * @user_data: for @release
 * @error: return location for a #GError
 *
 * Emits a block and lends its memory: nothing is copied, and @data must not change until @release.
 * @release runs exactly once, in whatever thread lets go of the last frame; before this call
 * returns if it fails or the block is dropped. It must not wait and must not call back into the
 * pipeline.
 *
 * Frames whose rows are no multiple of 4 bytes carry a #GstVideoMeta; a pipeline that does not
 * understand it gets a copy.
 *
 * Returns in microseconds while there is room; waits while the pacer holds the model back (property
 * #GstReactorSrc:overflow). A flush or a stop of the pipeline ends the wait with
 * %GST_REACTOR_ERROR_FLUSHING, the end of the session with success. Without an active session the
 * block is dropped and counted, with success: gst_reactor_src_should_stop() is how a model learns
 * of it. Any thread.
 *
 * Errors: %GST_REACTOR_ERROR_INVALID (shape, size), %GST_REACTOR_ERROR_FLUSHING,
 * %GST_REACTOR_ERROR_EOS, %GST_REACTOR_ERROR_FAILED (the pipeline stopped with an error).
 *
 * Returns: %TRUE if the block was taken or dropped as described, %FALSE with @error set otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_emit_block(GstReactorSrc* self, gconstpointer data, gsize size,
                                    guint n_frames, guint height, guint width,
                                    GDestroyNotify release, gpointer user_data, GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  if (!release)
    return gst_reactor_src_emit_block_copy(self, data, size, n_frames, height, width, error);
  Source& source = source_of(self);
  const ArrayView view = ArrayView::packed(data, n_frames, height, width);
  if (fail_invalid(error, size_problem(view, size))) {
    release(user_data);
    return FALSE;
  }
  const Source::Call call = source.begin();
  if (!call.wanted) {
    source.count_unwanted(n_frames);
    release(user_data);
    return TRUE;
  }
  return source.finish(call, lend_block(view, *describe(view), release, user_data), nullptr, error);
}

/**
 * gst_reactor_src_emit_block_copy:
 * @self: the source
 * @data: address of @n_frames frames of @height x @width packed RGB pixels, one after the other,
 * without padding
 * @size: bytes at @data: @n_frames x @height x @width x 3
 * @n_frames: frames in the block, 1 to 256
 * @height: of a frame, in pixels, 1 to 16384
 * @width: of a frame, in pixels, 1 to 16384
 * @error: return location for a #GError
 *
 * Emits a copy of a block: one pass into recycled memory. @data is the caller's again on return.
 * Otherwise like gst_reactor_src_emit_block(). Any thread.
 *
 * Returns: %TRUE if the block was taken or dropped as described there, %FALSE with @error set
 * otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_emit_block_copy(GstReactorSrc* self, gconstpointer data, gsize size,
                                         guint n_frames, guint height, guint width,
                                         GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  const ArrayView view = ArrayView::packed(data, n_frames, height, width);
  if (fail_invalid(error, size_problem(view, size))) return FALSE;
  return emit_copied(source_of(self), view, nullptr, error);
}

/**
 * gst_reactor_src_emit_array:
 * @self: the source
 * @data: address of element [0, 0, 0, 0] of an array of unsigned bytes of shape (@n_frames,
 * @height, @width, 3), RGB
 * @n_frames: frames in the block, 1 to 256
 * @height: of a frame, in pixels, 1 to 16384
 * @width: of a frame, in pixels, 1 to 16384
 * @frame_stride: bytes from a frame to the next; may be negative, as all strides
 * @row_stride: bytes from a row to the next
 * @pixel_stride: bytes from a pixel to the next
 * @channel_stride: bytes from red to green, and from green to blue
 * @token: 0 to copy the array, any other number to lend it
 * @metadata: (nullable) (array zero-terminated=1): a JSON text for each frame, "" for frames
 * without any
 * @error: return location for a #GError
 *
 * Emits an array however it lies in memory; the door for bindings, since no function of theirs is
 * called.
 *
 * With @token 0 the frames are copied to packed RGB in one pass and the array is the caller's again
 * on return.
 *
 * With another @token the array is lent and must not change until gst_reactor_src_wait_released()
 * has returned the token, which happens exactly once for each call, also when it fails. Packed and
 * planar layouts that a GStreamer format describes go out without a copy (RGB, RGBx, BGR, BGRx,
 * RGBP, BGRP, rows with padding, any order of frames); what downstream does not understand, or no
 * format describes, is copied.
 *
 * Waits, errors and sessions as for gst_reactor_src_emit_block(). Any thread.
 *
 * Returns: %TRUE if the block was taken or dropped as described there, %FALSE with @error set
 * otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_emit_array(GstReactorSrc* self, gpointer data, guint n_frames,
                                    guint height, guint width, gint64 frame_stride,
                                    gint64 row_stride, gint64 pixel_stride, gint64 channel_stride,
                                    guint64 token, const gchar* const* metadata, GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  Source& source = source_of(self);
  const ArrayView view{static_cast<const std::uint8_t*>(data),
                       n_frames,
                       height,
                       width,
                       frame_stride,
                       row_stride,
                       pixel_stride,
                       channel_stride};
  if (fail_invalid(error, problem_with(view)) || !metadata_valid(metadata, n_frames, error)) {
    if (token) source.tokens()->put(token);
    return FALSE;
  }
  const auto layout = token ? describe(view) : std::nullopt;
  if (!layout) {
    const bool ok = emit_copied(source, view, metadata, error);
    if (token) source.tokens()->put(token);
    return ok;
  }
  const Source::Call call = source.begin();
  if (!call.wanted) {
    source.count_unwanted(n_frames);
    source.tokens()->put(token);
    return TRUE;
  }
  auto item = lend_block(view, *layout, return_token, new TokenLoan{source.tokens(), token});
  return source.finish(call, std::move(item), metadata, error);
}

/**
 * gst_reactor_src_wait_released:
 * @self: the source
 * @timeout: how long to wait for a token, in ns; GST_CLOCK_TIME_NONE for as long as it takes
 *
 * Waits for a lent array to come back. For one thread of the model's own, so that nothing of a
 * binding runs in a streaming thread.
 *
 * Returns: a token given to gst_reactor_src_emit_array() whose array nobody reads any more; 0 after
 * @timeout, or when the pipeline is stopped while this call waits (call again: arrays may still
 * come back)
 *
 * Since: 0.1
 */
guint64 gst_reactor_src_wait_released(GstReactorSrc* self, GstClockTime timeout) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), 0);
  // Held apart from the element: a last buffer may outlive it.
  const auto tokens = source_of(self).tokens();
  const auto most = static_cast<GstClockTime>(G_MAXINT64);
  return tokens->wait(std::chrono::nanoseconds(static_cast<gint64>(MIN(timeout, most))));
}

/**
 * gst_reactor_src_emit_list:
 * @self: the source
 * @list: the frames of a block, 1 to 256, of any format and memory
 * @caps: (nullable): their caps, %NULL for those of the block before
 * @error: return location for a #GError
 *
 * Emits a block of ready buffers: I420, RGBA, CUDA memory, encoded video. The buffers are taken as
 * they are and stamped anew; their memory is shared, and they are kept until the pipeline is done.
 * Waits, errors and sessions as for gst_reactor_src_emit_block(). Any thread.
 *
 * Returns: %TRUE if the block was taken or dropped as described there, %FALSE with @error set
 * otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_emit_list(GstReactorSrc* self, GstBufferList* list, GstCaps* caps,
                                   GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  g_return_val_if_fail(GST_IS_BUFFER_LIST(list), FALSE);
  g_return_val_if_fail(!caps || GST_IS_CAPS(caps), FALSE);
  Source& source = source_of(self);
  const guint length = gst_buffer_list_length(list);
  if (length < 1 || length > reactor::kMaxFrames)
    return !fail_invalid(error, "a block has 1 to " + std::to_string(reactor::kMaxFrames) +
                                    " frames, got a list of " + std::to_string(length));
  if (caps && !gst_caps_is_fixed(caps)) {
    g_autofree gchar* text = gst_caps_to_string(caps);
    return !fail_invalid(error, std::string("expected fixed caps, got ") + text +
                                    ": give format, width, height and framerate one value each");
  }
  auto item = std::make_unique<reactor::BlockItem>();
  item->caps.reset(caps ? gst_caps_ref(caps) : source.last_caps());
  if (!item->caps)
    return !fail_invalid(error, "caps are NULL and no block came before: pass the frames' caps");
  const Source::Call call = source.begin();
  if (!call.wanted) {
    source.count_unwanted(length);
    return TRUE;
  }
  item->frames = length;
  item->list.reset(gst_buffer_list_new_sized(length));
  for (guint i = 0; i < length; i++) {
    GstBuffer* const from = gst_buffer_list_get(list, i);
    GstBuffer* const copy = gst_buffer_copy(from);
    gst_buffer_add_parent_buffer_meta(copy, from);  // a pool gets its buffer back when ours is gone
    gst_buffer_list_add(item->list.get(), copy);
  }
  return source.finish(call, std::move(item), nullptr, error);
}

/**
 * gst_reactor_src_emit_black:
 * @self: the source
 * @error: return location for a #GError
 *
 * Emits one black frame of the size and format of the block before (before any block: of the size
 * in #GstReactorSrc:width and #GstReactorSrc:height). It stays on screen until the next block; what
 * waits to be shown is not shown any more. Never waits. Any thread.
 *
 * Errors: %GST_REACTOR_ERROR_FLUSHING, %GST_REACTOR_ERROR_EOS.
 *
 * Returns: %TRUE if the frame was taken, or dropped because no session is active, %FALSE with
 * @error set otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_emit_black(GstReactorSrc* self, GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  return source_of(self).black(error);
}

/**
 * gst_reactor_src_send:
 * @self: the source
 * @json: one JSON value, at most 65536 bytes of UTF-8
 * @viewer: (nullable): id of the only viewer to receive it, %NULL for all
 * @error: return location for a #GError
 *
 * Sends a message to the viewers: as an event down the pipeline, ahead of waiting video, for a sink
 * that delivers it, and as the element message "reactor-message" (fields "json", "viewer") on the
 * bus, for an application that does. Any thread.
 *
 * Errors: %GST_REACTOR_ERROR_JSON, %GST_REACTOR_ERROR_TOO_LARGE.
 *
 * Returns: %TRUE if @json is valid and was sent on, %FALSE with @error set otherwise
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_send(GstReactorSrc* self, const gchar* json, const gchar* viewer,
                              GError** error) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  g_return_val_if_fail(json != nullptr, FALSE);
  return source_of(self).send(json, viewer, error);
}

/**
 * gst_reactor_src_set_monitoring:
 * @self: the source
 * @enabled: whether the gap before the next block says something about the model's speed
 *
 * Switches measuring off while the model pauses on purpose, and on again. Takes its place among the
 * blocks: those emitted before are not affected. Any thread.
 *
 * Since: 0.1
 */
void gst_reactor_src_set_monitoring(GstReactorSrc* self, gboolean enabled) {
  g_return_if_fail(GST_IS_REACTOR_SRC(self));
  if (source_of(self).set_monitoring(enabled)) g_object_notify(G_OBJECT(self), "monitoring");
}

/**
 * gst_reactor_src_get_monitoring:
 * @self: the source
 *
 * Returns: whether gaps between blocks are measured
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_get_monitoring(GstReactorSrc* self) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), FALSE);
  return source_of(self).monitoring();
}

/**
 * gst_reactor_src_set_command_id:
 * @self: the source
 * @id: id of the last command that the model has applied, 0 for none
 *
 * Blocks emitted from here on carry the id, so that a viewer sees how long its command took to
 * reach the picture. Any thread.
 *
 * Since: 0.1
 */
void gst_reactor_src_set_command_id(GstReactorSrc* self, guint64 id) {
  g_return_if_fail(GST_IS_REACTOR_SRC(self));
  source_of(self).set_command(id);
}

/**
 * gst_reactor_src_flush:
 * @self: the source
 *
 * Drops what is not yet shown, here and in the pacer, which cuts to black. Waiting emits, and those
 * that began before this call, fail with %GST_REACTOR_ERROR_FLUSHING. Caps, segment and clock stay:
 * this is not a GStreamer flush. Any thread.
 *
 * Since: 0.1
 */
void gst_reactor_src_flush(GstReactorSrc* self) {
  g_return_if_fail(GST_IS_REACTOR_SRC(self));
  source_of(self).flush();
}

/**
 * gst_reactor_src_should_stop:
 * @self: the source
 *
 * Returns: %TRUE while no session is active: what the model generates is seen by nobody
 *
 * Since: 0.1
 */
gboolean gst_reactor_src_should_stop(GstReactorSrc* self) {
  g_return_val_if_fail(GST_IS_REACTOR_SRC(self), TRUE);
  return !source_of(self).session().active();
}
