#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Breaks the pacing core in many ways, one at a time, and expects its tests to notice each.

  mutants.py [--cxx COMPILER...] [--only N,...] [--jobs N]

A mutant is a piece of text of the core and what stands there instead. It has to be found exactly once: a mutant that the
code has outgrown is an error, so that the list stays true. A mutant survives when both test programs still pass.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "120"  # of the properties: enough for each of these

MUTANTS = [
    # what goes wrong, file, text, replacement
    ("the fastest interval is half the period", "law.h", "kFaster = 1.25,", "kFaster = 2,"),
    ("max-fps is forgotten when planning", "producer.cpp", "law_.min_interval = limits.min_interval;", ""),
    ("slack is led away from the cushion", "law.h", "(aim.cushion - slack) / aim.horizon", "(slack - aim.cushion) / aim.horizon"),
    ("a late block is not expected to be later", "law.h", "next.held ? 0 : -early", "0."),
    ("the queue does not count as slack", "law.h", "queued * period - wait", "-wait"),
    ("every gap is a normal one", "level.cpp", "const double y = std::clamp(r, 1 / limit(), limit());", "const double y = r;"),
    ("a step of the rate is a series of odd gaps", "level.cpp", "if (now.odd && renew(now)) return true;", ""),
    ("a burst is observed gap by gap", "level.cpp", "if (burst_.gaps > 0) {", "if (false) {"),
    ("frames per block are not averaged", "level.cpp", "frames += a * (n - frames);", "frames = n;"),
    ("the rhythm is never used", "rhythm.cpp", "if (lag_ == 0) return;", "return;"),
    ("the rhythm is read one block off", "rhythm.cpp", "ago(lag_ - 1) * lag_ / sum", "ago(lag_) * lag_ / sum"),
    ("latency costs nothing", "bank.cpp", "c.unevenness + price * c.latency", "c.unevenness"),
    ("unevenness costs nothing", "bank.cpp", "c.unevenness + price * c.latency", "price * c.latency"),
    ("the bank never forgets", "bank.h", "kLearn = 100;", "kLearn = 1e9;"),
    ("virtual pacers survive a cut", "bank.cpp", "pacers_.fill({});", ""),
    ("smoothness works the wrong way", "bank.cpp", "const double x = std::clamp(smoothness, 0., 1.);",
     "const double x = 1 - std::clamp(smoothness, 0., 1.);"),
    ("the first block is as slow as it was made", "producer.cpp",
     "law_.period = std::min(std::max(law_.min_interval, period), law_.max_interval);",
     "law_.period = std::max(law_.min_interval, period);"),
    ("the producer is never held", "producer.cpp", "if (capped_) return 0;", "if (true) return 1e6;"),
    ("a faster model is not noticed", "producer.cpp", "capped_ = limits_.waits && own < .999 * law_.min_interval;", "capped_ = false;"),
    ("max-latency does not limit the queue", "producer.cpp",
     "if (!limits_.max_latency) return std::numeric_limits<double>::infinity();",
     "return std::numeric_limits<double>::infinity();"),
    ("min-fps is forgotten", "producer.cpp", "law_.max_interval = limits_.max_interval;",
     "law_.max_interval = std::numeric_limits<double>::infinity();"),
    ("overdue frames keep their old times", "schedule.cpp",
     "return now - next_ > nanoseconds(kLate * producer.period()) ? now : next_;", "return next_;"),
    ("every small delay moves the plan", "schedule.h", "kLate = 1. / 8;", "kLate = 0;"),
    ("an idle pacer still waits for the next block", "schedule.cpp", "if (!idle_ && producer.known())", "if (producer.known())"),
    ("a black frame forgets max-fps", "schedule.cpp", "last_ = std::max(now, last_ + least);", "last_ = now;"),
    ("deadlines do not hurry the intervals", "schedule.cpp", "std::max(law.min_interval, std::min(i, hurry_))",
     "std::max(law.min_interval, i)"),
    ("a replan goes back in time", "schedule.cpp",
     "next_ = std::max(now, last_ + nanoseconds(interval(now, queued, producer)));",
     "next_ = last_ + nanoseconds(interval(now, queued, producer));"),
    ("time may run backwards", "pacer.cpp", "now_ = std::max(now_, now);", "now_ = now;"),
    ("blocked time is generation time", "pacer.cpp", "working_since_ = *room_at_;\n", ""),
    ("a producer goes on when planned, not when it does", "pacer.cpp", "working_since_ = now;\n  room_at_.reset();", ""),
    ("a slow consumer is ignored", "pacer.cpp", "seconds(settings.consumer)", "0."),
    ("a pause is a gap", "pacer.cpp", "monitoring_ = on;\n  fresh_ = true;", "monitoring_ = on;"),
    ("blocks made while nobody measures are measured", "pacer.cpp", "const bool observed = monitoring_ && !fresh_ && compute;",
     "const bool observed = !fresh_ && compute;"),
    ("thinning is not even", "pacer.cpp", "thinning_ -= 1;", "thinning_ = 0;"),
    ("drop-newest drops the oldest", "pacer.cpp",
     "drops_.push_back({queue_.pop_back().id, DropReason::kOverflow});\n      --entered_;",
     "drop_front(DropReason::kOverflow);\n      --entered_;"),
    ("a dropped frame is not reported", "pacer.cpp", "while (!queue_.empty()) drop_front(DropReason::kFlushed);",
     "while (!queue_.empty()) queue_.pop_front();"),
    ("drops are reported twice", "pacer.cpp", "drops_.clear();\n  now_", "now_"),
    ("frames that are too late stay", "pacer.cpp", "for (; surplus > 0; --surplus) {", "for (; false; --surplus) {"),
    ("a queue may grow without end", "pacer.h", "kMostFrames = 8192;", "kMostFrames = 1 << 30;"),
    ("a smaller ring loses frames", "frame_queue.h", "if (count_ == ring_.size()) grow();",
     "if (ring_.empty()) grow();\n    if (count_ == ring_.size()) pop_front();"),
    ("a cut state is accepted", "state.cpp", "return good_ && rest_.empty();", "return good_;"),
    ("numbers without sense are accepted", "state.cpp", "std::isfinite(value) && value >= least && value <= most", "true"),
    ("what the bank learnt is not given back", "state.cpp", "bank_.restore(bank_seen, ledger);", ""),
]


class Builder:
    def __init__(self, cxx, scratch):
        self.cxx = cxx + ["-std=c++20", "-O1", "-fno-exceptions", "-w"]
        self.scratch = scratch

    def objects(self, tree, sources, out):
        out.mkdir(parents=True, exist_ok=True)
        made = []
        for source in sources:
            target = out / (Path(source).stem + ".o")
            subprocess.run(self.cxx + ["-I", str(tree), "-c", str(tree / source), "-o", str(target)], check=True)
            made.append(target)
        return made

    def link(self, objects, program):
        subprocess.run(self.cxx + [str(o) for o in objects] + ["-o", str(program)], check=True)


CORE = sorted("gst/pacing/" + p.name for p in (ROOT / "gst/pacing").glob("*.cpp"))
TESTS = ["tests/pacing/scenario.cpp", "tests/pacing/pacer-test.cpp", "tests/pacing/properties.cpp"]


def copy_tree(to):
    for part in ("gst/pacing", "tests/pacing"):
        shutil.copytree(ROOT / part, to / part)


def survives(builder, tree, out, core, tests):
    """Runs both programs; whether they pass."""
    by_name = {o.stem: o for o in tests}
    for program, arguments in (("pacer-test", ["--first"]), ("properties", [SEEDS])):
        exe = out / program
        builder.link(core + [by_name["scenario"], by_name[program]], exe)
        try:
            done = subprocess.run([str(exe)] + arguments, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return False, "never ends"
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
            return False, lines[0] if lines else "exit status %d" % done.returncode
    return True, ""


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--cxx", nargs="+", default=[os.environ.get("CXX", "c++")])
    p.add_argument("--only", help="numbers of mutants, comma separated")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    a = p.parse_args()
    chosen = [int(n) for n in a.only.split(",")] if a.only else range(len(MUTANTS))

    stale = [m for m in MUTANTS if (ROOT / "gst/pacing" / m[1]).read_text().count(m[2]) != 1]
    for what, name, text, _ in stale:
        print("no longer there exactly once: %r in gst/pacing/%s (%s)" % (text, name, what))
    if stale:
        return 1

    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        builder = Builder(a.cxx, tmp)
        whole = tmp / "whole"
        copy_tree(whole)
        with ThreadPoolExecutor(a.jobs) as pool:
            parts = list(pool.map(lambda s: builder.objects(whole, [s], tmp / "objects"), CORE + TESTS))
        core = [o for part in parts[:len(CORE)] for o in part]
        tests = [o for part in parts[len(CORE):] for o in part]
        passes, why = survives(builder, whole, tmp, core, tests)
        if not passes:
            print("the core itself fails its tests: %s" % why)
            return 1

        def attempt(n):
            what, name, text, replacement = MUTANTS[n]
            tree = tmp / ("mutant%d" % n)
            copy_tree(tree)
            path = tree / "gst/pacing" / name
            path.write_text(path.read_text().replace(text, replacement))
            # No mutant changes the shape of a class, so the tests need not be compiled anew.
            sources = ["gst/pacing/" + name] if name.endswith(".cpp") else CORE
            changed = builder.objects(tree, sources, tree / "objects")
            kept = [o for o in core if o.stem not in {c.stem for c in changed}]
            return n, what, survives(builder, tree, tree, changed + kept, tests)

        survivors = 0
        with ThreadPoolExecutor(a.jobs) as pool:
            for n, what, (passes, why) in pool.map(attempt, chosen):
                survivors += passes
                print("%2d %-9s %s%s" % (n, "SURVIVES" if passes else "caught", what, "" if passes else ": " + why), flush=True)
        print("%d mutants, %d survive" % (len(chosen), survivors))
        return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
