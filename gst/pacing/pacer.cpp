// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/pacing/pacer.h"

#include <algorithm>

namespace reactor::pacing {

namespace {
constexpr double kLeastGap =
    1e-3;                       // 1/max_fps: two blocks at the same instant count as this far apart
constexpr double kStall = .05;  // s beyond the period that make a hold a stall
constexpr std::size_t kMostFrames = 8192;  // queued, whatever a producer does that does not wait
}  // namespace

Pacer::Pacer(const Settings& settings) {
  configure(now_, settings);
}

Time Pacer::advance(Time now) {
  return now_ = std::max(now_, now);
}

void Pacer::configure(Time now, const Settings& settings) {
  now = advance(now);
  settle_room(now);
  drops_.clear();
  settings_ = settings;
  Producer::Limits limits;
  limits.price = latency_price(settings.smoothness);
  limits.min_period = 1 / std::clamp(settings.max_fps, 1e-3, 1e6);
  if (settings.max_latency) limits.max_latency = std::max(0., seconds(*settings.max_latency));
  limits.waits = waits();
  producer_.configure(limits);
  schedule_.configure(settings.min_fps > 0 ? 1 / settings.min_fps : 0);
  if (!queue_.empty()) schedule_.replan(now, queue_.size(), producer_);
  plan_room(now);
}

const Settings& Pacer::settings() const {
  return settings_;
}

FrameId Pacer::arrive(Time now, const Block& block) {
  now = advance(now);
  settle_room(now);
  drops_.clear();
  const FrameId first = next_id_;
  if (block.frames == 0) return first;
  std::optional<double> compute;
  if (block.compute) {
    compute = seconds(*block.compute);
  } else if (working_since_) {
    compute = seconds(now - *working_since_);
  }
  const double least = kLeastGap * producer_.law().min_period;
  if (!monitoring_) fresh_ = true;
  if (fresh_ || !compute) {
    producer_.first(compute, block.frames);
  } else {
    producer_.observe(std::max(*compute, least), block.frames, entered_);
  }
  fresh_ = false;
  ++blocks_;
  const bool starved = queue_.empty();
  if (starved && blocks_ > 1 && monitoring_ &&
      seconds(now - schedule_.next()) > std::max(kStall, producer_.period()))
    ++stalls_;
  schedule_.set_idle(!monitoring_);
  enqueue(now, block.frames);
  schedule_.arrived(now, queue_.size(), starved, producer_);
  drop_excess(now);
  working_since_ = room_at_ = now;
  plan_room(now);
  return first;
}

void Pacer::enqueue(Time now, unsigned frames) {
  const double keep = !waits() && producer_.known()
                          ? std::min(1., producer_.level().period() / producer_.law().min_period)
                          : 1;
  entered_ = 0;
  for (unsigned i = 0; i < frames; ++i) {
    const FrameId id = next_id_++;
    thinning_ += keep;
    if (thinning_ < 1 - 1e-9) {
      drops_.push_back({id, DropReason::kThinned});
    } else if (queue_.size() >= kMostFrames) {
      drops_.push_back({id, DropReason::kOverflow});
    } else {
      thinning_ -= 1;
      ++entered_;
      queue_.push({id, now});
    }
  }
}

void Pacer::drop_excess(Time now) {
  if (waits()) return;
  while (queue_.size() > 1) {
    const bool full = excess(now) > 0;
    const double older = static_cast<double>(queue_.size()) - entered_;
    const bool late =
        settings_.max_latency && seconds(schedule_.next() - now) + older * producer_.period() >
                                     seconds(*settings_.max_latency);
    if (!full && !late) break;
    const bool newest = settings_.overflow == Overflow::kDropNewest;
    drops_.push_back({newest ? queue_.pop_back().id : queue_.pop_front().id,
                      full ? DropReason::kOverflow : DropReason::kLate});
  }
}

std::span<const Drop> Pacer::drops() const {
  return drops_;
}

void Pacer::set_monitoring(Time now, bool on) {
  now = advance(now);
  settle_room(now);
  drops_.clear();
  monitoring_ = on;
  if (on) {
    fresh_ = true;
    working_since_ = now;
    producer_.interrupt();
  } else {
    schedule_.set_idle(true);
  }
}

void Pacer::cut(Time now) {
  now = advance(now);
  settle_room(now);
  drops_.clear();
  while (!queue_.empty()) drops_.push_back({queue_.pop_front().id, DropReason::kFlushed});
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
  settle_room(now);
  drops_.clear();
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
  settle_room(now);
  drops_.clear();
  const QueuedFrame frame = queue_.pop_front();
  const Time planned = schedule_.released(now, queue_.size(), producer_);
  plan_room(now);
  return {frame.id, planned, schedule_.next() - planned};
}

double Pacer::excess(Time now) const {
  if (!producer_.known()) return 0;
  return seconds(schedule_.next() - now) + static_cast<double>(queue_.size()) * producer_.period() -
         producer_.gap() - producer_.cushion() - producer_.excess();
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
  e.cushion = producer_.cushion();
  e.horizon = producer_.horizon();
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
