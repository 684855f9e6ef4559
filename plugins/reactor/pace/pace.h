// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pace: everything that reactorpace does; the GObject beside it only unpacks arguments.
//
//   upstream's streaming thread          source task                      downstream
//   chain, chain_list, events  ──►  Queue ──► decide, wait, push  ──►  frames, events
//        │  blocks arrive                ▲ releases                        │
//        ▼                               │                                 ▼
//      Pacer (gst/pacing) decides when ──┘              key-unit requests, QoS, session events
//
// The upstream thread queues and, under the `wait` policy, stays until the pacer has room. The
// source task is the only thread that waits for the clock and the only one that pushes downstream,
// apart from events out of band, which are forwarded at once in the thread that brings them.
// Whatever changes the plan wakes the task, which decides anew.
//
// Thread-safe. One lock guards all fields; it is never held across a push, a query, a message or an
// unref: what has to be done without it is collected in a Locked and done when that goes out of
// scope. No other lock of ours is taken inside it.
#pragma once

#include "handles.h"
#include "pace/consumer.h"
#include "pace/counters.h"
#include "pace/held.h"
#include "pace/ledger.h"
#include "pace/queue.h"
#include "timeline.h"
#include "pace/tracewriter.h"

#include "gst/pacing/pacer.h"
#include "gst/reactor/gstreactor.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

GST_DEBUG_CATEGORY_EXTERN(gst_reactor_pace_debug);
#define GST_CAT_DEFAULT gst_reactor_pace_debug

namespace reactor::pace {

struct Options {
  pacing::Settings pacing;
  int hold_n = 2, hold_d = 1;  // frames a second
  bool monitoring = true;      // at the start
  GstClockTime processing_deadline = 20 * GST_MSECOND;
  std::string trace_location;  // empty: none
};

class Pace {
 public:
  Pace(GstElement* element, GstPad* sink, GstPad* src);
  ~Pace();

  // State changes, in the order of an element's life.
  bool start();  // false when the trace cannot be written; the error is posted
  void play();
  void pause();
  void stop();
  void clock_changed();

  // The sink pad.
  void activate_sink(bool active);
  GstFlowReturn chain(BufferPtr buffer);
  GstFlowReturn chain_list(BufferListPtr list);
  GstFlowReturn sink_event(EventPtr event);
  bool sink_query(GstQuery* query);

  // The source pad.
  bool activate_src(bool active);
  bool src_event(EventPtr event);
  bool src_query(GstQuery* query);

  // Properties.
  Options options();
  template <typename Change>
  void change_options(Change change);
  bool monitoring();
  void set_monitoring(bool on);
  double fps();
  StructurePtr stats();
  std::string state();
  bool set_state(const std::string& text);

 private:
  // Holds the lock; what must happen without it happens when this goes out of scope, in this order.
  class Locked {
   public:
    explicit Locked(Pace& pace) : lock(pace.mutex_), pace_(pace) {}
    ~Locked() { finish(); }
    void drop(BufferPtr buffer) {
      if (buffer) buffers.push_back(std::move(buffer));
    }

    std::vector<BufferPtr> buffers;       // to unref
    std::vector<EventPtr> events;         // to unref
    std::vector<EventPtr> upstream;       // to push on the sink pad
    std::string warning, warning_detail;  // to post
    std::string trace;                    // to write
    std::unique_lock<std::mutex> lock;

    bool has_work() const {
      return !buffers.empty() || !events.empty() || !upstream.empty() || !warning.empty() ||
             !trace.empty();
    }
    void settle();  // does it now: unlocks and locks again

   private:
    void finish();
    Pace& pace_;
  };
  friend class Locked;

  struct Output {
    BufferPtr buffer;  // null: black, to be made
    GstClockTime pts = 0, duration = 0;
    Time shown{0}, began{0};  // the time it stands for; when its push began
    Duration interval{0};
    Item item;
    CapsPtr caps;            // of a black frame that is to be made
    BufferPtr like;          // a frame of these caps, if there is one
    std::uint64_t cuts = 0;  // cuts_ when it was decided
    guint epoch = 0;
    bool repeat = false, black = false, hold = false, discont = false;
  };
  // The block that arrives as single buffers with its number.
  struct Single {
    std::uint64_t number;
    guint epoch;
    pacing::FrameId first;
    unsigned count;
  };
  struct Step {
    enum class Kind { kAgain, kIdle, kWait, kEvent, kQuery, kFrame, kCopy };
    Kind kind = Kind::kIdle;
    Time until{0};
    EventPtr event;
    GstQuery* query = nullptr;
    Output output;
  };
  struct Origin;  // what a buffer says about the block it belongs to

  // intake.cpp: in the upstream thread.
  GstFlowReturn accept(Locked& l, BufferPtr buffer);
  void accept_single(Locked& l, BufferPtr buffer, const Origin& origin);
  void accept_bare(Locked& l, BufferPtr buffer);
  void accept_black(Locked& l, BufferPtr buffer, const Origin& origin);
  void take_block(Locked& l, std::vector<BufferPtr> frames, const Origin& origin);
  Ledger::Key arrive(Locked& l, const Origin& origin, unsigned frames);
  bool is_stale(Locked& l, const Origin& origin, unsigned frames);
  void close_burst(Locked& l);
  void close_single(Locked& l);
  std::optional<Time> burst_due() const;
  void wait_for_room(Locked& l);
  bool has_room();
  bool let_go(Time now, Duration ahead = {});
  void cut(Locked& l, BufferPtr black, std::optional<Ledger::Key> block);
  void switch_monitoring(Locked& l, bool on);

  // events.cpp: in the thread that brings the event or query.
  GstFlowReturn serialized_event(EventPtr event);
  void take_eos(Locked& l);
  void model_flush(guint epoch);
  void flush_start(EventPtr event);
  void flush_stop(EventPtr event);
  void restart_after_eos();
  std::vector<EventPtr> take_sticky(Locked& l);
  bool allocation_query(GstQuery* query);
  bool answer_stats(GstQuery* query);

  // output.cpp: in the source task.
  static void loop(gpointer self);
  Step decide(Locked& l);
  std::optional<Step> decide_front(Locked& l);
  std::optional<Step> decide_frame(Locked& l, Time now, Time& due);
  std::optional<Step> decide_hold(Locked& l, Time now, Time& due);
  bool caps_have_to_wait(const Item& item) const;
  // `due`: when `shown` would have been, had the machine been in time.
  Step show(Locked& l, Item item, Time shown, Duration interval, Time due);
  void wait_until(Locked& l, Time t);
  void push_event(EventPtr event);
  void answer_query(GstQuery* query);
  void push_output(Output output);
  BufferPtr stamp(Output& output);
  void copy_held();
  void end_drain(Locked& l);

  // pace.cpp: any thread.
  void wake();
  void go_on();
  void set_flow(GstFlowReturn flow);
  void clear(Locked& l);
  void apply_drops(Locked& l, std::optional<Loss> as = {});
  void lose(Locked& l, Item item, Loss loss);
  void count_loss(Loss loss, unsigned frames = 1) {
    counters_.lost[static_cast<int>(loss)] += frames;
  }
  void report(Locked& l, std::optional<Report> report);
  Duration least_interval() const;
  void configure(Locked& l);
  void plan_anew(Locked& l);
  EventPtr own_segment(guint32 seqnum);

  GstElement* const element_;
  GstPad* const sink_;
  GstPad* const src_;

  std::mutex mutex_;
  std::condition_variable task_wakes_, room_changes_;
  GstClockID waiting_id_ = nullptr;  // what the task waits for; it owns it

  Options options_;
  Timeline timeline_;
  pacing::Pacer pacer_;
  Queue queue_;
  Ledger ledger_;
  Held held_;
  Counters counters_;
  Consumer consumer_;
  TraceWriter trace_;

  GstFlowReturn flow_ = GST_FLOW_FLUSHING;
  bool src_active_ = false;
  bool playing_ = false, monitoring_ = true;
  bool gap_counts_ = true;   // the gap before the next block was not excused since the last one
  std::string given_state_;  // set before the start

  std::optional<Single> single_;
  std::optional<Single> cut_single_;  // the rest of it is not wanted any more
  // The burst of buffers without provenance.
  std::vector<BufferPtr> burst_;
  Time burst_since_{0};

  unsigned room_waiters_ = 0;
  std::uint64_t goes_ = 0;  // times that those who waited for room got it
  std::uint64_t cuts_ = 0;  // flushes and the like; whoever waits for room leaves when it changes
  std::optional<guint> epoch_;  // none until the stream says
  unsigned warned_frames_ = 0;  // block size of the last warning that max-latency is too small
  bool eos_queued_ = false, eos_upstream_ = false;
  Time eos_deadline_{0};

  CapsPtr input_caps_;         // as last queued
  CapsPtr shown_caps_;         // as pushed
  CapsPtr shown_input_;        // the input caps that shown_caps_ were made of
  bool caps_changed_ = false;  // max-fps did
  bool need_segment_ = true;   // the next one that comes in is of a stream that has none yet
  bool discont_ = true;
  bool segment_left_ = false;  // downstream has one of this stream, since the last flush
  Time black_due_{0};
  Time earliest_{INT64_MIN};  // next frame, after a repeat or black that the pacer does not know of
  bool key_unit_wanted_ = false, stalled_ = false;
  bool allocation_known_ = false, video_meta_ok_ = false;
  bool query_asked_ = false, query_running_ = false, query_result_ = false;
};

template <typename Change>
void Pace::change_options(Change change) {
  Locked l(*this);
  change(options_);
  configure(l);
}

}  // namespace reactor::pace
