// SPDX-License-Identifier: LGPL-2.1-or-later

#include "stats.h"

#include <cmath>
#include <cstdio>

#include "envelope.h"

namespace reactor::webrtc {

namespace {

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  if (value == std::floor(value) && std::fabs(value) < 9e15) {
    char text[32];
    std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];
  return g_ascii_formatd(text, sizeof text, "%.6g", value);
}

// An object under construction.
class Object {
 public:
  Object& raw(std::string_view key, std::string_view json) {
    text_ += (text_.size() > 1 ? "," : "") + json_quoted(key) + ":" + std::string(json);
    return *this;
  }
  Object& text(std::string_view key, std::string_view value) {
    return raw(key, json_quoted(value));
  }
  Object& num(std::string_view key, double value) { return raw(key, number(value)); }
  Object& num(std::string_view key, std::uint64_t value) { return raw(key, std::to_string(value)); }
  Object& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  std::string done() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

std::string value_json(const GValue* value);

std::string structure_json(const GstStructure* structure) {
  Object object;
  for (gint i = 0; i < gst_structure_n_fields(structure); i++) {
    const gchar* name = gst_structure_nth_field_name(structure, i);
    object.raw(name, value_json(gst_structure_get_value(structure, name)));
  }
  return object.done();
}

std::string value_json(const GValue* value) {
  if (G_VALUE_HOLDS_BOOLEAN(value)) return g_value_get_boolean(value) ? "true" : "false";
  if (G_VALUE_HOLDS_STRING(value))
    return g_value_get_string(value) ? json_quoted(g_value_get_string(value)) : "null";
  if (GST_VALUE_HOLDS_STRUCTURE(value)) return structure_json(gst_value_get_structure(value));
  if (G_VALUE_HOLDS_UINT64(value)) {
    const guint64 v = g_value_get_uint64(value);
    return v == G_MAXUINT64 ? "null" : std::to_string(v);  // GST_CLOCK_TIME_NONE
  }
  if (G_VALUE_HOLDS_INT64(value)) return std::to_string(g_value_get_int64(value));
  if (g_value_type_transformable(G_VALUE_TYPE(value), G_TYPE_DOUBLE)) {
    GValue as_double = G_VALUE_INIT;
    g_value_init(&as_double, G_TYPE_DOUBLE);
    g_value_transform(value, &as_double);
    const std::string text = number(g_value_get_double(&as_double));
    g_value_unset(&as_double);
    return text;
  }
  g_autofree gchar* text = gst_value_serialize(value);
  return text ? json_quoted(text) : "null";
}

std::string viewer_json(const ViewerSnapshot& v) {
  Object object;
  object.text("id", v.id)
      .text("protocol", v.protocol)
      .text("role", v.role)
      .text("remote", v.remote)
      .text("connection", v.connection)
      .text("ice", v.ice)
      .num("age_seconds", v.age)
      .flag("paused", v.paused)
      .raw("rtt_seconds", v.transport.rtt < 0 ? "null" : number(v.transport.rtt))
      .num("fraction_lost", v.transport.fraction_lost)
      .num("packets_lost", static_cast<double>(v.transport.packets_lost))
      .num("packets_sent", v.transport.packets_sent)
      .num("bytes_sent", v.transport.bytes_sent)
      .num("bitrate_bps", v.transport.bitrate)
      .num("nacks", v.transport.nacks)
      .num("plis", v.transport.plis)
      .num("frames_sent", v.gate.counts.passed)
      .num("frames_dropped_overflow", v.gate.counts.overflow)
      .num("frames_dropped_waiting_key", v.gate.counts.waiting)
      .num("gate_closings", v.gate.counts.closings)
      .flag("gate_open", v.gate.open)
      .num("queue_frames", static_cast<std::uint64_t>(v.gate.frames))
      .num("queue_bytes", static_cast<std::uint64_t>(v.gate.bytes))
      .flag("channel_open", v.channel_open)
      .num("messages_waiting", static_cast<std::uint64_t>(v.outbox_waiting))
      .num("messages_sent", v.outbox_sent)
      .num("messages_lost", v.outbox_lost)
      .num("messages_too_large", v.outbox_too_large)
      .num("commands", v.commands)
      .num("commands_refused", v.refused);
  return object.done();
}

// Sums over the viewers that are there and those that have left.
struct Sums {
  GateCounts gate;
  std::uint64_t lost = 0;
  std::uint64_t too_large = 0;
  std::uint64_t bytes = 0;
  explicit Sums(const Snapshot& s)
      : gate(s.totals.gate),
        lost(s.totals.outbox_lost),
        too_large(s.totals.outbox_too_large),
        bytes(s.totals.bytes_sent) {
    for (const ViewerSnapshot& v : s.viewers) {
      gate.passed += v.gate.counts.passed;
      gate.overflow += v.gate.counts.overflow;
      gate.waiting += v.gate.counts.waiting;
      gate.closings += v.gate.counts.closings;
      lost += v.outbox_lost;
      too_large += v.outbox_too_large;
      bytes += v.transport.bytes_sent;
    }
  }
};

// A label's value in the Prometheus text format.
std::string label(std::string_view value) {
  std::string out = "\"";
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

class Metrics {
 public:
  Metrics& head(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
    return *this;
  }
  Metrics& value(double v, const std::string& labels = {}) {
    text_ += name_ + (labels.empty() ? "" : "{" + labels + "}") + " " +
             (std::isfinite(v) ? number(v) : "NaN") + "\n";
    return *this;
  }
  Metrics& count(const char* name, const char* help, std::uint64_t v) {
    return head(name, "counter", help).value(static_cast<double>(v));
  }
  Metrics& gauge(const char* name, const char* help, double v) {
    return head(name, "gauge", help).value(v);
  }
  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

std::string to_json(const Snapshot& s) {
  const Sums sums(s);
  Object session;
  session.text("state", s.session_state)
      .raw("id", s.session_id.empty() ? "null" : json_quoted(s.session_id))
      .num("age_seconds", s.session_age)
      .num("count", s.sessions);
  std::string viewers = "[";
  for (const ViewerSnapshot& v : s.viewers)
    viewers += (viewers.size() > 1 ? "," : "") + viewer_json(v);
  std::string departures = "[";
  for (const Departure& d : s.departures) {
    Object object;
    object.text("id", d.viewer)
        .text("protocol", d.protocol)
        .text("reason", d.reason)
        .num("ago_seconds", static_cast<double>(s.now - d.at) / 1e6);
    departures += (departures.size() > 1 ? "," : "") + object.done();
  }
  Object encoder;
  encoder.text("codec", s.codec)
      .raw("element", s.encoder.element.empty() ? "null" : json_quoted(s.encoder.element))
      .num("width", static_cast<std::uint64_t>(s.encoder.width))
      .num("height", static_cast<std::uint64_t>(s.encoder.height))
      .num("frames", s.encoder.frames)
      .num("key_frames", s.encoder.key_frames)
      .num("key_frame_requests", s.key_requests)
      .num("key_frames_asked", s.key_granted)
      .num("bytes", s.encoder.bytes)
      .num("mean_ms", s.encoder.mean_ms)
      .num("max_ms", s.encoder.max_ms);
  Object drops;
  drops.num("viewer_overflow", sums.gate.overflow)
      .num("viewer_waiting_key", sums.gate.waiting)
      .num("nobody_watched", s.encoder.idle_drops)
      .num("former_session", s.encoder.former_drops);
  Object messages;
  messages.num("from_model", s.totals.messages)
      .num("lost_before_queue", s.totals.messages_lost)
      .num("lost_in_queue", sums.lost)
      .num("too_large_for_peer", sums.too_large)
      .num("commands", s.totals.commands)
      .num("commands_refused", s.totals.commands_refused);
  Object totals;
  totals.num("viewers_admitted", s.totals.viewers)
      .num("viewers_connected", s.totals.connected)
      .num("offers_refused", s.totals.refused)
      .num("bytes_sent", sums.bytes);
  Object all;
  all.raw("session", session.done())
      .text("model_state", s.model_state)
      .raw("viewers", viewers + "]")
      .raw("departures", departures + "]")
      .raw("encoder", encoder.done())
      .raw("drops", drops.done())
      .raw("messages", messages.done())
      .raw("totals", totals.done())
      .raw("pacing", s.pacing ? structure_json(s.pacing.get()) : "null");
  return all.done();
}

std::string to_prometheus(const Snapshot& s) {
  const Sums sums(s);
  Metrics m;
  m.head("reactor_session_state", "gauge", "1 for the state the session is in.");
  for (const char* state : {"idle", "waiting", "active", "orphaned"})
    m.value(s.session_state == state ? 1 : 0, std::string("state=") + label(state));
  m.count("reactor_sessions_total", "Sessions that the model was started for.", s.sessions);
  double connected = 0;
  for (const ViewerSnapshot& v : s.viewers)
    if (v.connection == "connected") connected++;
  m.gauge("reactor_viewers", "Viewers admitted at this moment.",
          static_cast<double>(s.viewers.size()));
  m.gauge("reactor_viewers_connected", "Viewers whose media flows.", connected);
  m.count("reactor_viewers_admitted_total", "Offers that were accepted.", s.totals.viewers);
  m.count("reactor_offers_refused_total", "Offers that were refused.", s.totals.refused);
  m.count("reactor_encoder_frames_total", "Frames that left the encoder.", s.encoder.frames);
  m.count("reactor_encoder_key_frames_total", "Key frames among them.", s.encoder.key_frames);
  m.count("reactor_encoder_bytes_total", "Bytes that left the encoder.", s.encoder.bytes);
  m.count("reactor_key_frame_requests_total", "Times a viewer needed a key frame.", s.key_requests);
  m.gauge("reactor_encoder_seconds", "Time a frame spends in the encoder, moving average.",
          s.encoder.mean_ms / 1000);
  m.head("reactor_frames_dropped_total", "counter", "Frames not sent, by cause.")
      .value(static_cast<double>(sums.gate.overflow), "cause=\"viewer_overflow\"")
      .value(static_cast<double>(sums.gate.waiting), "cause=\"viewer_waiting_key\"")
      .value(static_cast<double>(s.encoder.idle_drops), "cause=\"nobody_watched\"")
      .value(static_cast<double>(s.encoder.former_drops), "cause=\"former_session\"");
  m.count("reactor_frames_sent_total", "Frames handed to viewers' payloaders.", sums.gate.passed);
  m.count("reactor_sent_bytes_total", "RTP bytes sent to viewers.", sums.bytes);
  m.count("reactor_model_messages_total", "Messages from the model.", s.totals.messages);
  m.head("reactor_messages_lost_total", "counter",
         "Messages that did not reach a viewer, by cause.")
      .value(static_cast<double>(s.totals.messages_lost), "cause=\"service_busy\"")
      .value(static_cast<double>(sums.lost), "cause=\"queue_full\"")
      .value(static_cast<double>(sums.too_large), "cause=\"too_large\"");
  m.count("reactor_commands_total", "Commands handed to the model.", s.totals.commands);
  m.count("reactor_commands_refused_total", "Messages of viewers that were refused.",
          s.totals.commands_refused);
  if (!s.viewers.empty()) {
    const auto each = [&](const char* name, const char* type, const char* help, auto get) {
      m.head(name, type, help);
      for (const ViewerSnapshot& v : s.viewers)
        m.value(get(v), "viewer=" + label(v.id) + ",protocol=" + label(v.protocol));
    };
    each("reactor_viewer_rtt_seconds", "gauge", "Round-trip time by RTCP, NaN when unknown.",
         [](const ViewerSnapshot& v) { return v.transport.rtt < 0 ? NAN : v.transport.rtt; });
    each("reactor_viewer_fraction_lost", "gauge", "Share of packets lost since the last report.",
         [](const ViewerSnapshot& v) { return v.transport.fraction_lost; });
    each("reactor_viewer_bitrate_bps", "gauge", "Bits per second sent to the viewer.",
         [](const ViewerSnapshot& v) { return v.transport.bitrate; });
    each("reactor_viewer_queue_frames", "gauge", "Frames waiting in the viewer's queue.",
         [](const ViewerSnapshot& v) { return static_cast<double>(v.gate.frames); });
    each("reactor_viewer_packets_total", "counter", "RTP packets sent to the viewer.",
         [](const ViewerSnapshot& v) { return static_cast<double>(v.transport.packets_sent); });
    each("reactor_viewer_frames_dropped_total", "counter", "Frames the viewer did not get.",
         [](const ViewerSnapshot& v) {
           return static_cast<double>(v.gate.counts.overflow + v.gate.counts.waiting);
         });
  }
  if (s.pacing) {
    for (gint i = 0; i < gst_structure_n_fields(s.pacing.get()); i++) {
      const gchar* name = gst_structure_nth_field_name(s.pacing.get(), i);
      const GValue* value = gst_structure_get_value(s.pacing.get(), name);
      if (G_VALUE_HOLDS_STRING(value) || G_VALUE_HOLDS_BOOLEAN(value) ||
          !g_value_type_transformable(G_VALUE_TYPE(value), G_TYPE_DOUBLE))
        continue;
      if (G_VALUE_HOLDS_UINT64(value) && g_value_get_uint64(value) == G_MAXUINT64) continue;
      std::string metric = "reactor_pace_";
      for (const char* p = name; *p; p++)
        metric += g_ascii_isalnum(*p) ? static_cast<char>(g_ascii_tolower(*p)) : '_';
      GValue as_double = G_VALUE_INIT;
      g_value_init(&as_double, G_TYPE_DOUBLE);
      g_value_transform(value, &as_double);
      m.gauge(metric.c_str(), "From reactorpace's stats, in the units documented there.",
              g_value_get_double(&as_double));
      g_value_unset(&as_double);
    }
  }
  return m.text();
}

StructurePtr to_structure(const Snapshot& s) {
  const Sums sums(s);
  GstStructure* structure = gst_structure_new(
      "application/x-reactorwebrtcsink-stats", "session-state", G_TYPE_STRING,
      s.session_state.c_str(), "session-id", G_TYPE_STRING,
      s.session_id.empty() ? nullptr : s.session_id.c_str(), "sessions", G_TYPE_UINT64, s.sessions,
      "model-state", G_TYPE_STRING, s.model_state.c_str(), "codec", G_TYPE_STRING, s.codec.c_str(),
      "encoder", G_TYPE_STRING, s.encoder.element.c_str(), "encoded-frames", G_TYPE_UINT64,
      s.encoder.frames, "encoded-key-frames", G_TYPE_UINT64, s.encoder.key_frames, "encoded-bytes",
      G_TYPE_UINT64, s.encoder.bytes, "encoder-mean-ms", G_TYPE_DOUBLE, s.encoder.mean_ms,
      "encoder-max-ms", G_TYPE_DOUBLE, s.encoder.max_ms, "dropped-nobody-watched", G_TYPE_UINT64,
      s.encoder.idle_drops, "dropped-former-session", G_TYPE_UINT64, s.encoder.former_drops,
      "dropped-viewer-overflow", G_TYPE_UINT64, sums.gate.overflow, "dropped-viewer-waiting-key",
      G_TYPE_UINT64, sums.gate.waiting, "frames-sent", G_TYPE_UINT64, sums.gate.passed,
      "bytes-sent", G_TYPE_UINT64, sums.bytes, "messages", G_TYPE_UINT64, s.totals.messages,
      "messages-lost", G_TYPE_UINT64, s.totals.messages_lost + sums.lost + sums.too_large,
      "commands", G_TYPE_UINT64, s.totals.commands, "commands-refused", G_TYPE_UINT64,
      s.totals.commands_refused, "offers-refused", G_TYPE_UINT64, s.totals.refused, nullptr);
  GValue viewers = G_VALUE_INIT;
  gst_value_array_init(&viewers, static_cast<guint>(s.viewers.size()));
  for (const ViewerSnapshot& v : s.viewers) {
    GstStructure* entry = gst_structure_new(
        "viewer", "id", G_TYPE_STRING, v.id.c_str(), "protocol", G_TYPE_STRING, v.protocol.c_str(),
        "role", G_TYPE_STRING, v.role.c_str(), "remote", G_TYPE_STRING, v.remote.c_str(),
        "connection", G_TYPE_STRING, v.connection.c_str(), "ice", G_TYPE_STRING, v.ice.c_str(),
        "rtt", G_TYPE_DOUBLE, v.transport.rtt, "fraction-lost", G_TYPE_DOUBLE,
        v.transport.fraction_lost, "bitrate", G_TYPE_DOUBLE, v.transport.bitrate, "packets-sent",
        G_TYPE_UINT64, v.transport.packets_sent, "frames-sent", G_TYPE_UINT64, v.gate.counts.passed,
        "dropped-overflow", G_TYPE_UINT64, v.gate.counts.overflow, "dropped-waiting-key",
        G_TYPE_UINT64, v.gate.counts.waiting, "gate-open", G_TYPE_BOOLEAN, v.gate.open,
        "queue-frames", G_TYPE_UINT, static_cast<guint>(v.gate.frames), "messages-lost",
        G_TYPE_UINT64, v.outbox_lost, nullptr);
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, entry);
    gst_value_array_append_and_take_value(&viewers, &value);
  }
  gst_structure_take_value(structure, "viewers", &viewers);
  return StructurePtr(structure);
}

}  // namespace reactor::webrtc
