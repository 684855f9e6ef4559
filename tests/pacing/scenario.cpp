// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/pacing/scenario.h"

#include <algorithm>
#include <cmath>

namespace scenario {

namespace {

class Runner {
 public:
  Runner(const Scenario& s, const Manner& manner, Pacer& pacer)
      : s_(s), manner_(manner), pacer_(pacer) {}

  Log run() {
    now_ = began_ = manner_.origin;
    while (true) {
      if (manner_.copies) {
        Pacer copy = pacer_;
        pacer_ = copy;
      }
      if (manner_.polls) poll();
      const std::optional<Time> act = next_action();
      const std::optional<Time> due = pacer_.next_release();
      log_.most_queued = std::max(log_.most_queued, pacer_.queued());
      if (!act && !due) break;
      if (act && (!due || *act <= std::max(*due, stopped_until_))) {
        now_ = std::max(now_, *act);
        do_action();
      } else {
        now_ = std::max({now_, *due, stopped_until_});
        release();
      }
    }
    return std::move(log_);
  }

 private:
  std::optional<Time> next_action() {
    if (held_) return std::max(now_, pacer_.room(now_));
    if (next_ == s_.steps.size()) return {};
    const Step& step = s_.steps[next_];
    return began_ +
           (step.kind == Kind::kBlock || step.kind == Kind::kSleep ? step.time : Duration(0));
  }

  void do_action() {
    if (held_) {
      held_ = false;
      log_.held += now_ - began_;
      began_ = now_;
      return;
    }
    const Step& step = s_.steps[next_++];
    began_ = now_;
    switch (step.kind) {
      case Kind::kBlock: {
        reactor::pacing::Block block{step.frames, {}};
        if (s_.tells_compute) block.compute = step.time;
        log_.arrived.push_back({pacer_.arrive(now_, block), step.frames, now_, 0});
        log_.arrived.back().gap = pacer_.explain(now_).gap;
        held_ = s_.obeys;
        break;
      }
      case Kind::kSleep:
        return;
      case Kind::kOff:
      case Kind::kOn:
        pacer_.set_monitoring(now_, step.kind == Kind::kOn);
        if (step.kind == Kind::kOn) log_.breaks.push_back(now_);
        break;
      case Kind::kFlush:
      case Kind::kBlack:
        step.kind == Kind::kFlush ? pacer_.flush(now_) : pacer_.black(now_);
        log_.cuts.push_back(pacer_.black_due());
        log_.breaks.push_back(now_);
        break;
      case Kind::kMaxFps: {
        Settings settings = pacer_.settings();
        settings.max_fps = step.frames;
        pacer_.configure(now_, settings);
        break;
      }
      case Kind::kStop:
        stopped_until_ = now_ + step.time;
        return;
      case Kind::kEnd:
        pacer_.end(now_);
        break;
    }
    take_drops();
  }

  void release() {
    const auto r = pacer_.release(now_);
    log_.shown.push_back({r.id, r.planned, now_, r.interval, pacer_.explain(now_).period,
                          pacer_.settings().max_fps});
    take_drops();
  }

  void take_drops() {
    for (const Drop& d : pacer_.drops()) log_.dropped.push_back({d.id, d.reason, now_});
  }

  void poll() {
    for (int i = 0; i < 2; ++i) {
      (void) pacer_.room(now_);
      (void) pacer_.next_release();
      (void) pacer_.fps();
      (void) pacer_.queued();
      (void) pacer_.save();
      const auto e = pacer_.explain(now_);
      for (double v : {e.period, e.gap, e.frames, e.deviation, e.cushion, e.horizon, e.cost,
                       e.slack, e.next_arrival})
        if (!std::isfinite(v)) log_.faults.push_back("an explanation is not finite");
    }
  }

  const Scenario& s_;
  const Manner manner_;
  Pacer& pacer_;
  Log log_;
  Time now_{0}, began_{0}, stopped_until_{INT64_MIN / 4};
  std::size_t next_ = 0;
  bool held_ = false;
};

}  // namespace

Log run(const Scenario& s, const Manner& manner, Pacer* continued) {
  Pacer fresh(s.settings);
  return Runner(s, manner, continued ? *continued : fresh).run();
}

void blocks(Scenario& s, unsigned count, double gap, unsigned frames) {
  for (unsigned i = 0; i < count; ++i)
    s.steps.push_back({Kind::kBlock, reactor::pacing::nanoseconds(gap), frames});
}

std::vector<double> intervals(const Log& log, std::size_t from, std::size_t to) {
  std::vector<double> out;
  for (std::size_t i = std::max<std::size_t>(from, 1); i < std::min(to, log.shown.size()); ++i)
    out.push_back(seconds(log.shown[i].planned - log.shown[i - 1].planned));
  return out;
}

}  // namespace scenario
