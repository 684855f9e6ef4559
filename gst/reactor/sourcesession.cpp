// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/sourcesession.h"

namespace reactor {

void SourceSession::start(SessionChanges& changes, const std::string& id,
                          const std::string& reason) {
  if (active_ && id_ == id) return;
  end(changes, "another session began");
  active_ = true;
  id_ = id;
  changes.push_back({true, id, reason});
}

void SourceSession::end(SessionChanges& changes, const std::string& reason) {
  if (!active_) return;
  active_ = false;
  changes.push_back({false, id_, reason});
  id_.clear();
}

SessionChanges SourceSession::playing(bool playing) {
  const std::lock_guard lock(mutex_);
  SessionChanges changes;
  if (sink_owns_) return changes;
  if (playing)
    start(changes, "local", "the pipeline plays");
  else
    end(changes, "the pipeline is paused");
  return changes;
}

SessionChanges SourceSession::from_sink(bool started, const std::string& id,
                                        const std::string& reason) {
  const std::lock_guard lock(mutex_);
  SessionChanges changes;
  sink_owns_ = true;
  if (started)
    start(changes, id, reason);
  else
    end(changes, reason);
  return changes;
}

SessionChanges SourceSession::stopped() {
  const std::lock_guard lock(mutex_);
  SessionChanges changes;
  sink_owns_ = false;
  end(changes, "the pipeline stopped");
  return changes;
}

bool SourceSession::active() const {
  const std::lock_guard lock(mutex_);
  return active_;
}

std::string SourceSession::id() const {
  const std::lock_guard lock(mutex_);
  return id_;
}

}  // namespace reactor
