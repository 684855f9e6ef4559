// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One client's exchange of offer and answer in the Reactor protocol, where the offer is posted and
// the answer asked for.
//
//     idle --offer()--> pending --host's answer--> answered          offer() again from any state
//                          |-----host's refusal--> refused
//
// Thread-bound to the service thread. Only the latest offer counts: a page that mounts twice leaves
// an earlier one behind.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/config.h"
#include "http/message.h"
#include "signalling.h"

namespace reactor::webrtc {

class Negotiation {
 public:
  enum class State { kIdle, kPending, kAnswered, kRefused };

  // `host` must outlive it.
  Negotiation(ViewerHost& host, const HttpLimits& limits);
  // Leaves its viewers with the host; what it still waits for is removed when it comes.
  ~Negotiation();
  Negotiation(const Negotiation&) = delete;
  Negotiation& operator=(const Negotiation&) = delete;

  // Puts an offer to the host. `replace`: the client's only connection gives way to the new one,
  // when that is accepted.
  void offer(Offer offer, bool replace);
  State state() const { return state_; }
  const std::string& answer() const { return answer_; }
  const Refusal& refusal() const { return refusal_; }

  // For the viewer of the latest offer; kept until there is one. False: too many for one offer.
  bool add_candidates(std::vector<Candidate> candidates);

  bool connected() const;  // a viewer of it is there
  void remove_viewers(std::string_view reason);
  Role role() const { return role_; }

 private:
  void settle(OfferResult result);

  ViewerHost& host_;
  const HttpLimits limits_;
  State state_ = State::kIdle;
  Role role_ = Role::kFull;
  std::string answer_;
  Refusal refusal_;
  std::vector<std::string> viewers_;  // the latest one last
  std::vector<Candidate> waiting_;    // for the viewer to be there
  unsigned candidates_ = 0;           // of the latest offer so far
  std::shared_ptr<std::uint64_t>
      serial_;  // of the latest offer; a host may answer when we are gone
};

}  // namespace reactor::webrtc
