// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owning handles for GStreamer's reference-counted types where they are fields, parameters or in
// containers.
#pragma once

#include <gst/gst.h>

#include <memory>

namespace reactor {

struct Unref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstBufferList* list) const { gst_buffer_list_unref(list); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstClock* clock) const { gst_object_unref(clock); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};

// GstClockID is an untyped pointer.
struct UnrefClockId {
  void operator()(void* id) const { gst_clock_id_unref(id); }
};

using BufferPtr = std::unique_ptr<GstBuffer, Unref>;
using BufferListPtr = std::unique_ptr<GstBufferList, Unref>;
using EventPtr = std::unique_ptr<GstEvent, Unref>;
using CapsPtr = std::unique_ptr<GstCaps, Unref>;
using ClockPtr = std::unique_ptr<GstClock, Unref>;
using StructurePtr = std::unique_ptr<GstStructure, Unref>;
using ClockIdPtr = std::unique_ptr<void, UnrefClockId>;

inline BufferPtr ref(GstBuffer* buffer) {
  return BufferPtr(gst_buffer_ref(buffer));
}

}  // namespace reactor
