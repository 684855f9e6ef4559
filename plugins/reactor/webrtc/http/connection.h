// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One client's connection: bytes in, requests out to the handler, responses back, and every wait
// bounded.
//
// Thread-bound to the service thread. Owned by the Listener; it never blocks and holds no pending
// operation when it is destroyed, so it can go at any time between two callbacks.
//
//     reading --request complete--> handling --respond()--> writing --written--> reading
//     (keep-alive)
//        |  broken, too large, too slow                        |
//        +-----------------------------> writing --------------+--> lingering --> closed
//
// One request at a time: what a client sends ahead waits in the socket. Lingering takes what the
// client still sends for a moment and drops it: closing at once would reset the connection and
// could destroy the answer on its way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http/access.h"
#include "http/config.h"
#include "http/gio_handles.h"
#include "http/message.h"
#include "http/request_reader.h"

namespace reactor::webrtc {

// Sends the answer of one request; to be called at most once, at any time, also after the
// connection or the server is gone. False: nobody waits for it any more.
using Respond = std::function<bool(HttpResponse)>;
using HandleRequest = std::function<void(HttpRequest, const Caller&, Respond)>;

class Connection {
 public:
  // `stream` is the socket's own stream, or TLS over it. `closed` is called once, from inside one
  // of our callbacks: the owner must keep the object until that callback has returned.
  Connection(ObjectPtr<GSocket> socket, ObjectPtr<GIOStream> stream, Caller caller,
             const HttpLimits& limits, HandleRequest handle,
             std::function<void(Connection*)> closed);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Answers without having read anything, and closes.
  void turn_away(HttpResponse response);

 private:
  enum class Phase { kReading, kHandling, kWriting, kLingering, kClosed };

  void watch_input(bool on);
  void watch_output();
  void on_readable();
  void process();
  void hand_over();
  void answer(HttpResponse response, bool keep_alive, bool head_only);
  void flush();
  void written();
  void linger();
  void close();
  void on_alarm();

  const ObjectPtr<GSocket> socket_;
  const ObjectPtr<GIOStream> stream_;
  const Caller caller_;
  const HttpLimits limits_;
  const HandleRequest handle_;
  const std::function<void(Connection*)> closed_;

  Phase phase_ = Phase::kReading;
  RequestReader reader_;
  std::string input_;   // received, not yet taken by the reader: less than one read
  std::string output_;  // to be sent
  std::size_t sent_ = 0;
  bool processing_ = false;
  bool input_ended_ = false;
  bool keep_alive_ = false;            // after the response being written
  bool request_started_ = false;       // its first byte is here: the alarm is set to its end
  std::size_t drained_ = 0;            // bytes dropped while lingering
  std::uint64_t exchange_ = 0;         // number of the request being handled
  std::shared_ptr<Connection*> self_;  // what a Respond finds us by, weakly: it may outlive us

  SourcePtr input_source_;
  SourcePtr output_source_;
  Alarm alarm_;      // the end of the present wait
  Alarm next_turn_;  // goes on with what was received
};

}  // namespace reactor::webrtc
