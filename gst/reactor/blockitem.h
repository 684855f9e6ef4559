// SPDX-License-Identifier: LGPL-2.1-or-later
//
// BlockItem: one block on its way from emit to downstream, and how it is built from the model's
// memory. The emitting thread builds it; the streaming thread takes it apart, and copies it there
// if downstream does not take it as it lies.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <functional>
#include <optional>

#include "gst/reactor/arraylayout.h"
#include "gst/reactor/blockqueue.h"
#include "gst/reactor/pointers.h"
#include "gst/reactor/recycledmemory.h"

namespace reactor {

struct BlockItem : Item {
  ~BlockItem() override {
    if (drop_reason && dropped) dropped(*this);
  }

  BufferListPtr list;  // null for black: made by the streaming thread in the format of the moment
  CapsPtr caps;
  // Set for memory that the model lent: how to read it without a GstVideoMeta. Valid as long as
  // `list`.
  std::optional<ArrayView> view;
  bool needs_video_meta = false;
  bool prepared = false;                       // negotiated, and in the form that downstream takes
  GstClockTime emitted = GST_CLOCK_TIME_NONE;  // running time
  unsigned epoch = 0;
  std::uint64_t number = 0;
  std::function<void(const BlockItem&)>
      dropped;  // called in any thread if the block goes no further than here
};

// Something that keeps its place between blocks.
struct EventItem : Item {
  explicit EventItem(GstEvent* e) : event(e) { is_block = false; }
  EventPtr event;
};

// A new item over the model's memory as it lies. `release (user_data)` runs once, in any thread,
// when the last buffer is gone.
std::unique_ptr<BlockItem> lend_block(const ArrayView& view, const FrameLayout& layout,
                                      GDestroyNotify release, gpointer user_data);

// The frames of `view` copied to packed RGB in GStreamer's own layout; null if the machine has no
// memory left.
// `release`: called when the copy is gone. Null, and not called, where there is no memory for it.
std::unique_ptr<BlockItem> copy_block(const ArrayView& view, RecycledMemory& recycled,
                                      GDestroyNotify release = nullptr,
                                      gpointer user_data = nullptr);
BufferListPtr copy_to_list(const ArrayView& view, RecycledMemory& recycled);

// One black frame of any raw format in system memory; null if the format has no such thing.
BufferPtr make_black(GstCaps* caps);

GstVideoFormat video_format(PixelFormat format);
CapsPtr raw_caps(GstVideoFormat format, unsigned width, unsigned height);

}  // namespace reactor
