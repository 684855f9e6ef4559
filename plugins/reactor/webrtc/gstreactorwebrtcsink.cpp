/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstreactorwebrtcsink.h"

#include <gst/reactor/gstreactorevent.h>

#include <memory>
#include <mutex>
#include <string>

#include "branch.h"
#include "gst/wire/json.h"
#include "host.h"
#include "stats.h"

GST_DEBUG_CATEGORY(reactor_webrtc_debug);
#define GST_CAT_DEFAULT reactor_webrtc_debug

namespace {

using reactor::webrtc::Branch;
using reactor::webrtc::Codec;
using reactor::webrtc::Host;
using reactor::webrtc::HostConfig;
using reactor::webrtc::HttpServer;
using reactor::webrtc::HttpStart;

constexpr unsigned kDefaultBitrate = 4'000'000;  // bit/s: 1280x704 at 24 fps without visible blocks

enum {
  PROP_0,
  PROP_HOST,
  PROP_PORT,
  PROP_AUTH_TOKEN,
  PROP_VIEW_TOKEN,
  PROP_ALLOWED_HOSTS,
  PROP_CORS_ORIGINS,
  PROP_TLS_CERTIFICATE,
  PROP_SESSION_GRACE,
  PROP_CONNECT_TIMEOUT,
  PROP_SILENCE_TIMEOUT,
  PROP_MAX_VIEWERS,
  PROP_CODEC,
  PROP_BITRATE,
  PROP_STUN_SERVER,
  PROP_TURN_SERVER,
  PROP_MODEL_NAME,
  PROP_CAPABILITIES,
  PROP_URL,
  PROP_STATS,
};

GType codec_type() {
  static const GEnumValue kValues[] = {
      {static_cast<gint>(Codec::kVp8), "VP8, decoded by every browser", "vp8"},
      {static_cast<gint>(Codec::kVp9), "VP9, smaller at the price of more CPU", "vp9"},
      {static_cast<gint>(Codec::kH264), "H.264 constrained baseline, hardware first", "h264"},
      {static_cast<gint>(Codec::kAv1), "AV1, where rtpav1pay is installed", "av1"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstReactorWebrtcSinkCodec", kValues);
  return type;
}

std::vector<std::string> split_list(const char* text) {
  std::vector<std::string> items;
  g_auto(GStrv) parts = g_strsplit_set(text ? text : "", ", ", -1);
  for (gchar** part = parts; *part; part++)
    if (**part) items.emplace_back(*part);
  return items;
}

std::string join_list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

struct State {
  GstPad* sinkpad = nullptr;
  std::unique_ptr<Branch> branch;
  std::mutex mutex;
  // Everything below is guarded by mutex; a host is used outside it through a shared reference,
  // because a property may be read while the element stops.
  HostConfig config;
  Codec codec = Codec::kVp8;
  unsigned bitrate = kDefaultBitrate;
  std::string capabilities = "{}";
  std::shared_ptr<Host> host;
  HttpStart http;
  std::string url;

  std::shared_ptr<Host> running() {
    std::lock_guard lock(mutex);
    return host;
  }
};

}  // namespace

struct _GstReactorWebrtcSink {
  GstBin parent;
  State* state;
};

G_DEFINE_TYPE(GstReactorWebrtcSink, gst_reactor_webrtc_sink, GST_TYPE_BIN)
#define parent_class gst_reactor_webrtc_sink_parent_class

namespace {

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  GstReactorWebrtcSink* self = GST_REACTOR_WEBRTC_SINK(object);
  State& state = *self->state;
  const auto text = [&] {
    const gchar* s = g_value_get_string(value);
    return std::string(s ? s : "");
  };
  std::shared_ptr<Host> host;
  {
    std::lock_guard lock(state.mutex);
    host = state.host;
    auto& http = state.config.http;
    switch (id) {
      case PROP_HOST:
        http.host = text();
        break;
      case PROP_PORT:
        http.port = g_value_get_uint(value);
        break;
      case PROP_AUTH_TOKEN:
        http.auth_token = text();
        break;
      case PROP_VIEW_TOKEN:
        http.view_token = text();
        break;
      case PROP_ALLOWED_HOSTS:
        http.allowed_hosts = split_list(g_value_get_string(value));
        break;
      case PROP_CORS_ORIGINS:
        http.cors_origins = split_list(g_value_get_string(value));
        break;
      case PROP_TLS_CERTIFICATE:
        http.tls_certificate = text();
        break;
      case PROP_SESSION_GRACE:
        state.config.session_grace = std::chrono::nanoseconds(g_value_get_uint64(value));
        break;
      case PROP_CONNECT_TIMEOUT:
        state.config.connect_timeout =
            std::chrono::milliseconds(g_value_get_uint64(value) / GST_MSECOND);
        break;
      case PROP_SILENCE_TIMEOUT:
        state.config.silence_timeout =
            std::chrono::milliseconds(g_value_get_uint64(value) / GST_MSECOND);
        break;
      case PROP_MAX_VIEWERS:
        http.max_viewers = g_value_get_uint(value);
        break;
      case PROP_CODEC:
        state.codec = static_cast<Codec>(g_value_get_enum(value));
        break;
      case PROP_BITRATE:
        state.bitrate = g_value_get_uint(value);
        break;
      case PROP_STUN_SERVER:
        state.config.stun_server = text();
        break;
      case PROP_TURN_SERVER:
        state.config.turn_server = text();
        break;
      case PROP_MODEL_NAME:
        http.model_name = text();
        break;
      case PROP_CAPABILITIES: {
        const std::string json = text();
        const auto check = reactor::wire::check_json(json.empty() ? "{}" : json);
        if (!check.ok || check.kind != reactor::wire::JsonKind::kObject ||
            json.size() > reactor::wire::kMaxMessageBytes) {
          g_warning(
              "capabilities: expected a JSON object of at most 64 KiB, as in {\"commands\":[]}");
          return;
        }
        state.capabilities = json.empty() ? "{}" : json;
        break;
      }
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        return;
    }
  }
  // What a running element takes at once.
  if (id == PROP_BITRATE) state.branch->set_bitrate(g_value_get_uint(value));
  if (host && id == PROP_SESSION_GRACE)
    host->set_grace(std::chrono::nanoseconds(g_value_get_uint64(value)));
  if (host && id == PROP_CAPABILITIES) {
    const std::string json = text();
    host->set_capabilities(json.empty() ? "{}" : json.c_str());
  }
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  State& state = *GST_REACTOR_WEBRTC_SINK(object)->state;
  if (id == PROP_STATS) {
    reactor::webrtc::StructurePtr stats;
    if (auto host = state.running())
      stats = reactor::webrtc::to_structure(host->snapshot_now());
    else
      stats.reset(gst_structure_new_empty("application/x-reactorwebrtcsink-stats"));
    g_value_take_boxed(value, stats.release());
    return;
  }
  const auto set_text = [&](const std::string& text) {
    g_value_set_string(value, text.empty() ? nullptr : text.c_str());
  };
  std::lock_guard lock(state.mutex);
  const auto& http = state.config.http;
  switch (id) {
    case PROP_HOST:
      set_text(http.host);
      break;
    case PROP_PORT:
      g_value_set_uint(value, state.http.port ? state.http.port : http.port);
      break;
    case PROP_AUTH_TOKEN:
      set_text(http.auth_token);
      break;
    case PROP_VIEW_TOKEN:
      set_text(http.view_token);
      break;
    case PROP_ALLOWED_HOSTS:
      set_text(join_list(http.allowed_hosts));
      break;
    case PROP_CORS_ORIGINS:
      set_text(join_list(http.cors_origins));
      break;
    case PROP_TLS_CERTIFICATE:
      set_text(http.tls_certificate);
      break;
    case PROP_SESSION_GRACE:
      g_value_set_uint64(value, static_cast<guint64>(state.config.session_grace.count()));
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint64(value,
                         static_cast<guint64>(state.config.connect_timeout.count()) * GST_MSECOND);
      break;
    case PROP_SILENCE_TIMEOUT:
      g_value_set_uint64(value,
                         static_cast<guint64>(state.config.silence_timeout.count()) * GST_MSECOND);
      break;
    case PROP_MAX_VIEWERS:
      g_value_set_uint(value, http.max_viewers);
      break;
    case PROP_CODEC:
      g_value_set_enum(value, static_cast<gint>(state.codec));
      break;
    case PROP_BITRATE:
      g_value_set_uint(value, state.bitrate);
      break;
    case PROP_STUN_SERVER:
      set_text(state.config.stun_server);
      break;
    case PROP_TURN_SERVER:
      set_text(state.config.turn_server);
      break;
    case PROP_MODEL_NAME:
      set_text(http.model_name);
      break;
    case PROP_CAPABILITIES:
      set_text(state.capabilities);
      break;
    case PROP_URL:
      set_text(state.url);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

// ---- the sink pad ----

gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  GstReactorWebrtcSink* self = GST_REACTOR_WEBRTC_SINK(parent);
  State& state = *self->state;
  switch (gst_reactor_event_get_kind(event)) {
    case GST_REACTOR_EVENT_MESSAGE: {
      const gchar* json = nullptr;
      const gchar* viewer = nullptr;
      gst_reactor_event_parse_message(event, &json, &viewer);
      if (auto host = state.running(); host && json) host->model_message(json, viewer);
      gst_event_unref(event);
      return TRUE;
    }
    case GST_REACTOR_EVENT_MONITORING: {
      gboolean enabled = TRUE;
      gst_reactor_event_parse_monitoring(event, &enabled);
      if (auto host = state.running()) host->model_monitoring(enabled);
      gst_event_unref(event);
      return TRUE;
    }
    case GST_REACTOR_EVENT_RUNTIME: {
      const gchar* json = nullptr;
      gst_reactor_event_parse_runtime(event, &json);
      if (auto host = state.running(); host && json) host->model_runtime(json);
      gst_event_unref(event);
      return TRUE;
    }
    case GST_REACTOR_EVENT_FLUSH:
      gst_event_unref(event);
      return TRUE;
    default:
      break;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    GstCaps* caps = nullptr;
    gst_event_parse_caps(event, &caps);
    if (auto problem = state.branch->negotiate(caps)) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", problem->c_str()),
                        ("caps %" GST_PTR_FORMAT, caps));
      gst_event_unref(event);
      return FALSE;
    }
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    if (auto host = state.running()) host->stream_ended();
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START ||
             GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
    if (auto host = state.running()) host->stream_begins();
  }
  return gst_pad_event_default(pad, parent, event);
}

gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    GstCaps* filter = nullptr;
    gst_query_parse_caps(query, &filter);
    g_autoptr(GstCaps) caps = gst_pad_get_pad_template_caps(pad);
    g_autoptr(GstCaps) result =
        filter ? gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST)
               : gst_caps_ref(caps);
    gst_query_set_caps_result(query, result);
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
    GstCaps* asked = nullptr;
    gst_query_parse_accept_caps(query, &asked);
    g_autoptr(GstCaps) caps = gst_pad_get_pad_template_caps(pad);
    gst_query_set_accept_caps_result(query, gst_caps_is_subset(asked, caps));
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

// ---- states ----

bool open(GstReactorWebrtcSink* self) {
  State& state = *self->state;
  HostConfig config;
  Codec codec;
  unsigned bitrate;
  std::string capabilities;
  {
    std::lock_guard lock(state.mutex);
    config = state.config;
    codec = state.codec;
    bitrate = state.bitrate;
    capabilities = state.capabilities;
  }
  if (const std::string problem = HttpServer::check(config.http); !problem.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", problem.c_str()), (nullptr));
    return false;
  }
  if (auto problem = state.branch->prepare(codec, bitrate)) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN, ("%s", problem->c_str()), (nullptr));
    return false;
  }
  if (auto missing = reactor::webrtc::missing_elements()) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN, ("%s", missing->c_str()), (nullptr));
    return false;
  }
  auto host = std::make_shared<Host>(GST_ELEMENT(self), state.sinkpad, *state.branch, config);
  const HttpStart http = host->start();
  if (http.port == 0) {
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ_WRITE, ("%s", http.error.c_str()), (nullptr));
    host->stop();
    return false;
  }
  if (!http.warning.empty())
    GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS, ("%s", http.warning.c_str()), (nullptr));
  host->set_capabilities(capabilities.c_str());
  const std::string url = host->url();
  {
    std::lock_guard lock(state.mutex);
    state.host = host;
    state.http = http;
    state.url = url;
  }
  GST_INFO_OBJECT(self, "serving on %s", url.c_str());
  gst_element_post_message(
      GST_ELEMENT(self), gst_message_new_element(
                             GST_OBJECT(self), gst_structure_new("GstReactorServing", "url",
                                                                 G_TYPE_STRING, url.c_str(), "port",
                                                                 G_TYPE_UINT, http.port, nullptr)));
  g_object_notify(G_OBJECT(self), "port");
  return true;
}

void close(GstReactorWebrtcSink* self) {
  State& state = *self->state;
  std::shared_ptr<Host> host;
  {
    std::lock_guard lock(state.mutex);
    host.swap(state.host);
    state.http = {};
    state.url.clear();
  }
  if (host) host->stop();
  state.branch->reset();
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  GstReactorWebrtcSink* self = GST_REACTOR_WEBRTC_SINK(element);
  State& state = *self->state;
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !open(self)) return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    if (auto host = state.running()) host->set_running(false);
  // The source hears that this sink owns the sessions before it plays.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    if (auto host = state.running()) host->claim_sessions();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (result == GST_STATE_CHANGE_FAILURE) {
    if (transition == GST_STATE_CHANGE_NULL_TO_READY) close(self);
    return result;
  }
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    if (auto host = state.running()) host->set_running(true);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) close(self);
  return result;
}

// What happens inside one viewer's branch is that viewer's business: it must neither end the
// pipeline nor change its latency, nor fill its bus.
void handle_message(GstBin* bin, GstMessage* message) {
  GstReactorWebrtcSink* self = GST_REACTOR_WEBRTC_SINK(bin);
  GstObject* source = GST_MESSAGE_SRC(message);
  bool from_viewer = false;
  {
    g_autoptr(GstObject) at = source ? GST_OBJECT(gst_object_ref(source)) : nullptr;
    while (at) {
      g_autoptr(GstObject) above = gst_object_get_parent(at);
      if (above == GST_OBJECT(bin) || !above) {
        g_autofree gchar* name = gst_object_get_name(at);
        from_viewer = at != GST_OBJECT(bin) && g_str_has_prefix(name, "viewer-");
        break;
      }
      gst_object_unref(at);
      at = GST_OBJECT(g_steal_pointer(&above));
    }
  }
  if (from_viewer) {
    switch (GST_MESSAGE_TYPE(message)) {
      case GST_MESSAGE_ERROR: {
        g_autoptr(GError) error = nullptr;
        g_autofree gchar* debug = nullptr;
        gst_message_parse_error(message, &error, &debug);
        GST_INFO_OBJECT(bin, "in a viewer's branch: %s (%s)", error->message, debug);
        if (auto host = self->state->running()) host->branch_error(source, error->message);
        gst_message_unref(message);
        return;
      }
      // What a bin keeps its own books with, and the search for a context.
      case GST_MESSAGE_ASYNC_START:
      case GST_MESSAGE_ASYNC_DONE:
      case GST_MESSAGE_STRUCTURE_CHANGE:
      case GST_MESSAGE_NEED_CONTEXT:
      case GST_MESSAGE_HAVE_CONTEXT:
        break;
      // Of no use to the application, and each would keep its source alive until somebody reads it.
      default:
        gst_message_unref(message);
        return;
    }
  }
  GST_BIN_CLASS(parent_class)->handle_message(bin, message);
}

void finalize(GObject* object) {
  GstReactorWebrtcSink* self = GST_REACTOR_WEBRTC_SINK(object);
  delete self->state;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

void install_properties(GObjectClass* klass) {
  const auto ready = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  const auto playing = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                GST_PARAM_MUTABLE_PLAYING);
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const auto text = [&](guint id, const char* name, const char* nick, const char* blurb,
                        const char* fallback, GParamFlags flags) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_string(name, nick, blurb, fallback, flags));
  };
  text(PROP_HOST, "host", "Host",
       "Address to serve on; 0.0.0.0 or :: for all. Any but a loopback address needs auth-token",
       "127.0.0.1", ready);
  g_object_class_install_property(
      klass, PROP_PORT,
      g_param_spec_uint("port", "Port",
                        "TCP port to serve on, 0 for any free one; while serving, the real one", 0,
                        65535, 8080, ready));
  text(PROP_AUTH_TOKEN, "auth-token", "Token",
       "Who shows it may watch, command and stop the session; \"none\": everybody who can reach "
       "the address may",
       nullptr, ready);
  text(PROP_VIEW_TOKEN, "view-token", "View token",
       "Who shows it may watch, but neither command nor stop the session", nullptr, ready);
  text(PROP_ALLOWED_HOSTS, "allowed-hosts", "Allowed hosts",
       "Further Host names under which the server may be addressed, separated by commas", nullptr,
       ready);
  text(PROP_CORS_ORIGINS, "cors-origins", "CORS origins",
       "Origins whose pages may use the server beside its own and loopback ones, separated by "
       "commas; * for all",
       nullptr, ready);
  text(PROP_TLS_CERTIFICATE, "tls-certificate", "TLS certificate",
       "PEM file with certificate and key: serve HTTPS instead of HTTP", nullptr, ready);
  g_object_class_install_property(
      klass, PROP_SESSION_GRACE,
      g_param_spec_uint64(
          "session-grace", "Session grace",
          "How long a session outlives its last viewer, in ns; one that waits for its first "
          "viewer lasts as long, or connect-timeout where that is longer",
          0, G_MAXINT64 / 2, 30 * GST_SECOND, playing));
  g_object_class_install_property(
      klass, PROP_CONNECT_TIMEOUT,
      g_param_spec_uint64("connect-timeout", "Connect timeout",
                          "How long a viewer may take from its offer to a connection, in ns",
                          GST_SECOND, G_MAXINT64 / 2, 20 * GST_SECOND, ready));
  g_object_class_install_property(
      klass, PROP_SILENCE_TIMEOUT,
      g_param_spec_uint64("silence-timeout", "Silence timeout",
                          "A viewer of whom neither RTCP nor a message came for so long is gone, "
                          "in ns; browsers report every second, GStreamer every five",
                          GST_SECOND, G_MAXINT64 / 2, 25 * GST_SECOND, ready));
  g_object_class_install_property(
      klass, PROP_MAX_VIEWERS,
      g_param_spec_uint("max-viewers", "Maximum of viewers",
                        "Viewers at once; further ones are refused with 429", 1, 1024, 64, ready));
  g_object_class_install_property(
      klass, PROP_CODEC,
      g_param_spec_enum("codec", "Codec", "Codec for raw input; encoded input is sent as it is",
                        codec_type(), static_cast<gint>(Codec::kVp8), ready));
  g_object_class_install_property(
      klass, PROP_BITRATE,
      g_param_spec_uint("bitrate", "Bitrate", "Target of the encoder, in bit/s", 10'000,
                        1'000'000'000, kDefaultBitrate, playing));
  text(PROP_STUN_SERVER, "stun-server", "STUN server",
       "stun://host:port, needed only when viewers are beyond a NAT", nullptr, ready);
  text(PROP_TURN_SERVER, "turn-server", "TURN server", "turn(s)://user:password@host:port", nullptr,
       ready);
  text(PROP_MODEL_NAME, "model-name", "Model name", "Told to clients of the Reactor protocol",
       "reactor", ready);
  text(PROP_CAPABILITIES, "capabilities", "Capabilities",
       "JSON object that tells viewers the model's commands: "
       "{\"commands\":[{\"name\",\"description\",\"schema\"}]}",
       "{}", playing);
  text(PROP_URL, "url", "URL", "Where the page is served, while it is", nullptr, readable);
  g_object_class_install_property(
      klass, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Session, viewers, encoder and drops by cause, see docs/metrics.md",
                         GST_TYPE_STRUCTURE, readable));
}

}  // namespace

static void gst_reactor_webrtc_sink_class_init(GstReactorWebrtcSinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(reactor_webrtc_debug, "reactorwebrtcsink", 0, "WebRTC sink");
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);
  element_class->change_state = change_state;
  GST_BIN_CLASS(klass)->handle_message = handle_message;
  g_autoptr(GstCaps) caps = Branch::sink_caps();
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_set_static_metadata(
      element_class, "Reactor WebRTC sink", "Sink/Network/WebRTC",
      "Shows raw or encoded video to viewers in browsers, with JSON messages both ways",
      "Reactor for GStreamer");
  gst_type_mark_as_plugin_api(codec_type(), static_cast<GstPluginAPIFlags>(0));
}

static void gst_reactor_webrtc_sink_init(GstReactorWebrtcSink* self) {
  self->state = new State;
  State& state = *self->state;
  state.branch = std::make_unique<Branch>(GST_BIN(self));
  state.branch->set_on_frame([&state] {
    if (auto host = state.running()) host->model_frame();
  });
  g_autoptr(GstPad) target = gst_element_get_static_pad(state.branch->input(), "sink");
  GstPadTemplate* pad_template =
      gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(self), "sink");
  state.sinkpad = gst_ghost_pad_new_from_template("sink", target, pad_template);
  gst_pad_set_event_function(state.sinkpad, sink_event);
  gst_pad_set_query_function(state.sinkpad, sink_query);
  gst_element_add_pad(GST_ELEMENT(self), state.sinkpad);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}
