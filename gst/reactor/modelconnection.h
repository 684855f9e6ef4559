// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ModelConnection: one model on the other end of a socket: its pools, its slots, what it is told.
//
// read, write and the rest of the first group belong to the socket's thread. post, shown and the
// release of a slot come from any thread; they only put packets into the outbox and wake the
// socket's thread. A buffer in the pipeline keeps its pool, and this object, alive; the descriptor
// is closed before that.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gst/reactor/descriptor.h"
#include "gst/reactor/modelhost.h"
#include "gst/reactor/modeloutbox.h"
#include "gst/reactor/sharedpool.h"
#include "gst/wire/modelprotocol.h"
#include "gst/wire/ratelimit.h"

namespace reactor {

class ModelConnection : public std::enable_shared_from_this<ModelConnection> {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kHelloTime{5};
  static constexpr std::chrono::milliseconds kFlushTime{
      100};                                    // how long `flushed` waits for a push to return
  static constexpr int kFloodPackets = 20000;  // a second, whatever they are
  static constexpr std::size_t kMaxMarked =
      64;  // `send` with with_frame that wait for the next block
  static constexpr std::size_t kMaxUnshown = 4096;  // blocks whose `shown` is still due

  // What became of reading.
  enum class Event { kNothing, kHello, kEnded };

  ModelConnection(Descriptor socket, Descriptor process, std::int64_t pid,
                  std::shared_ptr<Descriptor> wake, ModelHost& host);

  // Whether the last read() left nothing to be read.
  bool drained() const { return drained_; }
  bool hung_up() const { return hung_up_; }  // write() found nobody
  int socket() const { return socket_.get(); }
  int process() const { return process_.get(); }  // a pidfd, -1 if the system gave none
  std::int64_t pid() const { return pid_; }
  const std::string& name() const { return name_; }
  const std::string& why() const { return why_; }  // it ended
  bool greeted() const { return greeted_; }
  Clock::time_point hello_due() const { return began_ + kHelloTime; }

  Event read();  // as much as is there, within reason
  bool write();  // as much as goes; false: the model is gone or does not read
  bool wants_to_write();
  void finish(const wire::ModelError& error);  // a last word; the caller then closes
  void finish_busy(std::int64_t holder);
  // After kHello. `session`: what the model is told to begin with.
  void welcome(const std::optional<wire::ModelSession>& session);
  bool answer_flushes();  // whether some are still due
  void close();           // memory in the pipeline stays mapped
  bool process_gone() const;

  void post(ModelOutbox::Kind kind, std::string packet);
  void shown(std::uint64_t number, std::optional<std::uint64_t> first,
             std::optional<std::uint64_t> last, unsigned dropped, const std::string& reason);

  struct Usage {
    std::size_t pools = 0;
    std::int64_t bytes = 0;
    std::uint64_t refused = 0, notices_dropped = 0;
  };
  Usage usage();

 private:
  struct Pool {
    std::shared_ptr<SharedPool> memory;
    std::vector<bool> lent;
    std::size_t lent_count = 0;
    bool dropped = false;
  };
  struct Loan;
  struct Flush {
    std::optional<std::int64_t> seq;
    std::uint64_t flush;
    Clock::time_point until;
  };

  Event packet(std::string_view text, std::vector<Descriptor>& descriptors);
  Event refuse(wire::ModelErrorCode code, std::string message, const wire::ModelPacket& packet);
  Event refuse(const wire::ModelError& error);
  Event add_pool(const wire::ModelPacket& packet, std::vector<Descriptor>& descriptors);
  Event drop_pool(const wire::ModelPacket& packet);
  Event block(wire::ModelPacket& packet);
  Event send(wire::ModelPacket& packet);
  bool allowed(const wire::ModelPacket& packet);
  void mark_frames(wire::ModelPacket& packet);
  void release(std::int64_t pool, std::int64_t slot);
  void wake();

  const Clock::time_point began_ = Clock::now();
  Descriptor socket_;
  const Descriptor process_;
  const std::int64_t pid_;
  const std::shared_ptr<Descriptor> wake_;
  ModelHost& host_;

  // Socket's thread only.
  std::string name_ = "model", why_;
  bool greeted_ = false, drained_ = false, hung_up_ = false;
  std::string unsent_;  // taken from the outbox, not yet by the kernel
  std::vector<char> buffer_;
  wire::RateLimit send_limit_{wire::ModelLimits::kSend};
  wire::RateLimit flush_limit_{wire::ModelLimits::kControl},
      black_limit_{wire::ModelLimits::kControl}, monitoring_limit_{wire::ModelLimits::kControl},
      runtime_limit_{wire::ModelLimits::kControl};
  wire::RateLimit flood_limit_{kFloodPackets / 2.0};
  std::deque<Flush> flushes_;
  std::uint64_t next_block_ = 0;
  std::vector<std::pair<std::int64_t, std::string>> marked_;  // frame of the next block, JSON

  std::atomic<std::int64_t> repeated_{0};  // bytes that lent blocks have beyond their slots'

  std::mutex mutex_;
  bool closed_ = false;
  ModelOutbox outbox_;
  std::map<std::int64_t, Pool> pools_;
  std::map<std::uint64_t, std::uint64_t>
      unshown_;  // number of the source's count -> of this connection's
  std::uint64_t refused_ = 0;
};

}  // namespace reactor
