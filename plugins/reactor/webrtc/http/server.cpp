// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/server.h"

#include <algorithm>
#include <utility>

#include "http/access.h"
#include "http/dispatcher.h"
#include "http/gio_handles.h"
#include "http/listener.h"
#include "http/monitor.h"
#include "http/pages.h"
#include "http/reactorlocal.h"
#include "http/whep.h"

namespace reactor::webrtc {

// In the order of their lives: the listener's connections call the dispatcher, its routes call the
// signallers.
struct HttpServer::State {
  State(const HttpConfig& config, ViewerHost& host)
      : dispatcher(config),
        listener(config, [this](HttpRequest request, const Caller& caller, Respond respond) {
          dispatcher.handle(std::move(request), caller, std::move(respond));
        }) {
    signallers.push_back(std::make_unique<Whep>(config, host));
    signallers.push_back(std::make_unique<ReactorLocal>(config, host));
    for (const auto& signaller : signallers) signaller->add_routes(dispatcher.router());
    add_monitor_routes(dispatcher.router(), host);
    add_page_routes(dispatcher.router());
  }

  std::vector<std::unique_ptr<Signaller>> signallers;
  Dispatcher dispatcher;
  Listener listener;
  std::string url;
};

std::string page_url(bool tls, std::string_view host, unsigned port,
                     const std::vector<std::string>& addresses) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  std::string name(host);
  const ObjectPtr<GInetAddress> literal(g_inet_address_new_from_string(name.c_str()));
  if (literal && g_inet_address_get_is_any(literal.get())) {
    // A socket for every IPv6 address takes IPv4, too.
    const bool both = g_inet_address_get_family(literal.get()) == G_SOCKET_FAMILY_IPV6;
    const auto is_ipv4 = [](const std::string& a) { return a.find(':') == std::string::npos; };
    const auto ipv4 = std::find_if(addresses.begin(), addresses.end(), is_ipv4);
    if (ipv4 != addresses.end())
      name = *ipv4;
    else
      name = both && !addresses.empty() ? addresses.front() : "127.0.0.1";
  }
  if (name.find(':') != std::string::npos) name = '[' + name + ']';
  return (tls ? "https://" : "http://") + name + ':' + std::to_string(port) + '/';
}

HttpServer::HttpServer() = default;

HttpServer::~HttpServer() {
  stop();
}

std::string HttpServer::check(const HttpConfig& config) {
  return AccessRules::check_config(config);
}

HttpStart HttpServer::start(const HttpConfig& config, ViewerHost& host) {
  HttpStart result;
  stop();
  result.error = check(config);
  if (!result.error.empty()) return result;
  auto state = std::make_unique<State>(config, host);
  result.error = state->listener.start();
  if (!result.error.empty()) return result;
  result.port = state->listener.port();
  if (AccessRules::open_to_all(config)) {
    result.warning = "auth-token=none: everybody who can reach host=" + config.host + " port " +
                     std::to_string(result.port) + " may watch and command the model";
  }
  const bool no_token = config.auth_token.empty() || config.auth_token == "none";
  if (no_token && !config.view_token.empty()) {
    result.warning += std::string(result.warning.empty() ? "" : "; ") +
                      "view-token restrains nobody as long as auth-token is not set: who comes "
                      "without a token may do everything";
  }
  state->url =
      page_url(state->listener.tls(), config.host, result.port, config.interface_addresses);
  state_ = std::move(state);
  return result;
}

void HttpServer::stop() {
  state_.reset();
}

bool HttpServer::running() const {
  return static_cast<bool>(state_);
}

std::string HttpServer::url() const {
  return state_ ? state_->url : std::string();
}

}  // namespace reactor::webrtc
