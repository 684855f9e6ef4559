// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/negotiation.h"

#include <algorithm>
#include <utility>

namespace reactor::webrtc {

Negotiation::Negotiation(ViewerHost& host, const HttpLimits& limits)
    : host_(host), limits_(limits), serial_(std::make_shared<std::uint64_t>(0)) {}

Negotiation::~Negotiation() = default;

void Negotiation::offer(Offer offer, bool replace) {
  const std::uint64_t serial = ++*serial_;
  state_ = State::kPending;
  role_ = offer.role;
  candidates_ = 0;
  waiting_.clear();
  std::erase_if(viewers_, [this](const std::string& v) { return !host_.has_viewer(v); });
  // Of several viewers nobody can say which one this client's was: it gets a further one.
  const bool replacing = replace && viewers_.size() == 1;
  std::weak_ptr<std::uint64_t> latest = serial_;
  ViewerHost& host = host_;
  OfferDone done = [this, &host, latest, serial, replacing](OfferResult result) {
    const auto current = latest.lock();
    if (current && *current == serial) {
      settle(std::move(result));
    } else if (result.answer && !replacing) {
      // Nobody will ask for this answer. `host` is who calls, so it is there.
      host.remove_viewer(result.answer->viewer, "its offer was superseded");
    }
  };
  if (replacing)
    host_.replace_viewer(viewers_.front(), std::move(offer), std::move(done));
  else
    host_.add_viewer(std::move(offer), std::move(done));
}

void Negotiation::settle(OfferResult result) {
  if (!result.answer) {
    state_ = State::kRefused;
    refusal_ = result.refusal.value_or(Refusal{503, "stopping", "the server stops"});
    // The SDK takes 400 for a lost session.
    if (refusal_.status == 400) refusal_.status = 422;
    return;
  }
  state_ = State::kAnswered;
  answer_ = std::move(result.answer->sdp);
  const std::string& viewer = result.answer->viewer;
  std::erase(viewers_, viewer);
  viewers_.push_back(viewer);
  for (const Candidate& candidate : std::exchange(waiting_, {}))
    host_.add_candidate(viewer, candidate);
}

bool Negotiation::add_candidates(std::vector<Candidate> candidates) {
  if (candidates.size() > limits_.candidates - candidates_) return false;
  candidates_ += static_cast<unsigned>(candidates.size());
  for (Candidate& candidate : candidates) {
    if (state_ == State::kPending)
      waiting_.push_back(std::move(candidate));
    else if (state_ == State::kAnswered && !viewers_.empty())
      host_.add_candidate(viewers_.back(), candidate);
  }
  return true;
}

bool Negotiation::connected() const {
  return std::any_of(viewers_.begin(), viewers_.end(),
                     [this](const std::string& v) { return host_.has_viewer(v); });
}

void Negotiation::remove_viewers(std::string_view reason) {
  for (const std::string& viewer : std::exchange(viewers_, {}))
    if (host_.has_viewer(viewer)) host_.remove_viewer(viewer, reason);
}

}  // namespace reactor::webrtc
