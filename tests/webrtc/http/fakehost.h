// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A ViewerHost without media, for tests of the HTTP side. It keeps viewers and the session, writes
// down every call, and answers an offer as the offer asks for, by lines of its own:
//
//     a=x-fake-delay:250     the answer comes after 250 ms (in the thread's main context)
//     a=x-fake-refuse:406    refused with that status
//     a=x-fake-never:1       held until stop()
#pragma once

#include <glib.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "signalling.h"

class FakeHost final : public reactor::webrtc::ViewerHost {
 public:
  using Refusal = reactor::webrtc::Refusal;
  using Offer = reactor::webrtc::Offer;
  using OfferDone = reactor::webrtc::OfferDone;

  ~FakeHost() override { stop(); }

  // Ends what is still held, as a sink does that stops.
  void stop() {
    auto held = std::exchange(held_, {});
    for (OfferDone& done : held) done({std::nullopt, Refusal{503, "stopping", "the sink stops"}});
  }

  void add_viewer(Offer offer, OfferDone done) override {
    note("add_viewer", offer.protocol);
    settle(std::move(offer), std::string(), std::move(done));
  }

  void replace_viewer(std::string_view viewer, Offer offer, OfferDone done) override {
    note("replace_viewer", viewer);
    settle(std::move(offer), std::string(viewer), std::move(done));
  }

  bool remove_viewer(std::string_view viewer, std::string_view reason) override {
    note("remove_viewer", reason);
    return admitted.erase(std::string(viewer)) > 0;
  }

  bool add_candidate(std::string_view viewer,
                     const reactor::webrtc::Candidate& candidate) override {
    note("add_candidate", candidate.mid + " " + candidate.candidate);
    return has_viewer(viewer);
  }

  bool has_viewer(std::string_view viewer) const override {
    return admitted.count(std::string(viewer)) > 0;
  }

  unsigned viewers() const override { return static_cast<unsigned>(admitted.size()); }

  bool set_track_paused(std::string_view viewer, bool paused) override {
    note("set_track_paused", paused ? "true" : "false");
    return has_viewer(viewer);
  }

  std::optional<Refusal> command(std::string_view, std::string_view json,
                                 reactor::webrtc::Role role) override {
    note("command", json);
    if (role == reactor::webrtc::Role::kViewOnly)
      return Refusal{403, "view-only", "may only watch"};
    return {};
  }

  std::string start_session() override {
    note("start_session", "");
    if (session_id.empty()) session_id = new_id();
    return session_id;
  }

  std::optional<std::string> session() const override {
    if (session_id.empty()) return {};
    return session_id;
  }

  void stop_session(std::string_view reason) override {
    note("stop_session", reason);
    session_id.clear();
    admitted.clear();
  }

  std::string capabilities() const override { return capabilities_json; }
  std::string stats_json() const override {
    return "{\"viewers\":" + std::to_string(admitted.size()) + "}";
  }
  std::string metrics_text() const override {
    return "# HELP reactor_viewers Viewers connected.\n# TYPE reactor_viewers "
           "gauge\nreactor_viewers " +
           std::to_string(admitted.size()) + "\n";
  }
  std::string unhealthy() const override { return problem; }

  int calls(std::string_view name) const {
    return static_cast<int>(std::count_if(log.begin(), log.end(),
                                          [&](const auto& entry) { return entry.first == name; }));
  }

  unsigned max_viewers = 64;
  std::string capabilities_json = "{}";
  std::string problem;
  std::string session_id;
  std::map<std::string, Offer> admitted;                 // viewers that are there, by id
  std::vector<std::pair<std::string, std::string>> log;  // what was called, and with what

 private:
  static std::string new_id() {
    char id[33];
    for (int i = 0; i < 4; i++) g_snprintf(id + 8 * i, 9, "%08x", g_random_int());
    return id;
  }

  void note(std::string_view name, std::string_view detail) {
    log.emplace_back(std::string(name), std::string(detail));
  }

  static int asked(const std::string& sdp, const std::string& what) {
    const std::size_t at = sdp.find("a=x-fake-" + what + ":");
    return at == std::string::npos ? 0 : std::stoi(sdp.substr(at + what.size() + 10));
  }

  void settle(Offer offer, std::string viewer, OfferDone done) {
    if (asked(offer.sdp, "never")) {
      held_.push_back(std::move(done));
    } else if (const int delay = asked(offer.sdp, "delay")) {
      struct Later {
        FakeHost* host;
        Offer offer;
        std::string viewer;
        OfferDone done;
      };
      auto* later = new Later{this, std::move(offer), std::move(viewer), std::move(done)};
      GSource* source = g_timeout_source_new(static_cast<guint>(delay));
      g_source_set_callback(
          source,
          [](gpointer data) -> gboolean {
            auto* l = static_cast<Later*>(data);
            l->host->finish(std::move(l->offer), std::move(l->viewer), l->done);
            return G_SOURCE_REMOVE;
          },
          later, [](gpointer data) { delete static_cast<Later*>(data); });
      g_source_attach(source, g_main_context_get_thread_default());
      g_source_unref(source);
    } else {
      finish(std::move(offer), std::move(viewer), done);
    }
  }

  void finish(Offer offer, std::string viewer, const OfferDone& done) {
    if (const int status = asked(offer.sdp, "refuse")) {
      done({std::nullopt, Refusal{status, "fake", "refused as asked"}});
    } else if (viewer.empty() && admitted.size() >= max_viewers) {
      done({std::nullopt, Refusal{429, "too-many-viewers", "too many viewers"}});
    } else {
      if (viewer.empty()) viewer = new_id();
      if (session_id.empty()) session_id = new_id();
      admitted[viewer] = offer;
      done({reactor::webrtc::Answer{viewer, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"},
            std::nullopt});
    }
  }

  std::vector<OfferDone> held_;
};
