// SPDX-License-Identifier: LGPL-2.1-or-later
//
// OutputFormat: what downstream takes, and the caps in force. Asks once per format and again when
// downstream wants to negotiate anew. Streaming thread only, except `renegotiate`.
#pragma once

#include <gst/base/gstbasesrc.h>
#include <gst/gst.h>

#include <atomic>

#include "gst/reactor/blockitem.h"

namespace reactor {

class OutputFormat {
 public:
  enum class Fit { kAsIs, kCopied, kRefused };

  explicit OutputFormat(GstBaseSrc* src) : src_(src) {}

  void reset() { current_.reset(), asked_.reset(); }
  void renegotiate() { stale_ = true; }

  // Makes downstream ready for the item's caps, or for packed RGB if it takes only that. `changed`
  // is set when new caps were sent after others.
  Fit negotiate(const BlockItem& item, bool& changed);
  GstCaps* current() const { return current_.get(); }

 private:
  bool takes(GstCaps* caps);
  bool set(GstCaps* caps, bool& changed);

  GstBaseSrc* const src_;
  std::atomic<bool> stale_{false};
  CapsPtr current_;  // in force
  CapsPtr asked_;    // the item's caps that fit_ is about
  bool asked_video_meta_ = false;
  Fit fit_ = Fit::kRefused;
  bool video_meta_ = false;  // downstream understands GstVideoMeta
};

}  // namespace reactor
