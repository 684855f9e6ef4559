// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The middle of reactorwebrtcsink: owns the viewers and the session, and is what the signallers
// talk to. Lives in the service thread; what other threads may call says so and only posts.
//
//    HTTP ─▶ ViewerHost ─▶ Host ─▶ Peer (one a connection)
//                           │ ├──▶ Session (who is it for?)
//    model ─▶ messages ─────┘ └──▶ upstream events, by a worker
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "branch.h"
#include "http/server.h"
#include "keyframe.h"
#include "peer.h"
#include "session.h"
#include "signalling.h"
#include "stats.h"
#include "worker.h"

namespace reactor::webrtc {

struct HostConfig {
  HttpConfig http;
  std::chrono::nanoseconds session_grace{std::chrono::seconds(30)};
  std::chrono::nanoseconds keyframe_interval{std::chrono::milliseconds(400)};
  std::chrono::milliseconds connect_timeout{20'000};
  std::chrono::milliseconds silence_timeout{25'000};
  std::string stun_server;
  std::string turn_server;
  GateLimits gate;
  ChannelLimits channel;
};

// Which of the elements that every viewer needs is not installed; a sentence for the user.
std::optional<std::string> missing_elements();

class Host final : public ViewerHost {
 public:
  // `sink` and `branch` outlive this; `sinkpad` is the sink's own pad.
  Host(GstElement* sink, GstPad* sinkpad, Branch& branch, HostConfig config);
  ~Host() override;  // stops

  // Any thread but the service's; from the element's state changes.
  HttpStart start();
  void set_running(bool running);  // false: ends the session, returns when every viewer is gone
  void stop();
  void claim_sessions();  // tells the source who owns them, when none runs
  std::string url();      // of the page

  // Any thread; these only post.
  void model_message(const char* json, const char* viewer);
  void model_monitoring(bool enabled);
  void model_frame();                    // a frame came that is to be seen
  void model_runtime(const char* json);  // what the model tells the sink itself
  void stream_ended();
  void stream_begins();  // also again, after an end
  void set_capabilities(const char* json);
  void branch_error(GstObject* source, const char* text);
  void set_grace(std::chrono::nanoseconds grace);

  // Any thread but the service's: runs there.
  Snapshot snapshot_now();
  std::shared_ptr<Service> service() const { return service_; }

  // ViewerHost, in the service thread.
  void add_viewer(Offer offer, OfferDone done) override;
  void replace_viewer(std::string_view viewer, Offer offer, OfferDone done) override;
  bool remove_viewer(std::string_view viewer, std::string_view reason) override;
  bool add_candidate(std::string_view viewer, const Candidate& candidate) override;
  bool has_viewer(std::string_view viewer) const override;
  unsigned viewers() const override { return static_cast<unsigned>(viewers_.size()); }
  bool set_track_paused(std::string_view viewer, bool paused) override;
  std::optional<Refusal> command(std::string_view viewer, std::string_view json,
                                 Role role) override;
  std::string start_session() override;
  std::optional<std::string> session() const override;
  void stop_session(std::string_view reason) override;
  std::string capabilities() const override { return capabilities_; }
  std::string stats_json() const override;
  std::string metrics_text() const override;
  std::string unhealthy() const override;

 private:
  // One peer connection of a viewer, and who waits for its answer.
  struct Link {
    std::unique_ptr<Peer> peer;
    std::unique_ptr<CandidateFilter> filter;
    std::string mid;
    unsigned video = 0;
    OfferDone done;  // until it was called
  };
  struct Viewer {
    std::string id;
    std::string protocol;
    std::string remote;
    Role role = Role::kFull;
    Link current;
    Link next;  // a second offer, until it is connected
    bool connected = false;
    bool paused = false;
    std::int64_t since = 0;  // monotonic, us
    std::uint64_t commands = 0;
    std::uint64_t refused = 0;
  };

  Viewer* find(std::string_view id);
  const Viewer* find(std::string_view id) const;
  std::optional<Refusal> prepare(const Offer& offer, Link& link, Peer::Setup& setup);
  void connect(Viewer& viewer, Link& link, Peer::Setup setup, OfferDone done);
  Peer::Events events_for(const std::string& viewer, std::uint64_t serial);
  // The viewer and the link with this serial; null when gone.
  Link* link_of(const std::string& viewer, std::uint64_t serial, Viewer** owner = nullptr);
  void peer_connected(const std::string& viewer, std::uint64_t serial);
  void peer_lost(const std::string& viewer, std::uint64_t serial, const std::string& reason);
  void peer_message(const std::string& viewer, std::uint64_t serial, const std::string& text);
  void peer_control(const std::string& viewer, std::uint64_t serial, const std::string& text);
  void dismiss(Link& link, const Refusal& why);
  void drop(const std::string& viewer, const std::string& reason);
  void leave(std::unique_ptr<Peer> peer);

  std::optional<Refusal> take_command(Viewer* viewer, std::string_view id, Role role,
                                      const std::string& json, std::uint64_t& number);
  void session_started(const std::string& id);
  void session_ended(const std::string& id, const std::string& reason, bool started);
  void arm_session_timer();
  void want_key();
  void request_key();
  void update_wanted();
  // Takes the event. False when as many as `limit` wait already.
  bool push_upstream(Worker& worker, GstEvent* event, std::size_t limit);
  void send_all(SharedText text);
  void take_runtime(std::string_view json);
  void take_answer(std::string_view data);
  std::string state_message(const Viewer& viewer) const;
  void state_changed();
  void tick();
  Snapshot snapshot() const;
  GstClockTime running_time() const;

  GstElement* sink_;
  GstPad* sinkpad_;
  Branch& branch_;
  HostConfig config_;
  std::shared_ptr<Service> service_;
  std::shared_ptr<Worker> reaper_;    // sets leaving webrtcbins to NULL
  std::unique_ptr<Worker> upstream_;  // sends events upstream, where handlers may take their time
  std::unique_ptr<Worker> keys_;      // asks upstream for key frames, which waits for no handler

  // Service thread only.
  std::unique_ptr<HttpServer> http_;
  bool running_ = false;
  std::map<std::string, std::unique_ptr<Viewer>, std::less<>> viewers_;
  std::map<std::uint64_t, std::unique_ptr<Peer>> closing_;  // told that it is over
  Session session_;
  KeyframeThrottle keyframes_;
  guint session_timer_ = 0;
  guint keyframe_timer_ = 0;
  guint tick_timer_ = 0;
  std::uint64_t next_serial_ = 1;
  std::uint64_t next_command_ = 1;
  std::string capabilities_ = "{}";
  bool monitoring_ = true;
  bool ended_ = false;       // the stream is at its end
  bool any_frame_ = false;   // since the session began
  std::string model_state_;  // "model-gone", "restarting"; empty: it is there
  std::string model_reason_;
  std::string told_state_;
  Totals totals_;
  std::deque<Departure> departures_;

  std::atomic<bool> frame_seen_{false};
  std::atomic<std::size_t> pending_{0};  // messages of the model on their way to this thread
  std::atomic<std::uint64_t> messages_lost_{0};
  std::mutex leaving_mutex_;
  std::condition_variable left_;
  unsigned leaving_ = 0;  // guarded by leaving_mutex_
};

}  // namespace reactor::webrtc
