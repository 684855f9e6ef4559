// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/pacer.h"

#include <algorithm>

namespace reactor::pacing {

namespace {
constexpr double kLeastGap =
    1e-3;                       // 1/max_fps: two blocks at the same instant count as this far apart
constexpr double kStall = .05;  // s beyond the period that make a hold a stall
}  // namespace

Pacer::Pacer(const Settings& settings) {
  configure(now_, settings);
}

Time Pacer::advance(Time now) {
  drops_.clear();
  now_ = std::max(now_, now);
  settle_room(now_);
  return now_;
}

void Pacer::configure(Time now, const Settings& settings) {
  now = advance(now);
  settings_ = settings;
  Producer::Limits limits;
  limits.price = latency_price(settings.smoothness);
  limits.min_interval =
      std::max(1 / std::clamp(settings.max_fps, 1e-3, 1e6), seconds(settings.consumer));
  if (settings.min_fps > 0) limits.max_interval = 1 / settings.min_fps;
  if (settings.max_latency) limits.max_latency = std::max(0., seconds(*settings.max_latency));
  limits.waits = waits();
  producer_.configure(limits);
  entered_ = 0;
  drop_surplus(now);
  keep_bound(earliest(now));
  schedule_.replan(now, queue_.size(), producer_);
  plan_room(now);
}

const Settings& Pacer::settings() const {
  return settings_;
}

FrameId Pacer::arrive(Time now, const Block& block) {
  now = advance(now);
  const FrameId first = next_id_;
  if (block.frames == 0) return first;
  std::optional<double> compute;
  if (block.compute) {
    compute = seconds(*block.compute);
  } else if (working_since_) {
    compute = seconds(now - *working_since_);
  }
  const bool observed = monitoring_ && !fresh_ && compute;
  if (observed) {
    producer_.observe(std::max(*compute, kLeastGap * producer_.law().min_interval), block.frames);
  } else {
    producer_.first(compute, block.frames);
  }
  const bool starved = queue_.empty();
  if (starved && observed && seconds(now - schedule_.next()) > std::max(kStall, producer_.period()))
    ++stalls_;
  ++blocks_;
  fresh_ = false;
  schedule_.set_idle(!monitoring_);
  enqueue(now, block.frames);
  producer_.arrived(entered_);
  drop_surplus(now);
  keep_bound(earliest(now));
  schedule_.arrived(now, queue_.size(), starved, producer_);
  working_since_ = room_at_ = now;
  plan_room(now);
  return first;
}

// A release is never earlier than one interval after this.
Time Pacer::earliest(Time now) const {
  return std::max(schedule_.last(), now - nanoseconds(producer_.law().min_interval));
}

// Of a producer that does not wait, max_fps is kept by thinning evenly. Of one that waits, a block
// that cannot leave within max_latency even at max_fps is thinned evenly to what can.
void Pacer::enqueue(Time now, unsigned frames) {
  double keep = 1;
  DropReason reason = DropReason::kThinned;
  const double least = producer_.law().min_interval;
  if (!waits()) {
    if (producer_.known()) keep = std::min(1., producer_.level().period() / least);
  } else if (settings_.max_latency) {
    const Duration left = now + *settings_.max_latency - earliest(now);
    const auto fit =
        static_cast<double>(left / nanoseconds(least)) - static_cast<double>(queue_.size());
    keep = std::clamp(fit / frames, 0., 1.);
    reason = DropReason::kLate;
    thinning_ = 0;
  }
  entered_ = 0;
  for (unsigned i = 0; i < frames; ++i) {
    const FrameId id = next_id_++;
    thinning_ += keep;
    if (thinning_ < 1 - 1e-9) {
      drops_.push_back({id, reason});
    } else if (queue_.size() >= kMostFrames) {
      drops_.push_back({id, DropReason::kOverflow});
    } else {
      thinning_ -= 1;
      ++entered_;
      queue_.push({id, now});
    }
  }
}

// Of a producer that does not wait, what there is no room for.
void Pacer::drop_surplus(Time now) {
  if (waits()) return;
  while (queue_.size() > 1 && excess(now) > 0) {
    if (settings_.overflow == Overflow::kDropNewest && entered_ > 0) {
      drops_.push_back({queue_.pop_back().id, DropReason::kOverflow});
      --entered_;
    } else {
      drop_front(DropReason::kOverflow);
    }
  }
}

// max_latency is a bound on each frame: those that cannot leave within it even at max_fps, the next
// one at least an interval after `before`, are dropped, and no interval may be so long that another
// outstays it.
void Pacer::keep_bound(Time before) {
  double hurry = std::numeric_limits<double>::infinity();
  if (settings_.max_latency) {
    const Duration least = nanoseconds(producer_.law().min_interval);
    const auto leaves_within = [&](std::size_t i) {
      return queue_.at(i).arrival + *settings_.max_latency - before;
    };
    std::int64_t surplus = 0;
    for (std::size_t i = 0; i < queue_.size(); ++i)
      surplus = std::max(surplus, static_cast<std::int64_t>(i + 1) -
                                      std::max<std::int64_t>(0, leaves_within(i) / least));
    for (; surplus > 0; --surplus) {
      if (settings_.overflow == Overflow::kDropNewest && entered_ > 0) {
        drops_.push_back({queue_.pop_back().id, DropReason::kLate});
        --entered_;
      } else {
        drop_front(DropReason::kLate);
      }
    }
    for (std::size_t i = 0; i < queue_.size(); ++i)
      hurry = std::min(hurry,
                       seconds(leaves_within(i) / static_cast<std::int64_t>(i + 1) - Duration(1)));
  }
  schedule_.hurry(hurry);
}

std::span<const Drop> Pacer::drops() const {
  return drops_;
}

void Pacer::set_monitoring(Time now, bool on) {
  now = advance(now);
  monitoring_ = on;
  fresh_ = true;
  if (on) {
    working_since_ = now;
    producer_.interrupt();
    schedule_.interrupt();
  } else {
    schedule_.set_idle(true);
  }
}

void Pacer::cut(Time now) {
  now = advance(now);
  while (!queue_.empty()) drop_front(DropReason::kFlushed);
  fresh_ = true;
  producer_.interrupt();
  black_due_ = schedule_.cut(now, producer_);
  plan_room(now);
}

void Pacer::black(Time now) {
  cut(now);
}
void Pacer::flush(Time now) {
  cut(now);
}
Time Pacer::black_due() const {
  return black_due_;
}

void Pacer::end(Time now) {
  now = advance(now);
  schedule_.set_idle(true);
  if (!queue_.empty()) schedule_.replan(now, queue_.size(), producer_);
  plan_room(now);
}

bool Pacer::empty() const {
  return queue_.empty();
}
std::size_t Pacer::queued() const {
  return queue_.size();
}

std::optional<Time> Pacer::next_release() const {
  if (queue_.empty()) return {};
  return schedule_.next();
}

Release Pacer::release(Time now) {
  now = advance(std::max(now, schedule_.next()));
  const Time due = schedule_.due(now, producer_);
  const bool late = due != schedule_.next();
  if (late && settings_.max_latency) {
    while (queue_.size() > 1 && queue_.front().arrival + *settings_.max_latency < due)
      drop_front(DropReason::kLate);
  }
  const QueuedFrame frame = queue_.pop_front();
  if (late) {
    entered_ = 0;
    keep_bound(due);
  }
  schedule_.released(due, queue_.size(), producer_);
  plan_room(now);
  return {frame.id, due, schedule_.next() - due};
}

// Slack above what the queue may hold, s.
double Pacer::excess(Time now) const {
  if (!producer_.known()) return 0;
  return seconds(std::max(schedule_.next(), now) - now) +
         static_cast<double>(queue_.size()) * producer_.period() - producer_.gap() -
         producer_.aim().cushion - producer_.excess();
}

Time Pacer::room(Time now) const {
  now = std::max(now, now_);
  if (!waits() || queue_.empty()) return now;
  return now + nanoseconds(std::max(0., excess(now)));
}

// The producer went on at room_at_ if that has passed: what it takes from then on is its own.
void Pacer::settle_room(Time now) {
  if (room_at_ && *room_at_ <= now) {
    working_since_ = *room_at_;
    room_at_.reset();
  }
}

void Pacer::resumed(Time now) {
  now = advance(now);
  working_since_ = now;
  room_at_.reset();
}

void Pacer::plan_room(Time now) {
  if (room_at_) room_at_ = room(now);
}

std::optional<double> Pacer::fps() const {
  if (!producer_.heard()) return {};
  return 1 / producer_.period();
}

Explanation Pacer::explain(Time now) const {
  now = std::max(now, now_);
  Explanation e;
  e.period = producer_.period();
  e.gap = producer_.gap();
  e.frames = producer_.level().frames();
  e.deviation = producer_.level().deviation();
  e.rhythm = producer_.rhythm().lag();
  e.cushion = producer_.aim().cushion;
  e.horizon = producer_.aim().horizon;
  e.cost = producer_.bank().cost();
  e.blocks = blocks_;
  e.stalls = stalls_;
  if (producer_.known()) {
    e.slack = schedule_.slack(now, queue_.size(), producer_);
    e.next_arrival = schedule_.until_arrival(now, producer_);
  }
  return e;
}

std::string Pacer::save() const {
  return producer_.save();
}

bool Pacer::restore(std::string_view state) {
  return producer_.restore(state);
}

}  // namespace reactor::pacing
