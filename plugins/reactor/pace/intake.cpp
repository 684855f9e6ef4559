// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pace, in the thread of the upstream element: buffers become blocks, events take their place
// between them.

#include "pace/pace.h"

#include <gst/video/video.h>

#include <algorithm>
#include <utility>

namespace reactor::pace {

namespace {
// Buffers that say nothing of their block belong together when they come within this time of the
// first.
constexpr Duration kBurst = std::chrono::milliseconds(1);
constexpr std::size_t kMostBurst = 256;  // frames, whatever comes within that time
constexpr unsigned kMostAnnounced =
    1024;  // frames of a block; what claims more is taken for a frame of its own
}  // namespace

struct Pace::Origin {
  bool known = false;  // the buffer says where it comes from
  std::uint64_t block = 0;
  unsigned index = 0, count = 1;
  guint epoch = 0;
  bool monitored = true, black = false;
  std::optional<Duration> compute;

  static Origin of(GstBuffer* buffer) {
    Origin o;
    const GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
    if (!meta) return o;
    o.known = true;
    o.block = meta->block;
    o.index = meta->index;
    o.count = meta->count;
    o.epoch = meta->epoch;
    o.monitored = meta->flags & GST_REACTOR_FRAME_MONITORED;
    o.black = meta->flags & GST_REACTOR_FRAME_BLACK;
    if (GST_CLOCK_TIME_IS_VALID(meta->compute) && meta->compute < G_MAXINT64)
      o.compute = Duration(static_cast<Duration::rep>(meta->compute));
    return o;
  }
  bool same_block(const Origin& other) const {
    return known == other.known && block == other.block && epoch == other.epoch &&
           black == other.black;
  }
};

GstFlowReturn Pace::chain(BufferPtr buffer) {
  Locked l(*this);
  return accept(l, std::move(buffer));
}

GstFlowReturn Pace::accept(Locked& l, BufferPtr buffer) {
  const Origin origin = Origin::of(buffer.get());
  // A burst's end is not announced: its producer is held before the next one.
  if (!origin.known && burst_.empty()) wait_for_room(l);
  if (flow_ != GST_FLOW_OK) {
    l.drop(std::move(buffer));
    return flow_;
  }
  if (GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_GAP)) {
    ++counters_.fillers;
    l.drop(std::move(buffer));
    return GST_FLOW_OK;
  }
  if (!origin.known) {
    accept_bare(l, std::move(buffer));
    if (!playing_) wait_for_room(l);
    return flow_;
  }
  close_burst(l);
  const bool whole =
      origin.count <= 1 || origin.count > kMostAnnounced || origin.index >= origin.count;
  if (is_stale(l, origin, 1)) {
    l.drop(std::move(buffer));
  } else if (origin.black) {
    accept_black(l, std::move(buffer), origin);
  } else if (whole) {
    std::vector<BufferPtr> frames;
    frames.push_back(std::move(buffer));
    take_block(l, std::move(frames), origin);
    wait_for_room(l);
  } else {
    accept_single(l, std::move(buffer), origin);
    // Frames that are still to come must not wait behind this one.
    if (!single_) wait_for_room(l);
  }
  return flow_;
}

GstFlowReturn Pace::chain_list(BufferListPtr list) {
  Locked l(*this);
  close_burst(l);
  if (flow_ != GST_FLOW_OK) {
    l.lock.unlock();
    list.reset();
    return flow_;
  }
  const guint length = gst_buffer_list_length(list.get());
  for (guint i = 0; i < length && flow_ == GST_FLOW_OK;) {
    const Origin origin = Origin::of(gst_buffer_list_get(list.get(), i));
    std::vector<BufferPtr> frames;
    guint members = 0;
    for (; i < length; ++i, ++members) {
      GstBuffer* buffer = gst_buffer_list_get(list.get(), i);
      if (!origin.same_block(Origin::of(buffer))) break;
      if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP))
        ++counters_.fillers;
      else
        frames.push_back(ref(buffer));
    }
    if (frames.empty()) continue;
    if (is_stale(l, origin, static_cast<unsigned>(frames.size()))) {
      for (BufferPtr& frame : frames) l.drop(std::move(frame));
    } else if (origin.black) {
      accept_black(l, std::move(frames.back()), origin);
      frames.pop_back();
      for (BufferPtr& frame : frames) l.drop(std::move(frame));
    } else {
      take_block(l, std::move(frames), origin);
      const bool held = !has_room();  // once, before the first frame of it may leave
      if (i == length) {
        // The frames are ours alone from here on, and need no copy to be stamped.
        l.lock.unlock();
        list.reset();
        l.lock.lock();
      }
      if (held) wait_for_room(l);
    }
  }
  const GstFlowReturn flow = flow_;
  l.lock.unlock();
  list.reset();
  return flow;
}

void Pace::take_block(Locked& l, std::vector<BufferPtr> frames, const Origin& origin) {
  close_single(l);
  const auto n = static_cast<unsigned>(frames.size());
  const Ledger::Key key = arrive(l, origin, n);
  const pacing::FrameId first = *ledger_.block(key).first_id;
  for (unsigned i = 0; i < n; ++i) queue_.add_frame(first + i, key, i, n, std::move(frames[i]));
  apply_drops(l);
  wake();
}

void Pace::accept_single(Locked& l, BufferPtr buffer, const Origin& origin) {
  const auto is = [&](const std::optional<Single>& single) {
    return single && single->number == origin.block && single->epoch == origin.epoch &&
           single->count == origin.count;
  };
  if (is(cut_single_)) {
    l.drop(std::move(buffer));
    return;
  }
  if (!is(single_)) {
    close_single(l);
    const Ledger::Key key = arrive(l, origin, origin.count);
    const pacing::FrameId first = *ledger_.block(key).first_id;
    for (unsigned i = 0; i < origin.count; ++i)
      queue_.add_frame(first + i, key, i, origin.count, {});
    apply_drops(l);
    single_ = {origin.block, origin.epoch, first, origin.count};
  }
  l.drop(queue_.fill(single_->first + origin.index, std::move(buffer)));
  if (origin.index + 1 == origin.count) close_single(l);
  wake();
}

void Pace::close_single(Locked&) {
  if (!single_) return;
  queue_.lose_from(single_->first);
  single_.reset();
  wake();
}

void Pace::accept_bare(Locked& l, BufferPtr buffer) {
  if (burst_.empty()) {
    burst_since_ = timeline_.now();
    wake();
  }
  burst_.push_back(std::move(buffer));
  if (burst_.size() >= kMostBurst) close_burst(l);
}

void Pace::close_burst(Locked& l) {
  if (burst_.empty()) return;
  take_block(l, std::exchange(burst_, {}), Origin{});
}

std::optional<Time> Pace::burst_due() const {
  if (burst_.empty()) return {};
  return burst_since_ + kBurst;
}

// A black frame of the model's own: like a flush, with this picture.
void Pace::accept_black(Locked& l, BufferPtr buffer, const Origin& origin) {
  Ledger::Block block;
  block.number = origin.block;
  block.arrival = timeline_.now();
  const Ledger::Key key = ledger_.open(block);
  trace_.event(timeline_.now(), "black");
  cut(l, std::move(buffer), key);
}

Ledger::Key Pace::arrive(Locked& l, const Origin& origin, unsigned frames) {
  const Time now = timeline_.now();
  if (!origin.monitored && gap_counts_ && monitoring_ && counters_.blocks_in > 0) {
    pacer_.set_monitoring(now, true);
    gap_counts_ = false;
  }
  const bool monitored = monitoring_ && gap_counts_;
  gap_counts_ = true;
  Ledger::Block block;
  block.number = origin.block;
  block.reported = origin.known;
  block.frames = frames;
  block.arrival = now;
  block.first_id = pacer_.arrive(now, {frames, origin.compute});
  const Ledger::Key key = ledger_.open(block);
  ++counters_.blocks_in;
  counters_.frames_in += frames;
  trace_.arrival(now, key, frames, monitored);
  if (trace_.active()) trace_.plan(now, pacer_.queued(), pacer_.explain(now));
  cut_single_.reset();

  const auto& bound = options_.pacing.max_latency;
  if (bound && frames > warned_frames_ && pacer_.fps()) {
    const double lasts = frames / *pacer_.fps();
    if (lasts > static_cast<double>(bound->count()) * 1e-9) {
      warned_frames_ = frames;
      char text[200];
      g_snprintf(text, sizeof text,
                 "max-latency of %" G_GINT64_FORMAT
                 " ms cannot hold a block of %u frames, which "
                 "lasts %.0f ms at %.1f frames a second.",
                 static_cast<gint64>(bound->count() / 1000000), frames, lasts * 1e3, *pacer_.fps());
      l.warning = text;
      l.warning_detail =
          "Frames are lost or rushed: set max-latency to at least that, or use "
          "smaller blocks.";
    }
  }
  return key;
}

bool Pace::is_stale(Locked& l, const Origin& origin, unsigned frames) {
  if (!origin.known) return false;
  if (!epoch_) epoch_ = origin.epoch;
  if (origin.epoch > *epoch_) {
    // The flush itself was lost on the way.
    epoch_ = origin.epoch;
    trace_.event(timeline_.now(), "flush");
    cut(l, {}, {});
  }
  if (origin.epoch >= *epoch_) return false;
  count_loss(Loss::kStale, frames);
  const bool rest_of_cut = cut_single_ && cut_single_->number == origin.block;
  const bool last = frames > 1 || origin.index + 1 >= origin.count;
  if (last && !rest_of_cut) {
    Report stale{origin.block};
    stale.dropped = std::max(frames, origin.count);
    stale.loss = Loss::kStale;
    report(l, stale);
  }
  return true;
}

// The producer is held until the pacer has room, and while nothing plays; flush, stop and errors
// release it.
void Pace::wait_for_room(Locked& l) {
  const std::uint64_t cuts = cuts_, goes = goes_;
  const auto may_go = [&] { return flow_ != GST_FLOW_OK || cuts_ != cuts; };
  if (may_go() || has_room()) return;
  ++room_waiters_;
  wake();
  if (l.has_work()) l.settle();
  while (!may_go() && goes_ == goes) room_changes_.wait(l.lock);
  if (goes_ == goes) --room_waiters_;
}

bool Pace::has_room() {
  const Time now = timeline_.now();
  return playing_ && pacer_.room(now) <= now;
}

// In the source task: lets those go who wait, once there is room or will be within `ahead`. Its
// time is taken here, not when the held thread gets to run: from here on the producer works.
bool Pace::let_go(Time now, Duration ahead) {
  if (!playing_ || pacer_.room(now) > now + ahead) return false;
  pacer_.resumed(now);
  ++goes_;
  room_waiters_ = 0;
  room_changes_.notify_all();
  return true;
}

void Pace::cut(Locked& l, BufferPtr black, std::optional<Ledger::Key> block) {
  const Time now = timeline_.now();
  pacer_.flush(now);
  apply_drops(l);
  count_loss(Loss::kFlushed, static_cast<unsigned>(burst_.size()));
  for (BufferPtr& buffer : burst_) l.drop(std::move(buffer));
  burst_.clear();
  if (single_) cut_single_ = single_;
  single_.reset();
  while (auto old = queue_.take_black()) {
    if (old->count > 0) report(l, ledger_.dropped(old->block, Loss::kFlushed));
    l.drop(std::move(old->buffer));
  }
  ++counters_.flushes;
  ++cuts_;
  gap_counts_ = false;
  key_unit_wanted_ = false;
  black_due_ = pacer_.black_due();
  if (!eos_queued_ && input_caps_)
    queue_.add_black(std::move(black), block);
  else if (black) {
    report(l, ledger_.dropped(*block, Loss::kFlushed));
    l.drop(std::move(black));
  }
  room_changes_.notify_all();
  wake();
}

void Pace::switch_monitoring(Locked& l, bool on) {
  if (on == monitoring_) return;
  monitoring_ = on;
  gap_counts_ = false;
  const Time now = timeline_.now();
  pacer_.set_monitoring(now, on);
  apply_drops(l);
  trace_.event(now, on ? "monitoring-on" : "monitoring-off");
  room_changes_.notify_all();
  wake();
}

}  // namespace reactor::pace
