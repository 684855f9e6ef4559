// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sim/sim.h"

#include "black.h"
#include "variablerate.h"

#include <gst/reactor/gstreactor.h>
#include <gst/video/video.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace reactor::sim {

namespace {
constexpr double kUnknownFps = 24;  // of a model when neither its property nor the caps say
constexpr gsize kMostTraceBytes = 64 << 20;
}  // namespace

bool Sim::start() {
  const Options o = options();
  Script script(o.seed);
  if (!o.trace_location.empty()) {
    g_autofree gchar* text = nullptr;
    gsize size = 0;
    g_autoptr(GError) error = nullptr;
    std::string problem;
    if (!g_file_get_contents(o.trace_location.c_str(), &text, &size, &error)) {
      problem = error->message;
    } else if (size > kMostTraceBytes) {
      problem = "it is larger than 64 MiB";
    } else if (auto read = Script::from_trace({text, size}, problem)) {
      script = std::move(*read);
    }
    if (!problem.empty()) {
      GST_ELEMENT_ERROR(
          element_, RESOURCE, READ,
          ("Cannot use the trace \"%s\": %s.", o.trace_location.c_str(), problem.c_str()),
          ("Give a file that reactorpace wrote with its trace-location."));
      return false;
    }
  }
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
  timeline_ = {};
  started_ = gap_counts_ = false;
  monitoring_ = true;
  input_period_ = Duration(0);
  block_.reset();
  block_number_ = 0;
  epoch_ = 0;
  return true;
}

void Sim::play() {
  ClockPtr clock(gst_element_get_clock(element_));
  const GstClockTime base_time = gst_element_get_base_time(element_);
  const std::lock_guard lock(mutex_);
  timeline_.play(std::move(clock), GST_CLOCK_TIME_IS_VALID(base_time) ? base_time : 0);
  playing_ = true;
  wake();
}

void Sim::pause() {
  const std::lock_guard lock(mutex_);
  timeline_.pause();
  playing_ = false;
  wake();
}

void Sim::stop() {
  std::vector<BufferPtr> dropped;
  CapsPtr caps;
  const std::lock_guard lock(mutex_);
  timeline_.pause();
  playing_ = false;
  dropped.swap(frames_);
  caps.swap(caps_);
}

Options Sim::options() {
  const std::lock_guard lock(mutex_);
  return options_;
}

void Sim::set_flushing(bool flushing) {
  std::vector<BufferPtr> dropped;
  const std::lock_guard lock(mutex_);
  flushing_ = flushing;
  dropped.swap(frames_);
  if (flushing) block_.reset();
  wake();
}

void Sim::wake() {
  changed_.notify_all();
  if (waiting_id_) gst_clock_id_unschedule(waiting_id_);
}

Duration Sim::frame_period() const {
  if (options_.fps > 0) return Duration(std::llround(1e9 / options_.fps));
  if (input_period_.count() > 0) return input_period_;
  return Duration(std::llround(1e9 / kUnknownFps));
}

GstFlowReturn Sim::chain(BufferPtr buffer) {
  Lock lock(mutex_);
  if (flushing_) return GST_FLOW_FLUSHING;
  if (!block_) {
    const GstFlowReturn flow = plan(lock);
    if (flow != GST_FLOW_OK) return flow;
  }
  frames_.push_back(std::move(buffer));
  return frames_.size() >= block_->frames ? deliver(lock) : GST_FLOW_OK;
}

GstFlowReturn Sim::chain_list(BufferListPtr list) {
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < gst_buffer_list_length(list.get()) && flow == GST_FLOW_OK; ++i)
    flow = chain(ref(gst_buffer_list_get(list.get(), i)));
  return flow;
}

// What the model does until it begins its next block.
GstFlowReturn Sim::plan(Lock& lock) {
  while (!flushing_) {
    GstFlowReturn flow = wait_while_paused(lock);
    if (flow != GST_FLOW_OK) return flow;
    if (!started_) {
      began_ = timeline_.now();
      started_ = true;
    }
    const Action action = script_.next(options_.manner, frame_period());
    switch (action.kind) {
      case Action::Kind::kBlock:
        block_ = action;
        return GST_FLOW_OK;
      case Action::Kind::kSleep:
        if (!wait_until(lock, began_ + action.takes)) return GST_FLOW_FLUSHING;
        began_ += action.takes;
        break;
      case Action::Kind::kMonitoringOff:
      case Action::Kind::kMonitoringOn:
        monitoring_ = action.kind == Action::Kind::kMonitoringOn;
        gap_counts_ = false;
        flow = announce(lock, EventPtr(gst_reactor_event_new_monitoring(monitoring_)));
        break;
      case Action::Kind::kFlush:
        gap_counts_ = false;
        flow = announce(lock, EventPtr(gst_reactor_event_new_flush(++epoch_)));
        break;
      case Action::Kind::kBlack:
        gap_counts_ = false;
        flow = black(lock);
        break;
    }
    if (flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_FLUSHING;
}

GstFlowReturn Sim::announce(Lock& lock, EventPtr event) {
  lock.unlock();
  gst_pad_push_event(src_, event.release());
  lock.lock();
  return flushing_ ? GST_FLOW_FLUSHING : GST_FLOW_OK;
}

GstFlowReturn Sim::black(Lock& lock) {
  if (!caps_) return GST_FLOW_OK;
  CapsPtr caps(gst_caps_ref(caps_.get()));
  lock.unlock();
  BufferPtr buffer = make_black(caps.get(), nullptr);
  lock.lock();
  if (flushing_) return GST_FLOW_FLUSHING;
  if (!buffer) return GST_FLOW_OK;
  const Origin origin = next_origin(1, Duration(0), true);
  lock.unlock();
  const GstFlowReturn flow = gst_pad_push(src_, stamp(std::move(buffer), origin, 0).release());
  lock.lock();
  return flow;
}

GstFlowReturn Sim::wait_while_paused(Lock& lock) {
  const auto still = [&] { return !playing_ && !flushing_; };
  while (still()) changed_.wait(lock);
  if (flushing_) return GST_FLOW_FLUSHING;
  if (!options_.pause) return GST_FLOW_OK;
  GstFlowReturn flow = announce(lock, EventPtr(gst_reactor_event_new_monitoring(FALSE)));
  while (options_.pause && !flushing_) changed_.wait(lock);
  if (flow != GST_FLOW_OK || flushing_) return GST_FLOW_FLUSHING;
  monitoring_ = true;
  gap_counts_ = false;
  began_ = timeline_.now();
  return announce(lock, EventPtr(gst_reactor_event_new_monitoring(TRUE)));
}

// False when there is nothing to wait for any more.
bool Sim::wait_until(Lock& lock, Time due) {
  while (!flushing_) {
    if (!playing_) {
      changed_.wait(lock);
      continue;
    }
    if (timeline_.now() >= due) return true;
    ClockIdPtr id = timeline_.wake_at(due);
    waiting_id_ = id.get();
    lock.unlock();
    gst_clock_id_wait(id.get(), nullptr);
    lock.lock();
    waiting_id_ = nullptr;
  }
  return false;
}

Sim::Origin Sim::next_origin(unsigned count, Duration compute, bool black) {
  Origin o;
  o.block = block_number_++;
  o.count = count;
  o.epoch = epoch_;
  o.flags = (gap_counts_ ? GST_REACTOR_FRAME_MONITORED : 0) | (black ? GST_REACTOR_FRAME_BLACK : 0);
  o.emitted = timeline_.running_time(timeline_.now());
  o.compute =
      compute.count() > 0 ? static_cast<GstClockTime>(compute.count()) : GST_CLOCK_TIME_NONE;
  gap_counts_ = monitoring_ && !black;
  return o;
}

BufferPtr Sim::stamp(BufferPtr buffer, const Origin& origin, unsigned index) {
  buffer.reset(gst_buffer_make_writable(buffer.release()));
  GstBuffer* b = buffer.get();
  GST_BUFFER_PTS(b) = origin.emitted;
  GST_BUFFER_DTS(b) = GST_BUFFER_DURATION(b) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_OFFSET(b) = GST_BUFFER_OFFSET_END(b) = GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_FLAG_UNSET(b, GST_BUFFER_FLAG_GAP);
  GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(b);
  if (!meta) meta = gst_buffer_add_reactor_frame_meta(b);
  meta->block = origin.block;
  meta->index = index;
  meta->count = origin.count;
  meta->epoch = origin.epoch;
  meta->flags = static_cast<GstReactorFrameFlags>(origin.flags);
  meta->emitted = origin.emitted;
  meta->compute = origin.compute;
  meta->command = 0;
  g_clear_pointer(&meta->json, g_free);
  return buffer;
}

// The block is finished when the model has had its time for it.
GstFlowReturn Sim::deliver(Lock& lock) {
  if (!wait_until(lock, began_ + block_->takes)) return GST_FLOW_FLUSHING;
  const Duration compute = timeline_.now() - began_;
  std::vector<BufferPtr> frames = std::exchange(frames_, {});
  const auto count = static_cast<unsigned>(frames.size());
  const Origin origin = next_origin(count, compute, false);
  block_.reset();
  lock.unlock();
  BufferListPtr list(gst_buffer_list_new_sized(count));
  for (unsigned i = 0; i < count; ++i)
    gst_buffer_list_add(list.get(), stamp(std::move(frames[i]), origin, i).release());
  const GstFlowReturn flow = gst_pad_push_list(src_, list.release());
  lock.lock();
  began_ = timeline_.now();
  return flow;
}

bool Sim::sink_event(EventPtr event) {
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_FLUSH_START:
      gst_pad_push_event(src_, event.release());
      set_flushing(true);
      return true;
    case GST_EVENT_FLUSH_STOP: {
      gst_pad_push_event(src_, event.release());
      set_flushing(false);
      const std::lock_guard lock(mutex_);
      started_ = false;
      return true;
    }
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event.get(), &caps);
      GstVideoInfo info;
      if (!gst_video_info_from_caps(&info, caps)) return false;
      finish_block();
      CapsPtr output = output_caps(caps, {});
      {
        const std::lock_guard lock(mutex_);
        input_period_ = Duration(0);
        if (GST_VIDEO_INFO_FPS_N(&info) > 0)
          input_period_ = Duration(gst_util_uint64_scale_int(
              GST_SECOND, GST_VIDEO_INFO_FPS_D(&info), GST_VIDEO_INFO_FPS_N(&info)));
        caps_.swap(output);
        output.reset(gst_caps_ref(caps_.get()));
      }
      EventPtr ours(gst_event_new_caps(output.get()));
      gst_event_set_seqnum(ours.get(), gst_event_get_seqnum(event.get()));
      return gst_pad_push_event(src_, ours.release());
    }
    case GST_EVENT_SEGMENT: {
      // Blocks are stamped with the time at which they leave, whatever the input's time was.
      GstSegment time;
      gst_segment_init(&time, GST_FORMAT_TIME);
      EventPtr ours(gst_event_new_segment(&time));
      gst_event_set_seqnum(ours.get(), gst_event_get_seqnum(event.get()));
      return gst_pad_push_event(src_, ours.release());
    }
    case GST_EVENT_GAP:
      return true;
    case GST_EVENT_EOS:
      finish_block();
      break;
    default:
      break;
  }
  return gst_pad_event_default(sink_, GST_OBJECT(element_), event.release());
}

// The frames that are there become a block of their own.
void Sim::finish_block() {
  Lock lock(mutex_);
  if (frames_.empty() || !block_ || flushing_) return;
  block_->takes = block_->takes * static_cast<Duration::rep>(frames_.size()) / block_->frames;
  deliver(lock);
}

bool Sim::sink_query(GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    answer_sink_caps(query, sink_, src_);
    return true;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
    if (!gst_pad_peer_query(src_, query)) return false;
    // Frames gather here: a pool sized for frames that pass through would run dry.
    for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
      guint size = 0;
      gst_query_parse_nth_allocation_pool(query, i, nullptr, &size, nullptr, nullptr);
      gst_query_set_nth_allocation_pool(query, i, nullptr, size, 0, 0);
    }
    return true;
  }
  return gst_pad_query_default(sink_, GST_OBJECT(element_), query);
}

bool Sim::src_query(GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    answer_src_caps(query, sink_, {});
    return true;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return true;
  }
  return gst_pad_query_default(src_, GST_OBJECT(element_), query);
}

}  // namespace reactor::sim
