// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/connection.h"

#include <utility>

namespace reactor::webrtc {

namespace {

constexpr gsize kReadBytes = 16 * 1024;
constexpr int kRequestsAtOnce = 16;  // of one connection, before others have their turn
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::size_t kMaxDrainBytes = 1024 * 1024;  // dropped while lingering, then closed anyway

// A TLS stream may still be at work in a thread of GIO's: its descriptor is closed with the last
// reference.
void end_socket(GSocket* socket, GIOStream* stream) {
  if (G_IS_SOCKET_CONNECTION(stream))
    g_socket_close(socket, nullptr);
  else
    g_socket_shutdown(socket, TRUE, TRUE, nullptr);
}

bool would_block(const GError* error) {
  return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
}

}  // namespace

Connection::Connection(ObjectPtr<GSocket> socket, ObjectPtr<GIOStream> stream, Caller caller,
                       const HttpLimits& limits, HandleRequest handle,
                       std::function<void(Connection*)> closed)
    : socket_(std::move(socket)),
      stream_(std::move(stream)),
      caller_(std::move(caller)),
      limits_(limits),
      handle_(std::move(handle)),
      closed_(std::move(closed)),
      reader_(limits),
      self_(std::make_shared<Connection*>(this)),
      alarm_([this] { on_alarm(); }),
      next_turn_([this] { process(); }) {
  // A TLS handshake is part of what must be done in a request's time.
  const bool plain = G_IS_SOCKET_CONNECTION(stream_.get());
  alarm_.set(plain ? limits_.keep_alive : limits_.request);
  watch_input(true);
}

Connection::~Connection() {
  input_source_.reset();
  output_source_.reset();
  if (phase_ != Phase::kClosed) end_socket(socket_.get(), stream_.get());
}

void Connection::turn_away(HttpResponse response) {
  answer(std::move(response), false, false);
}

void Connection::watch_input(bool on) {
  if (on == static_cast<bool>(input_source_)) return;
  input_source_.reset();
  if (!on) return;
  auto* input = G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(stream_.get()));
  input_source_.reset(g_pollable_input_stream_create_source(input, nullptr));
  GPollableSourceFunc ready = [](GObject*, gpointer self) -> gboolean {
    static_cast<Connection*>(self)->on_readable();
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(input_source_.get(), G_SOURCE_FUNC(ready), this, nullptr);
  g_source_attach(input_source_.get(), g_main_context_get_thread_default());
}

void Connection::watch_output() {
  if (output_source_) return;
  auto* output = G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream_.get()));
  output_source_.reset(g_pollable_output_stream_create_source(output, nullptr));
  GPollableSourceFunc ready = [](GObject*, gpointer self) -> gboolean {
    static_cast<Connection*>(self)->flush();
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(output_source_.get(), G_SOURCE_FUNC(ready), this, nullptr);
  g_source_attach(output_source_.get(), g_main_context_get_thread_default());
}

void Connection::on_readable() {
  char bytes[kReadBytes];
  g_autoptr(GError) error = nullptr;
  auto* input = G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(stream_.get()));
  const gssize n =
      g_pollable_input_stream_read_nonblocking(input, bytes, sizeof bytes, nullptr, &error);
  if (n < 0) {
    if (!would_block(error)) close();
    return;
  }
  if (phase_ == Phase::kLingering) {
    drained_ += static_cast<std::size_t>(n);
    if (n == 0 || drained_ > kMaxDrainBytes) close();
    return;
  }
  if (n == 0) {
    // An end in the middle of a request leaves nobody to answer; after one, the client may still
    // wait for the answer.
    input_ended_ = true;
    if (phase_ == Phase::kReading) close();
    return;
  }
  input_.append(bytes, static_cast<std::size_t>(n));
  process();
}

// Takes requests out of what was received, until one has to wait for its answer, or others for
// their turn.
void Connection::process() {
  if (processing_) return;
  processing_ = true;
  int requests = 0;
  while (phase_ == Phase::kReading && !input_.empty() && requests < kRequestsAtOnce) {
    input_.erase(0, reader_.feed(input_));
    if (!request_started_ && reader_.state() != RequestReader::State::kIdle) {
      request_started_ = true;
      alarm_.set(limits_.request);
    }
    if (reader_.state() == RequestReader::State::kComplete) {
      requests++;
      hand_over();
    } else if (reader_.state() == RequestReader::State::kRefused) {
      answer(refused(reader_.refusal()), false, false);
    } else if (reader_.take_continue()) {
      output_ += "HTTP/1.1 100 Continue\r\n\r\n";
      flush();
    }
  }
  processing_ = false;
  if (phase_ != Phase::kReading) return;
  watch_input(input_.empty());
  if (!input_.empty()) next_turn_.set(std::chrono::milliseconds(0));
}

void Connection::hand_over() {
  phase_ = Phase::kHandling;
  watch_input(false);
  alarm_.set(limits_.response);
  HttpRequest request = reader_.take();
  const bool keep_alive = request.keep_alive;
  const bool head_only = request.method == "HEAD";
  const std::uint64_t exchange = ++exchange_;
  std::weak_ptr<Connection*> weak = self_;
  handle_(std::move(request), caller_,
          [weak, exchange, keep_alive, head_only](HttpResponse response) {
            const auto self = weak.lock();
            if (!self || (*self)->phase_ != Phase::kHandling || (*self)->exchange_ != exchange)
              return false;
            (*self)->answer(std::move(response), keep_alive, head_only);
            return true;
          });
}

void Connection::answer(HttpResponse response, bool keep_alive, bool head_only) {
  phase_ = Phase::kWriting;
  keep_alive_ = keep_alive && !input_ended_;
  watch_input(false);
  alarm_.set(limits_.response);
  output_ += serialise(response, head_only, keep_alive_);
  flush();
}

void Connection::flush() {
  auto* output = G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream_.get()));
  while (sent_ < output_.size()) {
    g_autoptr(GError) error = nullptr;
    const gssize n = g_pollable_output_stream_write_nonblocking(
        output, output_.data() + sent_, output_.size() - sent_, nullptr, &error);
    if (n < 0) {
      if (would_block(error))
        watch_output();
      else
        close();
      return;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  output_source_.reset();
  output_.clear();
  sent_ = 0;
  if (phase_ == Phase::kWriting) written();
}

void Connection::written() {
  if (!keep_alive_) {
    linger();
    return;
  }
  phase_ = Phase::kReading;
  request_started_ = false;
  alarm_.set(limits_.keep_alive);
  process();
}

void Connection::linger() {
  phase_ = Phase::kLingering;
  alarm_.set(kLinger);
  input_.clear();
  if (!G_IS_SOCKET_CONNECTION(stream_.get())) {
    // TLS ends with a message of its own, which must not block either; the socket's buffer has room
    // for it by now.
    g_output_stream_close_async(g_io_stream_get_output_stream(stream_.get()), G_PRIORITY_DEFAULT,
                                nullptr, nullptr, nullptr);
  } else {
    g_socket_shutdown(socket_.get(), FALSE, TRUE, nullptr);
  }
  watch_input(true);
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  self_.reset();
  alarm_.clear();
  next_turn_.clear();
  input_source_.reset();
  output_source_.reset();
  end_socket(socket_.get(), stream_.get());
  closed_(this);
}

void Connection::on_alarm() {
  switch (phase_) {
    case Phase::kReading:
      if (request_started_) {
        answer(refused(408, "too-slow",
                       "the request was not complete within " +
                           std::to_string(limits_.request.count()) + " ms of its first byte"),
               false, false);
      } else {
        close();
      }
      break;
    case Phase::kHandling:
      answer(refused(503, "timeout", "the server could not answer in time: try again"), false,
             false);
      break;
    case Phase::kWriting:
    case Phase::kLingering:
      close();
      break;
    case Phase::kClosed:
      break;
  }
}

}  // namespace reactor::webrtc
