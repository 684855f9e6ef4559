// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sim: what reactorsim does. The frames that come in are the pictures; Script says when a block of
// them is finished.
//
// Everything that leaves is pushed by the upstream thread, which waits for the clock in between, as
// a model's thread would compute; when downstream holds a block back, the model waits, and its next
// block begins afterwards.
//
// Thread-safe. One lock guards the fields; it is never held across a push, a query, a message or an
// unref.
#pragma once

#include "handles.h"
#include "sim/script.h"
#include "timeline.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace reactor::sim {

struct Options {
  Manner manner;
  double fps = 0;  // of the model; 0: the input's
  bool pause = false;
  guint64 seed = 0;
  std::string trace_location;  // empty: made up
};

class Sim {
 public:
  Sim(GstElement* element, GstPad* sink, GstPad* src) : element_(element), sink_(sink), src_(src) {}

  bool start();  // false when the trace cannot be read; the error is posted
  void play();
  void pause();
  void stop();

  void set_flushing(bool flushing);
  GstFlowReturn chain(BufferPtr buffer);
  GstFlowReturn chain_list(BufferListPtr list);
  bool sink_event(EventPtr event);
  bool sink_query(GstQuery* query);
  bool src_query(GstQuery* query);

  Options options();
  template <typename Change>
  void change_options(Change change) {
    const std::lock_guard lock(mutex_);
    change(options_);
    wake();
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  // What the frames of a block say about it.
  struct Origin {
    guint64 block;
    guint count, epoch, flags;
    GstClockTime emitted, compute;
  };

  GstFlowReturn plan(Lock& lock);
  GstFlowReturn deliver(Lock& lock);
  GstFlowReturn announce(Lock& lock, EventPtr event);
  GstFlowReturn black(Lock& lock);
  GstFlowReturn wait_while_paused(Lock& lock);
  bool wait_until(Lock& lock, Time due);
  void finish_block();
  Origin next_origin(unsigned count, Duration compute, bool black);
  static BufferPtr stamp(BufferPtr buffer, const Origin& origin, unsigned index);
  Duration frame_period() const;
  void wake();

  GstElement* const element_;
  GstPad* const sink_;
  GstPad* const src_;

  std::mutex mutex_;
  std::condition_variable changed_;
  GstClockID waiting_id_ = nullptr;

  Options options_;
  Script script_;
  Timeline timeline_;
  bool flushing_ = true, playing_ = false, started_ = false;
  bool monitoring_ = true, gap_counts_ = false;
  Duration input_period_{0};  // of a frame, as the caps say; 0: they do not

  std::vector<BufferPtr> frames_;  // of the next block
  std::optional<Action> block_;
  Time began_{0};  // when the model began the block
  guint64 block_number_ = 0;
  guint epoch_ = 0;
  CapsPtr caps_;  // as pushed
};

}  // namespace reactor::sim
