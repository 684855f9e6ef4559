// SPDX-License-Identifier: LGPL-2.1-or-later
//
// TraceWriter: one line of CSV for each block that arrives, frame that leaves and thing that
// happens, in the format of docs/traces.md. Lines are collected by whoever holds the owner's lock
// and written to the file without it.
//
// Thread-compatible, except `write`, which is thread-safe.
#pragma once

#include "timeline.h"

#include "gst/pacing/pacer.h"

#include <cstdio>
#include <mutex>
#include <string>

namespace reactor::pace {

class TraceWriter {
 public:
  ~TraceWriter() { finish(close()); }

  // False, with errno, when the file cannot be made.
  bool open(const std::string& path);
  // No more lines are taken. What is left to do, which takes its time, `finish` does.
  struct Rest {
    std::FILE* file = nullptr;
    std::string text;
  };
  Rest close();
  static void finish(const Rest& rest);
  bool active() const { return file_ != nullptr; }

  void arrival(Time t, std::uint64_t block, unsigned frames, bool monitored);
  void release(Time t, std::uint64_t block, unsigned index, Time planned, Time due);
  void drop(Time t, std::uint64_t block, unsigned index, const char* reason);
  void event(Time t, const char* name);
  void plan(Time t, std::size_t queued, const pacing::Explanation& why);

  // What was collected, once there is enough of it to be worth a write.
  std::string take();
  void write(const std::string& text);

 private:
  void begin(Time t, const char* kind);
  void add(std::uint64_t value);
  void add(double value);
  void add(Time value);
  void end();

  std::FILE* file_ = nullptr;  // guarded by file_mutex_ once open
  std::mutex file_mutex_;
  std::string text_;
};

}  // namespace reactor::pace
