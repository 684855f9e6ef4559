// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/counters.h"

#include <algorithm>

namespace reactor::pace {

void Window::add(Duration value) {
  Duration& place = values_[count_++ % kSize];
  sum_ += value - place;
  place = value;
}

Duration Window::mean() const {
  const auto n = static_cast<Duration::rep>(std::min(count_, kSize));
  return n > 0 ? sum_ / n : Duration{0};
}

Duration Window::percentile(double p) const {
  const std::size_t n = std::min(count_, kSize);
  if (n == 0) return Duration{0};
  std::vector<Duration> sorted(values_.begin(), values_.begin() + n);
  const auto k = static_cast<std::ptrdiff_t>(p * static_cast<double>(n - 1) + .5);
  std::nth_element(sorted.begin(), sorted.begin() + k, sorted.end());
  return sorted[k];
}

namespace {
guint64 ns(Duration d) {
  return static_cast<guint64>(std::max(d.count(), Duration::rep{0}));
}
guint64 ns(double seconds) {
  return static_cast<guint64>(std::max(seconds, 0.) * 1e9 + .5);
}
gint64 signed_ns(double seconds) {
  return static_cast<gint64>(seconds * 1e9);
}
}  // namespace

StructurePtr Counters::structure(const pacing::Pacer& pacer, Time now, std::size_t queued,
                                 bool monitoring, Duration push) const {
  const pacing::Explanation why = pacer.explain(now);
  StructurePtr s(gst_structure_new(
      "reactorpace-stats", "blocks", G_TYPE_UINT64, blocks_in, "frames", G_TYPE_UINT64, frames_in,
      "shown", G_TYPE_UINT64, shown, "repeats", G_TYPE_UINT64, repeats, "black", G_TYPE_UINT64,
      black, "stalls", G_TYPE_UINT64, why.stalls, "flushes", G_TYPE_UINT64, flushes, "fillers",
      G_TYPE_UINT64, fillers, "qos-events", G_TYPE_UINT64, qos, "key-unit-requests", G_TYPE_UINT64,
      key_units, nullptr));
  guint64 dropped = 0;
  for (int i = 0; i < kLosses; ++i) {
    g_autofree gchar* field = g_strdup_printf("dropped-%s", loss_name(static_cast<Loss>(i)));
    gst_structure_set(s.get(), field, G_TYPE_UINT64, lost[i], nullptr);
    dropped += lost[i];
  }
  gst_structure_set(
      s.get(), "dropped", G_TYPE_UINT64, dropped, "monitoring", G_TYPE_BOOLEAN, monitoring, "fps",
      G_TYPE_DOUBLE, pacer.fps().value_or(0), "period", G_TYPE_UINT64, ns(why.period),
      "queue-frames", G_TYPE_UINT, static_cast<guint>(queued), "queue-time", G_TYPE_UINT64,
      ns(why.period * static_cast<double>(queued)), "latency-mean", G_TYPE_UINT64,
      ns(latency.mean()), "latency-p95", G_TYPE_UINT64, ns(latency.percentile(.95)),
      "lateness-mean", G_TYPE_UINT64, ns(lateness.mean()), "lateness-p99", G_TYPE_UINT64,
      ns(lateness.percentile(.99)), "push-mean", G_TYPE_UINT64, ns(push), nullptr);
  gst_structure_set(s.get(), "gap", G_TYPE_UINT64, ns(why.gap), "block-size", G_TYPE_DOUBLE,
                    why.frames, "deviation", G_TYPE_DOUBLE, why.deviation, "rhythm", G_TYPE_UINT,
                    why.rhythm, "cushion", G_TYPE_UINT64, ns(why.cushion), "horizon", G_TYPE_UINT64,
                    ns(why.horizon), "cost", G_TYPE_DOUBLE, why.cost, "slack", G_TYPE_INT64,
                    signed_ns(why.slack), "next-arrival", G_TYPE_INT64, signed_ns(why.next_arrival),
                    nullptr);
  return s;
}

}  // namespace reactor::pace
