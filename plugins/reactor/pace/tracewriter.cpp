// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/tracewriter.h"

#include <cerrno>
#include <charconv>
#include <utility>

namespace reactor::pace {

namespace {
constexpr std::size_t kWorthAWrite = 16384;  // bytes

// Numbers are formatted by hand: printf would follow the application's locale.
template <typename... Args>
void append(std::string& text, Args... args) {
  char digits[64];
  const auto result = std::to_chars(digits, digits + sizeof digits, args...);
  text.append(digits, result.ptr);
}

void append_seconds(std::string& text, Time t) {
  auto ns = t.count();
  if (ns < 0) {
    text += '-';
    ns = -ns;
  }
  append(text, ns / 1000000000);
  char fraction[] = ".000000000";
  auto rest = ns % 1000000000;
  for (int i = 9; i > 0; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
  text.append(fraction, 10);
}
}  // namespace

bool TraceWriter::open(const std::string& path) {
  finish(close());
  file_ = std::fopen(path.c_str(), "we");
  if (!file_) return false;
  text_ = "# reactor-trace 1\n";
  return true;
}

TraceWriter::Rest TraceWriter::close() {
  const std::lock_guard lock(file_mutex_);
  return {std::exchange(file_, nullptr), std::exchange(text_, {})};
}

void TraceWriter::finish(const Rest& rest) {
  if (!rest.file) return;
  std::fwrite(rest.text.data(), 1, rest.text.size(), rest.file);
  std::fclose(rest.file);
}

void TraceWriter::begin(Time t, const char* kind) {
  append_seconds(text_, t);
  text_ += ',';
  text_ += kind;
}

void TraceWriter::add(std::uint64_t value) {
  text_ += ',';
  append(text_, value);
}

void TraceWriter::add(double value) {
  text_ += ',';
  append(text_, value, std::chars_format::fixed, 6);
}

void TraceWriter::add(Time value) {
  text_ += ',';
  append_seconds(text_, value);
}

void TraceWriter::end() {
  text_ += '\n';
}

void TraceWriter::arrival(Time t, std::uint64_t block, unsigned frames, bool monitored) {
  if (!file_) return;
  begin(t, "arrival");
  add(block);
  add(std::uint64_t{frames});
  add(std::uint64_t{monitored});
  end();
}

void TraceWriter::release(Time t, std::uint64_t block, unsigned index, Time planned, Time due) {
  if (!file_) return;
  begin(t, "release");
  add(block);
  add(std::uint64_t{index});
  add(planned);
  add(due);
  end();
}

void TraceWriter::drop(Time t, std::uint64_t block, unsigned index, const char* reason) {
  if (!file_) return;
  begin(t, "drop");
  add(block);
  add(std::uint64_t{index});
  text_ += ',';
  text_ += reason;
  end();
}

void TraceWriter::event(Time t, const char* name) {
  if (!file_) return;
  begin(t, "event");
  text_ += ',';
  text_ += name;
  end();
}

void TraceWriter::plan(Time t, std::size_t queued, const pacing::Explanation& why) {
  if (!file_) return;
  begin(t, "plan");
  add(std::uint64_t{queued});
  add(why.period);
  add(why.gap);
  add(why.frames);
  add(why.deviation);
  add(std::uint64_t{why.rhythm});
  add(why.cushion);
  add(why.horizon);
  add(why.cost);
  add(why.slack);
  add(why.next_arrival);
  end();
}

std::string TraceWriter::take() {
  if (text_.size() < kWorthAWrite) return {};
  return std::exchange(text_, {});
}

void TraceWriter::write(const std::string& text) {
  if (text.empty()) return;
  const std::lock_guard lock(file_mutex_);
  if (!file_) return;
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);
}

}  // namespace reactor::pace
