// SPDX-License-Identifier: LGPL-2.1-or-later
//
// WHEP (draft-ietf-wish-whep): one POST brings a viewer in, its Location takes it out again.
//
//     POST   /whep       application/sdp, an offer       201, an answer, Location, ETag, Link
//     PATCH  /whep/{id}  application/trickle-ice-sdpfrag  204; If-Match must be the ETag: 412,
//     without it 428 DELETE /whep/{id}                                   200; a second time 404
//
// Thread-bound to the service thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "http/config.h"
#include "http/signaller.h"
#include "signalling.h"

namespace reactor::webrtc {

class Whep final : public Signaller {
 public:
  // `host` must outlive it.
  Whep(const HttpConfig& config, ViewerHost& host);

  void add_routes(Router& router) override;

 private:
  struct Resource {
    std::string etag;       // names the ICE session that candidates belong to
    std::string ice_ufrag;  // of the offer: another one in a PATCH would be an ICE restart
    Role role = Role::kFull;
  };

  void post(Call call, Respond respond);
  void patch(Call call, Respond respond);
  void remove(Call call, Respond respond);
  void answered(const Offer& offer, const Answer& answer, const Respond& respond);
  Resource* find(const Call& call, const Respond& respond);
  void forget_gone();

  const HttpConfig config_;
  ViewerHost& host_;
  std::map<std::string, Resource>
      resources_;  // by viewer id; what the host has dropped is swept with the next POST
  std::shared_ptr<bool> alive_;  // a host may answer when we are gone
};

// The value of a Link header that names an ICE server, for each of its URIs.
std::vector<std::string> ice_links(const std::vector<IceServer>& servers);
// Whether an If-Match header names `etag`.
bool etag_matches(std::string_view if_match, std::string_view etag);

}  // namespace reactor::webrtc
