// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Source as the host of a model in another process. All of it runs in the model socket's thread.
#include "gst/reactor/gstreactorevent.h"
#include "gst/reactor/source.h"
#include "gst/wire/jsontext.h"

GST_DEBUG_CATEGORY_EXTERN(gst_reactor_src_debug);
#define GST_CAT_DEFAULT gst_reactor_src_debug

namespace reactor {

std::uint64_t Source::next_number() {
  const std::lock_guard lock(mutex_);
  return next_number_++;
}

void Source::model_block(const ModelBlock& block) {
  Call call = begin();
  call.number = block.number;
  call.compute = block.compute ? static_cast<GstClockTime>(*block.compute) : GST_CLOCK_TIME_NONE;
  if (block.command) call.command = static_cast<std::uint64_t>(*block.command);
  if (!call.wanted || dead()) {
    unwanted_ += block.view.frames;
    shown(block.number, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, block.view.frames,
          call.wanted ? "the pipeline has ended" : "no session");
    block.release(block.user_data);
    return;
  }
  std::unique_ptr<BlockItem> item;
  if (const auto layout = describe(block.view)) {
    item = lend_block(block.view, *layout, block.release, block.user_data);
    lent_++;
  } else {
    // The slot is the model's brake, and stays lent as long as the copy of it is there.
    item = copy_block(block.view, *recycled_, block.release, block.user_data);
    if (!item) {
      block.release(block.user_data);
      shown(block.number, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, block.view.frames,
            "no memory left");
      return;
    }
    copied_++;
  }
  std::vector<const gchar*> metadata;
  for (const std::string& json : block.meta) metadata.push_back(json.c_str());
  label(*item, call, metadata.empty() ? nullptr : metadata.data(), false);
  queue_.offer(std::move(item), call.ticket, policy());
}

void Source::model_black() {
  black(nullptr);
}

void Source::model_send(const std::string& json, const std::string* viewer) {
  g_autoptr(GError) error = nullptr;
  if (!send(json.c_str(), viewer ? viewer->c_str() : nullptr, &error))
    GST_WARNING_OBJECT(element_, "message of the model not sent: %s", error->message);
}

void Source::model_runtime(const std::string& json) {
  gst_pad_push_event(pad(), gst_reactor_event_new_runtime(json.c_str()));
}

void Source::model_monitoring(bool enabled) {
  if (set_monitoring(enabled)) g_object_notify(G_OBJECT(element_), "monitoring");
}

std::uint64_t Source::model_flush() {
  const std::uint64_t push = queue_.current_push();
  flush();
  return push;
}

bool Source::model_flushed(std::uint64_t flush) {
  return !queue_.still_pushing(flush);
}

void Source::runtime_state(const char* state, const std::string& reason) {
  const std::string json = std::string("{\"type\":\"state\",\"data\":{\"state\":\"") + state +
                           "\",\"reason\":" + wire::quote_json(reason) + "}}";
  gst_pad_push_event(pad(), gst_reactor_event_new_runtime(json.c_str()));
}

void Source::model_connected(const std::string& name, std::int64_t pid) {
  GST_INFO_OBJECT(element_, "model %s of process %" G_GINT64_FORMAT " connected", name.c_str(),
                  static_cast<gint64>(pid));
  model_monitoring(true);
  runtime_state("", "");
  post(gst_structure_new("reactor-model", "state", G_TYPE_STRING, "connected", "name",
                         G_TYPE_STRING, name.c_str(), "pid", G_TYPE_INT64, static_cast<gint64>(pid),
                         "reason", G_TYPE_STRING, "", nullptr));
}

void Source::model_gone(const std::string& name, std::int64_t pid, const std::string& why) {
  GST_INFO_OBJECT(element_, "model %s of process %" G_GINT64_FORMAT " is gone: %s", name.c_str(),
                  static_cast<gint64>(pid), why.c_str());
  // The silence that follows says nothing about the next model's speed.
  model_monitoring(false);
  runtime_state("model-gone", why);
  post(gst_structure_new("reactor-model", "state", G_TYPE_STRING, "gone", "name", G_TYPE_STRING,
                         name.c_str(), "pid", G_TYPE_INT64, static_cast<gint64>(pid), "reason",
                         G_TYPE_STRING, why.c_str(), nullptr));
}

std::optional<wire::ModelSession> Source::model_session() {
  const std::string id = session_.id();
  if (id.empty() && !session_.active()) return std::nullopt;
  return wire::ModelSession{id, true, ""};
}

wire::ModelStats Source::model_stats() {
  wire::ModelStats stats;
  stats.unseen = unwanted_;
  g_autoptr(GstQuery) query = gst_reactor_query_new_stats();
  const GstStructure* pacer = nullptr;
  if (!gst_pad_peer_query(pad(), query) || !gst_reactor_query_parse_stats(query, &pacer))
    return stats;
  gst_structure_get_double(pacer, "fps", &stats.fps);
  guint64 value = 0;
  guint small = 0;
  if (gst_structure_get_uint(pacer, "queue-frames", &small)) stats.queue = small;
  if (gst_structure_get_uint64(pacer, "latency-mean", &value))
    stats.latency_ms = static_cast<double>(value) / GST_MSECOND;
  if (gst_structure_get_uint64(pacer, "stalls", &value)) stats.stalls = value;
  return stats;
}

}  // namespace reactor
