// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/outputformat.h"

namespace reactor {

bool OutputFormat::takes(GstCaps* caps) {
  g_autoptr(GstCaps) allowed = gst_pad_peer_query_caps(GST_BASE_SRC_PAD(src_), nullptr);
  return allowed && gst_caps_can_intersect(allowed, caps);
}

bool OutputFormat::set(GstCaps* caps, bool& changed) {
  if (current_ && gst_caps_is_equal(current_.get(), caps)) return true;
  if (!gst_base_src_set_caps(src_, caps)) return false;
  changed = current_ != nullptr;
  current_.reset(gst_caps_ref(caps));
  g_autoptr(GstQuery) query = gst_query_new_allocation(caps, FALSE);
  video_meta_ = gst_pad_peer_query(GST_BASE_SRC_PAD(src_), query) &&
                gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  return true;
}

OutputFormat::Fit OutputFormat::negotiate(const BlockItem& item, bool& changed) {
  changed = false;
  const bool fresh = stale_.exchange(false);
  if (fresh) current_.reset();
  if (!fresh && asked_ && gst_caps_is_equal(asked_.get(), item.caps.get()) &&
      asked_video_meta_ == item.needs_video_meta && fit_ != Fit::kRefused &&
      (fit_ == Fit::kCopied || gst_caps_is_equal(current_.get(), item.caps.get())))
    return fit_;
  asked_.reset(gst_caps_ref(item.caps.get()));
  asked_video_meta_ = item.needs_video_meta;

  fit_ = Fit::kRefused;
  if (takes(item.caps.get())) {
    // A layout that only a GstVideoMeta describes is tried first: whether downstream understands it
    // is known only after the caps.
    const bool known_without_meta = item.needs_video_meta && current_ && !video_meta_;
    if (!known_without_meta && set(item.caps.get(), changed) &&
        (!item.needs_video_meta || video_meta_))
      return fit_ = Fit::kAsIs;
  }
  if (!item.view) return fit_;
  const CapsPtr rgb = raw_caps(GST_VIDEO_FORMAT_RGB, item.view->width, item.view->height);
  bool changed_again = false;
  if (takes(rgb.get()) && set(rgb.get(), changed_again)) fit_ = Fit::kCopied;
  changed |= changed_again;
  return fit_;
}

}  // namespace reactor
