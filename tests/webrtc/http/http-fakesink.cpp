// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The HTTP server over a host without media, as a process: tests in other languages start it and
// talk to it.
//
//     http-fakesink '{"host":"127.0.0.1","auth_token":"…","request_ms":500,…}'
//
// Says "port N" on standard output, or "error TEXT"; then answers one line of its standard input
// with one line each: "calls" (what the host was asked to do since the last time, as JSON), "fds"
// (open descriptors), "problem TEXT" (what /healthz says), "restart" (stop and start on the same
// port). Ends with the end of its input.
#include <dirent.h>
#include <json-glib/json-glib.h>

#include <cstdio>
#include <cstring>

#include "fakehost.h"
#include "http/message.h"
#include "http/server.h"

using reactor::webrtc::HttpConfig;
using reactor::webrtc::HttpServer;
using reactor::webrtc::json_string;

namespace {

std::vector<std::string> strings(JsonObject* object, const char* name) {
  std::vector<std::string> out;
  if (!json_object_has_member(object, name)) return out;
  JsonArray* array = json_object_get_array_member(object, name);
  for (guint i = 0; i < json_array_get_length(array); i++)
    out.emplace_back(json_array_get_string_element(array, i));
  return out;
}

HttpConfig read_config(const char* text) {
  HttpConfig config;
  config.port = 0;
  g_autoptr(JsonParser) parser = json_parser_new();
  if (!json_parser_load_from_data(parser, text, -1, nullptr)) return config;
  JsonObject* o = json_node_get_object(json_parser_get_root(parser));
  auto string = [&](const char* name, std::string* out) {
    if (json_object_has_member(o, name)) *out = json_object_get_string_member(o, name);
  };
  auto number = [&](const char* name, auto set) {
    if (json_object_has_member(o, name)) set(json_object_get_int_member(o, name));
  };
  string("host", &config.host);
  string("auth_token", &config.auth_token);
  string("view_token", &config.view_token);
  string("tls_certificate", &config.tls_certificate);
  config.allowed_hosts = strings(o, "allowed_hosts");
  config.cors_origins = strings(o, "cors_origins");
  if (auto uris = strings(o, "ice_servers"); !uris.empty())
    config.ice_servers.push_back({uris, "user", "pass\"word"});
  number("port", [&](gint64 n) { config.port = static_cast<unsigned>(n); });
  number("connections", [&](gint64 n) { config.limits.connections = static_cast<std::size_t>(n); });
  number("request_ms", [&](gint64 n) { config.limits.request = std::chrono::milliseconds(n); });
  number("keep_alive_ms",
         [&](gint64 n) { config.limits.keep_alive = std::chrono::milliseconds(n); });
  number("response_ms", [&](gint64 n) { config.limits.response = std::chrono::milliseconds(n); });
  return config;
}

int open_descriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

struct Program {
  FakeHost host;
  HttpServer server;
  HttpConfig config;
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);

  ~Program() { g_main_loop_unref(loop); }

  bool start() {
    const auto result = server.start(config, host);
    if (!result.error.empty()) {
      std::printf("error %s\n", result.error.c_str());
      return false;
    }
    config.port = result.port;
    std::printf("port %u %s\n", result.port, result.warning.c_str());
    return true;
  }

  void obey(const std::string& line) {
    if (line == "calls") {
      std::string out = "[";
      for (const auto& [name, detail] : host.log)
        out += (out.size() > 1 ? ",[" : "[") + json_string(name) + "," + json_string(detail) + "]";
      host.log.clear();
      std::printf("%s]\n", out.c_str());
    } else if (line == "fds") {
      std::printf("%d\n", open_descriptors());
    } else if (line.rfind("problem ", 0) == 0) {
      host.problem = line.substr(8);
      std::puts("ok");
    } else if (line == "restart") {
      server.stop();
      start();
    } else {
      std::puts("unknown");
    }
  }
};

gboolean on_input(GIOChannel* channel, GIOCondition, gpointer data) {
  auto* program = static_cast<Program*>(data);
  g_autofree char* line = nullptr;
  gsize end = 0;
  if (g_io_channel_read_line(channel, &line, nullptr, &end, nullptr) != G_IO_STATUS_NORMAL) {
    g_main_loop_quit(program->loop);
    return G_SOURCE_REMOVE;
  }
  program->obey(std::string(line, end));
  std::fflush(stdout);
  return G_SOURCE_CONTINUE;
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.config = read_config(argc > 1 ? argv[1] : "{}");
  if (!program.start()) return 1;
  std::fflush(stdout);
  GIOChannel* input = g_io_channel_unix_new(0);
  g_io_add_watch(input, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP), on_input, &program);
  g_main_loop_run(program.loop);
  program.server.stop();
  program.host.stop();
  g_io_channel_unref(input);
  return 0;
}
