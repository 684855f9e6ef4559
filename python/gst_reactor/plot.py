# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws traces of reactorpace: blocks arriving, frames leaving, and why.

Input: what `reactorpace trace-location=…` writes (docs/traces.md). Output: an SVG, written by hand: no plotting
library is needed. PNG through rsvg-convert or GStreamer's rsvgdec where there is one. Called by
`python3 -m gst_reactor plot`.
"""
import html
import math
import os
import pathlib
import shutil
import subprocess
import sys

INK, SOFT, FAINT, HAIR, PAPER = "#1c2430", "#5b6675", "#8d97a5", "#e3e7ec", "#ffffff"
ARRIVE, LEAVE, QUEUE, LATE, BAD, OFF = "#d9622b", "#1f6feb", "#2a9d76", "#7a4fc4", "#c8323c", "#eef1f5"
WIDTH, LEFT, RIGHT = 1200, 92, 26
FONT = "Inter, 'Source Sans 3', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


class TraceError(ValueError):
    """The file is no trace; the text says which line and why."""


class Trace:
    """A trace as lists: arrivals (t, block, frames, monitored), releases (t, block, index, planned), events (t, name),
    drops (t, block, index, reason), plans (t, dict)."""

    PLAN = ("queued", "period", "gap", "frames", "deviation", "rhythm", "cushion", "horizon", "cost", "slack",
            "next_arrival")

    def __init__(self, path):
        self.path = os.fspath(path)
        self.arrivals, self.releases, self.events, self.drops, self.plans = [], [], [], [], []
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
            if not first.startswith("# reactor-trace"):
                raise TraceError(f"{path}: not a trace: its first line is not «# reactor-trace 1»; write one with reactorpace "
                                 "trace-location=FILE")
            if first.split()[-1] != "1":
                raise TraceError(f"{path}: a trace of version {first.split()[-1]}, this program reads version 1")
            for number, line in enumerate(file, 2):
                line = line.strip()
                if line and not line.startswith("#"):
                    try:
                        self._line(line.split(","))
                    except (ValueError, IndexError):
                        raise TraceError(f"{path}, line {number}: cannot read «{line[:60]}»") from None
        if not self.arrivals:
            raise TraceError(f"{path}: no block ever arrived in it")

    def _line(self, cells):
        t, kind = float(cells[0]), cells[1]
        if not math.isfinite(t):
            raise ValueError
        if kind == "arrival":
            self.arrivals.append((t, int(cells[2]), int(cells[3]), cells[4] == "1"))
        elif kind == "release":
            self.releases.append((t, int(cells[2]), int(cells[3]), float(cells[4])))
        elif kind == "drop":
            self.drops.append((t, int(cells[2]), int(cells[3]), cells[4]))
        elif kind == "event":
            self.events.append((t, cells[2]))
        elif kind == "plan":
            self.plans.append((t, dict(zip(self.PLAN, (float(cell) for cell in cells[2:])))))

    def between(self, begin, end):
        """Keeps what happened from `begin` to `end`, in seconds after the first arrival; moves the time to 0."""
        zero = self.arrivals[0][0]
        low, high = zero + (begin or 0.0), math.inf if end is None else zero + end
        self.came = {block: t - zero for t, block, _, _ in self.arrivals}  # also what came before the part
        self.waiting = max(sum(frames for t, _, frames, _ in self.arrivals if t < low)
                           - sum(t < low for t, *_ in self.releases) - sum(t < low for t, *_ in self.drops), 0)
        for name in ("arrivals", "releases", "events", "drops", "plans"):
            kept = [(entry[0] - zero, *entry[1:]) for entry in getattr(self, name) if low <= entry[0] <= high]
            setattr(self, name, kept)
        self.releases = [(t, block, index, planned - zero) for t, block, index, planned in self.releases]
        if not self.arrivals:
            raise TraceError(f"{self.path}: no block arrives between {begin or 0:g} s and {end:g} s")
        self.begin = begin or 0.0
        self.end = max([entry[0] for entry in self.arrivals + self.releases] + [self.begin + 0.1])

    def intervals(self):
        """(t, interval) of each released frame but the first."""
        times = [entry[0] for entry in self.releases]
        return [(b, b - a) for a, b in zip(times, times[1:])]

    def gaps(self):
        """(t, gap / frames of the block): what each frame would wait if blocks were shown as they come."""
        return [(b[0], b[0] - a[0]) for a, b in zip(self.arrivals, self.arrivals[1:])]

    def latencies(self):
        """(t, seconds from a frame's arrival to its release)."""
        return [(t, t - self.came[block]) for t, block, _, _ in self.releases if block in self.came]

    def queue(self):
        """(t, frames waiting) at each change."""
        steps = [(t, frames) for t, _, frames, _ in self.arrivals] + [(t, -1) for t, *_ in self.releases] \
            + [(t, -1) for t, *_ in self.drops]
        steps.sort(key=lambda step: (step[0], -step[1]))
        waiting, out = self.waiting, [(self.begin, self.waiting)]
        for t, change in steps:
            waiting = max(waiting + change, 0)
            out.append((t, waiting))
        return out

    def pauses(self):
        """(from, to) of the times in which the model was not measured."""
        out, since = [], None
        for t, name in self.events:
            if name == "monitoring-off" and since is None:
                since = t
            elif name == "monitoring-on" and since is not None:
                out.append((since, t))
                since = None
        return out + ([(since, self.end)] if since is not None else [])


def quantile(values, q):
    values = sorted(values)
    return values[min(int(q * len(values)), len(values) - 1)] if values else 0.0


def summary(trace):
    """The figures under a title, as (name, text)."""
    intervals = [d for _, d in trace.intervals()]
    latencies = [d for _, d in trace.latencies()]
    middle = quantile(intervals, 0.5)
    stalls = sum(1 for _, name in trace.events if name == "stall")
    parts = [("blocks", f"{len(trace.arrivals)}"), ("frames", f"{len(trace.releases)}")]
    if intervals and middle > 0:
        parts += [("rate", f"{1 / middle:.1f} fps"),
                  ("interval p50 / p95 / max", f"{middle * 1e3:.0f} / {quantile(intervals, .95) * 1e3:.0f} / "
                                               f"{max(intervals) * 1e3:.0f} ms"),
                  ("over 1.5 × median", f"{100 * sum(d > 1.5 * middle for d in intervals) / len(intervals):.1f} %")]
    if latencies:
        parts.append(("added latency mean / p95", f"{1e3 * sum(latencies) / len(latencies):.0f} / "
                                                  f"{1e3 * quantile(latencies, .95):.0f} ms"))
    parts.append(("stalls", str(stalls)))
    if trace.drops:
        parts.append(("dropped", str(len(trace.drops))))
    return parts


# --- Drawing -------------------------------------------------------------------------------------------------------


def _ticks(low, high, most=6):
    """Round positions from low to high, at most `most`."""
    span = max(high - low, 1e-9)
    step = 10 ** math.floor(math.log10(span / most))
    step = next(step * m for m in (1, 2, 2.5, 5, 10) if span / (step * m) <= most)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, int(math.floor(high / step + 1e-9)) + 1)], step


def _number(value, step):
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    if digits and abs(step * 10 ** digits - round(step * 10 ** digits)) > 1e-6:
        digits += 1
    return f"{value:.{digits}f}"


class Drawing:
    """SVG text, element by element."""

    def __init__(self):
        self.parts = []

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, size=13, colour=INK, anchor="start", weight=400, extra=""):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
                 f'font-weight="{weight}"{extra}>{html.escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour=HAIR, width=1.0, dash=None):
        self.add(f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" stroke-width="{width}"'
                 f'{f" stroke-dasharray={chr(34)}{dash}{chr(34)}" if dash else ""}/>')

    def rect(self, x, y, w, h, colour, opacity=1.0, radius=0.0):
        self.add(f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(w, 0):.2f}" height="{max(h, 0):.2f}" fill="{colour}"'
                 + (f' fill-opacity="{opacity}"' if opacity < 1 else "") + (f' rx="{radius}"' if radius else "") + "/>")

    def path(self, points, colour, width=1.5, fill="none", opacity=1.0):
        if points:
            d = "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in points)
            self.add(f'<path d="{d}" fill="{fill}" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"'
                     + (f' fill-opacity="{opacity}"' if opacity < 1 else "") + "/>")

    def finish(self, height, title):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
                f'height="{height:.0f}" font-family="{FONT}" role="img">\n<title>{html.escape(title)}</title>\n'
                f'<rect width="{WIDTH}" height="{height:.0f}" fill="{PAPER}"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


class Panel:
    """One strip of the picture: a time axis shared with the others and a scale of its own."""

    def __init__(self, drawing, top, height, begin, end, low=0.0, high=1.0, logarithmic=False):
        self.d, self.top, self.height = drawing, top, height
        self.begin, self.end, self.low, self.high, self.log = begin, end, low, high, logarithmic

    def x(self, t):
        return LEFT + (t - self.begin) / (self.end - self.begin) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        if self.log:
            value = max(value, self.low)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.top + self.height * (1 - min(max(part, 0.0), 1.0))

    def frame(self, title, unit, pauses, scale=True, factor=1.0):
        d = self.d
        for a, b in pauses:
            d.rect(self.x(max(a, self.begin)), self.top, self.x(min(b, self.end)) - self.x(max(a, self.begin)),
                   self.height, OFF)
        d.text(LEFT, self.top - 9, title, 13, INK, weight=600)
        if unit:
            d.text(WIDTH - RIGHT, self.top - 9, unit, 11.5, FAINT, "end")
        if scale:
            if self.log:
                marks = [m * 10 ** e for e in range(-5, 3) for m in (1, 2, 5)]
                marks = [m for m in marks if self.low * 0.999 <= m <= self.high * 1.001]
                pairs = [(m, f"{m * factor:g}") for m in marks]
            else:
                marks, step = _ticks(self.low, self.high, 4)
                pairs = [(m, _number(m * factor, step * factor)) for m in marks]
            for value, label in pairs:
                y = self.y(value)
                d.line(LEFT, y, WIDTH - RIGHT, y)
                d.text(LEFT - 10, y + 4, label, 11.5, SOFT, "end", extra=' style="font-variant-numeric:tabular-nums"')

    def times(self, label=True):
        d, bottom = self.d, self.top + self.height
        marks, step = _ticks(self.begin, self.end, 12)
        d.line(LEFT, bottom, WIDTH - RIGHT, bottom, FAINT)
        for t in marks:
            d.line(self.x(t), bottom, self.x(t), bottom + 5, FAINT)
            if label:
                d.text(self.x(t), bottom + 19, _number(t, step), 11.5, SOFT, "middle")
        if label:
            d.text(WIDTH - RIGHT, bottom + 36, "seconds", 11.5, FAINT, "end")

    def steps(self, points, colour, area=True):
        if not points:
            return
        last = 0.0 if area else points[0][1]
        drawn = [(self.x(points[0][0]), self.y(last))]
        for t, value in points:
            x = self.x(t)
            drawn += [(x, self.y(last)), (x, self.y(value))]
            last = value
        drawn.append((self.x(min(self.end, points[-1][0])), self.y(last)))
        if area:
            self.d.path([*drawn, (drawn[-1][0], self.y(0))], "none", 0, colour, 0.13)
        self.d.path(drawn[1:], colour, 1.4)

    def curve(self, points, colour, width=1.6):
        self.d.path([(self.x(t), self.y(v)) for t, v in points], colour, width)

    def dots(self, points, colour, radius=1.5, opacity=0.75):
        if points:
            self.d.add(f'<g fill="{colour}" fill-opacity="{opacity}">' + "".join(
                f'<circle cx="{self.x(t):.2f}" cy="{self.y(v):.2f}" r="{radius}"/>' for t, v in points) + "</g>")


def _legend(drawing, x, y, entries):
    """Colour, name pairs from the right edge `x` leftwards."""
    for colour, name, shape in reversed(entries):
        x -= 6.4 * len(name)
        drawing.text(x, y, name, 12, SOFT)
        if shape == "dot":
            drawing.add(f'<circle cx="{x - 11:.1f}" cy="{y - 4:.1f}" r="3.4" fill="{colour}"/>')
        elif shape == "bar":
            drawing.rect(x - 14, y - 11, 5, 13, colour, radius=1)
        else:
            drawing.line(x - 20, y - 4, x - 6, y - 4, colour, 2.2)
        x -= 38


def _flow(drawing, top, trace):
    """The picture's heart: blocks as bars, frames as ticks, and threads from each block to its frames."""
    height = 150
    panel = Panel(drawing, top, height, trace.begin, trace.end)
    panel.frame("Blocks arrive, frames leave", "", trace.pauses(), scale=False)
    _legend(drawing, WIDTH - RIGHT, top - 9, [(ARRIVE, "a block, all its frames at once", "bar"),
                                             (LEAVE, "a frame, released", "bar"), (BAD, "stall or drop", "bar")])
    most = max(frames for _, _, frames, _ in trace.arrivals)
    lane = top + 58
    rail = top + 108
    drawing.text(LEFT - 10, top + 42, "in", 12, ARRIVE, "end", 600)
    drawing.text(LEFT - 10, rail + 14, "out", 12, LEAVE, "end", 600)
    crowd = (WIDTH - LEFT - RIGHT) / max(len(trace.releases), 1)
    came = {}
    for t, block, frames, monitored in trace.arrivals:
        size = 12 + 40 * frames / most
        came[block] = panel.x(t)
        drawing.rect(panel.x(t) - 2, lane - size, 4, size, ARRIVE if monitored else "#eab08f", radius=1.2)
        if crowd > 3.4 and len(trace.arrivals) < 60:
            drawing.text(panel.x(t) + 5, lane - size + 10, str(frames), 10.5, SOFT)
    opacity = min(0.5, 0.06 * max(crowd, 1.2))
    lines = "".join(f"M{came[block]:.2f} {lane + 2}L{panel.x(t):.2f} {rail - 2}"
                    for t, block, _, _ in trace.releases if block in came)
    drawing.add(f'<path d="{lines}" stroke="{FAINT}" stroke-width="0.8" stroke-opacity="{opacity:.2f}" fill="none"/>')
    width = min(2.2, max(0.7, crowd * 0.4))
    ticks = "".join(f"M{panel.x(t):.2f} {rail}V{rail + 22}" for t, *_ in trace.releases)
    drawing.add(f'<path d="{ticks}" stroke="{LEAVE}" stroke-width="{width:.2f}" fill="none"/>')
    drops = "".join(f"M{panel.x(t):.2f} {rail + 24}V{rail + 32}" for t, *_ in trace.drops)
    if drops:
        drawing.add(f'<path d="{drops}" stroke="{BAD}" stroke-width="1.4" fill="none"/>')
    for t, name in trace.events:
        if name in ("stall", "black", "flush"):
            colour = BAD if name == "stall" else INK
            drawing.line(panel.x(t), top + 4, panel.x(t), top + height - 4, colour, 1.2, "3 3")
            drawing.text(panel.x(t) + 4, top + height - 4, name, 10.5, colour)
    for a, b in trace.pauses():
        if panel.x(min(b, trace.end)) - panel.x(max(a, trace.begin)) > 70:
            drawing.text((panel.x(a) + panel.x(min(b, trace.end))) / 2, top + 14, "not measured", 10.5, FAINT, "middle")
    panel.times(label=False)
    return top + height


def _measured(drawing, top, trace, span=None):
    """Intervals, queue, latency."""
    pauses = trace.pauses()
    intervals, gaps = trace.intervals(), trace.gaps()
    values = [d for _, d in intervals + gaps if d > 0] or [0.04]
    low, high = max(min(values) * 0.8, 1e-3), max(values) * 1.15
    panel = Panel(drawing, top + 34, 112, trace.begin, trace.end, low, max(high, low * 4), True)
    panel.frame("Intervals", "milliseconds, logarithmic", pauses, factor=1e3)
    _legend(drawing, WIDTH - RIGHT - 180, top + 25, [(ARRIVE, "between blocks", "dot"), (LEAVE, "between frames", "dot")])
    panel.dots(gaps, ARRIVE, 2.4, 0.9)
    panel.dots(intervals, LEAVE, 1.6)
    panel.times(label=False)

    queue = trace.queue()
    top = panel.top + panel.height
    panel = Panel(drawing, top + 34, 78, trace.begin, trace.end, 0, max([q for _, q in queue] + [1]) * 1.08)
    panel.frame("Queue", "frames", pauses)
    panel.steps(queue, QUEUE)
    panel.times(label=False)

    latencies = trace.latencies()
    top = panel.top + panel.height
    panel = Panel(drawing, top + 34, 78, trace.begin, trace.end, 0, max([v for _, v in latencies] + [0.01]) * 1.08)
    panel.frame("Latency: from a block's arrival to each frame's release", "milliseconds", pauses, factor=1e3)
    panel.dots(latencies, LATE, 1.5, 0.55)
    panel.times(label=not trace.plans)
    return panel.top + panel.height + (42 if not trace.plans else 0)


def _explained(drawing, top, trace):
    """What the pacer thought: the rows of `plan` lines."""
    if not trace.plans:
        return top
    pauses = trace.pauses()

    def row(top, height, title, unit, curves, factor=1.0, low=0.0, last=False):
        values = [v for _, _, points in curves for _, v in points if math.isfinite(v)]
        lowest = min([low, *values])
        panel = Panel(drawing, top + 34, height, trace.begin, trace.end, lowest, max(values + [lowest + 1e-6]) * 1.08 or 1.0)
        panel.frame(title, unit, pauses, factor=factor)
        _legend(drawing, WIDTH - RIGHT - 110, top + 25, [(colour, name, "line") for colour, name, _ in curves])
        for colour, _, points in curves:
            panel.steps([(t, v) for t, v in points if math.isfinite(v)], colour, area=False)
        panel.times(label=last)
        return panel.top + height + (42 if last else 0)

    def of(name):
        return [(t, plan[name]) for t, plan in trace.plans if name in plan]

    top = row(top, 70, "Why: the model's speed as measured", "ms a frame", [(INK, "period", of("period"))], 1e3)
    top = row(top, 70, "Why: what is kept in hand", "milliseconds",
              [(QUEUE, "cushion", of("cushion")), (LEAVE, "horizon", of("horizon")), (BAD, "slack", of("slack"))], 1e3)
    return row(top, 60, "Why: how irregular the model is", "share of the forecast",
               [(ARRIVE, "deviation", of("deviation")), (LATE, "cost", of("cost"))], last=True)


def _words(drawing, top, trace):
    """The last state in a sentence, for whoever asks why the picture is late."""
    if not trace.plans:
        return top
    plan = trace.plans[-1][1]
    period, frames = plan.get("period", 0), plan.get("frames", 0)
    latencies = [v for _, v in trace.latencies()]
    rhythm = int(plan.get("rhythm", 0))
    block = period * (frames - 1) / 2 if frames > 1 else 0.0
    mean = sum(latencies) / len(latencies) if latencies else 0.0
    first = (f"At the end the model needed {period * 1e3:.1f} ms a frame in blocks of {frames:.0f}, off its forecast by "
             f"{100 * plan.get('deviation', 0):.0f} %"
             + (f", in a rhythm of {rhythm} blocks." if rhythm else "."))
    second = (f"Of {mean * 1e3:.0f} ms mean latency {block * 1e3:.0f} ms are a frame's turn within its block, the rest is the "
              f"wait that evens out jitter (cushion {plan.get('cushion', 0) * 1e3:.0f} ms).")
    drawing.text(LEFT, top + 16, first, 12.5, SOFT)
    drawing.text(LEFT, top + 35, second, 12.5, SOFT)
    return top + 46


def draw(traces, title=None):
    """SVG text of one or more traces, drawn one under the other over the same span of time."""
    drawing = Drawing()
    whole = title or " against ".join(pathlib.Path(trace.path).stem for trace in traces)
    drawing.text(LEFT, 40, whole, 21, INK, weight=650)
    top = 58.0
    if len(traces) > 1:
        span = max(trace.end - trace.begin for trace in traces)
        for trace in traces:
            trace.end = trace.begin + span
    for number, trace in enumerate(traces):
        if len(traces) > 1:
            top += 26 if number == 0 else 50
            drawing.text(LEFT, top, pathlib.Path(trace.path).stem, 16, INK, weight=600)
            drawing.line(LEFT, top + 9, WIDTH - RIGHT, top + 9, FAINT)
            top += 12
        x, line = LEFT, top + 12
        for name, value in summary(trace):
            wide = 6.6 * len(value) + 5.6 * len(name) + 30
            if x + wide > WIDTH - RIGHT:
                x, line = LEFT, line + 20
            drawing.add(f'<text x="{x:.1f}" y="{line:.1f}" font-size="12.5" fill="{SOFT}">{html.escape(name)} '
                        f'<tspan fill="{INK}" font-weight="600">{html.escape(value)}</tspan></text>')
            x += wide
        top = _flow(drawing, line + 44, trace)
        top = _measured(drawing, top, trace)
        if len(traces) == 1:
            top = _explained(drawing, top, trace)
            top = _words(drawing, top, trace)
    return drawing.finish(top + 24, whole)


def to_png(svg, path):
    """Writes a PNG with what the machine has. OSError says what to install."""
    if shutil.which("rsvg-convert"):
        subprocess.run(["rsvg-convert", "--zoom", "2", "-o", path, "/dev/stdin"], input=svg.encode(), check=True)
        return
    if shutil.which("gst-launch-1.0") and subprocess.run(["gst-inspect-1.0", "--exists", "rsvgdec"]).returncode == 0:
        subprocess.run(["gst-launch-1.0", "-q", "fdsrc", "!", "rsvgdec", "!", "videoconvert", "!", "pngenc", "snapshot=true", "!",
                        "filesink", f"location={path}"], input=svg.encode(), check=True)
        return
    raise OSError("a PNG needs rsvg-convert (Debian: librsvg2-bin) or GStreamer's rsvgdec; SVG needs nothing")


def main(options):
    """The command line's verb. Returns the exit status."""
    try:
        if options.begin is not None and options.end is not None and options.begin >= options.end:
            raise TraceError(f"--from {options.begin:g} --to {options.end:g}: expected an earlier and a later second")
        traces = [Trace(path) for path in options.traces]
        for trace in traces:
            trace.between(options.begin, options.end)
        output = options.output or str(pathlib.Path(options.traces[0]).with_suffix(".svg"))
        if not output.endswith((".svg", ".png")):
            raise TraceError(f"--output {output}: expected a name that ends in .svg or .png")
        svg = draw(traces, options.title)
        if output.endswith(".png"):
            to_png(svg, output)
        else:
            pathlib.Path(output).write_text(svg, encoding="utf-8")
    except (TraceError, OSError, subprocess.CalledProcessError) as error:
        print(f"plot: {error}", file=sys.stderr)
        return 1
    print(output)
    return 0
