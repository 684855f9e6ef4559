// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pipeline that ends in a reactorwebrtcsink on a free port, and what went upstream from it.
#pragma once

#include <gst/reactor/gstreactor.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <gst/check/gstcheck.h>  // last: its macros have everyday names

namespace reactor::test {

class SinkFixture {
 public:
  // `source`: a gst-launch description whose last element has a free source pad. `properties`: of
  // the sink. Goes to PLAYING.
  explicit SinkFixture(const std::string& source, const std::string& properties = {},
                       const std::function<void(GstElement* sink)>& before_playing = {});
  ~SinkFixture();

  unsigned port() const { return port_; }
  GstElement* pipeline() const { return pipeline_; }
  GstElement* sink() const { return sink_; }
  GstElement* element(const char* name);  // transfer full

  void send_message(const char* json);
  void send_event(GstEvent* event);  // downstream, into the sink
  bool wait_command(const std::string& json, double seconds = 10);
  // "started ID" and "ended ID reason", "joined ID", "left ID", in order.
  std::vector<std::string> upstream();
  bool wait_upstream(const std::string& prefix, double seconds = 10);
  unsigned key_requests();
  // The text of a field of the property stats.
  std::string stat(const char* field);
  std::uint64_t stat_number(const char* field);
  std::size_t viewer_count();
  bool wait_until(const std::function<bool()>& condition, double seconds = 10);
  std::string error();  // the first error on the bus so far; empty: none

 private:
  static GstPadProbeReturn on_upstream(GstPad*, GstPadProbeInfo* info, gpointer self);

  GstElement* pipeline_ = nullptr;
  GstElement* sink_ = nullptr;
  unsigned port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> commands_;  // guarded by mutex_
  std::vector<std::string> upstream_;  // guarded by mutex_
  unsigned key_requests_ = 0;          // guarded by mutex_
};

}  // namespace reactor::test
