#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pacer does when the producer's rate changes, and what a warm start saves: the tables of docs/pacing.md.

    pacing-report.py REACTOR-PACE-SIM

In virtual time, so the figures are the same on every machine, apart from the last: how long an hour takes.
"""
import csv
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time

SEEDS = range(1, 11)
PRICE = {0.0: 1.5, 0.5: 0.5, 1.0: 0.15}  # of latency, by smoothness


def run(sim, actions, *options):
    """(arrivals [(time, frames)], display times by frame) of blocks (seconds, frames)."""
    text = "seconds,frames,event\n" + "".join(f"{s!r},{n},block\n" for s, n in actions)
    out = subprocess.run([sim, *map(str, options), "-"], input=text, capture_output=True, text=True, check=True).stdout
    arrivals, shown = [], {}
    for row in csv.DictReader(out.splitlines()):
        if row["kind"] == "block":
            arrivals.append((float(row["time"]), int(float(row["value"]))))
        elif row["kind"] == "display":
            shown[int(float(row["value"]))] = float(row["time"])
    return arrivals, [shown[i] for i in sorted(shown)]


def stalls(times, period):
    """Holds of more than one extra period and 50 ms."""
    return sum(b - a - period > max(period, 0.05) for a, b in zip(times, times[1:]))


def steps(sim):
    print("| smoothness | rate | within 15 % after, s | longest interval, x period | shortest | stalls |\n| --- | --- | --- | --- | --- | --- |")
    for smoothness in PRICE:
        rows = {"halves": [], "returns": []}
        for seed in SEEDS:
            chance = random.Random(seed)
            actions = [(4 / fps * max(0.3, chance.gauss(1, 0.05)), 4) for fps, blocks in ((20, 125), (10, 62), (20, 125))
                       for _ in range(blocks)]
            arrivals, shown = run(sim, actions, "--smoothness", smoothness)
            for name, first, fps, end in (("halves", 125, 10, 187), ("returns", 187, 20, 312)):
                begin = arrivals[first - 1][0]  # the first block of the new rate begins here
                period = 1 / fps
                here = [t for t in shown if begin <= t < arrivals[end - 1][0]]
                intervals = [b - a for a, b in zip(here, here[1:])]
                settled = next((i for i in range(len(intervals) - 8)
                                if sum(abs(x / period - 1) < 0.15 for x in intervals[i:i + 8]) >= 7), len(intervals) - 1)
                rows[name].append((here[settled] - begin, max(intervals[settled:]) / period, min(intervals[settled:]) / period,
                                   stalls(here, period)))
        for name, values in rows.items():
            a, b, c, d = (statistics.fmean(column) for column in zip(*values))
            print(f"| {smoothness:g} | {name} | {a:.2f} | {b:.2f} | {c:.2f} | {d:.1f} |")


def cost(arrivals, shown, period, smoothness, until):
    """Unevenness + price x latency, as in gst/pacing/bank.h, of what is shown before `until`; the true period is known here."""
    def rho(x):
        return 2 * (math.sqrt(1 + x * x) - 1)

    times = [t for t in shown if t < until]
    intervals = [b - a for a, b in zip(times, times[1:])]
    uneven = sum(rho(i / period - 1) for i in intervals) + sum(rho((b - a) / period) for a, b in zip(intervals, intervals[1:]))
    first, latency = 0, []
    for at, frames in arrivals:
        if first < len(times):
            latency.append(shown[first] - at)
        first += frames
    return uneven / len(times) + PRICE[smoothness] * statistics.fmean(latency) / (1.5 * arrivals[0][1] * period + 0.1)


def warm(sim):
    kinds = {
        "12 frames, 16 fps, ± 15 %": (12, 16, lambda c: max(0.2, c.gauss(1, 0.15))),
        "4 frames, 20 fps, gamma 20 %": (4, 20, lambda c: c.gammavariate(25, 1 / 25)),
        "1 frame, 24 fps, lognormal 30 %": (1, 24, lambda c: c.lognormvariate(-0.043, 0.2936)),
        "4 frames, 16 fps, every 7th 2.5 x": (4, 16, None),
    }
    print("| model | smoothness | cold | warm | saved |\n| --- | --- | --- | --- | --- |")
    for name, (n, fps, gap) in kinds.items():
        def actions(seed, seconds):
            chance = random.Random(seed)
            blocks = int(seconds * fps / n) + 1
            if gap is None:
                return [(n / fps * max(0.3, chance.gauss(1, 0.06)) * (2.5 if k % 7 == 6 else 1), n) for k in range(blocks)]
            return [(n / fps * gap(chance), n) for _ in range(blocks)]

        for smoothness in PRICE:
            with tempfile.NamedTemporaryFile() as state:
                run(sim, actions(1000, 60), "--smoothness", smoothness, "--save", state.name)
                results = []
                for restore in ([], ["--restore", state.name]):
                    results.append(statistics.fmean(
                        cost(*run(sim, actions(seed, 12), "--smoothness", smoothness, *restore), 1 / fps, smoothness, 10)
                        for seed in SEEDS))
            cold, hot = results
            print(f"| {name} | {smoothness:g} | {cold:.3f} | {hot:.3f} | {100 * (1 - hot / cold):.0f} % |")


def hour(sim):
    chance = random.Random(1)
    actions = [(12 / 24 * max(0.3, chance.gauss(1, 0.1)), 12) for _ in range(7200)]
    begin = time.perf_counter()
    run(sim, actions)
    print(f"an hour of 12-frame blocks at 24 fps: {time.perf_counter() - begin:.2f} s, reading and writing included")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: pacing-report.py REACTOR-PACE-SIM")
    print("\nThe rate halves (20 to 10 fps, blocks of 4, 5 % jitter) and returns; means of 10 seeds\n")
    steps(sys.argv[1])
    print("\nCost of the first ten seconds, without and with pacer-state of an earlier minute; means of 10 seeds\n")
    warm(sys.argv[1])
    print()
    hour(sys.argv[1])
