# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model that the browser tests watch: every frame carries its number in black and white squares that survive the codec.

Run by tests/browser/harness.js as `python3 -m gst_reactor run tests/browser/model.py:Numbered --set KEY=VALUE …`. The number
counts frames over the life of the process, so a frame that is lost, repeated or of another session is seen in the picture.
"""
import os
import random
import time

import numpy

from gst_reactor import CommandError, Field, VideoModel, command, get_ctx

CELL = 16      # pixels a square
BITS = 24
CELLS = 4 + BITS + 8  # 1 0 1 0, the number with its highest bit first, the sum of its bytes

COLOURS = {
    "grey": (64, 64, 64), "red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200),
}
# What a colour test reads back: primaries, secondaries, greys, a skin tone; tiles from left to right, top to bottom.
PALETTE = [
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255), (255, 255, 255), (0, 0, 0),
    (32, 32, 32), (80, 80, 80), (128, 128, 128), (180, 180, 180), (224, 224, 224), (224, 172, 145), (60, 90, 30), (128, 0, 64),
]
COLUMNS = 4


def draw_number(frame, number):
    check = sum(number >> shift & 0xff for shift in (0, 8, 16)) & 0xff
    bits = [1, 0, 1, 0] + [number >> i & 1 for i in range(BITS - 1, -1, -1)] + [check >> i & 1 for i in range(7, -1, -1)]
    frame[:CELL, :CELLS * CELL] = numpy.repeat(numpy.array(bits, numpy.uint8) * 255, CELL)[None, :, None]


class Numbered(VideoModel):
    """config: width, height, frames (in a block), period (seconds a block), jitter (share), seed, palette, first (seconds
    that the first block takes), last (blocks after which start_session returns; 0: never)."""

    name = "numbered"

    def __init__(self, config=None):
        config = dict(config or {})
        self.width, self.height = int(config.get("width", 1280)), int(config.get("height", 704))
        self.frames, self.period = int(config.get("frames", 12)), float(config.get("period", 0.5))
        self.jitter, self.first = float(config.get("jitter", 0.15)), float(config.get("first", 0.0))
        self.last = int(config.get("last", 0))
        self.palette = bool(config.get("palette", False))
        self.random = random.Random(int(config.get("seed", 1)))
        self.number = 0
        self.paused = self.finished = False
        self.colour = "grey"

    @command(description="Hold the last frame")
    def pause(self):
        self.paused = True
        get_ctx().disable_monitoring()

    @command(description="Go on")
    def resume(self):
        self.paused = False
        get_ctx().enable_monitoring()

    @command(description="Black until resume")
    def black(self):
        self.pause()
        get_ctx().black()

    @command(description="Drop what waits, and hold")
    def flush(self):
        self.pause()
        get_ctx().flush()

    @command(description="Frames in a block, at the same frame rate")
    def size(self, frames: int = Field(12, ge=1, le=24)):
        self.period *= frames / self.frames
        self.frames = frames

    @command(description="Other pictures from the next block on")
    def resize(self, width: int = Field(1280, ge=1, le=4096), height: int = Field(704, ge=1, le=4096)):
        self.width, self.height = width, height

    @command(description="Background")
    def paint(self, colour: str = Field("grey")):
        if colour not in COLOURS:
            raise CommandError(f"colour: expected one of {', '.join(COLOURS)}, got {colour!r}")
        self.colour = colour

    @command(description="Comes back as a message")
    def echo(self, text: str):
        get_ctx().send({"echo": text})

    @command(description="Return from start_session")
    def finish(self):
        self.finished = True

    @command(description="End the session for everybody")
    def over(self):
        get_ctx().set_state("over", "the film has ended")

    @command(description="End the process without a word")
    def die(self):
        os._exit(7)

    def block(self, count):
        frames = numpy.empty((count, self.height, self.width, 3), numpy.uint8)
        frames[:] = COLOURS[self.colour]
        for i in range(count):
            if self.palette:
                rows = len(PALETTE) // COLUMNS
                for k, colour in enumerate(PALETTE):
                    top, left = k // COLUMNS, k % COLUMNS
                    frames[i, self.height * top // rows:self.height * (top + 1) // rows,
                           self.width * left // COLUMNS:self.width * (left + 1) // COLUMNS] = colour
            else:
                place = self.number * 8 % (self.width - 64)
                frames[i, self.height // 2:self.height // 2 + 64, place:place + 64] = 230
                draw_number(frames[i], self.number)
            self.number += 1
        return frames

    def start_session(self):
        ctx = get_ctx()
        self.paused = self.finished = False
        ctx.send({"started": self.number})
        blocks = 0
        while not ctx.should_stop() and not self.finished:
            if self.paused:
                ctx.wait(0.05)
                continue
            begun = time.monotonic()
            frames = self.block(self.frames)
            took = self.period * (1 + self.jitter * self.random.uniform(-1, 1))
            if blocks == 0 and ctx.wait(self.first):
                break
            # As a model computes: what comes meanwhile waits for the next block.
            time.sleep(max(0.0, begun + took - time.monotonic()))
            ctx.emit_block(frames)
            blocks += 1
            if self.last and blocks >= self.last:
                break

    def cleanup(self):
        self.colour = "grey"
