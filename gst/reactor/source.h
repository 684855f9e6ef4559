// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Source: what reactorsrc does. The GObject (gstreactorsrc.cpp) and the C functions
// (gstreactorsrc-api.cpp) unpack arguments and call this; the model's threads emit, the streaming
// thread creates, any thread sends events.
//
// Thread-safe. The lock is never held across a push, a signal, a message or an unref of a buffer.
// Lock order: mutex_, then the queue's.
#pragma once

#include <gst/app/gstappsrc.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "gst/reactor/blockitem.h"
#include "gst/reactor/blockqueue.h"
#include "gst/reactor/gstreactorsrc.h"
#include "gst/reactor/modelhost.h"
#include "gst/reactor/modelsocket.h"
#include "gst/reactor/outputformat.h"
#include "gst/reactor/releasedtokens.h"
#include "gst/reactor/sourcesession.h"

namespace reactor {

class Source : private ModelHost {
 public:
  // What a call to emit begins with: when it came, and in which epoch.
  struct Call {
    std::uint64_t ticket;
    unsigned epoch;
    GstClockTime emitted, compute;
    bool wanted;  // a session is active and the pipeline runs
    // Of a block in shared memory: known beforehand; and what the model said about it.
    std::optional<std::uint64_t> number, command;
  };

  explicit Source(GstReactorSrc* element);
  ~Source() override;

  // For the model's threads. `metadata`: null, or one JSON text a frame, null or empty for none.
  Call begin();
  bool finish(const Call& call, std::unique_ptr<BlockItem> item, const gchar* const* metadata,
              GError** error);
  void count_unwanted(unsigned frames);
  bool black(GError** error);
  bool send(const gchar* json, const gchar* viewer, GError** error);
  bool set_monitoring(bool on);  // whether that is a change
  bool monitoring();
  void set_command(std::uint64_t id);
  void flush();

  GstCaps* last_caps();  // of the block emitted last, a new reference; null before the first
  RecycledMemory& recycled() { return *recycled_; }
  const std::shared_ptr<ReleasedTokens>& tokens() { return tokens_; }
  SourceSession& session() { return session_; }

  // For the GObject.
  using ParentCreate = GstFlowReturn (*)(GstBaseSrc*, guint64, guint, GstBuffer**);
  GstFlowReturn create(ParentCreate parent, guint64 offset, guint size, GstBuffer** buffer);
  bool upstream_event(GstEvent* event);  // false: not one of ours
  // NULL to READY, and back: serves the model socket, if there is a path.
  bool open();
  void close();
  void run();
  void halt();  // releases everybody who waits
  void playing(bool playing);
  void fail() { failed_ = true; }  // the streaming thread has posted an error and ends
  void renegotiate() { format_.renegotiate(); }
  void set_eos() { queue_.set_eos(); }
  // Whether a block waits or is on its way downstream.
  bool has_blocks() { return !queue_.empty() || (queue_.current_push() && !dead()); }
  void end_later(bool on) { ending_ = on; }  // the stream, once the queue is empty
  void unlock(bool on) { unlocked_ = on; }   // the base class wants the streaming thread back
  GstStructure* stats();

  std::atomic<GstReactorOverflow> overflow{GST_REACTOR_OVERFLOW_WAIT};
  std::string socket_path;  // under the object lock; takes effect on the way to READY
  std::atomic<guint> black_width{1280}, black_height{704};

 private:
  using Clock = std::chrono::steady_clock;

  GstElement* element() const { return GST_ELEMENT(element_); }
  GstPad* pad() const { return GST_BASE_SRC_PAD(element_); }
  Policy policy() const;
  GstClockTime running_time();
  void label(BlockItem& item, const Call& call, const gchar* const* metadata, bool black);
  bool report(BlockQueue::Result result, unsigned frames, GError** error);
  enum class Wait { kRunning, kFlushed, kUnlocked };
  Wait wait_running(std::uint64_t generation);
  bool prepare(BlockItem& item);
  void shown(std::uint64_t number, GstClockTime first, GstClockTime last, unsigned dropped,
             const gchar* reason);
  void runtime_state(const char* state, const std::string& reason);

  std::uint64_t next_number() override;
  void model_block(const ModelBlock& block) override;
  void model_black() override;
  void model_send(const std::string& json, const std::string* viewer) override;
  void model_runtime(const std::string& json) override;
  void model_monitoring(bool enabled) override;
  std::uint64_t model_flush() override;
  bool model_flushed(std::uint64_t flush) override;
  void model_connected(const std::string& name, std::int64_t pid) override;
  void model_gone(const std::string& name, std::int64_t pid, const std::string& why) override;
  std::optional<wire::ModelSession> model_session() override;
  wire::ModelStats model_stats() override;
  void announce(const SessionChanges& changes);
  void post(GstStructure* structure);
  bool stale(unsigned epoch);
  bool dead();

  GstReactorSrc* const element_;
  const BufferPtr wake_token_;  // pushed into appsrc's own queue to end its wait
  BlockQueue queue_;
  OutputFormat format_;
  SourceSession session_;
  const std::shared_ptr<RecycledMemory> recycled_ = std::make_shared<RecycledMemory>();
  const std::shared_ptr<ReleasedTokens> tokens_ = std::make_shared<ReleasedTokens>();
  ModelSocket model_socket_{*this};
  std::atomic<bool> running_{false}, failed_{false}, unlocked_{false}, ending_{false};
  std::atomic<std::uint64_t> lent_{0}, copied_{0};  // blocks
  std::atomic<std::uint64_t> unwanted_{0},
      outdated_{0};  // frames: without a session; of an older epoch

  std::mutex mutex_;
  CapsPtr last_caps_;
  bool monitoring_ = true, gap_monitored_ = true;
  unsigned epoch_ = 0;
  std::uint64_t next_number_ = 0, command_ = 0;
  bool returned_once_ = false;
  Clock::time_point last_return_;
};

// The source inside an element.
Source& source_of(GstReactorSrc* element);

}  // namespace reactor
