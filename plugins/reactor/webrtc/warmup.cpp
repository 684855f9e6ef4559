// SPDX-License-Identifier: LGPL-2.1-or-later

#include "warmup.h"

#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <future>
#include <memory>

namespace reactor::webrtc {

namespace {

// Whether webrtcbin made an offer in that time.
bool offer_within(GstElement* webrtc, std::chrono::milliseconds limit) {
  using Made = std::promise<void>;
  auto made = std::make_shared<Made>();
  std::future<void> done = made->get_future();
  GstPromise* offer = gst_promise_new_with_change_func(
      [](GstPromise*, gpointer data) { (*static_cast<std::shared_ptr<Made>*>(data))->set_value(); },
      new std::shared_ptr<Made>(std::move(made)),
      [](gpointer data) { delete static_cast<std::shared_ptr<Made>*>(data); });
  g_signal_emit_by_name(webrtc, "create-offer", nullptr, offer);
  const bool in_time = done.wait_for(limit) == std::future_status::ready;
  if (!in_time) gst_promise_interrupt(offer);
  gst_promise_unref(offer);
  return in_time;
}

}  // namespace

void warm_up(std::chrono::milliseconds limit) {
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
    // One that is stuck would not stop either: it stays as it is.
    if (!offer_within(webrtc, limit)) return;
  }
  gst_element_set_state(webrtc, GST_STATE_NULL);
  gst_object_unref(webrtc);
}

}  // namespace reactor::webrtc
