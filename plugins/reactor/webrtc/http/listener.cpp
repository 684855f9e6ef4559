// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <utility>

#include "http/access.h"

namespace reactor::webrtc {

namespace {

constexpr int kBacklog = 128;
constexpr int kAcceptsAtOnce = 16;  // before other events have their turn
// Connections over the limit that are told so at the same time; further ones are just closed.
constexpr std::size_t kMaxTurnedAway = 64;
// Out of descriptors or memory: accept() would fail again at once.
constexpr std::chrono::milliseconds kAcceptPause{200};

std::string address_text(GSocketAddress* address) {
  if (!G_IS_INET_SOCKET_ADDRESS(address)) return {};
  g_autofree char* text =
      g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address)));
  return plain_address(text);
}

}  // namespace

Listener::Listener(const HttpConfig& config, HandleRequest handle)
    : config_(config),
      handle_(std::move(handle)),
      reap_([this] { dead_.clear(); }),
      accept_again_([this] { watch(true); }) {}

Listener::~Listener() {
  for (Socket& s : sockets_) {
    s.source.reset();
    g_socket_close(s.socket.get(), nullptr);
  }
}

std::string Listener::start() {
  if (std::string error = load_certificate(); !error.empty()) return error;
  std::vector<ObjectPtr<GInetAddress>> addresses;
  if (std::string error = resolve(&addresses); !error.empty()) return error;
  std::string first_error;
  port_ = config_.port;
  for (const auto& address : addresses) {
    const std::string error = listen_on(address.get());
    if (first_error.empty()) first_error = error;
  }
  // A name may stand for an address of a family this machine lacks: one that works is enough.
  if (sockets_.empty()) return first_error;
  watch(true);
  return {};
}

std::string Listener::load_certificate() {
  if (config_.tls_certificate.empty()) return {};
  if (!g_tls_backend_supports_tls(g_tls_backend_get_default()))
    return "tls-certificate is set, but GLib has no TLS here: install glib-networking";
  g_autoptr(GError) error = nullptr;
  certificate_.reset(g_tls_certificate_new_from_file(config_.tls_certificate.c_str(), &error));
  if (certificate_) return {};
  return "cannot use tls-certificate=" + config_.tls_certificate + ": " + error->message +
         " (expected a PEM file with the certificate and its private key)";
}

std::string Listener::resolve(std::vector<ObjectPtr<GInetAddress>>* addresses) const {
  std::string host = config_.host;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (GInetAddress* literal = g_inet_address_new_from_string(host.c_str())) {
    addresses->emplace_back(literal);
    return {};
  }
  if (is_loopback_name(host)) {
    addresses->emplace_back(g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4));
    addresses->emplace_back(g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV6));
    return {};
  }
  g_autoptr(GError) error = nullptr;
  ObjectPtr<GResolver> resolver(g_resolver_get_default());
  GList* found = g_resolver_lookup_by_name(resolver.get(), host.c_str(), nullptr, &error);
  for (GList* l = found; l; l = l->next)
    addresses->emplace_back(G_INET_ADDRESS(g_object_ref(l->data)));
  g_resolver_free_addresses(found);
  if (!addresses->empty()) return {};
  return "cannot listen on host=" + config_.host + ": " +
         (error ? error->message : "no such address") +
         " (expected an address of this machine, such as 127.0.0.1 or 0.0.0.0)";
}

std::string Listener::listen_on(GInetAddress* address) {
  g_autoptr(GError) error = nullptr;
  const GSocketFamily family = g_inet_address_get_family(address);
  ObjectPtr<GSocket> socket(
      g_socket_new(family, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error));
  bool good = static_cast<bool>(socket);
  if (good) {
    g_socket_set_blocking(socket.get(), FALSE);
    g_socket_set_listen_backlog(socket.get(), kBacklog);
    ObjectPtr<GSocketAddress> at(g_inet_socket_address_new(address, static_cast<guint16>(port_)));
    good = g_socket_bind(socket.get(), at.get(), TRUE, &error) &&
           g_socket_listen(socket.get(), &error);
  }
  if (!good) {
    g_autofree char* text = g_inet_address_to_string(address);
    return "cannot listen on " + std::string(text) + " port " + std::to_string(port_) + ": " +
           error->message + " (choose another port, or port=0 for any free one)";
  }
  if (port_ == 0) {
    ObjectPtr<GSocketAddress> at(g_socket_get_local_address(socket.get(), nullptr));
    port_ = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(at.get()));
  }
  sockets_.push_back({std::move(socket), nullptr});
  return {};
}

void Listener::watch(bool on) {
  for (Socket& s : sockets_) {
    s.source.reset();
    if (!on) continue;
    s.source.reset(g_socket_create_source(s.socket.get(), G_IO_IN, nullptr));
    GSocketSourceFunc ready = [](GSocket* socket, GIOCondition, gpointer self) -> gboolean {
      static_cast<Listener*>(self)->accept(socket);
      return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(s.source.get(), G_SOURCE_FUNC(ready), this, nullptr);
    g_source_attach(s.source.get(), g_main_context_get_thread_default());
  }
}

void Listener::accept(GSocket* listening) {
  for (int i = 0; i < kAcceptsAtOnce; i++) {
    g_autoptr(GError) error = nullptr;
    ObjectPtr<GSocket> socket(g_socket_accept(listening, nullptr, &error));
    if (socket) {
      admit(std::move(socket));
      continue;
    }
    // A client that has gone again is no trouble of ours.
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) return;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)) continue;
    watch(false);
    accept_again_.set(kAcceptPause);
    return;
  }
}

void Listener::admit(ObjectPtr<GSocket> socket) {
  g_socket_set_blocking(socket.get(), FALSE);
  // Answers are written at once and whole.
  g_socket_set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1, nullptr);
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket.get(), nullptr));
  ObjectPtr<GSocketAddress> remote(g_socket_get_remote_address(socket.get(), nullptr));
  if (!local || !remote) return;
  Caller caller{address_text(local.get()), address_text(remote.get())};

  ObjectPtr<GIOStream> stream(
      G_IO_STREAM(g_socket_connection_factory_create_connection(socket.get())));
  const bool full = connections_.size() >= config_.limits.connections;
  if (full && (certificate_ || turned_away_.size() >= kMaxTurnedAway)) return;
  if (certificate_) {
    ObjectPtr<GIOStream> secure(
        g_tls_server_connection_new(stream.get(), certificate_.get(), nullptr));
    if (!secure) return;
    const char* protocols[] = {"http/1.1", nullptr};
    g_tls_connection_set_advertised_protocols(G_TLS_CONNECTION(secure.get()), protocols);
    g_tls_connection_set_require_close_notify(G_TLS_CONNECTION(secure.get()), FALSE);
    stream = std::move(secure);
  }
  auto connection =
      std::make_unique<Connection>(std::move(socket), std::move(stream), std::move(caller),
                                   config_.limits, handle_, [this](Connection* c) { bury(c); });
  Connection* raw = connection.get();
  (full ? turned_away_ : connections_).emplace(raw, std::move(connection));
  if (full) {
    HttpResponse response = refused(429, "too-many-connections",
                                    "more than " + std::to_string(config_.limits.connections) +
                                        " connections at once: close some, or try again later");
    raw->turn_away(std::move(response.add("Retry-After", "5")));
  }
}

// Ends a connection that is still on the stack.
void Listener::bury(Connection* connection) {
  for (auto* living : {&connections_, &turned_away_}) {
    if (auto node = living->extract(connection)) dead_.push_back(std::move(node.mapped()));
  }
  reap_.set(std::chrono::milliseconds(0));
}

}  // namespace reactor::webrtc
