// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owning pointers for fields, parameters and containers. Function-local handles use g_autoptr.
#pragma once

#include <gst/gst.h>

#include <memory>

namespace reactor {

struct Unref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstBufferList* list) const { gst_buffer_list_unref(list); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstMemory* memory) const { gst_memory_unref(memory); }
};

using BufferPtr = std::unique_ptr<GstBuffer, Unref>;
using BufferListPtr = std::unique_ptr<GstBufferList, Unref>;
using CapsPtr = std::unique_ptr<GstCaps, Unref>;
using EventPtr = std::unique_ptr<GstEvent, Unref>;
using MemoryPtr = std::unique_ptr<GstMemory, Unref>;

}  // namespace reactor
