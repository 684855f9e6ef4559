#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pace-accuracy: how far actual releases are from planned ones, beside a sleep-until loop in Python.

    pace-accuracy.py [--seconds S]

Four situations: idle; all cores busy; a thread that burns Python's lock in this very process; eight pacers at once. In
each, reactorpace writes a trace of planned and actual times, and a plain Python loop, which sleeps until each frame of the
same rate is due, runs at the same time: in a process of its own, except where the lock is burnt, which it then shares with
the burner, as a model's runtime does. Prints a Markdown table, times in milliseconds.
"""
import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

FPS = 24


def sleep_until_loop(seconds, stop=None):
    """Errors in seconds of a loop that sleeps until each frame's time, as runtimes written in Python do."""
    errors, begin, k = [], time.monotonic(), 0
    while time.monotonic() - begin < seconds and not (stop and stop.is_set()):
        k += 1
        due = begin + k / FPS
        time.sleep(max(0, due - time.monotonic()))
        errors.append(time.monotonic() - due)
    return errors


def burn(stop):
    while not stop.is_set():
        sum(i * i for i in range(2000))


def burn_core(stop):
    while not stop.is_set():
        sum(i * i for i in range(20000))


def pacers(count, seconds, folder):
    """Runs `count` pacers at once; returns the errors of all, in seconds."""
    pipelines, traces = [], []
    for i in range(count):
        trace = os.path.join(folder, f"{time.monotonic_ns()}-{i}.csv")
        traces.append(trace)
        pipelines.append(Gst.parse_launch(
            f"videotestsrc num-buffers={int(seconds * FPS)} ! video/x-raw,width=64,height=32,framerate={FPS}/1 ! "
            f"reactorsim block-size=12 seed={i} ! reactorpace trace-location={trace} ! "
            "fakesink sync=false enable-last-sample=false"))
    for p in pipelines:
        p.set_state(Gst.State.PLAYING)
    for p in pipelines:
        p.get_bus().timed_pop_filtered(int((seconds + 60) * Gst.SECOND), Gst.MessageType.EOS | Gst.MessageType.ERROR)
        p.set_state(Gst.State.NULL)
    errors = []
    for trace in traces:
        with open(trace) as f:
            for line in f:
                fields = line.strip().split(",")
                if len(fields) > 5 and fields[1] == "release":
                    errors.append(float(fields[0]) - float(fields[5]))
    return errors


def row(name, who, errors):
    e = sorted(errors)
    pick = lambda p: 1e3 * e[min(len(e) - 1, int(p * len(e)))]
    print(f"| {name} | {who} | {len(e)} | {pick(.5):.3f} | {pick(.99):.3f} | {1e3 * e[-1]:.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each situation")
    parser.add_argument("--loop", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.loop:
        json.dump(sleep_until_loop(args.seconds), sys.stdout)
        return
    Gst.init(None)
    print("| situation | who | frames | p50 ms late | p99 | max |\n| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("idle", 1), ("all cores busy", 1), ("lock burnt in the same process", 1), ("eight at once", 8)):
            stop, threads, processes, inside = threading.Event(), [], [], []
            stop_processes = multiprocessing.get_context("spawn").Event()
            if name == "all cores busy":
                context = multiprocessing.get_context("spawn")
                processes = [context.Process(target=burn_core, args=(stop_processes,)) for _ in range(os.cpu_count())]
            if name.startswith("lock"):
                threads = [threading.Thread(target=burn, args=(stop,)),
                           threading.Thread(target=lambda: inside.extend(sleep_until_loop(args.seconds, stop)))]
            for t in threads + processes:
                t.start()
            loop = None
            if not threads:
                loop = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--loop", "--seconds", str(args.seconds)],
                                        stdout=subprocess.PIPE)
            errors = pacers(count, args.seconds, folder)
            stop.set()
            stop_processes.set()
            for t in threads + processes:
                t.join()
            row(name, "reactorpace", errors)
            row(name, "Python, sleep-until", inside if loop is None else json.loads(loop.communicate()[0]))


if __name__ == "__main__":
    main()
