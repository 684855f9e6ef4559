// SPDX-License-Identifier: LGPL-2.1-or-later

#include "session.h"

#include <algorithm>
#include <utility>

namespace reactor::webrtc {

const char* to_string(SessionState state) {
  switch (state) {
    case SessionState::kIdle:
      return "idle";
    case SessionState::kWaiting:
      return "waiting";
    case SessionState::kActive:
      return "active";
    case SessionState::kOrphaned:
      return "orphaned";
  }
  return "idle";
}

Session::Session(SessionTime grace, SessionTime connect, std::function<std::string()> new_id,
                 Callbacks callbacks)
    : grace_(grace),
      connect_(connect),
      new_id_(std::move(new_id)),
      callbacks_(std::move(callbacks)) {}

const std::string& Session::open(SessionTime now) {
  if (state_ == SessionState::kIdle) {
    state_ = SessionState::kWaiting;
    id_ = new_id_();
    since_ = now;
  }
  // Whoever announces itself while nobody is there gets the whole grace to connect, and what
  // connecting may take where that is longer.
  if (state_ != SessionState::kActive) deadline_ = now + std::max(grace_, connect_);
  return id_;
}

void Session::viewer_connected(SessionTime now) {
  if (state_ == SessionState::kIdle) open(now);
  viewers_++;
  deadline_.reset();
  if (state_ == SessionState::kActive) return;
  state_ = SessionState::kActive;
  since_ = now;
  if (started_) return;
  started_ = true;
  count_++;
  callbacks_.started(std::string(id_));
}

void Session::viewer_gone(SessionTime now) {
  if (viewers_ == 0) return;
  if (--viewers_ > 0 || state_ != SessionState::kActive) return;
  state_ = SessionState::kOrphaned;
  since_ = now;
  deadline_ = now + grace_;
}

bool Session::stop(std::string_view reason) {
  if (state_ == SessionState::kIdle) return false;
  end(std::string(reason));
  return true;
}

void Session::tick(SessionTime now) {
  if (!deadline_ || now < *deadline_) return;
  end(state_ == SessionState::kWaiting ? "nobody connected in time"
                                       : "the last viewer left and nobody came back in time");
}

void Session::end(std::string reason) {
  const std::string id = std::exchange(id_, {});
  const bool started = std::exchange(started_, false);
  state_ = SessionState::kIdle;
  viewers_ = 0;
  deadline_.reset();
  since_.reset();
  callbacks_.ended(id, reason, started);
}

}  // namespace reactor::webrtc
