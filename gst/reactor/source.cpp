// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/source.h"

#include <cstring>

#include "gst/reactor/gstreactorerror.h"
#include "gst/reactor/gstreactorevent.h"
#include "gst/reactor/gstreactorframemeta.h"
#include "gst/wire/json.h"

GST_DEBUG_CATEGORY_EXTERN(gst_reactor_src_debug);
#define GST_CAT_DEFAULT gst_reactor_src_debug

namespace reactor {
Source::Source(GstReactorSrc* element)
    : element_(element),
      wake_token_(gst_buffer_new()),
      queue_(
          [this] {
            gst_app_src_push_buffer(GST_APP_SRC(element_), gst_buffer_ref(wake_token_.get()));
          },
          [this] { return dead(); }),
      format_(GST_BASE_SRC(element)) {}

Source::~Source() = default;

Policy Source::policy() const {
  switch (overflow) {
    case GST_REACTOR_OVERFLOW_DROP_OLDEST:
      return Policy::kDropOldest;
    case GST_REACTOR_OVERFLOW_DROP_NEWEST:
      return Policy::kDropNewest;
    default:
      return Policy::kWait;
  }
}

GstClockTime Source::running_time() {
  g_autoptr(GstClock) clock = gst_element_get_clock(element());
  if (!clock) return GST_CLOCK_TIME_NONE;
  const GstClockTime now = gst_clock_get_time(clock);
  const GstClockTime base = gst_element_get_base_time(element());
  return base == GST_CLOCK_TIME_NONE || now < base ? 0 : now - base;
}

bool Source::dead() {
  // An error, too, ends the stream: failed_ is what tells them apart.
  return failed_ || gst_pad_get_last_flow_return(pad()) == GST_FLOW_EOS;
}

Source::Call Source::begin() {
  Call call;
  call.emitted = running_time();
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  call.ticket = queue_.generation();
  call.epoch = epoch_;
  call.compute =
      returned_once_
          ? static_cast<GstClockTime>(std::chrono::nanoseconds(now - last_return_).count())
          : GST_CLOCK_TIME_NONE;
  call.wanted = running_ && session_.active();
  return call;
}

// The meta of every frame, and its time.
void Source::label(BlockItem& item, const Call& call, const gchar* const* metadata, bool black) {
  GstReactorFrameMeta common = {};
  {
    const std::lock_guard lock(mutex_);
    item.number = common.block = call.number ? *call.number : next_number_++;
    common.command = call.command.value_or(command_);
    if (gap_monitored_ && monitoring_) common.flags = GST_REACTOR_FRAME_MONITORED;
    // A black frame is no block of the model's: the gap goes on behind it, but says nothing any
    // more.
    gap_monitored_ = monitoring_ && !black;
  }
  item.emitted = call.emitted;
  item.epoch = call.epoch;
  item.dropped = [this](const BlockItem& gone) {
    shown(gone.number, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, gone.frames, gone.drop_reason);
  };
  if (item.caps) {
    const std::lock_guard lock(mutex_);
    last_caps_.reset(gst_caps_ref(item.caps.get()));
  }
  if (!item.list) return;  // black: labelled when it is made
  for (unsigned i = 0; i < item.frames; i++) {
    GstBuffer* const buffer = gst_buffer_list_get_writable(item.list.get(), i);
    GST_BUFFER_PTS(buffer) = call.emitted;
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GstReactorFrameMeta* meta = gst_buffer_get_reactor_frame_meta(buffer);
    if (!meta) meta = gst_buffer_add_reactor_frame_meta(buffer);
    meta->block = common.block;
    meta->index = i;
    meta->count = item.frames;
    meta->epoch = call.epoch;
    meta->flags = common.flags;
    meta->emitted = call.emitted;
    meta->compute = call.compute;
    meta->command = common.command;
    if (metadata && metadata[i] && *metadata[i]) {
      g_free(meta->json);
      meta->json = g_strdup(metadata[i]);
    }
  }
}

bool Source::finish(const Call& call, std::unique_ptr<BlockItem> item, const gchar* const* metadata,
                    GError** error) {
  const unsigned frames = item->frames;
  const bool lent = item->view.has_value();
  label(*item, call, metadata, false);
  const auto result =
      dead() ? BlockQueue::Result::kDead : queue_.emit(std::move(item), call.ticket, policy());
  (lent ? lent_ : copied_)++;
  const bool ok = report(result, frames, error);
  const std::lock_guard lock(mutex_);
  last_return_ = Clock::now();
  returned_once_ = true;
  return ok;
}

bool Source::report(BlockQueue::Result result, unsigned frames, GError** error) {
  switch (result) {
    case BlockQueue::Result::kQueued:
    case BlockQueue::Result::kDropped:
      return true;
    case BlockQueue::Result::kSessionEnded:
      count_unwanted(frames);
      return true;
    case BlockQueue::Result::kFlushed:
      g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FLUSHING,
                  "the block was dropped: the source was flushed after the call began; go on with "
                  "the next block");
      return false;
    case BlockQueue::Result::kStopped:
      g_set_error(
          error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FLUSHING,
          "the block was dropped: the pipeline was stopped while it waited; emit again when "
          "it plays");
      return false;
    case BlockQueue::Result::kEos:
      g_set_error(
          error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_EOS,
          "the stream has ended: nothing more can be emitted until the pipeline is restarted");
      return false;
    case BlockQueue::Result::kDead:
      if (!failed_) return report(BlockQueue::Result::kEos, frames, error);
      g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_FAILED,
                  "the pipeline has stopped with an error: its bus says which; restart it and emit "
                  "again");
      return false;
  }
  return false;
}

void Source::count_unwanted(unsigned frames) {
  unwanted_ += frames;
  const std::lock_guard lock(mutex_);
  last_return_ = Clock::now();
  returned_once_ = true;
}

bool Source::black(GError** error) {
  const Call call = begin();
  if (!call.wanted) {
    count_unwanted(1);
    return true;
  }
  auto item = std::make_unique<BlockItem>();
  item->frames = 1;
  label(*item, call, nullptr, true);
  return report(queue_.emit_replacing(std::move(item), call.ticket), 1, error);
}

bool Source::send(const gchar* json, const gchar* viewer, GError** error) {
  const std::size_t size = std::strlen(json);
  if (size > wire::kMaxMessageBytes) {
    g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_TOO_LARGE,
                "a message is at most %zu bytes of UTF-8, got %zu: send it in parts",
                wire::kMaxMessageBytes, size);
    return false;
  }
  const wire::JsonCheck check = wire::check_json({json, size});
  if (!check.ok) {
    g_set_error(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_JSON,
                "expected one JSON value, got text with a mistake at byte %zu: %s", check.offset,
                check.problem);
    return false;
  }
  gst_pad_push_event(pad(), gst_reactor_event_new_message(json, viewer));
  post(gst_structure_new("reactor-message", "json", G_TYPE_STRING, json, "viewer", G_TYPE_STRING,
                         viewer, nullptr));
  return true;
}

bool Source::set_monitoring(bool on) {
  {
    const std::lock_guard lock(mutex_);
    if (monitoring_ == on) return false;
    monitoring_ = on;
    if (!on) gap_monitored_ = false;
  }
  if (running_)
    queue_.add_in_order(std::make_unique<EventItem>(gst_reactor_event_new_monitoring(on)));
  return true;
}

bool Source::monitoring() {
  const std::lock_guard lock(mutex_);
  return monitoring_;
}

void Source::set_command(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  command_ = id;
}

void Source::flush() {
  unsigned epoch;
  {
    const std::lock_guard lock(mutex_);
    epoch = ++epoch_;
    gap_monitored_ = false;
  }
  queue_.flush();
  GST_DEBUG_OBJECT(element_, "flush: epoch %u begins", epoch);
  gst_pad_push_event(pad(), gst_reactor_event_new_flush(epoch));
}

GstCaps* Source::last_caps() {
  const std::lock_guard lock(mutex_);
  return last_caps_ ? gst_caps_ref(last_caps_.get()) : nullptr;
}

bool Source::stale(unsigned epoch) {
  const std::lock_guard lock(mutex_);
  return epoch != epoch_;
}

// Makes the item's list ready to be pushed; false if downstream takes it in no form.
bool Source::prepare(BlockItem& item) {
  if (!item.list) {
    if (!format_.current())
      item.caps = raw_caps(GST_VIDEO_FORMAT_RGB, black_width, black_height);
    else
      item.caps.reset(gst_caps_ref(format_.current()));
    BufferPtr black = make_black(item.caps.get());
    if (!black) {
      GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                          ("There is no black frame in the format of this stream."),
                          ("caps %" GST_PTR_FORMAT, item.caps.get()));
      return true;
    }
    GST_BUFFER_PTS(black.get()) = item.emitted;
    GstReactorFrameMeta* const meta = gst_buffer_add_reactor_frame_meta(black.get());
    meta->block = item.number;
    meta->epoch = item.epoch;
    meta->flags = GST_REACTOR_FRAME_BLACK;
    meta->emitted = item.emitted;
    item.list.reset(gst_buffer_list_new_sized(1));
    gst_buffer_list_add(item.list.get(), black.release());
  }

  bool changed = false;
  switch (format_.negotiate(item, changed)) {
    case OutputFormat::Fit::kAsIs:
      break;
    case OutputFormat::Fit::kCopied: {
      BufferListPtr copy = copy_to_list(*item.view, *recycled_);
      if (!copy) {
        GST_ELEMENT_ERROR(element_, RESOURCE, NO_SPACE_LEFT, (nullptr),
                          ("no memory for %u frames", item.frames));
        return false;
      }
      for (unsigned i = 0; i < item.frames; i++) {
        GstBuffer* const from = gst_buffer_list_get(item.list.get(), i);
        GstBuffer* const to = gst_buffer_list_get_writable(copy.get(), i);
        GST_BUFFER_PTS(to) = GST_BUFFER_PTS(from);
        const GstReactorFrameMeta* const meta = gst_buffer_get_reactor_frame_meta(from);
        GstMetaTransformCopy all = {FALSE, 0, static_cast<gsize>(-1)};
        meta->meta.info->transform_func(to, const_cast<GstMeta*>(&meta->meta), from,
                                        _gst_meta_transform_copy, &all);
      }
      item.list = std::move(copy);
      break;
    }
    case OutputFormat::Fit::kRefused:
      GST_ELEMENT_ERROR(
          element_, CORE, NEGOTIATION,
          ("What follows reactorsrc does not take the model's frames. Put videoconvert (and "
           "videoscale) behind reactorpace, or remove the caps filter."),
          ("caps %" GST_PTR_FORMAT " refused", item.caps.get()));
      return false;
  }
  if (changed) {
    GstBuffer* const first = gst_buffer_list_get_writable(item.list.get(), 0);
    GstReactorFrameMeta* const meta = gst_buffer_get_reactor_frame_meta(first);
    meta->flags = static_cast<GstReactorFrameFlags>(meta->flags | GST_REACTOR_FRAME_RECONFIGURED);
  }
  return true;
}

// The base class unrefs the null buffer that stands for a list when it finds itself paused after
// create(): a list is brought only while it runs. Unlocked: the base class wants its thread back,
// for an end or a flush of its own, and from 1.24 on also for a pause.
Source::Wait Source::wait_running(std::uint64_t generation) {
  GstBaseSrc* const src = GST_BASE_SRC(element_);
  constexpr gint64 kLook = 20 * G_TIME_SPAN_MILLISECOND;
  g_mutex_lock(&src->live_lock);
  while (!src->live_running && running_ && !unlocked_ && queue_.generation() == generation)
    g_cond_wait_until(&src->live_cond, &src->live_lock, g_get_monotonic_time() + kLook);
  const bool running = src->live_running;
  g_mutex_unlock(&src->live_lock);
  if (running) return Wait::kRunning;
  return running_ && queue_.generation() == generation ? Wait::kUnlocked : Wait::kFlushed;
}

GstFlowReturn Source::create(ParentCreate parent, guint64 offset, guint size, GstBuffer** buffer) {
  for (;;) {
    ItemPtr item = queue_.take();
    if (!item && ending_) {
      ending_ = false;
      return GST_FLOW_EOS;
    }
    if (!item) {
      GstBuffer* own = nullptr;
      const GstFlowReturn flow = parent(GST_BASE_SRC(element_), offset, size, &own);
      queue_.woken();
      if (flow == GST_FLOW_EOS) {
        if (!queue_.empty()) continue;  // what was emitted before the end goes first
        queue_.set_eos();
      }
      if (flow != GST_FLOW_OK) return flow;
      if (own == wake_token_.get()) {
        gst_buffer_unref(own);
        continue;
      }
      *buffer = own;  // pushed by the application through appsrc's own functions
      return GST_FLOW_OK;
    }
    if (!item->is_block) {
      gst_pad_push_event(pad(), static_cast<EventItem&>(*item).event.release());
      continue;
    }
    BlockItem& block = static_cast<BlockItem&>(*item);
    const std::uint64_t ticket = queue_.generation();
    if (stale(block.epoch)) {
      outdated_ += block.frames;
      block.drop_reason = "flushed";
      continue;
    }
    if (!block.prepared && !prepare(block)) return GST_FLOW_NOT_NEGOTIATED;
    if (!block.list) continue;
    block.prepared = true;
    const Wait wait = wait_running(ticket);
    if (wait == Wait::kUnlocked) {
      queue_.put_back(std::move(item), ticket);
      return GST_FLOW_FLUSHING;
    }
    if (wait == Wait::kFlushed) {
      block.drop_reason = "flushed";
      continue;
    }
    queue_.begin_push();
    gst_base_src_submit_buffer_list(GST_BASE_SRC(element_), block.list.release());
    return GST_FLOW_OK;
  }
}

bool Source::open() {
  GST_OBJECT_LOCK(element_);
  const std::string path = socket_path;
  GST_OBJECT_UNLOCK(element_);
  if (path.empty()) return true;
  std::string problem;
  if (model_socket_.start(path, problem)) {
    GST_INFO_OBJECT(element_, "models may connect to %s", path.c_str());
    return true;
  }
  GST_ELEMENT_ERROR(element_, RESOURCE, OPEN_READ_WRITE, ("%s.", problem.c_str()),
                    ("socket-path=%s", path.c_str()));
  return false;
}

void Source::close() {
  model_socket_.stop();
}

void Source::run() {
  failed_ = ending_ = false;
  format_.reset();
  format_.renegotiate();
  queue_.start();
  {
    const std::lock_guard lock(mutex_);
    gap_monitored_ = true;
    returned_once_ = false;
  }
  if (!monitoring())
    queue_.add_in_order(std::make_unique<EventItem>(gst_reactor_event_new_monitoring(FALSE)));
  running_ = true;
}

void Source::halt() {
  running_ = false;
  queue_.stop();
  tokens_->interrupt();
  announce(session_.stopped());
}

void Source::playing(bool playing) {
  announce(session_.playing(playing));
}

void Source::announce(const SessionChanges& changes) {
  for (const SessionChange& change : changes) {
    GST_INFO_OBJECT(element_, "session %s %s: %s", change.id.c_str(),
                    change.started ? "started" : "ended", change.reason.c_str());
    if (change.started) {
      const std::lock_guard lock(mutex_);
      gap_monitored_ = false;
      returned_once_ = false;
    } else {
      queue_.end_session();
    }
    model_socket_.session({change.id, change.started, change.reason});
    post(gst_structure_new(
        "reactor-session", "state", G_TYPE_STRING, change.started ? "started" : "ended", "id",
        G_TYPE_STRING, change.id.c_str(), "reason", G_TYPE_STRING, change.reason.c_str(), nullptr));
    g_object_notify(G_OBJECT(element_), "session-active");
    g_signal_emit_by_name(element_, change.started ? "session-started" : "session-ended",
                          change.id.c_str(), change.reason.c_str());
  }
}

void Source::post(GstStructure* structure) {
  gst_element_post_message(element(), gst_message_new_element(GST_OBJECT(element_), structure));
}

bool Source::upstream_event(GstEvent* event) {
  switch (gst_reactor_event_get_kind(event)) {
    case GST_REACTOR_EVENT_COMMAND: {
      const gchar *json, *viewer;
      guint64 id;
      if (!gst_reactor_event_parse_command(event, &json, &viewer, &id)) return true;
      if (wire::check_json(json).ok) model_socket_.command(id, viewer ? viewer : "", json);
      post(gst_structure_new("reactor-command", "json", G_TYPE_STRING, json, "viewer",
                             G_TYPE_STRING, viewer, "id", G_TYPE_UINT64, id, nullptr));
      g_signal_emit_by_name(element_, "command", json, viewer, id);
      return true;
    }
    case GST_REACTOR_EVENT_SESSION: {
      GstReactorSessionState state;
      const gchar *id, *reason;
      if (!gst_reactor_event_parse_session(event, &state, &id, &reason)) return true;
      announce(session_.from_sink(state == GST_REACTOR_SESSION_STARTED, id ? id : "",
                                  reason ? reason : ""));
      return true;
    }
    case GST_REACTOR_EVENT_VIEWER: {
      const gchar* id;
      gboolean joined;
      if (!gst_reactor_event_parse_viewer(event, &id, &joined)) return true;
      model_socket_.viewer(id ? id : "", joined);
      post(gst_structure_new("reactor-viewer", "id", G_TYPE_STRING, id, "joined", G_TYPE_BOOLEAN,
                             joined, nullptr));
      return true;
    }
    case GST_REACTOR_EVENT_SHOWN: {
      guint64 block;
      GstClockTime first, last;
      guint dropped;
      const gchar* reason;
      if (gst_reactor_event_parse_shown(event, &block, &first, &last, &dropped, &reason))
        shown(block, first, last, dropped, reason);
      return true;
    }
    default:
      return false;
  }
}

void Source::shown(std::uint64_t number, GstClockTime first, GstClockTime last, unsigned dropped,
                   const gchar* reason) {
  const auto time = [](GstClockTime t) {
    return GST_CLOCK_TIME_IS_VALID(t) ? std::optional<std::uint64_t>(t) : std::nullopt;
  };
  model_socket_.shown(number, time(first), time(last), dropped, reason ? reason : "");
  post(gst_structure_new("reactor-shown", "block", G_TYPE_UINT64, number, "first", G_TYPE_UINT64,
                         first, "last", G_TYPE_UINT64, last, "dropped", G_TYPE_UINT, dropped,
                         "reason", G_TYPE_STRING, reason, nullptr));
}

GstStructure* Source::stats() {
  const BlockQueue::Counters counters = queue_.counters();
  const ModelSocket::Status model = model_socket_.status();
  unsigned epoch;
  {
    const std::lock_guard lock(mutex_);
    epoch = epoch_;
  }
  return gst_structure_new(
      "reactorsrc-stats", "blocks", G_TYPE_UINT64, counters.blocks, "frames", G_TYPE_UINT64,
      counters.frames, "lent", G_TYPE_UINT64, lent_.load(), "copied", G_TYPE_UINT64, copied_.load(),
      "dropped-overflow", G_TYPE_UINT64, counters.dropped_overflow, "dropped-flush", G_TYPE_UINT64,
      counters.dropped_flush + outdated_, "dropped-no-session", G_TYPE_UINT64, unwanted_.load(),
      "waited", G_TYPE_UINT64, static_cast<guint64>(counters.waited.count()), "queued-blocks",
      G_TYPE_UINT, static_cast<guint>(queue_.waiting_blocks()), "epoch", G_TYPE_UINT, epoch,
      "model-pid", G_TYPE_UINT, static_cast<guint>(model.pid), "model-connections", G_TYPE_UINT64,
      model.connections, "model-pools", G_TYPE_UINT, static_cast<guint>(model.usage.pools),
      "model-bytes", G_TYPE_UINT64, static_cast<guint64>(model.usage.bytes), "model-refused",
      G_TYPE_UINT64, model.usage.refused, "model-notices-dropped", G_TYPE_UINT64,
      model.usage.notices_dropped, nullptr);
}

}  // namespace reactor
