// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What /stats and /metrics say, as one snapshot and two ways to write it down. The names are
// documented in docs/metrics.md and stay. Reentrant.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "branch.h"
#include "gate.h"
#include "handles.h"
#include "peer.h"

namespace reactor::webrtc {

struct Departure {
  std::string viewer;
  std::string protocol;
  std::string reason;
  std::int64_t at = 0;  // monotonic, us
};

struct Totals {
  std::uint64_t viewers = 0;    // admitted
  std::uint64_t connected = 0;  // of them
  std::uint64_t refused = 0;    // offers
  std::uint64_t commands = 0;
  std::uint64_t commands_refused = 0;
  std::uint64_t messages = 0;       // from the model
  std::uint64_t messages_lost = 0;  // before they reached a viewer's queue
  // Of viewers that have left.
  GateCounts gate;
  std::uint64_t outbox_lost = 0;
  std::uint64_t outbox_too_large = 0;
  std::uint64_t bytes_sent = 0;
};

struct ViewerSnapshot {
  std::string id;
  std::string protocol;
  std::string role;
  std::string remote;
  std::string connection;  // webrtcbin's connection-state
  std::string ice;
  double age = 0;  // seconds
  bool paused = false;
  PeerStats transport;
  GateState gate;
  bool channel_open = false;
  std::size_t outbox_waiting = 0;
  std::uint64_t outbox_sent = 0;
  std::uint64_t outbox_lost = 0;
  std::uint64_t outbox_too_large = 0;
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
};

struct Snapshot {
  std::string session_state;
  std::string session_id;
  double session_age = 0;
  std::uint64_t sessions = 0;
  std::string model_state;
  std::string codec;
  std::vector<ViewerSnapshot> viewers;
  std::deque<Departure> departures;
  std::int64_t now = 0;  // monotonic, us
  Totals totals;
  EncoderStats encoder;
  std::uint64_t key_requests = 0;
  std::uint64_t key_granted = 0;
  StructurePtr pacing;  // the pacer's own; null: there is none
};

std::string to_json(const Snapshot& snapshot);
std::string to_prometheus(const Snapshot& snapshot);
StructurePtr to_structure(const Snapshot& snapshot);

}  // namespace reactor::webrtc
