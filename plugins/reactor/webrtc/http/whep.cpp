// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/whep.h"

#include <algorithm>
#include <utility>

#include "http/message.h"
#include "http/sdp_text.h"

namespace reactor::webrtc {

namespace {

constexpr const char* kFragmentType = "application/trickle-ice-sdpfrag";

std::string quoted_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  return out + '"';
}

}  // namespace

std::vector<std::string> ice_links(const std::vector<IceServer>& servers) {
  std::vector<std::string> links;
  for (const IceServer& server : servers) {
    for (const std::string& uri : server.uris) {
      std::string link = "<" + uri + ">; rel=\"ice-server\"";
      if (!server.username.empty()) {
        link += "; username=" + quoted_string(server.username) +
                "; credential=" + quoted_string(server.password) + "; credential-type=\"password\"";
      }
      links.push_back(std::move(link));
    }
  }
  return links;
}

bool etag_matches(std::string_view if_match, std::string_view etag) {
  while (!if_match.empty()) {
    const std::size_t comma = std::min(if_match.find(','), if_match.size());
    const std::string_view one = trimmed(if_match.substr(0, comma));
    if (one == etag || one == "*") return true;
    if_match.remove_prefix(std::min(comma + 1, if_match.size()));
  }
  return false;
}

Whep::Whep(const HttpConfig& config, ViewerHost& host)
    : config_(config), host_(host), alive_(std::make_shared<bool>(true)) {}

void Whep::add_routes(Router& router) {
  router.add({"POST", "/whep", Need::kView, "application/sdp",
              [this](Call call, Respond respond) { post(std::move(call), std::move(respond)); }});
  router.add({"PATCH", "/whep/{id}", Need::kView, kFragmentType,
              [this](Call call, Respond respond) { patch(std::move(call), std::move(respond)); }});
  router.add({"DELETE", "/whep/{id}", Need::kView, "",
              [this](Call call, Respond respond) { remove(std::move(call), std::move(respond)); }});
}

void Whep::post(Call call, Respond respond) {
  if (const auto refusal = check_offer(call.request.body, 400, config_.limits)) {
    respond(refused(*refusal));
    return;
  }
  forget_gone();
  Offer offer;
  offer.sdp = std::move(call.request.body);
  offer.protocol = "whep";
  offer.role = call.role;
  offer.local_address = call.caller.local_address;
  offer.remote_address = call.caller.remote_address;
  offer.media_name = config_.media_name;
  offer.trickle = sketch_sdp(offer.sdp).candidates == 0;
  std::weak_ptr<bool> alive = alive_;
  host_.add_viewer(offer, [this, alive, offer, respond](OfferResult result) {
    if (alive.expired()) return;
    if (result.answer)
      answered(offer, *result.answer, respond);
    else
      respond(refused(result.refusal.value_or(Refusal{503, "stopping", "the server stops"})));
  });
}

void Whep::answered(const Offer& offer, const Answer& answer, const Respond& respond) {
  // The viewer's id is unguessable and new for every ICE session, so its tail serves as the name of
  // that session.
  const std::string etag =
      '"' +
      answer.viewer.substr(answer.viewer.size() - std::min<std::size_t>(answer.viewer.size(), 8)) +
      '"';
  HttpResponse response;
  response.status = 201;
  response.add("Content-Type", "application/sdp");
  response.add("Cache-Control", "no-store");
  // Relative to the request's URL, so that it is right behind a proxy that serves us under a
  // prefix.
  response.add("Location", "whep/" + answer.viewer);
  response.add("ETag", etag);
  response.add("Accept-Patch", kFragmentType);
  for (const std::string& link : ice_links(config_.ice_servers)) response.add("Link", link);
  response.body = answer.sdp;
  resources_[answer.viewer] = {etag, sketch_sdp(offer.sdp).ice_ufrag, offer.role};
  if (!respond(std::move(response))) {
    resources_.erase(answer.viewer);
    host_.remove_viewer(answer.viewer, "the client was gone before its answer");
  }
}

Whep::Resource* Whep::find(const Call& call, const Respond& respond) {
  const auto it = resources_.find(call.params.at(0));
  if (it == resources_.end() || !host_.has_viewer(it->first)) {
    if (it != resources_.end()) resources_.erase(it);
    respond(refused(404, "no-viewer", "there is no such viewer: it has left, or never was"));
    return nullptr;
  }
  if (call.role == Role::kViewOnly && it->second.role != Role::kViewOnly) {
    respond(refused(403, "view-only", "this viewer came with the full token: use the same one"));
    return nullptr;
  }
  return &it->second;
}

void Whep::patch(Call call, Respond respond) {
  const Resource* resource = find(call, respond);
  if (!resource) return;
  const std::string* if_match = call.request.header("If-Match");
  if (!if_match) {
    respond(refused(428, "if-match", "expected If-Match with the ETag of the answer"));
    return;
  }
  if (!etag_matches(*if_match, resource->etag)) {
    respond(refused(412, "if-match", "If-Match names another ICE session than this viewer's"));
    return;
  }
  SdpFragment fragment;
  if (const auto refusal = parse_fragment(call.request.body, config_.limits, &fragment)) {
    respond(refused(*refusal));
    return;
  }
  if (!fragment.ice_ufrag.empty() && fragment.ice_ufrag != resource->ice_ufrag) {
    respond(
        refused(422, "ice-restart",
                "an ICE restart is not possible here: delete this viewer and post a new offer"));
    return;
  }
  for (const Candidate& candidate : fragment.candidates)
    host_.add_candidate(call.params[0], candidate);
  HttpResponse response;
  response.status = 204;
  response.add("ETag", resource->etag);
  respond(std::move(response));
}

void Whep::remove(Call call, Respond respond) {
  if (!find(call, respond)) return;
  resources_.erase(call.params[0]);
  host_.remove_viewer(call.params[0], "the viewer left");
  respond(json_response(200, "{}"));
}

void Whep::forget_gone() {
  std::erase_if(resources_, [this](const auto& entry) { return !host_.has_viewer(entry.first); });
}

}  // namespace reactor::webrtc
