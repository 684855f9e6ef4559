// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owning handles for GStreamer objects that are fields, parameters or in containers.
#pragma once

#include <gst/gst.h>
#include <gst/sdp/sdp.h>

#include <memory>

namespace reactor::webrtc {

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstSDPMessage* sdp) const { gst_sdp_message_free(sdp); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};

template <typename T>
using ObjectPtr = std::unique_ptr<T, Unref>;
using ElementPtr = ObjectPtr<GstElement>;
using PadPtr = ObjectPtr<GstPad>;
using CapsPtr = std::unique_ptr<GstCaps, Unref>;
using SdpPtr = std::unique_ptr<GstSDPMessage, Unref>;
using StructurePtr = std::unique_ptr<GstStructure, Unref>;

}  // namespace reactor::webrtc
