// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/pages.h"

#include <gio/gio.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "http/message.h"
extern "C" {
#include "reactor-page-resource.h"
}

namespace reactor::webrtc {

namespace {

constexpr const char* kRoot = "/org/gstreamer/reactor/page/";

// The page may load and talk to its own server only, and nobody else may put it into a frame and
// have it clicked.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'";

const char* content_type(std::string_view name) {
  const std::string_view ending = name.substr(std::min(name.rfind('.'), name.size()));
  if (ending == ".html") return "text/html; charset=utf-8";
  if (ending == ".js" || ending == ".mjs") return "text/javascript; charset=utf-8";
  if (ending == ".css") return "text/css; charset=utf-8";
  if (ending == ".svg") return "image/svg+xml";
  if (ending == ".png") return "image/png";
  if (ending == ".ico") return "image/x-icon";
  if (ending == ".woff2") return "font/woff2";
  if (ending == ".json" || ending == ".webmanifest") return "application/json";
  return "text/plain; charset=utf-8";
}

struct File {
  GBytes* bytes = nullptr;
  std::string type;
  std::string etag;

  explicit File(GBytes* owned) : bytes(owned) {}
  ~File() { g_bytes_unref(bytes); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

HttpResponse serve(const File& file, const HttpRequest& request) {
  HttpResponse response;
  response.add("ETag", file.etag);
  response.add("Cache-Control",
               "no-cache");  // ask each time, by its ETag: a new version shows at once
  const std::string* known = request.header("If-None-Match");
  if (known && known->find(file.etag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  response.add("Content-Type", file.type);
  response.add("Content-Security-Policy", kPolicy);
  response.add("Referrer-Policy", "no-referrer");
  gsize size = 0;
  const auto* data = static_cast<const char*>(g_bytes_get_data(file.bytes, &size));
  response.body.assign(data, size);
  return response;
}

void add_file(Router& router, GResource* resource, const std::string& name) {
  GBytes* bytes = g_resource_lookup_data(resource, (kRoot + name).c_str(),
                                         G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr);
  if (!bytes) return;
  // Shared by two routes: index.html is "/" as well.
  auto file = std::make_shared<File>(bytes);
  file->type = content_type(name);
  g_autofree char* sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
  file->etag = '"' + std::string(sum).substr(0, 32) + '"';
  Handler handler = [file](Call call, Respond respond) { respond(serve(*file, call.request)); };
  router.add({"GET", "/page/" + name, Need::kOpen, "", handler});
  if (name == "index.html") router.add({"GET", "/", Need::kOpen, "", handler});
}

void add_folder(Router& router, GResource* resource, const std::string& folder) {
  g_auto(GStrv) names = g_resource_enumerate_children(resource, (kRoot + folder).c_str(),
                                                      G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr);
  for (char** name = names; name && *name; name++) {
    const std::string path = folder + *name;
    if (path.back() == '/')
      add_folder(router, resource, path);
    else
      add_file(router, resource, path);
  }
}

}  // namespace

void add_page_routes(Router& router) {
  static std::once_flag registered;  // several sinks may start at once, each in its own thread
  std::call_once(registered, reactor_page_register_resource);
  add_folder(router, reactor_page_get_resource(), "");
}

}  // namespace reactor::webrtc
