// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pace: life, properties, and what both of its threads use.

#include "pace/pace.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace reactor::pace {

Pace::Pace(GstElement* element, GstPad* sink, GstPad* src)
    : element_(element), sink_(sink), src_(src), pacer_(options_.pacing) {}

Pace::~Pace() {
  stop();
}

void Pace::Locked::finish() {
  if (lock.owns_lock()) lock.unlock();
  for (EventPtr& event : upstream) gst_pad_push_event(pace_.sink_, event.release());
  if (!warning.empty())
    GST_ELEMENT_WARNING(pace_.element_, STREAM, FAILED, ("%s", warning.c_str()),
                        ("%s", warning_detail.c_str()));
  pace_.trace_.write(trace);
  upstream.clear();
  buffers.clear();
  events.clear();
  warning.clear();
  trace.clear();
}

void Pace::Locked::settle() {
  finish();
  lock.lock();
}

bool Pace::start() {
  Locked l(*this);
  if (!options_.trace_location.empty() && !trace_.open(options_.trace_location)) {
    const int error = errno;
    const std::string path = options_.trace_location;
    l.lock.unlock();
    GST_ELEMENT_ERROR(
        element_, RESOURCE, OPEN_WRITE,
        ("Cannot write the trace to \"%s\": %s.", path.c_str(), g_strerror(error)),
        ("Give a file in a folder that exists and can be written in trace-location."));
    return false;
  }
  // What came after the stop, and numbers that would not fit those of the new pacer.
  clear(l);
  queue_ = {};
  black_due_ = {};
  timeline_ = {};
  consumer_ = {};
  pacer_ = pacing::Pacer(options_.pacing);
  if (!given_state_.empty()) pacer_.restore(given_state_);
  counters_ = {};
  held_.configure(options_.hold_n, options_.hold_d);
  epoch_.reset();
  input_caps_.reset();
  shown_caps_.reset();
  shown_input_.reset();
  gap_counts_ = true;
  monitoring_ = options_.monitoring;
  if (!monitoring_) pacer_.set_monitoring(timeline_.now(), false);
  need_segment_ = discont_ = true;
  segment_left_ = false;
  warned_frames_ = 0;
  earliest_ = Time{INT64_MIN};
  allocation_known_ = false;
  return true;
}

void Pace::play() {
  ClockPtr clock(gst_element_get_clock(element_));
  const GstClockTime base_time = gst_element_get_base_time(element_);
  Locked l(*this);
  timeline_.play(std::move(clock), GST_CLOCK_TIME_IS_VALID(base_time) ? base_time : 0);
  playing_ = true;
  if (counters_.blocks_in > 0 && monitoring_) {
    // What the model did while the pipeline stood still says nothing about its speed.
    pacer_.set_monitoring(timeline_.now(), true);
    apply_drops(l);
    gap_counts_ = false;
  }
  wake();
}

// A pipeline pauses before it takes another clock; an element on its own may get one at any time.
void Pace::clock_changed() {
  ClockPtr clock(gst_element_get_clock(element_));
  const GstClockTime base_time = gst_element_get_base_time(element_);
  const std::lock_guard lock(mutex_);
  if (!playing_ || !clock) return;
  timeline_.play(std::move(clock), GST_CLOCK_TIME_IS_VALID(base_time) ? base_time : 0);
  wake();
}

void Pace::pause() {
  Locked l(*this);
  timeline_.pause();
  playing_ = false;
  wake();
}

void Pace::stop() {
  TraceWriter::Rest rest;
  {
    Locked l(*this);
    clear(l);
    timeline_.pause();
    playing_ = false;
    eos_queued_ = eos_upstream_ = false;
    l.settle();
    rest = trace_.close();
  }
  TraceWriter::finish(rest);
}

void Pace::activate_sink(bool active) {
  if (active) return;
  const std::lock_guard lock(mutex_);
  set_flow(GST_FLOW_FLUSHING);
}

bool Pace::activate_src(bool active) {
  {
    const std::lock_guard lock(mutex_);
    src_active_ = active;
    eos_queued_ = eos_upstream_ = false;
    if (active)
      go_on();
    else
      set_flow(GST_FLOW_FLUSHING);
  }
  return active || gst_pad_stop_task(src_);
}

// Under the lock, so that no task is started for a pad that has just been deactivated.
void Pace::go_on() {
  if (!src_active_) return;
  set_flow(GST_FLOW_OK);
  gst_pad_start_task(src_, &Pace::loop, this, nullptr);
}

void Pace::set_flow(GstFlowReturn flow) {
  flow_ = flow;
  room_changes_.notify_all();
  wake();
}

void Pace::wake() {
  task_wakes_.notify_all();
  if (waiting_id_) gst_clock_id_unschedule(waiting_id_);
}

// Everything queued leaves; sticky events are remembered by the pad, so that a stream that goes on
// has its caps.
void Pace::clear(Locked& l) {
  pacer_.flush(timeline_.now());
  for (Item& item : queue_.take_all()) {
    l.drop(std::move(item.buffer));
    if (item.event) l.events.push_back(std::move(item.event));
  }
  ledger_.clear();
  for (BufferPtr& buffer : burst_) l.drop(std::move(buffer));
  burst_.clear();
  single_.reset();
  cut_single_.reset();
  l.drop(held_.release());
  key_unit_wanted_ = stalled_ = false;
  ++cuts_;
  room_changes_.notify_all();
}

void Pace::apply_drops(Locked& l, std::optional<Loss> as) {
  for (const pacing::Drop& drop : pacer_.drops()) {
    auto item = queue_.take(drop.id);
    if (!item) continue;
    Loss loss = Loss::kFlushed;
    switch (drop.reason) {
      case pacing::DropReason::kThinned:
        loss = Loss::kThinned;
        break;
      case pacing::DropReason::kOverflow:
        loss = Loss::kOverflow;
        break;
      case pacing::DropReason::kLate:
        loss = Loss::kLate;
        break;
      case pacing::DropReason::kFlushed:
        loss = Loss::kFlushed;
        break;
    }
    lose(l, std::move(*item), as.value_or(loss));
  }
}

void Pace::lose(Locked& l, Item item, Loss loss) {
  count_loss(loss);
  trace_.drop(timeline_.now(), item.block, item.index, loss_name(loss));
  report(l, ledger_.dropped(item.block, loss));
  l.drop(std::move(item.buffer));
}

void Pace::report(Locked& l, std::optional<Report> report) {
  if (!report) return;
  l.upstream.emplace_back(
      gst_reactor_event_new_shown(report->number, report->first, report->last, report->dropped,
                                  report->loss ? loss_name(*report->loss) : nullptr));
}

Duration Pace::least_interval() const {
  return Duration(static_cast<Duration::rep>(std::llround(1e9 / options_.pacing.max_fps)));
}

void Pace::configure(Locked& l) {
  if (options_.pacing.max_fps != pacer_.settings().max_fps) caps_changed_ = true;
  plan_anew(l);
  held_.configure(options_.hold_n, options_.hold_d);
  warned_frames_ = 0;
  room_changes_.notify_all();
  wake();
}

// With what is set and with what was measured.
void Pace::plan_anew(Locked& l) {
  pacing::Settings settings = options_.pacing;
  settings.consumer = consumer_.planned();
  pacer_.configure(timeline_.now(), settings);
  apply_drops(l);
}

EventPtr Pace::own_segment(guint32 seqnum) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  EventPtr event(gst_event_new_segment(&segment));
  if (seqnum != GST_SEQNUM_INVALID) gst_event_set_seqnum(event.get(), seqnum);
  need_segment_ = false;
  return event;
}

Options Pace::options() {
  const std::lock_guard lock(mutex_);
  return options_;
}

bool Pace::monitoring() {
  const std::lock_guard lock(mutex_);
  return monitoring_;
}

void Pace::set_monitoring(bool on) {
  Locked l(*this);
  options_.monitoring = on;
  switch_monitoring(l, on);
}

double Pace::fps() {
  const std::lock_guard lock(mutex_);
  return pacer_.fps().value_or(0);
}

StructurePtr Pace::stats() {
  const std::lock_guard lock(mutex_);
  StructurePtr s =
      counters_.structure(pacer_, timeline_.now(), queue_.here(), monitoring_, consumer_.mean());
  gst_structure_set(s.get(), "producer-waits", G_TYPE_BOOLEAN, room_waiters_ > 0, nullptr);
  return s;
}

std::string Pace::state() {
  const std::lock_guard lock(mutex_);
  return pacer_.fps() ? pacer_.save() : std::string();
}

bool Pace::set_state(const std::string& text) {
  Locked l(*this);
  if (!text.empty() && !pacing::Pacer(options_.pacing).restore(text)) {
    l.warning = "pacer-state is not a state that this element wrote; it was ignored.";
    l.warning_detail = "Give back the text that was read from the property of the same name.";
    return false;
  }
  given_state_ = text;
  if (counters_.blocks_in == 0 && !text.empty()) pacer_.restore(text);
  return true;
}

}  // namespace reactor::pace
