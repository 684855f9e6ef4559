// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The session: what a model works for, from the first viewer to the cleanup after the last.
//
//            open()/viewer            first viewer connected
//    idle ──────────────▶ waiting ──────────────▶ active ◀───────┐
//      ▲                     │                      │ last one   │ one comes (back)
//      │    grace passes     │                      ▼ gone       │
//      ├─────────────────────┘                   orphaned ───────┘
//      └───────────────────────────────────────────── grace passes, or stop() in any state
//
// Viewers of all protocols share one session. The model is started when the first viewer is
// connected and stopped when the session ends; a session that nobody ever connected to ends without
// the model having heard of it.
//
// Pure: time is passed in (monotonic). Thread-bound.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace reactor::webrtc {

using SessionTime = std::chrono::nanoseconds;  // of a monotonic clock, any origin

enum class SessionState { kIdle, kWaiting, kActive, kOrphaned };

const char* to_string(SessionState state);

class Session {
 public:
  // Told about what happened, after the state has changed.
  struct Callbacks {
    std::function<void(const std::string& id)> started;  // the model should generate
    // The session is over; `started` says whether the model ever heard of it.
    std::function<void(const std::string& id, const std::string& reason, bool started)> ended;
  };

  // `grace`: how long it outlives its last viewer. `connect`: what one who announces itself may
  // take to connect, at least.
  Session(SessionTime grace, SessionTime connect, std::function<std::string()> new_id,
          Callbacks callbacks);

  void set_grace(SessionTime grace) { grace_ = grace; }

  // A client announces itself, or an offer was admitted. Returns the id of the running session, or
  // of the one that this opens.
  const std::string& open(SessionTime now);
  void viewer_connected(SessionTime now);
  void viewer_gone(SessionTime now);
  // Ends whatever runs. False when nothing did.
  bool stop(std::string_view reason);

  // When tick() has something to do; nothing when it has not.
  std::optional<SessionTime> deadline() const { return deadline_; }
  void tick(SessionTime now);

  SessionState state() const { return state_; }
  bool started() const { return started_; }      // whether the model works for it
  const std::string& id() const { return id_; }  // empty when idle
  unsigned viewers() const { return viewers_; }
  std::optional<SessionTime> since() const { return since_; }  // of this state
  unsigned long count() const { return count_; }               // sessions that were started

 private:
  void end(std::string reason);

  SessionTime grace_;
  const SessionTime connect_;
  std::function<std::string()> new_id_;
  Callbacks callbacks_;
  SessionState state_ = SessionState::kIdle;
  std::string id_;
  unsigned viewers_ = 0;  // connected ones
  bool started_ = false;
  std::optional<SessionTime> deadline_;
  std::optional<SessionTime> since_;
  unsigned long count_ = 0;
};

}  // namespace reactor::webrtc
