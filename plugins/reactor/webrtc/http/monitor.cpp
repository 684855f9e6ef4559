// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/monitor.h"

#include <string>
#include <utility>

#include "http/message.h"

namespace reactor::webrtc {

void add_monitor_routes(Router& router, const ViewerHost& host) {
  // Open: who asks whether to restart us has no token. It says no more than that, and why.
  router.add({"GET", "/healthz", Need::kOpen, "", [&host](Call, Respond respond) {
                const std::string problem = host.unhealthy();
                if (problem.empty())
                  respond(json_response(200, "{\"status\":\"ok\"}"));
                else
                  respond(refused(503, "unhealthy", problem));
              }});
  router.add({"GET", "/stats", Need::kView, "",
              [&host](Call, Respond respond) { respond(json_response(200, host.stats_json())); }});
  router.add({"GET", "/metrics", Need::kView, "", [&host](Call, Respond respond) {
                HttpResponse response;
                response.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
                response.add("Cache-Control", "no-store");
                response.body = host.metrics_text();
                respond(std::move(response));
              }});
}

}  // namespace reactor::webrtc
