// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pace: events and queries from both sides.

#include "variablerate.h"
#include "pace/pace.h"

#include <gst/video/video.h>

#include <algorithm>
#include <utility>

namespace reactor::pace {

namespace {
constexpr Duration kLeastDrain = std::chrono::seconds(5);  // what an EOS may take at the least

bool is(GstEvent* event, GstEventTypeFlags flag) {
  return gst_event_type_get_flags(GST_EVENT_TYPE(event)) & flag;
}
bool is_serialized(GstQuery* query) {
  return gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED;
}
}  // namespace

GstFlowReturn Pace::sink_event(EventPtr event) {
  guint epoch = 0;
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_FLUSH_START:
      flush_start(std::move(event));
      return GST_FLOW_OK;
    case GST_EVENT_FLUSH_STOP:
      flush_stop(std::move(event));
      return GST_FLOW_OK;
    default:
      break;
  }
  if (is(event.get(), GST_EVENT_TYPE_SERIALIZED)) return serialized_event(std::move(event));
  if (gst_reactor_event_parse_flush(event.get(), &epoch)) model_flush(epoch);
  gst_pad_event_default(sink_, GST_OBJECT(element_), event.release());
  return GST_FLOW_OK;
}

void Pace::flush_start(EventPtr event) {
  gst_pad_push_event(src_, event.release());
  {
    const std::lock_guard lock(mutex_);
    set_flow(GST_FLOW_FLUSHING);
  }
  gst_pad_pause_task(src_);
}

void Pace::flush_stop(EventPtr event) {
  gst_pad_push_event(src_, event.release());
  std::vector<EventPtr> sticky;
  {
    Locked l(*this);
    clear(l);
    sticky = take_sticky(l);
    eos_queued_ = eos_upstream_ = false;
    need_segment_ = discont_ = true;
    segment_left_ = false;
    gap_counts_ = false;
  }
  // What was on its way downstream and is not about time stays true.
  for (EventPtr& e : sticky) push_event(std::move(e));
  const std::lock_guard lock(mutex_);
  go_on();
}

// Of what was just cleared, what is not about time.
std::vector<EventPtr> Pace::take_sticky(Locked& l) {
  std::vector<EventPtr> sticky;
  for (EventPtr& e : l.events)
    if (is(e.get(), GST_EVENT_TYPE_STICKY) && GST_EVENT_TYPE(e.get()) != GST_EVENT_EOS &&
        GST_EVENT_TYPE(e.get()) != GST_EVENT_SEGMENT)
      sticky.push_back(std::move(e));
  std::erase_if(l.events, [](const EventPtr& e) { return !e; });
  return sticky;
}

// A new stream follows the end of the former, whoever said that, also where frames of that one are
// still to be shown.
void Pace::restart_after_eos() {
  eos_queued_ = eos_upstream_ = false;
  if (flow_ == GST_FLOW_EOS) go_on();
}

GstFlowReturn Pace::serialized_event(EventPtr event) {
  bool failed = false;
  GstFlowReturn flow = GST_FLOW_OK;
  {
    Locked l(*this);
    const GstEventType type = GST_EVENT_TYPE(event.get());
    if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT) restart_after_eos();
    if (flow_ != GST_FLOW_OK) {
      // Nothing that upstream pushes will tell it any more: say it here.
      failed = type == GST_EVENT_EOS && (flow_ == GST_FLOW_NOT_LINKED || flow_ < GST_FLOW_EOS);
      flow = flow_;
      l.events.push_back(std::move(event));
    } else {
      gboolean on = TRUE;
      close_burst(l);
      switch (type) {
        case GST_EVENT_STREAM_START:
          epoch_.reset();
          need_segment_ = true;
          break;
        case GST_EVENT_CAPS: {
          GstCaps* caps = nullptr;
          GstVideoInfo info;
          gst_event_parse_caps(event.get(), &caps);
          if (!gst_video_info_from_caps(&info, caps)) {
            l.events.push_back(std::move(event));
            return GST_FLOW_NOT_NEGOTIATED;
          }
          input_caps_.reset(gst_caps_ref(caps));
          break;
        }
        case GST_EVENT_SEGMENT: {
          // Time stamps of the input mean nothing here; what leaves is in running time.
          const guint32 seqnum = gst_event_get_seqnum(event.get());
          l.events.push_back(std::move(event));
          if (need_segment_) event = own_segment(seqnum);
          break;
        }
        case GST_EVENT_GAP:
          l.events.push_back(std::move(event));
          break;
        case GST_EVENT_EOS:
          take_eos(l);
          break;
        default:
          if (gst_reactor_event_parse_monitoring(event.get(), &on)) switch_monitoring(l, on);
          break;
      }
      if (event) queue_.add_event(std::move(event));
      wake();
    }
  }
  if (failed) {
    GST_ELEMENT_FLOW_ERROR(element_, flow);
    gst_pad_push_event(src_, gst_event_new_eos());
  }
  return flow;
}

void Pace::take_eos(Locked& l) {
  close_single(l);
  const Time now = timeline_.now();
  pacer_.end(now);
  apply_drops(l);
  eos_queued_ = eos_upstream_ = true;
  const double drain = 2 * pacer_.explain(now).period * static_cast<double>(pacer_.queued());
  eos_deadline_ = now + std::max(kLeastDrain, Duration(static_cast<Duration::rep>(drain * 1e9)));
}

void Pace::model_flush(guint epoch) {
  Locked l(*this);
  if (epoch_ && epoch <= *epoch_) return;
  epoch_ = epoch;
  if (flow_ == GST_FLOW_FLUSHING) return;
  trace_.event(timeline_.now(), "flush");
  cut(l, {}, {});
}

bool Pace::sink_query(GstQuery* query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS:
      answer_sink_caps(query, sink_, src_);
      return true;
    case GST_QUERY_ALLOCATION:
      return allocation_query(query);
    default:
      break;
  }
  if (gst_reactor_query_is_stats(query)) {  // from the source, for a model in another process
    gst_reactor_query_set_stats(query, stats().get());
    return true;
  }
  if (answer_stats(query)) return true;
  if (is_serialized(query)) {
    // Waiting for the frames before it would hold the producer for as long as they last.
    const std::lock_guard lock(mutex_);
    if (queue_.here() > 0) return false;
  }
  return gst_pad_query_default(sink_, GST_OBJECT(element_), query);
}

// The next element can be asked only once it knows the caps, which wait behind the frames. So the
// question takes its place in the queue when nothing is shown before it; else the last answer
// holds.
bool Pace::allocation_query(GstQuery* query) {
  std::unique_lock lock(mutex_);
  const bool passes = queue_.here() == 0 && !queue_.has_black() && !held_.frame() &&
                      burst_.empty() && !single_ && flow_ == GST_FLOW_OK;
  if (!passes) {
    if (flow_ != GST_FLOW_OK || !allocation_known_) return false;
    if (video_meta_ok_) gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
    return true;
  }
  query_asked_ = true;
  query_running_ = query_result_ = false;
  queue_.add_query(query);
  wake();
  while (query_asked_ && (flow_ == GST_FLOW_OK || query_running_)) room_changes_.wait(lock);
  if (query_asked_) queue_.take_query(query);
  query_asked_ = false;
  return query_result_;
}

// From either side: sinks ask upstream, the source asks downstream.
bool Pace::answer_stats(GstQuery* query) {
  if (!gst_reactor_query_is_stats(query)) return false;
  gst_reactor_query_set_stats(query, stats().get());
  return true;
}

bool Pace::src_query(GstQuery* query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_LATENCY: {
      // Frames are stamped when they leave, so what upstream needed before does not count; the
      // queue in here is no latency of the pipeline either.
      const std::lock_guard lock(mutex_);
      const GstClockTime min = options_.processing_deadline;
      const auto& bound = options_.pacing.max_latency;
      const bool bounded = bound && options_.pacing.overflow != pacing::Overflow::kWait;
      const GstClockTime max =
          bounded ? min + static_cast<GstClockTime>(bound->count()) : GST_CLOCK_TIME_NONE;
      gst_query_set_latency(query, TRUE, min, max);
      return true;
    }
    case GST_QUERY_CAPS:
      answer_src_caps(query, sink_, options().pacing.max_fps);
      return true;
    default:
      break;
  }
  if (answer_stats(query)) return true;
  return gst_pad_query_default(src_, GST_OBJECT(element_), query);
}

bool Pace::src_event(EventPtr event) {
  const GstEventType type = GST_EVENT_TYPE(event.get());
  if (type == GST_EVENT_QOS) {
    // A model cannot make up for a slow sink by skipping.
    const std::lock_guard lock(mutex_);
    ++counters_.qos;
    return true;
  }
  if (gst_video_event_is_force_key_unit(event.get())) {
    {
      const std::lock_guard lock(mutex_);
      ++counters_.key_units;
      key_unit_wanted_ = true;
      wake();
    }
    gst_pad_event_default(src_, GST_OBJECT(element_), event.release());
    return true;
  }
  GstReactorSessionState session = GST_REACTOR_SESSION_STARTED;
  if (gst_reactor_event_parse_session(event.get(), &session, nullptr, nullptr) &&
      session == GST_REACTOR_SESSION_ENDED) {
    // The source first: what it hands out until it knows is cut, too.
    const bool result = gst_pad_event_default(src_, GST_OBJECT(element_), event.release());
    Locked l(*this);
    // Before the first segment nothing has been shown that black would have to take the place of;
    // and who was told of the end may have stopped the pipeline.
    if (!need_segment_ && flow_ != GST_FLOW_FLUSHING) {
      trace_.event(timeline_.now(), "flush");
      cut(l, {}, {});
    }
    return result;
  }
  if (type == GST_EVENT_RECONFIGURE) {
    const std::lock_guard lock(mutex_);
    if (flow_ == GST_FLOW_NOT_LINKED) go_on();
  }
  return gst_pad_event_default(src_, GST_OBJECT(element_), event.release());
}

}  // namespace reactor::pace
