// SPDX-License-Identifier: LGPL-2.1-or-later

#include <dlfcn.h>

#include <chrono>

#include "sinkfixture.h"

namespace reactor::test {

// OpenSSL's exit handler runs before gstcheck's, which ends GStreamer's threads: their thread-local
// data would be freed by an OpenSSL that is gone. The process ends anyway.
static void keep_openssl_until_the_end() {
  using Init = int (*)(std::uint64_t options, const void* settings);
  constexpr std::uint64_t kNoAtExit = 0x00080000;  // OPENSSL_INIT_NO_ATEXIT
  for (const char* name : {"libcrypto.so.3", "libcrypto.so.1.1"})
    if (void* library = dlopen(name, RTLD_NOW))
      if (auto init = reinterpret_cast<Init>(dlsym(library, "OPENSSL_init_crypto")))
        init(kNoAtExit, nullptr);
}

SinkFixture::SinkFixture(const std::string& source, const std::string& properties,
                         const std::function<void(GstElement* sink)>& before_playing) {
  keep_openssl_until_the_end();
  const std::string text = source + " ! reactorwebrtcsink name=sink port=0 " + properties;
  g_autoptr(GError) error = nullptr;
  pipeline_ = gst_parse_launch(text.c_str(), &error);
  fail_unless(pipeline_ && !error, "%s", error ? error->message : "no pipeline");
  sink_ = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink_, "sink");
  g_autoptr(GstPad) peer = gst_pad_get_peer(pad);
  gst_pad_add_probe(peer, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, on_upstream, this, nullptr);
  if (before_playing) before_playing(sink_);
  fail_if(gst_element_set_state(pipeline_, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE, "%s",
          this->error().c_str());
  g_object_get(sink_, "port", &port_, nullptr);
  fail_unless(port_ != 0);
}

SinkFixture::~SinkFixture() {
  gst_element_set_state(pipeline_, GST_STATE_NULL);
  gst_object_unref(sink_);
  gst_object_unref(pipeline_);
}

GstElement* SinkFixture::element(const char* name) {
  return gst_bin_get_by_name(GST_BIN(pipeline_), name);
}

GstPadProbeReturn SinkFixture::on_upstream(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<SinkFixture*>(data);
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  const auto text = [](const gchar* s) { return std::string(s ? s : ""); };
  {
    std::lock_guard lock(self->mutex_);
    switch (gst_reactor_event_get_kind(event)) {
      case GST_REACTOR_EVENT_COMMAND: {
        const gchar* json = nullptr;
        gst_reactor_event_parse_command(event, &json, nullptr, nullptr);
        self->commands_.push_back(text(json));
        break;
      }
      case GST_REACTOR_EVENT_SESSION: {
        GstReactorSessionState state = GST_REACTOR_SESSION_ENDED;
        const gchar* id = nullptr;
        const gchar* reason = nullptr;
        gst_reactor_event_parse_session(event, &state, &id, &reason);
        if (!text(id).empty())
          self->upstream_.push_back(state == GST_REACTOR_SESSION_STARTED
                                        ? "started " + text(id)
                                        : "ended " + text(id) + " " + text(reason));
        break;
      }
      case GST_REACTOR_EVENT_VIEWER: {
        const gchar* id = nullptr;
        gboolean joined = FALSE;
        gst_reactor_event_parse_viewer(event, &id, &joined);
        self->upstream_.push_back((joined ? "joined " : "left ") + text(id));
        break;
      }
      default:
        if (gst_event_has_name(event, "GstForceKeyUnit")) self->key_requests_++;
        break;
    }
  }
  self->changed_.notify_all();
  return GST_PAD_PROBE_OK;
}

void SinkFixture::send_event(GstEvent* event) {
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink_, "sink");
  gst_pad_send_event(pad, event);
}

void SinkFixture::send_message(const char* json) {
  send_event(gst_reactor_event_new_message(json, nullptr));
}

bool SinkFixture::wait_command(const std::string& json, double seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    for (const std::string& command : commands_)
      if (command == json) return true;
    return false;
  });
}

std::vector<std::string> SinkFixture::upstream() {
  std::lock_guard lock(mutex_);
  return upstream_;
}

bool SinkFixture::wait_upstream(const std::string& prefix, double seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    for (const std::string& entry : upstream_)
      if (entry.compare(0, prefix.size(), prefix) == 0) return true;
    return false;
  });
}

unsigned SinkFixture::key_requests() {
  std::lock_guard lock(mutex_);
  return key_requests_;
}

std::string SinkFixture::stat(const char* field) {
  g_autoptr(GstStructure) stats = nullptr;
  g_object_get(sink_, "stats", &stats, nullptr);
  const gchar* text = gst_structure_get_string(stats, field);
  return text ? text : "";
}

std::uint64_t SinkFixture::stat_number(const char* field) {
  g_autoptr(GstStructure) stats = nullptr;
  g_object_get(sink_, "stats", &stats, nullptr);
  guint64 value = 0;
  gst_structure_get_uint64(stats, field, &value);
  return value;
}

std::size_t SinkFixture::viewer_count() {
  g_autoptr(GstStructure) stats = nullptr;
  g_object_get(sink_, "stats", &stats, nullptr);
  const GValue* viewers = gst_structure_get_value(stats, "viewers");
  return viewers ? gst_value_array_get_size(viewers) : 0;
}

bool SinkFixture::wait_until(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    g_usleep(5'000);
  }
  return condition();
}

std::string SinkFixture::error() {
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline_);
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  if (!message) return {};
  g_autoptr(GError) error = nullptr;
  g_autofree gchar* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  return std::string(error->message) + " (" + (debug ? debug : "") + ")";
}

}  // namespace reactor::test
