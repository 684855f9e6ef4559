// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/reactorlocal.h"

#include <algorithm>
#include <utility>

#include "http/message.h"
#include "http/randomid.h"
#include "http/reactorjson.h"
#include "http/sdp_text.h"

namespace reactor::webrtc {

namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kTransport = "/sessions/{sid}/transport/webrtc";
// A start or a connection that has led to no offer in this time leads to none: as long as a viewer
// may take to connect.
constexpr std::chrono::seconds kFresh{20};
// A page that has made an offer is through with its earlier starts; their stops may still be on
// their way.
constexpr std::chrono::seconds kLateStop{3};
constexpr std::size_t kMaxStarts = 64;  // remembered of one page
constexpr std::size_t kMaxClients = 256;
constexpr std::size_t kMaxLinks = 64;  // a client's connections at once
constexpr unsigned kFirstLink = 1002;  // 1001 is reserved
constexpr unsigned kLastLink = 9999;

// What tells pages apart that name themselves nowhere.
std::string page_of(const Call& call) {
  std::string page = plain_address(call.caller.remote_address);
  for (const char* name : {"Origin", "User-Agent"}) {
    const std::string* value = call.request.header(name);
    page += '\n' + (value ? *value : std::string());
  }
  return page;
}

bool lists(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (trimmed(list.substr(0, comma)) == item) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::optional<unsigned> link_number(const std::string& text) {
  if (text.size() != 4 || text.find_first_not_of("0123456789") != std::string::npos) return {};
  return static_cast<unsigned>(std::stoul(text));
}

// What was offered with the full token is touched with the full token only.
std::optional<Refusal> check_role(const Call& call, const Negotiation& negotiation) {
  if (call.role == Role::kFull || negotiation.role() == Role::kViewOnly ||
      negotiation.state() == Negotiation::State::kIdle)
    return {};
  return Refusal{403, "view-only",
                 "this connection was made with the full token: use the same one"};
}

HttpResponse no_session() {
  return refused(404, "no-session", "there is no such session: it is over, or never was");
}

}  // namespace

std::optional<Refusal> check_reactor_version(const HttpRequest& request) {
  const std::string* version = request.header("Reactor-API-Version");
  const std::string* accepted = request.header("Reactor-API-Accept-Version");
  const bool known = (!version && !accepted) || (version && *version == "1") ||
                     (accepted && lists(*accepted, "1"));
  if (!known) return Refusal{426, "api-version", "expected Reactor-API-Version: 1"};
  const std::string* webrtc = request.header("Reactor-WebRTC-Version");
  if (webrtc && webrtc->substr(0, 2) != "1." && *webrtc != "1")
    return Refusal{426, "webrtc-version", "expected Reactor-WebRTC-Version: 1.0"};
  return {};
}

bool ReactorLocal::Client::connected() const {
  return direct->connected() || std::any_of(links.begin(), links.end(), [](const auto& link) {
           return link.second.negotiation->connected();
         });
}

ReactorLocal::ReactorLocal(const HttpConfig& config, ViewerHost& host, Now now)
    : config_(config), host_(host), now_(std::move(now)), next_link_(kFirstLink) {}

void ReactorLocal::add_routes(Router& router) {
  const std::string transport = kTransport;
  const std::string link = transport + "/connections/{cid}";
  router.add({"POST", "/start_session", Need::kView, kJson, plain(&ReactorLocal::start)});
  router.add({"POST", "/stop_session", Need::kFull, "", plain(&ReactorLocal::stop)});
  router.add({"GET", "/session", Need::kView, "", plain(&ReactorLocal::session)});
  router.add({"GET", "/sessions/{sid}", Need::kView, "",
              with_client([this](const Call& call, const Respond& respond, Client& client) {
                respond(
                    json_response(200, session_document(client.id, config_, host_.capabilities())));
              })});
  router.add({"GET", transport + "/ice_servers", Need::kView, "",
              with_client([this](const Call&, const Respond& respond, Client&) {
                respond(json_response(200, ice_servers_document(config_.ice_servers)));
              })});
  router.add({"POST", transport + "/connections", Need::kView, "",
              with_client([this](const Call& call, const Respond& respond, Client& client) {
                open_link(call, respond, client);
              })});

  const LinkHandler ask = [this](const Call& call, const Respond& respond, Client&,
                                 Negotiation& negotiation) { answer(call, respond, negotiation); };
  const LinkHandler direct = [this](const Call& call, const Respond& respond, Client& client,
                                    Negotiation& n) { offer(call, respond, client, n, false); };
  const LinkHandler named = [this](const Call& call, const Respond& respond, Client& client,
                                   Negotiation& n) { offer(call, respond, client, n, true); };
  router.add({"POST", transport + "/sdp_params", Need::kView, kJson, with_direct(direct)});
  router.add({"PUT", transport + "/sdp_params", Need::kView, kJson, with_direct(direct)});
  router.add({"GET", transport + "/sdp_params", Need::kView, "", with_direct(ask)});
  router.add({"POST", link + "/sdp_params", Need::kView, kJson, with_link(named)});
  router.add({"PUT", link + "/sdp_params", Need::kView, kJson, with_link(named)});
  router.add({"GET", link + "/sdp_params", Need::kView, "", with_link(ask)});
  router.add({"POST", link + "/ice_candidates", Need::kView, kJson,
              with_link([this](const Call& call, const Respond& respond, Client&, Negotiation& n) {
                candidates(call, respond, n);
              })});
  router.add(
      {"DELETE", link, Need::kView, "",
       with_link([](const Call& call, const Respond& respond, Client& client, Negotiation& n) {
         n.remove_viewers("the viewer left");
         client.links.erase(*link_number(call.params[1]));
         respond(json_response(200, "{}"));
       })});
}

Handler ReactorLocal::plain(void (ReactorLocal::*handler)(const Call&, const Respond&)) {
  return [this, handler](Call call, Respond respond) {
    if (const auto refusal = check_reactor_version(call.request)) {
      respond(refused(*refusal));
      return;
    }
    sweep();
    (this->*handler)(call, respond);
  };
}

Handler ReactorLocal::with_client(ClientHandler handler) {
  return [this, handler = std::move(handler)](Call call, Respond respond) {
    if (const auto refusal = check_reactor_version(call.request)) {
      respond(refused(*refusal));
      return;
    }
    sweep();
    if (Client* client = find(call.params.at(0)))
      handler(call, respond, *client);
    else
      respond(no_session());
  };
}

Handler ReactorLocal::with_direct(LinkHandler handler) {
  return with_client(
      [handler = std::move(handler)](const Call& call, const Respond& respond, Client& client) {
        if (const auto refusal = check_role(call, *client.direct)) {
          respond(refused(*refusal));
          return;
        }
        handler(call, respond, client, *client.direct);
      });
}

Handler ReactorLocal::with_link(LinkHandler handler) {
  return with_client(
      [handler = std::move(handler)](const Call& call, const Respond& respond, Client& client) {
        const auto number = link_number(call.params.at(1));
        const auto it = number ? client.links.find(*number) : client.links.end();
        if (it == client.links.end()) {
          respond(refused(404, "no-connection", "there is no such connection in this session"));
          return;
        }
        Negotiation& negotiation = *it->second.negotiation;
        if (const auto refusal = check_role(call, negotiation)) {
          respond(refused(*refusal));
          return;
        }
        handler(call, respond, client, negotiation);
      });
}

void ReactorLocal::start(const Call& call, const Respond& respond) {
  const std::string session = host_.start_session();
  Client& client = client_for(session, page_of(call));
  if (client.starts.size() >= kMaxStarts) client.starts.pop_front();
  client.starts.push_back(now_());
  respond(json_response(200, session_document(client.id, config_, host_.capabilities())));
}

void ReactorLocal::session(const Call&, const Respond& respond) {
  const auto session = host_.session();
  if (!session) {
    respond(no_session());
    return;
  }
  respond(json_response(200, session_document(*session, config_, host_.capabilities())));
}

void ReactorLocal::stop(const Call& call, const Respond& respond) {
  if (!host_.session()) {
    respond(json_response(200, "{\"stopped\":false}"));
    return;
  }
  const std::string page = page_of(call);
  bool may = false;
  for (const auto& client : clients_) {
    if (client->page != page) continue;
    if (!client->starts.empty()) {
      client->starts.pop_front();
      if (host_.viewers() > 0 || others_starting()) {
        respond(json_response(200, "{\"stopped\":false}"));
        return;
      }
      may = true;
      break;
    }
    may = may || client->connected();
  }
  if (!may && (host_.viewers() > 0 || others_starting())) {
    respond(refused(409, "not-yours",
                    "this session has viewers, and you are none of them: it was not stopped"));
    return;
  }
  host_.stop_session("stopped by a viewer");
  sweep();
  respond(json_response(200, "{\"stopped\":true}"));
}

void ReactorLocal::offer(const Call& call, const Respond& respond, Client& client,
                         Negotiation& negotiation, bool named) {
  const bool again = call.request.method == "PUT";
  if (again && negotiation.state() == Negotiation::State::kIdle) {
    respond(refused(409, "no-offer", "expected a POST of the first offer before a PUT"));
    return;
  }
  ReactorOffer posted;
  if (const auto refusal = parse_reactor_offer(call.request.body, config_, &posted)) {
    respond(refused(*refusal));
    return;
  }
  Offer offer;
  offer.sdp = std::move(posted.sdp);
  offer.protocol = "reactor";
  offer.role = call.role;
  offer.local_address = call.caller.local_address;
  offer.remote_address = call.caller.remote_address;
  offer.media_name = config_.media_name;
  offer.trickle = named;
  offer.control_channel = named;
  if (!client.starts.empty()) client.starts.pop_front();
  for (Time& time : client.starts) time = std::min(time, now_() - (kFresh - kLateStop));
  negotiation.offer(std::move(offer), again || named);
  if (negotiation.state() == Negotiation::State::kRefused)
    respond(refused(negotiation.refusal()));
  else
    respond(json_response(202, "{}"));
}

void ReactorLocal::answer(const Call&, const Respond& respond, Negotiation& negotiation) {
  switch (negotiation.state()) {
    case Negotiation::State::kIdle:
      respond(
          refused(409, "no-offer", "expected a POST of an offer before its answer is asked for"));
      break;
    case Negotiation::State::kPending:
      respond(json_response(202, "{}"));
      break;
    case Negotiation::State::kAnswered:
      respond(json_response(200, sdp_answer_document(negotiation.answer())));
      break;
    case Negotiation::State::kRefused:
      respond(refused(negotiation.refusal()));
      break;
  }
}

void ReactorLocal::open_link(const Call&, const Respond& respond, Client& client) {
  const Time now = now_();
  std::erase_if(client.links, [&](const auto& link) {
    return now - link.second.opened > kFresh && !link.second.negotiation->connected();
  });
  if (client.links.size() >= kMaxLinks) {
    respond(refused(429, "too-many-connections",
                    "more than " + std::to_string(kMaxLinks) + " connections in this session"));
    return;
  }
  while (client.links.count(next_link_))
    next_link_ = next_link_ < kLastLink ? next_link_ + 1 : kFirstLink;
  const unsigned number = next_link_;
  next_link_ = next_link_ < kLastLink ? next_link_ + 1 : kFirstLink;
  client.links[number] = {std::make_unique<Negotiation>(host_, config_.limits), now};
  respond(json_response(201, connection_document(number)));
}

void ReactorLocal::candidates(const Call& call, const Respond& respond, Negotiation& negotiation) {
  std::vector<Candidate> list;
  if (const auto refusal = parse_reactor_candidates(call.request.body, config_.limits, &list)) {
    respond(refused(*refusal));
  } else if (negotiation.state() == Negotiation::State::kIdle) {
    respond(refused(409, "no-offer", "expected a POST of an offer before its candidates"));
  } else if (!negotiation.add_candidates(std::move(list))) {
    respond(refused(422, "too-many-candidates",
                    "expected at most " + std::to_string(config_.limits.candidates) +
                        " candidates for one offer"));
  } else {
    respond(json_response(202, "{}"));
  }
}

ReactorLocal::Client* ReactorLocal::find(const std::string& id) {
  for (const auto& client : clients_)
    if (client->id == id) return client.get();
  // The host's own id, as /session tells it to who wants to join without having started.
  const auto session = host_.session();
  return session && *session == id ? &client_for(id, std::string()) : nullptr;
}

// The client of a page that has not connected yet, or a new one.
ReactorLocal::Client& ReactorLocal::client_for(const std::string& session,
                                               const std::string& page) {
  bool first = true;
  for (const auto& client : clients_) {
    if (client->page == page && client->direct->state() == Negotiation::State::kIdle &&
        client->links.empty())
      return *client;
    first = first && client->id != session;
  }
  if (clients_.size() >= kMaxClients) {
    auto idle = std::find_if(clients_.begin(), clients_.end(),
                             [](const auto& client) { return !client->connected(); });
    clients_.erase(idle != clients_.end() ? idle : clients_.begin());
  }
  auto client = std::make_unique<Client>();
  client->id = first ? session : random_id();
  client->session = session;
  client->page = page;
  client->direct = std::make_unique<Negotiation>(host_, config_.limits);
  clients_.push_back(std::move(client));
  return *clients_.back();
}

void ReactorLocal::sweep() {
  const std::string session = host_.session().value_or("");
  std::erase_if(clients_, [&](const auto& client) { return client->session != session; });
  const Time now = now_();
  for (const auto& client : clients_)
    while (!client->starts.empty() && now - client->starts.front() > kFresh)
      client->starts.pop_front();
}

bool ReactorLocal::others_starting() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [](const auto& client) { return !client->starts.empty(); });
}

}  // namespace reactor::webrtc
