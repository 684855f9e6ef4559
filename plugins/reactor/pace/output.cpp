// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pace, in the source task: decide what comes next, wait for it or push it, and decide anew.

#include "black.h"
#include "variablerate.h"
#include "pace/pace.h"

#include <gst/video/video.h>

#include <algorithm>
#include <utility>
#include <sys/prctl.h>

namespace reactor::pace {

namespace {
constexpr Time kNever{INT64_MAX};
// Events that may gather behind caps which wait for their first frame; more, and the held frame is
// given up.
constexpr std::size_t kMostBehindCaps = 64;
constexpr Duration kStall =
    std::chrono::milliseconds(50);  // over the period, as the pacer counts stalls

GstClockTime to_clock_time(Duration d) {
  return static_cast<GstClockTime>(std::max(d.count(), Duration::rep{0}));
}

// The kernel may wake a thread 50 us late to save power, which is half of the error of a release.
void wake_exactly() {
  thread_local const int done = prctl(PR_SET_TIMERSLACK, 1);
  (void) done;
}
}  // namespace

void Pace::loop(gpointer data) {
  wake_exactly();
  Pace& self = *static_cast<Pace*>(data);
  Step step;
  {
    Locked l(self);
    if (self.flow_ != GST_FLOW_OK) {
      l.settle();
      if (self.flow_ != GST_FLOW_OK) {
        l.lock.unlock();
        gst_pad_pause_task(self.src_);
        l.lock.lock();
        if (self.flow_ == GST_FLOW_OK) self.go_on();  // since then
      }
      return;
    }
    step = self.decide(l);
    l.trace = self.trace_.take();
    const bool waits = step.kind == Step::Kind::kIdle || step.kind == Step::Kind::kWait;
    // What has to be done without the lock comes first; the plan may be another one afterwards.
    if (waits && l.has_work()) return;
    if (step.kind == Step::Kind::kIdle) self.task_wakes_.wait(l.lock);
    if (step.kind == Step::Kind::kWait) self.wait_until(l, step.until);
  }
  switch (step.kind) {
    case Step::Kind::kEvent:
      self.push_event(std::move(step.event));
      break;
    case Step::Kind::kQuery:
      self.answer_query(step.query);
      break;
    case Step::Kind::kFrame:
      self.push_output(std::move(step.output));
      break;
    case Step::Kind::kCopy:
      self.copy_held();
      break;
    default:
      break;
  }
}

void Pace::wait_until(Locked& l, Time t) {
  ClockIdPtr id = timeline_.wake_at(t);
  waiting_id_ = id.get();
  l.lock.unlock();
  gst_clock_id_wait(id.get(), nullptr);
  l.lock.lock();
  waiting_id_ = nullptr;
}

Pace::Step Pace::decide(Locked& l) {
  Step step;
  step.kind = Step::Kind::kAgain;
  const Time now = timeline_.now();
  if (playing_ && !burst_.empty() && *burst_due() <= now) close_burst(l);
  if (auto front = decide_front(l)) return std::move(*front);
  if (!playing_) {
    step.kind = Step::Kind::kIdle;
    return step;
  }
  Time due = kNever;
  if (eos_queued_) {
    if (eos_deadline_ <= now) {
      end_drain(l);
      return step;
    }
    due = eos_deadline_;
  }
  if (auto frame = decide_frame(l, now, due)) {
    // Behind a slow element there is always a frame due, and no wait in between; and nobody looks
    // at the clock while the push lasts: room that comes during it is given before.
    if (room_waiters_ > 0) let_go(now, consumer_.planned());
    return std::move(*frame);
  }
  if (auto held = decide_hold(l, now, due)) return std::move(*held);
  if (auto t = burst_due()) due = std::min(due, *t);
  if (room_waiters_ > 0 && !let_go(now)) due = std::min(due, pacer_.room(now));
  step.kind = due == kNever ? Step::Kind::kIdle : Step::Kind::kWait;
  step.until = due;
  return step;
}

// Events and queries leave as soon as nothing is before them.
std::optional<Pace::Step> Pace::decide_front(Locked&) {
  Item* front = queue_.front();
  if (!front) return {};
  Step step;
  if (front->kind == Item::Kind::kEvent && !caps_have_to_wait(*front)) {
    step.kind = Step::Kind::kEvent;
    step.event = queue_.pop().event;
    const GstEventType type = GST_EVENT_TYPE(step.event.get());
    if (type == GST_EVENT_SEGMENT) segment_left_ = true;
    if (type == GST_EVENT_STREAM_START) segment_left_ = false;
    return step;
  }
  if (front->kind == Item::Kind::kQuery) {
    step.kind = Step::Kind::kQuery;
    step.query = queue_.pop().query;
    query_running_ = true;
    return step;
  }
  if (front->kind == Item::Kind::kEvent) return {};
  // Upstream's may stand behind the black of a cut that came before it.
  if (!segment_left_) {
    step.kind = Step::Kind::kEvent;
    step.event = own_segment(GST_SEQNUM_INVALID);
    segment_left_ = true;
    return step;
  }
  if (caps_changed_ && shown_input_) {
    step.kind = Step::Kind::kEvent;
    step.event.reset(gst_event_new_caps(shown_input_.get()));
    return step;
  }
  return {};
}

// While a frame is held, new caps wait for the frame that they announce: a viewer who joins in
// between can still be shown the picture. But not for a question that waits behind them, and with
// it the thread that would bring the frame.
bool Pace::caps_have_to_wait(const Item& item) const {
  return GST_EVENT_TYPE(item.event.get()) == GST_EVENT_CAPS && held_.frame() &&
         queue_.here() == 0 && !queue_.has_black() && !eos_queued_ && !query_asked_ &&
         queue_.waiting_events() < kMostBehindCaps;
}

std::optional<Pace::Step> Pace::decide_frame(Locked& l, Time now, Time& due) {
  Item* front = queue_.front();
  if (!front) return {};
  if (front->kind == Item::Kind::kBlack) {
    const Time t = std::max(black_due_, earliest_);
    if (t > now) {
      due = std::min(due, t);
      return {};
    }
    const Duration interval = held_.period().value_or(Held::kBlackAgain);
    Step step = show(l, queue_.pop(), t, interval, t);
    earliest_ = t + least_interval();
    ++counters_.black;
    return step;
  }
  const auto next = pacer_.next_release();
  if (front->kind != Item::Kind::kFrame || !next) return {};
  if (!front->buffer && !front->lost) return {};  // announced, and on its way
  const Time t = std::max(*next, earliest_);
  if (t > now) {
    due = std::min(due, t);
    return {};
  }
  const pacing::Release release = pacer_.release(now);
  apply_drops(l);
  auto item = queue_.take(release.id);
  Step again;
  again.kind = Step::Kind::kAgain;
  if (!item) return again;
  if (!item->buffer) {
    lose(l, std::move(*item), Loss::kMissing);
    return again;
  }
  const Time shown = std::max(release.planned, earliest_);
  counters_.latency.add(shown - ledger_.block(item->block).arrival);
  counters_.lateness.add(now - t);
  ++counters_.shown;
  return show(l, std::move(*item), shown, release.interval, t);
}

Pace::Step Pace::show(Locked& l, Item item, Time shown, Duration interval, Time due) {
  Step step;
  step.kind = Step::Kind::kFrame;
  Output& o = step.output;
  o.black = item.kind == Item::Kind::kBlack;
  o.shown = shown;
  o.began = timeline_.now();
  o.interval = interval;
  o.pts = timeline_.running_time(shown);
  o.duration = to_clock_time(interval);
  o.cuts = cuts_;
  o.discont = std::exchange(discont_, false);
  o.hold = queue_.here() == 0 && !queue_.has_black();
  if (item.count > 0) {
    if (!o.black) trace_.release(timeline_.now(), item.block, item.index, shown, due);
    report(l, ledger_.shown(item.block, o.pts));
  }
  if (!item.buffer) {
    if (shown_caps_) o.caps.reset(gst_caps_ref(shown_caps_.get()));
    if (held_.frame()) o.like = ref(held_.frame());
  }
  if (stalled_) trace_.event(timeline_.now(), "resume");
  stalled_ = key_unit_wanted_ = false;
  o.epoch = epoch_.value_or(0);
  o.buffer = std::move(item.buffer);
  o.item = std::move(item);
  return step;
}

std::optional<Pace::Step> Pace::decide_hold(Locked&, Time now, Time& due) {
  if (!held_.frame() || queue_.here() > 0 || queue_.has_black()) return {};
  Step step;
  const auto is_due = [&](Time t) {
    if (t > now) due = std::min(due, t);
    return t <= now;
  };
  if (const auto t = held_.copy_due(); t && is_due(*t)) {
    step.kind = Step::Kind::kCopy;
    return step;
  }
  const Time soon = held_.last() + least_interval();
  auto repeat = held_.repeat_due();
  if (repeat) repeat = std::max(*repeat, soon);
  if (key_unit_wanted_) repeat = soon;
  if (repeat && is_due(*repeat)) {
    step.kind = Step::Kind::kFrame;
    Output& o = step.output;
    o.buffer = ref(held_.frame());
    o.repeat = true;
    o.began = now;
    o.pts = timeline_.running_time(now);
    o.duration = to_clock_time(held_.period().value_or(least_interval()));
    o.cuts = cuts_;
    held_.repeated(now);
    earliest_ = now + least_interval();
    key_unit_wanted_ = false;
    ++counters_.repeats;
    return step;
  }
  if (!stalled_ && monitoring_ && !eos_queued_) {
    const Duration period(static_cast<Duration::rep>(pacer_.explain(now).period * 1e9));
    if (is_due(held_.ends() + std::max(period, kStall))) {
      stalled_ = true;
      trace_.event(now, "stall");
    }
  }
  return {};
}

void Pace::end_drain(Locked& l) {
  GST_WARNING_OBJECT(element_, "%zu frames could not be shown before the end of the stream",
                     queue_.here());
  pacer_.flush(timeline_.now());
  apply_drops(l, Loss::kEos);
}

void Pace::push_event(EventPtr event) {
  if (GST_EVENT_TYPE(event.get()) == GST_EVENT_CAPS) {
    GstCaps* input = nullptr;
    gst_event_parse_caps(event.get(), &input);
    Locked l(*this);
    CapsPtr output = output_caps(input, options_.pacing.max_fps);
    caps_changed_ = false;
    if (!shown_input_ || !gst_caps_is_equal(shown_input_.get(), input)) l.drop(held_.release());
    shown_input_.reset(gst_caps_ref(input));
    const guint32 seqnum = gst_event_get_seqnum(event.get());
    l.events.push_back(std::move(event));
    if (shown_caps_ && gst_caps_is_equal(shown_caps_.get(), output.get())) return;
    event.reset(gst_event_new_caps(output.get()));
    gst_event_set_seqnum(event.get(), seqnum);
    shown_caps_ = std::move(output);
  }
  if (GST_EVENT_TYPE(event.get()) == GST_EVENT_EOS) {
    {
      Locked l(*this);
      l.drop(held_.release());
    }
    gst_pad_push_event(src_, event.release());
    const std::lock_guard lock(mutex_);
    if (flow_ == GST_FLOW_OK && eos_upstream_) set_flow(GST_FLOW_EOS);
    return;
  }
  gst_pad_push_event(src_, event.release());
}

void Pace::answer_query(GstQuery* query) {
  const bool result = gst_pad_peer_query(src_, query);
  bool video_meta = false;
  if (result) {
    // A pool of downstream's is sized for frames that pass through, not for blocks that wait here.
    for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
      guint size = 0;
      gst_query_parse_nth_allocation_pool(query, i, nullptr, &size, nullptr, nullptr);
      gst_query_set_nth_allocation_pool(query, i, nullptr, size, 0, 0);
    }
    video_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  }
  const std::lock_guard lock(mutex_);
  allocation_known_ = result;
  video_meta_ok_ = video_meta;
  query_result_ = result;
  query_asked_ = query_running_ = false;
  room_changes_.notify_all();
}

// The picture as it goes out, ours to write its stamps on. Without the lock.
BufferPtr Pace::stamp(Output& o) {
  BufferPtr buffer = std::move(o.buffer);
  if (!buffer) {
    buffer = make_black(o.caps.get(), o.like.get());
    if (!buffer) {
      if (o.caps)
        GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                            ("A black frame of these caps cannot be made; the last one stays."),
                            ("%" GST_PTR_FORMAT, o.caps.get()));
      return {};
    }
  }
  buffer.reset(o.repeat ? gst_buffer_copy(buffer.get())
                        : gst_buffer_make_writable(buffer.release()));
  GstBuffer* b = buffer.get();
  GST_BUFFER_PTS(b) = o.pts;
  GST_BUFFER_DTS(b) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(b) = o.duration;
  GST_BUFFER_OFFSET(b) = GST_BUFFER_OFFSET_END(b) = GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_FLAG_UNSET(b, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_GAP);
  if (o.repeat) GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_GAP);
  if (o.discont) GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_DISCONT);

  GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(b);
  guint flags = 0;
  if (!meta) {
    meta = gst_buffer_add_reactor_frame_meta(b);
    meta->block = o.item.count > 0 ? o.item.block : G_MAXUINT64;
    meta->index = o.item.index;
    meta->count = o.item.count;
    meta->epoch = o.epoch;
    flags = GST_REACTOR_FRAME_MONITORED;
  } else {
    flags = meta->flags;
  }
  if (o.black) flags |= GST_REACTOR_FRAME_BLACK;
  if (o.repeat) {
    flags |= GST_REACTOR_FRAME_REPEAT;
    g_clear_pointer(&meta->json, g_free);
  }
  meta->flags = static_cast<GstReactorFrameFlags>(flags);
  return buffer;
}

void Pace::push_output(Output o) {
  BufferPtr buffer = stamp(o);
  if (!buffer) return;
  BufferPtr keep(o.hold ? gst_buffer_copy(buffer.get()) : nullptr);
  const GstFlowReturn flow = gst_pad_push(src_, buffer.release());
  bool post = false;
  {
    Locked l(*this);
    if (playing_ && flow == GST_FLOW_OK &&
        consumer_.took(timeline_.now() - o.began, least_interval()))
      plan_anew(l);
    if (o.cuts != cuts_ || flow_ != GST_FLOW_OK) {
      l.drop(std::move(keep));
    } else if (!o.repeat) {
      l.drop(
          held_.hold(std::move(keep), o.shown, o.interval, o.black, o.black && o.item.count == 0));
    }
    if (flow == GST_FLOW_OK || flow_ != GST_FLOW_OK) return;
    set_flow(flow);
    post = eos_upstream_ && (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS);
    clear(l);
    eos_queued_ = false;
    // Upstream was told that these were taken, and will not send them again.
    for (EventPtr& e : take_sticky(l)) queue_.add_event(std::move(e));
  }
  if (post) GST_ELEMENT_FLOW_ERROR(element_, flow);
  if (post || flow == GST_FLOW_EOS) gst_pad_push_event(src_, gst_event_new_eos());
}

// The frame on screen gets memory of its own, so that the block it came in goes back to the model.
void Pace::copy_held() {
  BufferPtr held;
  {
    const std::lock_guard lock(mutex_);
    if (!held_.frame()) return;
    held = ref(held_.frame());
  }
  BufferPtr copy(gst_buffer_copy_deep(held.get()));
  Locked l(*this);
  if (held_.frame() == held.get()) l.drop(held_.replace(std::move(copy)));
  l.drop(std::move(held));
  l.drop(std::move(copy));
}

}  // namespace reactor::pace
