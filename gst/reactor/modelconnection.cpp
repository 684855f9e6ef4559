// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/modelconnection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace reactor {

using wire::ModelErrorCode;
using wire::ModelLimits;
using wire::ModelOp;
using wire::ModelPacket;

namespace {

constexpr int kPacketsAtOnce = 64;  // then the other connections, and writing, get their turn
constexpr std::size_t kMostDescriptors = 253;  // the kernel passes no more in one message

}  // namespace

// A slot that the pipeline holds.
struct ModelConnection::Loan {
  std::shared_ptr<ModelConnection> connection;
  std::shared_ptr<SharedPool> memory;
  std::int64_t pool, slot;
  std::int64_t repeated;  // bytes

  static void end(gpointer user_data) {
    const std::unique_ptr<Loan> loan(static_cast<Loan*>(user_data));
    loan->connection->repeated_ -= loan->repeated;
    loan->connection->release(loan->pool, loan->slot);
  }
};

ModelConnection::ModelConnection(Descriptor socket, Descriptor process, std::int64_t pid,
                                 std::shared_ptr<Descriptor> wake, ModelHost& host)
    : socket_(std::move(socket)),
      process_(std::move(process)),
      pid_(pid),
      wake_(std::move(wake)),
      host_(host),
      buffer_(wire::kMaxModelPacket + 1) {}

void ModelConnection::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_->get(), &one, sizeof one);  // full is awake
}

bool ModelConnection::process_gone() const {
  if (!process_) return false;
  pollfd poll_process{process_.get(), POLLIN, 0};
  return poll(&poll_process, 1, 0) > 0;
}

ModelConnection::Event ModelConnection::read() {
  drained_ = false;
  for (int i = 0; i < kPacketsAtOnce; i++) {
    iovec data{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size =
        recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
    if (size < 0) {
      // Said once, before what the peer had sent, where it closed without having read everything.
      if (errno == ECONNRESET) continue;
      drained_ = errno == EAGAIN;
      if (errno == EAGAIN || errno == EINTR) return Event::kNothing;
      why_ = std::strerror(errno);
      return Event::kEnded;
    }
    std::vector<Descriptor> descriptors;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t k = 0; k < count; k++) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + k * sizeof fd, sizeof fd);
        descriptors.emplace_back(fd);
      }
    }
    if (size == 0) {
      why_ = "it closed the connection";
      return Event::kEnded;
    }
    if (static_cast<std::size_t>(size) > wire::kMaxModelPacket)
      return refuse({ModelErrorCode::kPacket,
                     "a packet is at most " + std::to_string(wire::kMaxModelPacket) +
                         " bytes, got " + std::to_string(size),
                     "",
                     {}});
    const Event event = packet({buffer_.data(), static_cast<std::size_t>(size)}, descriptors);
    if (event != Event::kNothing) return event;
  }
  return Event::kNothing;
}

ModelConnection::Event ModelConnection::refuse(const wire::ModelError& error) {
  const bool last = closes(error.code);
  {
    const std::lock_guard lock(mutex_);
    refused_++;
    outbox_.push(ModelOutbox::Kind::kKept, wire::write_error(error));
  }
  if (!last) return Event::kNothing;
  why_ = std::string("refused (") + wire::name_of(error.code) + "): " + error.message;
  return Event::kEnded;
}

ModelConnection::Event ModelConnection::refuse(ModelErrorCode code, std::string message,
                                               const ModelPacket& packet) {
  return refuse({code, std::move(message), packet.about, packet.seq});
}

bool ModelConnection::allowed(const ModelPacket& packet) {
  const auto now = Clock::now();
  switch (packet.op) {
    case ModelOp::kSend:
      return send_limit_.take(now);
    case ModelOp::kRuntime:
      return runtime_limit_.take(now);
    case ModelOp::kFlush:
      return flush_limit_.take(now);
    case ModelOp::kBlack:
      return black_limit_.take(now);
    case ModelOp::kMonitoring:
      return monitoring_limit_.take(now);
    default:
      return true;
  }
}

ModelConnection::Event ModelConnection::packet(std::string_view text,
                                               std::vector<Descriptor>& descriptors) {
  if (!flood_limit_.take(Clock::now()))
    return refuse({ModelErrorCode::kFlood,
                   "more than " + std::to_string(kFloodPackets) + " packets a second",
                   "",
                   {}});
  auto parsed = wire::parse_model_packet(text);
  if (const auto* const error = std::get_if<wire::ModelError>(&parsed)) {
    if (greeted_ || closes(error->code)) return refuse(*error);
    return refuse({ModelErrorCode::kHello, "the first packet must be hello: " + error->message,
                   error->about, error->seq});
  }
  ModelPacket& packet = std::get<ModelPacket>(parsed);
  if (!greeted_) {
    if (packet.op != ModelOp::kHello)
      return refuse(ModelErrorCode::kHello, "the first packet must be hello", packet);
    if (!packet.name.empty()) name_ = packet.name;
    return Event::kHello;
  }
  if (!descriptors.empty() && (packet.op != ModelOp::kPool || descriptors.size() != 1))
    return refuse(ModelErrorCode::kField,
                  packet.op == ModelOp::kPool ? "a pool comes with one descriptor, got " +
                                                    std::to_string(descriptors.size())
                                              : "only pool comes with a descriptor",
                  packet);
  if (!allowed(packet))
    return refuse(ModelErrorCode::kLimit,
                  "too many of these: at most " +
                      std::to_string(packet.op == ModelOp::kSend ? ModelLimits::kSend
                                                                 : ModelLimits::kControl) +
                      " a second",
                  packet);
  switch (packet.op) {
    case ModelOp::kHello:
      return refuse(ModelErrorCode::kOp, "hello comes once", packet);
    case ModelOp::kPool:
      return add_pool(packet, descriptors);
    case ModelOp::kDropPool:
      return drop_pool(packet);
    case ModelOp::kBlock:
      return block(packet);
    case ModelOp::kBlack:
      host_.model_black();
      break;
    case ModelOp::kSend:
      return send(packet);
    case ModelOp::kRuntime:
      host_.model_runtime(packet.data);
      break;
    case ModelOp::kMonitoring:
      host_.model_monitoring(packet.enabled);
      break;
    case ModelOp::kFlush:
      marked_.clear();
      flushes_.push_back({packet.seq, host_.model_flush(), Clock::now() + kFlushTime});
      answer_flushes();
      break;
  }
  return Event::kNothing;
}

ModelConnection::Event ModelConnection::add_pool(const ModelPacket& packet,
                                                 std::vector<Descriptor>& descriptors) {
  if (descriptors.empty())
    return refuse(ModelErrorCode::kField, "a pool comes with one descriptor (SCM_RIGHTS), got none",
                  packet);
  std::int64_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (pools_.count(packet.id)) {
      refused_++;
      outbox_.push(ModelOutbox::Kind::kKept,
                   wire::write_error({ModelErrorCode::kField,
                                      "pool " + std::to_string(packet.id) +
                                          " exists; its id is free again when its last slot is "
                                          "released after drop-pool",
                                      packet.about, packet.seq}));
      return Event::kNothing;
    }
    for (const auto& [id, pool] : pools_) bytes += pool.memory->bytes();
    if (pools_.size() >= static_cast<std::size_t>(ModelLimits::kPools)) bytes = -1;
  }
  if (bytes < 0)
    return refuse(ModelErrorCode::kLimit,
                  "a connection has at most " + std::to_string(ModelLimits::kPools) +
                      " pools; one that was dropped counts until its last slot is released",
                  packet);
  if (packet.size > ModelLimits::kBytes || bytes + packet.size * packet.slots > ModelLimits::kBytes)
    return refuse(ModelErrorCode::kLimit,
                  "all pools together have at most " + std::to_string(ModelLimits::kBytes) +
                      " bytes, these would be " + std::to_string(packet.slots) + " x " +
                      std::to_string(packet.size) + " beside " + std::to_string(bytes),
                  packet);
  std::string problem;
  auto memory = SharedPool::map(descriptors[0].get(), packet.size, packet.slots, problem);
  if (!memory) return refuse(ModelErrorCode::kPool, problem, packet);
  const std::lock_guard lock(mutex_);
  pools_[packet.id] = {std::move(memory), std::vector<bool>(static_cast<std::size_t>(packet.slots)),
                       0, false};
  return Event::kNothing;
}

ModelConnection::Event ModelConnection::drop_pool(const ModelPacket& packet) {
  std::shared_ptr<SharedPool> memory;  // unmapped after the lock is gone
  {
    const std::lock_guard lock(mutex_);
    const auto found = pools_.find(packet.id);
    if (found != pools_.end() && !found->second.dropped) {
      found->second.dropped = true;
      if (found->second.lent_count == 0) {
        memory = std::move(found->second.memory);
        pools_.erase(found);
      }
      return Event::kNothing;
    }
  }
  return refuse(ModelErrorCode::kField, "there is no pool " + std::to_string(packet.id), packet);
}

// Texts that belong to frames of this block join its meta; what finds its place taken goes out by
// itself.
void ModelConnection::mark_frames(ModelPacket& packet) {
  if (marked_.empty()) return;
  packet.meta.resize(static_cast<std::size_t>(packet.frames));
  for (auto& [frame, json] : marked_) {
    std::string& place = packet.meta[static_cast<std::size_t>(std::min(frame, packet.frames - 1))];
    if (place.empty())
      place = std::move(json);
    else
      host_.model_send(json, nullptr);
  }
  marked_.clear();
}

ModelConnection::Event ModelConnection::block(ModelPacket& packet) {
  std::shared_ptr<SharedPool> memory;
  std::string problem;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pools_.find(packet.id);
    if (found == pools_.end() || found->second.dropped)
      problem = "there is no pool " + std::to_string(packet.id);
    else if (packet.slot >= found->second.memory->slots())
      problem = "pool " + std::to_string(packet.id) + " has slots 0 to " +
                std::to_string(found->second.memory->slots() - 1) + ", got " +
                std::to_string(packet.slot);
    else if (found->second.lent[static_cast<std::size_t>(packet.slot)])
      problem = "slot " + std::to_string(packet.slot) + " of pool " + std::to_string(packet.id) +
                " is still the source's: wait for its release";
    else
      memory = found->second.memory;
  }
  if (!memory) return refuse(ModelErrorCode::kSlot, problem, packet);
  if (!wire::lies_within(packet, memory->slot_size()))
    return refuse(ModelErrorCode::kStrides,
                  "shape, strides and offset reach outside the slot of " +
                      std::to_string(memory->slot_size()) + " bytes",
                  packet);
  const ArrayView view{memory->slot(packet.slot) + packet.offset,
                       static_cast<unsigned>(packet.frames),
                       static_cast<unsigned>(packet.height),
                       static_cast<unsigned>(packet.width),
                       packet.strides[0],
                       packet.strides[1],
                       packet.strides[2],
                       packet.strides[3]};
  const std::string unusable = problem_with(view);
  if (!unusable.empty()) return refuse(ModelErrorCode::kStrides, unusable, packet);
  const std::int64_t packed = packet.frames * packet.height * packet.width * 3;
  const std::int64_t repeated = std::max<std::int64_t>(0, packed - memory->slot_size());
  if (repeated_ + repeated > ModelLimits::kRepeated)
    return refuse(ModelErrorCode::kLimit,
                  "strides that repeat bytes may add " + std::to_string(ModelLimits::kRepeated) +
                      " bytes to the slots that are lent, this block of " + std::to_string(packed) +
                      " bytes in a slot of " + std::to_string(memory->slot_size()) +
                      " would make it " + std::to_string(repeated_ + repeated),
                  packet);
  mark_frames(packet);

  repeated_ += repeated;
  const std::uint64_t number = host_.next_number();
  {
    const std::lock_guard lock(mutex_);
    Pool& pool = pools_[packet.id];
    pool.lent[static_cast<std::size_t>(packet.slot)] = true;
    pool.lent_count++;
    unshown_[number] = next_block_++;
    if (unshown_.size() > kMaxUnshown) unshown_.erase(unshown_.begin());
  }
  host_.model_block(
      {view, number, packet.compute, packet.command, std::move(packet.meta), Loan::end,
       new Loan{shared_from_this(), std::move(memory), packet.id, packet.slot, repeated}});
  return Event::kNothing;
}

ModelConnection::Event ModelConnection::send(ModelPacket& packet) {
  const auto session = host_.model_session();
  if (!session || !session->started)
    return refuse(ModelErrorCode::kSession, "no session is active: nobody would get the message",
                  packet);
  if (!packet.with_frame) {
    host_.model_send(packet.data, packet.to ? &*packet.to : nullptr);
    return Event::kNothing;
  }
  if (marked_.size() >= kMaxMarked)
    return refuse(ModelErrorCode::kLimit,
                  "at most " + std::to_string(kMaxMarked) + " messages wait for the next block",
                  packet);
  marked_.emplace_back(*packet.with_frame, std::move(packet.data));
  return Event::kNothing;
}

void ModelConnection::release(std::int64_t pool_id, std::int64_t slot) {
  std::shared_ptr<SharedPool> memory;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto found = pools_.find(pool_id);
    if (found == pools_.end()) return;
    Pool& pool = found->second;
    pool.lent[static_cast<std::size_t>(slot)] = false;
    pool.lent_count--;
    outbox_.push(ModelOutbox::Kind::kKept, wire::write_release(pool_id, slot));
    if (pool.dropped && pool.lent_count == 0) {
      memory = std::move(pool.memory);
      pools_.erase(found);
    }
  }
  wake();
}

bool ModelConnection::answer_flushes() {
  const auto now = Clock::now();
  while (!flushes_.empty()) {
    const Flush& flush = flushes_.front();
    if (now < flush.until && !host_.model_flushed(flush.flush)) return true;
    post(ModelOutbox::Kind::kKept, wire::write_flushed(flush.seq));
    flushes_.pop_front();
  }
  return false;
}

bool ModelConnection::wants_to_write() {
  const std::lock_guard lock(mutex_);
  return !unsent_.empty() || !outbox_.empty();
}

bool ModelConnection::write() {
  for (;;) {
    if (unsent_.empty()) {
      const std::lock_guard lock(mutex_);
      if (outbox_.empty()) return true;
      unsent_ = outbox_.take();
    }
    const ssize_t sent =
        ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EPIPE || errno == ECONNRESET) {
        hung_up_ = true;  // but what it sent before is still to be read
        unsent_.clear();
        continue;
      }
      if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
        why_ = std::strerror(errno);
        return false;
      }
      const std::lock_guard lock(mutex_);
      if (!outbox_.overflowing()) return true;
      why_ = "it does not read: more than " + std::to_string(ModelOutbox::kMost) + " packets wait";
      return false;
    }
    unsent_.clear();
  }
}

void ModelConnection::finish(const wire::ModelError& error) {
  refuse(error);
  write();
}

void ModelConnection::finish_busy(std::int64_t holder) {
  post(ModelOutbox::Kind::kKept, wire::write_busy(holder));
  write();
}

void ModelConnection::welcome(const std::optional<wire::ModelSession>& session) {
  greeted_ = true;
  post(ModelOutbox::Kind::kKept, wire::write_hello(session));
}

void ModelConnection::close() {
  std::map<std::int64_t, Pool> pools;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    pools.swap(pools_);
  }
  socket_.reset();
}

void ModelConnection::post(ModelOutbox::Kind kind, std::string packet) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    outbox_.push(kind, std::move(packet));
  }
  wake();
}

void ModelConnection::shown(std::uint64_t number, std::optional<std::uint64_t> first,
                            std::optional<std::uint64_t> last, unsigned dropped,
                            const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = unshown_.find(number);
    if (closed_ || found == unshown_.end()) return;
    outbox_.push(ModelOutbox::Kind::kNotice,
                 wire::write_shown(found->second, first, last, dropped, reason));
    unshown_.erase(found);
  }
  wake();
}

ModelConnection::Usage ModelConnection::usage() {
  const std::lock_guard lock(mutex_);
  Usage usage;
  usage.pools = pools_.size();
  for (const auto& [id, pool] : pools_) usage.bytes += pool.memory->bytes();
  usage.refused = refused_;
  usage.notices_dropped = outbox_.dropped();
  return usage;
}

}  // namespace reactor
