// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One connection to a viewer: a bin with the gate, the payloader and the webrtcbin, from the offer
// to the teardown.
//
//    tee ─▶ [ gate ─▶ payloader ─▶ spread ─▶ capsfilter ─▶ webrtcbin ]
//
// Knows no HTTP, no session and no protocol. Thread-bound to the service thread; what arrives in
// threads of webrtcbin or of the stream is posted there. Leaving is asynchronous: the tee's pad is
// unlinked between two buffers, and the webrtcbin is set to NULL by a worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channel.h"
#include "codec.h"
#include "gstreactorgate.h"
#include "handles.h"
#include "offer.h"
#include "service.h"
#include "worker.h"

namespace reactor::webrtc {

// Which picture an RTP timestamp shows.
struct FrameNote {
  std::uint32_t rtp = 0;
  bool black = false;  // of no block: the picture was cut to black
  std::uint64_t block = 0;
  unsigned index = 0;
  unsigned count = 0;
  std::uint64_t command = 0;
  std::uint64_t emitted = 0;   // running time, ns
  std::uint64_t released = 0;  // running time, ns
  std::string json;            // the frame's own metadata; empty: none
};

// What the transport says about the viewer, from its RTCP.
struct PeerStats {
  double rtt = -1;           // seconds; negative: unknown
  double fraction_lost = 0;  // of the packets since the last report
  std::int64_t packets_lost = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_sent = 0;
  double bitrate = 0;  // bit/s over the last interval
  std::uint64_t nacks = 0;
  std::uint64_t plis = 0;
};

class Peer {
 public:
  struct Setup {
    std::string name;  // unique in the bin
    OfferPlan plan;
    Codec codec = Codec::kVp8;
    std::vector<std::string> addresses;  // to gather on
    std::string stun_server;
    std::string turn_server;
    bool trickle = false;
    GateLimits gate;
    ChannelLimits channel;
    std::chrono::milliseconds connect_timeout{20'000};
    std::chrono::milliseconds silence_timeout{25'000};
  };

  // Called in the service thread; none after destruction.
  struct Events {
    std::function<void(std::string sdp)> answered;
    std::function<void(Refusal refusal)> refused;  // instead of answered
    std::function<void()> connected;
    std::function<void(std::string reason)> lost;  // the connection is of no use any more
    std::function<void()> channel_open;
    std::function<void(std::string text)> message;
    std::function<void(std::uint64_t count)> flooded;
    std::function<void(std::string text)> control;  // a message on the channel "control"
    std::function<void(FrameNote note)> frame;
    std::function<void()> wants_key;
  };

  Peer(std::shared_ptr<Service> service, GstBin* bin, GstElement* tee, Setup setup, Events events);
  // Leaves if that has not happened; needs no worker then only if start() was never called.
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Builds the branch and begins to negotiate: `answered` or `refused` follows. False when the
  // elements cannot be made: `refused` has been called.
  bool start();
  // Ends the connection. `done` is called in the worker when everything is freed.
  void leave(const std::shared_ptr<Worker>& worker, std::function<void()> done);

  void add_candidate(unsigned mline, const std::string& candidate);
  void send(SharedText text) { channel_->send(std::move(text)); }
  void send_control(SharedText text) { control_->send(std::move(text)); }
  void set_paused(bool paused);
  // No media any more, but messages: the session is over.
  void mute();
  void close_channel() { channel_->close(); }

  // Once a second: liveness, and a new round of statistics.
  void tick();

  bool connected() const { return connected_; }
  bool is_this(GstObject* object) const;  // whether a message came from inside this branch
  GateState gate() const { return gate_ ? gate_state(gate_) : GateState{}; }  // {}: never built
  const Channel& channel() const { return *channel_; }
  const PeerStats& stats() const { return stats_; }
  const char* ice_state() const;
  const char* connection_state() const;
  std::uint32_t ssrc() const { return ssrc_; }
  int payload() const { return setup_.plan.payload; }
  const std::string& name() const { return setup_.name; }

 private:
  struct Shared;
  using Ref = std::shared_ptr<Shared>;
  enum class Step { kRemote, kAnswer, kLocal };

  static GstPadProbeReturn note_frame(GstPad*, GstPadProbeInfo* info, gpointer data);
  static GstPadProbeReturn note_packet(GstPad*, GstPadProbeInfo* info, gpointer data);
  static void on_state(GObject*, GParamSpec*, gpointer data);
  static void on_gathering(GObject*, GParamSpec*, gpointer data);
  static void on_rtcp(GstElement*, guint session, guint ssrc, gpointer data);
  static void on_data_channel(GstElement*, GstWebRTCDataChannel* channel, gpointer data);

  void configure_agent();
  bool build();
  void negotiate();
  void after(Step step, const GstStructure* reply);
  void gathered();
  void state_changed();
  void lose(std::string reason);
  void refuse(Refusal refusal);
  GstPromise* promise(Step step);
  void read_stats(const GstStructure* stats);
  void tell_latency();
  void update_gate();

  std::shared_ptr<Service> service_;
  GstBin* bin_;      // of the sink; outlives this
  GstElement* tee_;  // in it
  Setup setup_;
  Events events_;
  Ref shared_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<Channel> control_;
  GstElement* branch_ = nullptr;  // in bin_; everything below is inside
  GstElement* webrtc_ = nullptr;
  GstReactorGate* gate_ = nullptr;
  PadPtr tee_pad_;
  std::uint32_t ssrc_ = 0;
  bool answered_ = false;
  bool connected_ = false;
  bool lost_ = false;
  bool paused_ = false;
  bool muted_ = false;
  guint gather_timer_ = 0;
  guint connect_timer_ = 0;
  std::int64_t connected_at_ = 0;  // monotonic, us
  PeerStats stats_;
  std::int64_t stats_at_ = 0;  // monotonic, us
};

}  // namespace reactor::webrtc
