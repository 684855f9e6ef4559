# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records real runs and draws the figures of docs/ from them.

    meson devenv -C build python3 "$PWD/docs/figures.py"             # all, about three minutes
    meson devenv -C build python3 "$PWD/docs/figures.py" reactivity  # one of: pacing smoothness reactivity

Writes docs/images/*.svg and prints the table of docs/reactivity.md. Nothing in the figures is invented: every bar and tick
is an event of the run, in the pipeline's running time.
"""
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from gst_reactor import plot  # noqa: E402
from gst_reactor.pipeline import Gst, GstReactor, Pipeline  # noqa: E402

IMAGES = ROOT / "docs" / "images"
FPS = 24.0


def jittery(block, frames, fps=FPS):
    """Seconds that a model needs for a block: 15 % jitter, and one hitch."""
    chance = random.Random(1000 + block)
    return frames / fps * max(0.3, chance.gauss(1.0, 0.15)) + (0.9 if block == 16 else 0.0)


def steady(block, frames):
    """The same without a hitch."""
    return frames / FPS * max(0.3, random.Random(1000 + block).gauss(1.0, 0.15))


class Recording:
    """A model of `frames` frames a block for `seconds`; its trace, and what it did in running time."""

    def __init__(self, frames, seconds, smoothness=0.5, commands=0.0, lasts=jittery):
        self.generated, self.inputs, self.applied = [], [], {}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.csv")
            self.pipeline = Pipeline(f"reactorsrc ! reactorpace smoothness={smoothness} trace-location={path} ! "
                                     "fakesink name=out sync=false enable-last-sample=false")
            self.pipeline.start()
            try:
                self._model(frames, seconds, commands, lasts)
            finally:
                self.pipeline.stop()
            self.trace = plot.Trace(path)

    def now(self):
        clock = self.pipeline.pipeline.get_clock()
        return (clock.get_time() - self.pipeline.pipeline.get_base_time()) / 1e9

    def _model(self, frames, seconds, commands, lasts):
        context = self.pipeline.context
        context.wait_session(5)
        array = numpy.zeros((frames, 64, 64, 3), numpy.uint8)
        context.on_command = lambda command: self.applied.setdefault(command.id, len(self.generated))
        over = threading.Event()
        viewer = threading.Thread(target=self._viewer, args=(commands, over), daemon=True)
        if commands:
            viewer.start()
        begun = time.monotonic()
        due = self.now()
        while time.monotonic() - begun < seconds:
            context.should_stop()           # commands reach the model here, between blocks
            started = self.now()
            due = max(due, started) + lasts(len(self.generated), frames)
            time.sleep(max(0.0, due - self.now()))
            self.generated.append((started, self.now()))
            context.emit_block(array)
        over.set()
        time.sleep(0.6)

    def _viewer(self, every, over):
        """Somebody who presses a key now and then."""
        chance = random.Random(4)
        pad = self.pipeline.pipeline.get_by_name("out").get_static_pad("sink")
        over.wait(4.0)                      # the pacer has met the model
        while not over.wait(every * chance.uniform(0.5, 1.5)):
            self.inputs.append(self.now())
            pad.push_event(GstReactor.event_new_command('{"type":"key"}', "viewer", len(self.inputs)))

    def reactions(self):
        """(input, generation begins, block arrives, first frame leaves) of each input that was answered."""
        first, came = {}, {}
        for t, block, index, _ in self.trace.releases:
            if index == 0:
                first[block] = t
        for t, block, *_ in self.trace.arrivals:
            came[block] = t
        out = []
        for id, block in sorted(self.applied.items()):
            if block in first and block < len(self.generated):
                out.append((self.inputs[id - 1], self.generated[block][0], came[block], first[block], block))
        return out


def pacing():
    run = Recording(12, 13)
    run.trace.between(3.0, 11.5)
    run.trace.path = "A model of 12-frame blocks"
    return plot.draw([run.trace], "Blocks in, evenly spaced frames out")


def smoothness():
    traces = []
    for value, name in ((0, "smoothness 0: as little latency as possible"), (1, "smoothness 1: as even as possible")):
        run = Recording(12, 32, smoothness=value, lasts=steady)
        run.trace.between(20.0, 30.0)
        run.trace.path = name
        traces.append(run.trace)
    return plot.draw(traces, "The same model at both ends of the smoothness property")


def even(block, frames):
    return frames / FPS * max(0.5, random.Random(block).gauss(1.0, 0.05))


def reactivity():
    sizes, drawing, top = (1, 4, 12), plot.Drawing(), 58.0
    drawing.text(plot.LEFT, 40, "An input shows in the next block, not in this one", 21, plot.INK, weight=650)
    rows = []
    for frames in sizes:
        run = Recording(frames, 34 if frames > 1 else 24, commands=0.9, lasts=even)
        reactions = run.reactions()
        total = [shown - pressed for pressed, *_, shown, _ in reactions]
        parts = [numpy.mean([b - a for a, b in zip(column, after)]) for column, after in
                 zip(list(zip(*reactions))[:3], list(zip(*reactions))[1:4])]
        rows.append((frames, len(total), *(1e3 * plot.quantile(total, q) for q in (0.5, 0.95)), *(1e3 * p for p in parts)))
        middle = plot.quantile(total, 0.5)
        usual = min(reactions, key=lambda r: abs(r[3] - r[0] - middle) + _unrest(run, frames, r[0]))
        top = _timeline(drawing, top, run, frames, usual)
    print("| frames a block | inputs | p50, ms | p95, ms | until its block begins | its block is generated | waits for its turn |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(f"{value:.0f}" for value in row) + " |")
    return drawing.finish(top + 24, "An input shows in the next block, not in this one")


def _unrest(run, frames, pressed):
    """How far the slowest block around an input is from what it should take: a busy machine makes poor pictures."""
    return max((b - a for a, b in run.generated if -0.6 < a - pressed < 1.4), default=9.0) - frames / FPS


def _timeline(drawing, top, run, frames, reaction):
    """One input, the blocks around it, and the frame that answers it; 0 is the input."""
    zero, *_, shown, answer = reaction
    shown -= zero
    pressed, begin, end = 0.0, -0.55, 1.35
    panel = plot.Panel(drawing, top + 46, 118, begin, end)
    panel.frame(f"{frames} frame{'s' if frames > 1 else ''} a block", f"{1e3 * shown:.0f} ms from the input to the "
                "first frame that answers it", [], scale=False)
    making, leaving = panel.top + 26, panel.top + 78
    drawing.text(plot.LEFT - 10, making + 15, "made", 12, plot.ARRIVE, "end", 600)
    drawing.text(plot.LEFT - 10, leaving + 15, "shown", 12, plot.LEAVE, "end", 600)
    for number, (a, b) in enumerate((a - zero, b - zero) for a, b in run.generated):
        if b < begin or a > end:
            continue
        x, width = panel.x(max(a, begin)), panel.x(min(b, end)) - panel.x(max(a, begin))
        mine = number == answer
        drawing.rect(x + 0.6, making, max(width - 1.2, 0.8), 22, plot.ARRIVE if mine else "#f3c9b3", radius=2.5)
        if width > 130:
            words = "this one knows of it" if mine else "began before it" if a < pressed < b else ""
            drawing.text(x + width / 2, making + 15, words, 11, plot.PAPER if mine else plot.ARRIVE, "middle")
    for t, block in ((t - zero, block) for t, block, _, _ in run.trace.releases):
        if begin <= t <= end:
            drawing.line(panel.x(t), leaving, panel.x(t), leaving + 22, plot.LEAVE if block >= answer else "#a9c8f8",
                         2.4 if block == answer else 1.6)
    drawing.line(panel.x(pressed), panel.top + 6, panel.x(pressed), leaving + 22, plot.INK, 1.4)
    drawing.text(panel.x(pressed) - 5, panel.top + 16, "input", 12, plot.INK, "end", 600)
    drawing.line(panel.x(shown), panel.top + 6, panel.x(shown), leaving + 26, plot.QUEUE, 1.4, "4 3")
    drawing.text(panel.x(shown) + 6, panel.top + 16, "answered", 12, plot.QUEUE, weight=600)
    y = panel.top + 12
    drawing.line(panel.x(pressed) + 4, y, panel.x(shown) - 4, y, plot.FAINT, 1.0)
    panel.times(label=frames == 12)
    return panel.top + panel.height + (42 if frames == 12 else 0)


FIGURES = {"pacing": pacing, "smoothness": smoothness, "reactivity": reactivity}


def main(names):
    unknown = set(names) - set(FIGURES)
    if unknown:
        print(f"figures: there is no figure {', '.join(unknown)}; there is {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    Gst.init(None)
    IMAGES.mkdir(exist_ok=True)
    for name in names or FIGURES:
        (IMAGES / f"{name}.svg").write_text(FIGURES[name](), encoding="utf-8")
        print(f"docs/images/{name}.svg", flush=True)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
