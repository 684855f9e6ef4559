// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The Reactor local protocol: what an unmodified @reactor-team/js-sdk speaks with `local: true`.
//
//     POST /start_session                                a session id; idempotent
//     GET  /session, /sessions/{sid}                     the running session, to adopt it
//     POST /stop_session                                 ends it, for a page that may
//     GET  /sessions/{sid}/transport/webrtc/ice_servers
//     POST, PUT, GET …/webrtc/sdp_params                 offer (202), answer (202 while pending,
//     then 200) POST …/webrtc/connections                          a connection of its own: 201
//          …/webrtc/connections/{cid}/sdp_params, …/ice_candidates, DELETE …/connections/{cid}
//
// The older form of the protocol names no client in its transport calls and none in stop_session.
// So every page that starts gets a session id of its own, an alias of the host's, under which its
// offer and answer belong together; only a page that starts again before it has connected gets the
// same one (frameworks mount twice). And a stop is taken for the oldest start of the same page that
// has not led to a connection: it ends the session only when nobody else has use of it.
//
// Thread-bound to the service thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/config.h"
#include "http/negotiation.h"
#include "http/signaller.h"
#include "signalling.h"

namespace reactor::webrtc {

class ReactorLocal final : public Signaller {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Now = std::function<Time()>;

  // `host` must outlive it.
  ReactorLocal(
      const HttpConfig& config, ViewerHost& host,
      Now now = [] { return std::chrono::steady_clock::now(); });

  void add_routes(Router& router) override;

 private:
  struct Link {  // of the newer form: a connection that a client opened by name
    std::unique_ptr<Negotiation> negotiation;
    Time opened;
  };
  struct Client {
    std::string id;                       // the session id it was told
    std::string session;                  // the host's session that it stands for
    std::string page;                     // who started it, as far as can be told
    std::deque<Time> starts;              // that have not led to an offer, oldest first
    std::unique_ptr<Negotiation> direct;  // of the older form
    std::map<unsigned, Link> links;

    bool connected() const;
  };
  using ClientHandler = std::function<void(const Call&, const Respond&, Client&)>;
  using LinkHandler = std::function<void(const Call&, const Respond&, Client&, Negotiation&)>;

  void start(const Call& call, const Respond& respond);
  void stop(const Call& call, const Respond& respond);
  void session(const Call& call, const Respond& respond);
  void offer(const Call& call, const Respond& respond, Client& client, Negotiation& negotiation,
             bool named);
  void answer(const Call& call, const Respond& respond, Negotiation& negotiation);
  void open_link(const Call& call, const Respond& respond, Client& client);
  void candidates(const Call& call, const Respond& respond, Negotiation& negotiation);

  // Wrap handlers: check the version and find what the path names, or answer with the refusal.
  Handler plain(void (ReactorLocal::*handler)(const Call&, const Respond&));
  Handler with_client(ClientHandler handler);
  Handler with_direct(LinkHandler handler);
  Handler with_link(LinkHandler handler);

  Client* find(const std::string& id);
  Client& client_for(const std::string& session, const std::string& page);
  void sweep();  // forgets what belongs to sessions that are over, and starts that came to nothing
  bool others_starting() const;

  const HttpConfig config_;
  ViewerHost& host_;
  const Now now_;
  std::vector<std::unique_ptr<Client>> clients_;  // oldest first
  unsigned next_link_;
};

// Refusal of a client that speaks another version: 426.
std::optional<Refusal> check_reactor_version(const HttpRequest& request);

}  // namespace reactor::webrtc
