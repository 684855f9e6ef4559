// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The listening sockets and the connections that came in by them.
//
// Thread-bound to the service thread. Holds no pending operation: stop() and the destructor end
// everything at once.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/config.h"
#include "http/connection.h"
#include "http/gio_handles.h"

namespace reactor::webrtc {

class Listener {
 public:
  Listener(const HttpConfig& config, HandleRequest handle);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Empty: listening on port(). Otherwise what was wrong and what to do.
  std::string start();

  unsigned port() const { return port_; }
  bool tls() const { return static_cast<bool>(certificate_); }
  std::size_t connections() const { return connections_.size(); }

 private:
  struct Socket {
    ObjectPtr<GSocket> socket;
    SourcePtr source;
  };

  std::string load_certificate();
  std::string resolve(std::vector<ObjectPtr<GInetAddress>>* addresses) const;
  std::string listen_on(GInetAddress* address);
  void watch(bool on);
  void accept(GSocket* listening);
  void admit(ObjectPtr<GSocket> socket);
  void bury(Connection* connection);

  const HttpConfig config_;
  const HandleRequest handle_;
  unsigned port_ = 0;
  ObjectPtr<GTlsCertificate> certificate_;
  std::vector<Socket> sockets_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> turned_away_;  // beyond the limit
  std::vector<std::unique_ptr<Connection>> dead_;  // ended from inside their own callbacks
  Alarm reap_;
  Alarm accept_again_;
};

}  // namespace reactor::webrtc
