// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SourceSession: whether somebody watches, as the source knows it. A sink that owns sessions says
// so by session events; until the first one, PLAYING is the session (id "local"). Each step returns
// what changed, for the caller to announce without a lock. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <vector>

namespace reactor {

struct SessionChange {
  bool started;
  std::string id, reason;
};
using SessionChanges = std::vector<SessionChange>;  // in order; none, one, or an end and a start

class SourceSession {
 public:
  SessionChanges playing(bool playing);
  SessionChanges from_sink(bool started, const std::string& id, const std::string& reason);
  SessionChanges stopped();  // the element goes to READY: the next run finds its owner anew

  bool active() const;
  std::string id() const;  // of the active session, empty if none

 private:
  void start(SessionChanges& changes, const std::string& id, const std::string& reason);
  void end(SessionChanges& changes, const std::string& reason);

  mutable std::mutex mutex_;
  bool sink_owns_ = false, active_ = false;
  std::string id_;
};

}  // namespace reactor
