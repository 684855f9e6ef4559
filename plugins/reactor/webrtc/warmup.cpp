// SPDX-License-Identifier: LGPL-2.1-or-later

#include "warmup.h"

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>

namespace reactor::webrtc {

void warm_up() {
  static std::atomic<bool> done{false};
  if (done.exchange(true)) return;
  GstElement* webrtc = gst_element_factory_make("webrtcbin", nullptr);
  if (!webrtc) return;
  gst_object_ref_sink(webrtc);
  // READY is enough to make an offer, and touches no network.
  if (gst_element_set_state(webrtc, GST_STATE_READY) != GST_STATE_CHANGE_FAILURE) {
    g_autoptr(GstCaps) caps = gst_caps_from_string(
        "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96");
    GstWebRTCRTPTransceiver* transceiver = nullptr;
    g_signal_emit_by_name(webrtc, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          caps, &transceiver);
    if (transceiver) gst_object_unref(transceiver);
    GstPromise* offer = gst_promise_new();
    g_signal_emit_by_name(webrtc, "create-offer", nullptr, offer);
    gst_promise_wait(offer);
    gst_promise_unref(offer);
  }
  gst_element_set_state(webrtc, GST_STATE_NULL);
  gst_object_unref(webrtc);
}

}  // namespace reactor::webrtc
