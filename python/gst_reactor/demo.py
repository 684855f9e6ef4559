# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo model: pictures that need no weights, delivered as a real-time video model would deliver them.

Blocks of 12 frames at 1280x704, each finished all at once, at a speed that jitters from block to block and drifts over
the minutes. Every frame says which block and frame it is and how late in the film, in letters and as a row of bits
that a program can read (`read_bits`). Viewers change scene, speed, block size and prompt, and pause.

The pictures are looked up, not computed: each scene is a few precomputed maps that are shifted against each other and
run through a palette of 256 colours, 2 to 3 ms a frame, so that the processor is the encoder's.
"""
import hashlib
import math
import random
import time
import typing

import numpy

from .commands import Field, command
from .model import VideoModel, get_ctx

WIDTH, HEIGHT = 1280, 704
SCENES = ("aurora", "dunes", "tunnel", "ripples", "city")

# --- Letters -----------------------------------------------------------------------------------------------------

# 5 x 7 dots, one string a row, top first; drawn for this demo.
_GLYPHS = {
    "A": ".###. #...# #...# ##### #...# #...# #...#", "B": "####. #...# #...# ####. #...# #...# ####.",
    "C": ".#### #.... #.... #.... #.... #.... .####", "D": "####. #...# #...# #...# #...# #...# ####.",
    "E": "##### #.... #.... ####. #.... #.... #####", "F": "##### #.... #.... ####. #.... #.... #....",
    "G": ".#### #.... #.... #..## #...# #...# .####", "H": "#...# #...# #...# ##### #...# #...# #...#",
    "I": ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.", "J": "..### ...#. ...#. ...#. ...#. #..#. .##..",
    "K": "#...# #..#. #.#.. ##... #.#.. #..#. #...#", "L": "#.... #.... #.... #.... #.... #.... #####",
    "M": "#...# ##.## #.#.# #.#.# #...# #...# #...#", "N": "#...# ##..# #.#.# #.#.# #..## #...# #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.", "P": "####. #...# #...# ####. #.... #.... #....",
    "Q": ".###. #...# #...# #...# #.#.# #..#. .##.#", "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "S": ".#### #.... #.... .###. ....# ....# ####.", "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# #...# #...# .###.", "V": "#...# #...# #...# #...# #...# .#.#. ..#..",
    "W": "#...# #...# #...# #.#.# #.#.# ##.## #...#", "X": "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
    "Y": "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..", "Z": "##### ....# ...#. ..#.. .#... #.... #####",
    "0": ".###. #...# #..## #.#.# ##..# #...# .###.", "1": "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    "2": ".###. #...# ....# ..##. .#... #.... #####", "3": "####. ....# ....# .###. ....# ....# ####.",
    "4": "...#. ..##. .#.#. #..#. ##### ...#. ...#.", "5": "##### #.... ####. ....# ....# #...# .###.",
    "6": ".###. #.... #.... ####. #...# #...# .###.", "7": "##### ....# ...#. ..#.. .#... .#... .#...",
    "8": ".###. #...# #...# .###. #...# #...# .###.", "9": ".###. #...# #...# .#### ....# ....# .###.",
    ":": "..... ..#.. ..#.. ..... ..#.. ..#.. .....", ".": "..... ..... ..... ..... ..... .##.. .##..",
    ",": "..... ..... ..... ..... .##.. ..#.. .#...", "-": "..... ..... ..... ##### ..... ..... .....",
    "/": "....# ....# ...#. ..#.. .#... #.... #....", "!": "..#.. ..#.. ..#.. ..#.. ..#.. ..... ..#..",
    "?": ".###. #...# ....# ..##. ..#.. ..... ..#..", "'": "..#.. ..#.. .#... ..... ..... ..... .....",
    "+": "..... ..#.. ..#.. ##### ..#.. ..#.. .....", "#": ".#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.",
    "(": "...#. ..#.. .#... .#... .#... ..#.. ...#.", ")": ".#... ..#.. ...#. ...#. ...#. ..#.. .#...",
    " ": "..... ..... ..... ..... ..... ..... .....",
}
_UNKNOWN = "##### #...# #...# #...# #...# #...# #####"


class Font:
    """Text as coverage masks, made once a letter and size."""

    def __init__(self):
        self._made = {}

    def letter(self, letter, scale):
        key = letter, scale
        if key not in self._made:
            rows = _GLYPHS.get(letter.upper(), _UNKNOWN).split()
            dots = numpy.array([[dot == "#" for dot in row] for row in rows], numpy.uint8)
            self._made[key] = numpy.kron(numpy.pad(dots, ((0, 0), (0, 1))), numpy.ones((scale, scale), numpy.uint8)) > 0
        return self._made[key]

    def draw(self, picture, x, y, text, scale, colour):
        """Draws into an (H, W, ≥3) picture; what does not fit is left out. Returns where the text ends."""
        height, width = picture.shape[:2]
        for letter in text:
            mask = self.letter(letter, scale)
            h, w = mask.shape
            if x + w > width or y + h > height:
                break
            picture[y:y + h, x:x + w][mask] = colour
            x += w
        return x


# --- A row of bits -------------------------------------------------------------------------------------------------

CELL = 16       # pixels: survives a video encoder at any sane bitrate
NUMBER_BITS = 32
CHECK_BITS = 8
CELLS = 4 + NUMBER_BITS + CHECK_BITS


def _check(number):
    return sum((number >> shift) & 0xff for shift in (0, 8, 16, 24)) & 0xff ^ 0x5a


def draw_bits(picture, number):
    """Writes a number into the lower left corner: cells of 16 x 16, white for one: 1 0 1 0, 32 bits with the highest
    first, 8 check bits (the sum of the number's bytes, exclusive-or 0x5a)."""
    number &= 0xffffffff
    bits = [1, 0, 1, 0] + [number >> i & 1 for i in range(NUMBER_BITS - 1, -1, -1)] \
        + [_check(number) >> i & 1 for i in range(CHECK_BITS - 1, -1, -1)]
    row = numpy.repeat(numpy.array(bits, numpy.uint8) * 255, CELL)
    picture[-CELL:, :row.size, :3] = row[None, :, None]


def read_bits(picture):
    """The number in a picture (H, W, 3), or None when there is none that can be trusted."""
    if picture.shape[0] < CELL or picture.shape[1] < CELLS * CELL:
        return None
    strip = picture[-CELL + 4:-4, :CELLS * CELL].astype(numpy.float32).mean(axis=(0, 2))
    values = strip.reshape(CELLS, CELL)[:, 4:-4].mean(axis=1)
    bits = [int(value > 127) for value in values]
    if bits[:4] != [1, 0, 1, 0]:
        return None
    number = int("".join(map(str, bits[4:4 + NUMBER_BITS])), 2)
    return number if int("".join(map(str, bits[-CHECK_BITS:])), 2) == _check(number) else None


# --- Colours -------------------------------------------------------------------------------------------------------


def gradient(*stops, cyclic=False, size=256):
    """A palette of `size` RGB colours through the given hex colours, evenly spaced, blended in linear light."""
    colours = numpy.array([[int(stop[i:i + 2], 16) for i in (0, 2, 4)] for stop in stops], numpy.float64) / 255.0
    colours = colours ** 2.2
    if cyclic:
        colours = numpy.vstack([colours, colours[:1]])
    where = numpy.linspace(0, len(colours) - 1, size, endpoint=not cyclic)
    at = numpy.minimum(where.astype(int), len(colours) - 2)
    part = (where - at)[:, None]
    part = part * part * (3 - 2 * part)
    blended = colours[at] * (1 - part) + colours[at + 1] * part
    return (blended ** (1 / 2.2) * 255 + 0.5).astype(numpy.uint8)


def _words(palette):
    """RGB colours as 32-bit words in memory order R, G, B, 255: one lookup a pixel."""
    rgba = numpy.full((len(palette), 4), 255, numpy.uint8)
    rgba[:, :3] = palette
    return rgba.view(numpy.uint32).ravel()


def _tinted(palette, shift):
    """The palette with its hues turned by `shift` of a circle: how a prompt changes the light."""
    if not shift:
        return palette
    angle = shift * 2 * math.pi
    c, s = math.cos(angle), math.sin(angle)
    turn = (numpy.array([[0.299, 0.587, 0.114]] * 3)
            + c * numpy.array([[0.701, -0.587, -0.114], [-0.299, 0.413, -0.114], [-0.300, -0.588, 0.886]])
            + s * numpy.array([[0.168, 0.330, -0.497], [-0.328, 0.035, 0.292], [1.250, -1.050, -0.203]]))
    return numpy.clip(palette.astype(float) @ turn.T, 0, 255).astype(numpy.uint8)


def _noise(rng, height, width, cells, octaves=4):
    """Smooth noise of 0…1 that tiles in both directions."""
    total = numpy.zeros((height, width), numpy.float32)
    weight, whole = 1.0, 0.0
    for octave in range(octaves):
        rows, columns = max(int(cells * 2 ** octave * height / width), 2), cells * 2 ** octave
        grid = rng.random((rows, columns)).astype(numpy.float32)
        y, x = numpy.arange(height) * rows / height, numpy.arange(width) * columns / width
        y0, x0 = y.astype(int), x.astype(int)
        fy, fx = (y - y0).astype(numpy.float32), (x - x0).astype(numpy.float32)
        fy, fx = (fy * fy * (3 - 2 * fy))[:, None], (fx * fx * (3 - 2 * fx))[None]
        y1, x1 = (y0 + 1) % rows, (x0 + 1) % columns
        top = grid[y0][:, x0] * (1 - fx) + grid[y0][:, x1] * fx
        bottom = grid[y1][:, x0] * (1 - fx) + grid[y1][:, x1] * fx
        total += weight * (top * (1 - fy) + bottom * fy)
        whole += weight
        weight *= 0.5
    total /= whole
    total -= total.min()
    return total / total.max()


# --- Scenes --------------------------------------------------------------------------------------------------------


class Scene:
    """Draws frames into (H, W) arrays of 32-bit pixels. `t` is the scene's time in seconds at normal speed."""

    palette = gradient("000000", "ffffff")

    def __init__(self, height, width, rng):
        self.height, self.width = height, width
        self._index = numpy.empty((height, width), numpy.uint8)
        self._words = _words(self.palette)

    def tint(self, shift):
        self._words = _words(_tinted(self.palette, shift))

    def draw(self, out, t):
        raise NotImplementedError

    def _paint(self, out):
        numpy.take(self._words, self._index, out=out, mode="clip")


def _wrap(array, dy, dx, height, width):
    """A window of a map that repeats itself; the map is stored twice as large as its period."""
    rows, columns = array.shape[0] // 2, array.shape[1] // 2
    y, x = int(dy) % rows, int(dx) % columns
    return array[y:y + height, x:x + width]


class Aurora(Scene):
    """Curtains of light: two fields that drift against each other, summed into a cyclic palette."""

    palette = gradient("030712", "06223a", "0b5563", "16a085", "7ef0b8", "2fb39a", "31428f", "6c2f9b", "1d1147", "050818",
                       cyclic=True)

    def __init__(self, height, width, rng):
        super().__init__(height, width, rng)
        y = numpy.linspace(0, 1, height, endpoint=False)[:, None]
        x = numpy.linspace(0, 1, width, endpoint=False)[None]
        tau = 2 * math.pi
        folds = _noise(rng, height, width, 4, 3)
        one = 96 * numpy.sin(tau * (2 * x + 0.9 * folds + 0.35 * numpy.sin(tau * y))) + 150 * folds
        two = 70 * numpy.sin(tau * (x - y)) + 60 * numpy.sin(tau * (3 * x + y)) + 90 * _noise(rng, height, width, 3, 2)
        self._one = numpy.tile(one.astype(numpy.int32).astype(numpy.uint8), (2, 2))
        self._two = numpy.tile(two.astype(numpy.int32).astype(numpy.uint8), (2, 2))

    def draw(self, out, t):
        h, w = self.height, self.width
        numpy.add(_wrap(self._one, 22 * math.sin(t * 0.31) + 400, t * 31, h, w),
                  _wrap(self._two, t * 17, 4000 - t * 23, h, w), out=self._index)
        self._index += numpy.uint8(int(t * 9) & 0xff)
        self._paint(out)


class Dunes(Scene):
    """A low sun over ranges of hills that pass by, the nearer the faster, in mist."""

    palette = numpy.vstack([gradient("1b1440", "59307a", "c2506e", "f08a5d", "ffd27f", size=96),      # sky
                            gradient("ffd27f", "fff6d8", size=32),                                     # sun
                            *(gradient(top, mist, size=32) for top, mist in
                              (("7c4a7d", "e39a78"), ("553a6b", "b8718a"), ("33284f", "7d5178"), ("150f28", "3a2a4f")))])

    def __init__(self, height, width, rng):
        super().__init__(height, width, rng)
        y = numpy.linspace(0, 1, height)[:, None]
        sky = numpy.clip(y * 135, 0, 95)
        dither = rng.random((height, width)).astype(numpy.float32)
        self._sky = (sky + dither - 0.5).clip(0, 95).astype(numpy.uint8)
        yy, xx = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
        d = numpy.hypot(xx - width * 0.62, yy - height * 0.47)
        radius = height * 0.11
        glow = numpy.exp(-((d - radius).clip(0) / (height * 0.16)))
        glowing = self._sky + (95 - self._sky.astype(numpy.float32)) * glow * 0.9 + dither - 0.5
        self._sky = glowing.clip(0, 95).astype(numpy.uint8)
        disc = (96 + 31 * (1 - d / radius).clip(0, 1)).astype(numpy.uint8)
        self._sky = numpy.where(d < radius, disc, self._sky)
        self._layers = []
        for layer in range(4):
            period = width * 2
            x = numpy.arange(period) / period * 2 * math.pi
            ridge = sum(rng.uniform(0.4, 1.0) / (k ** 1.1) * numpy.sin(k * x + rng.uniform(0, 7))
                        for k in (1, 2, 3, 5, 8, 13))
            ridge = (0.50 + 0.11 * layer + ridge * (0.035 + 0.014 * layer)) * height
            top = int(ridge.min()) - 1
            rows = numpy.arange(top, height)[:, None]
            depth = (rows - ridge[None]) / (height * (0.20 + 0.07 * layer))
            grain = rng.random((height - top, period)).astype(numpy.float32)
            index = 128 + 32 * layer + (depth * 31 + grain - 0.5).clip(0, 31)
            solid = rows >= ridge[None]
            twice = numpy.concatenate([index, index], axis=1).astype(numpy.uint8)
            mask = numpy.concatenate([solid, solid], axis=1)
            # Below its lowest point a range covers everything: only the rows of its crest need a mask.
            crest = int(ridge.max()) + 1 - top
            self._layers.append((top, crest, twice, mask[:crest], period, 9.0 * 2.1 ** layer))

    def draw(self, out, t):
        index = self._index
        numpy.copyto(index, self._sky)
        for top, crest, layer, mask, period, speed in self._layers:
            x = int(t * speed) % period
            window = slice(x, x + self.width)
            numpy.copyto(index[top:top + crest], layer[:crest, window], where=mask[:, window])
            index[top + crest:] = layer[crest:, window]
        self._paint(out)


class Tunnel(Scene):
    """A flight through a tube: depth and angle of each pixel are known, the wall moves past them."""

    palette = gradient("070313", "20094a", "5a0f7c", "b5179e", "f72585", "ff9e6d", "ffe8b0", "ff9e6d", "b5179e", "3a0ca3",
                       "10002b", cyclic=True)

    def __init__(self, height, width, rng):
        super().__init__(height, width, rng)
        yy, xx = numpy.mgrid[0:height * 2, 0:width * 2].astype(numpy.float32)
        x, y = xx - width, yy - height
        r = numpy.hypot(x, y) + 1.0
        angle = (numpy.arctan2(y, x) / (2 * math.pi) * 1024).astype(numpy.int64) & 0x3ff
        depth = (60.0 * height / 704 * 1024 / r).astype(numpy.int64) & 0x3ff
        self._map = ((depth << 10) | angle).astype(numpy.int32)
        self._shade = (numpy.clip((r / (height * 0.55)) ** 0.8, 0.0, 1.0) * 15).astype(numpy.uint8)
        a = numpy.arange(1024) / 1024
        wall = (100 * _noise(rng, 1024, 1024, 6, 3)
                + 70 * numpy.sin(2 * math.pi * (4 * a[:, None] + 2 * a[None]))
                + 50 * numpy.sin(2 * math.pi * (2 * a[:, None] - 3 * a[None])))
        self._wall = (wall.astype(numpy.int64) & 0xff).astype(numpy.uint8).ravel()
        self._place = numpy.empty((height, width), numpy.int32)
        self._flat = numpy.empty((height, width), numpy.uint16)
        self._shades()

    def _shades(self):
        """For each of 16 depths the palette, darker the deeper: words[shade << 8 | index]."""
        colours = self._words.view(numpy.uint8).reshape(256, 4)
        table = numpy.empty((16, 256, 4), numpy.uint8)
        for shade in range(16):
            table[shade, :, :3] = colours[:, :3] * ((shade + 0.6) / 15.6)
        table[..., 3] = 255
        self._table = table.view(numpy.uint32).ravel()

    def tint(self, shift):
        super().tint(shift)
        self._shades()

    def draw(self, out, t):
        h, w = self.height, self.width
        y = int(h / 2 + math.sin(t * 0.53) * h * 0.16)
        x = int(w / 2 + math.sin(t * 0.37) * w * 0.14)
        numpy.add(self._map[y:y + h, x:x + w], (int(t * 184) & 0x3ff) << 10 | (int(t * 44) & 0x3ff), out=self._place)
        self._place &= 0xfffff
        numpy.take(self._wall, self._place, out=self._index, mode="clip")
        self._index += numpy.uint8(int(t * 25) & 0xff)
        numpy.left_shift(self._shade[y:y + h, x:x + w], 8, out=self._flat, dtype=numpy.uint16, casting="unsafe")
        self._flat |= self._index
        numpy.take(self._table, self._flat, out=out, mode="clip")


class Ripples(Scene):
    """Rings on water from three places that wander."""

    palette = gradient("02101f", "04304f", "0b6e8f", "4fc3c7", "e6fff5", "8fe3d0", "19839e", "06385c", cyclic=True)

    def __init__(self, height, width, rng):
        super().__init__(height, width, rng)
        yy, xx = numpy.mgrid[0:height * 2, 0:width * 2].astype(numpy.float32)
        d = numpy.hypot(xx - width, (yy - height) * 1.6)
        rings = 46 * numpy.cos(d / 21.0) * numpy.exp(-d / 1500.0) + 0.06 * d
        self._rings = (rings.astype(numpy.int64) & 0xff).astype(numpy.uint8)

    def draw(self, out, t):
        h, w = self.height, self.width
        parts = []
        for k, (a, b) in enumerate(((0.23, 0.31), (0.29, 0.19), (0.17, 0.37))):
            y = int(h / 2 + math.sin(t * b + k * 2.1) * h * 0.42)
            x = int(w / 2 + math.cos(t * a + k * 1.7) * w * 0.42)
            parts.append(self._rings[y:y + h, x:x + w])
        numpy.add(parts[0], parts[1], out=self._index)
        self._index += parts[2]
        self._index -= numpy.uint8(int(t * 38) & 0xff)
        self._paint(out)


class City(Scene):
    """A skyline by night: lit windows, three rows of houses, stars and a moon."""

    palette = numpy.vstack([gradient("04061a", "0d1238", "2a2260", "5f3b7a", "c96f6f", size=160),     # sky
                            gradient("c8c0e8", "fffdf0", size=32),                                      # stars, moon
                            gradient("1a1c3c", "0f1129", "070816", size=32),                            # houses
                            gradient("ffb347", "ffe7a8", "bfe3ff", size=32)])                           # windows

    def __init__(self, height, width, rng):
        super().__init__(height, width, rng)
        y = numpy.linspace(0, 1, height)[:, None] ** 1.5
        sky = (y * 159 + rng.random((height, width)) - 0.5).clip(0, 159).astype(numpy.uint8)
        for _ in range(420):
            r, c = int(rng.random() ** 1.6 * height * 0.7), int(rng.random() * width)
            sky[r:r + 1 + (rng.random() > 0.85), c:c + 1 + (rng.random() > 0.85)] = 160 + int(rng.random() * 31)
        yy, xx = numpy.mgrid[0:height, 0:width]
        moon = numpy.hypot(xx - width * 0.78, yy - height * 0.2) < height * 0.06
        sky[moon & (numpy.hypot(xx - width * 0.766, yy - height * 0.19) > height * 0.052)] = 189
        self._sky = sky
        self._layers = []
        for layer in range(3):
            period = width * 2
            image = numpy.zeros((height, period), numpy.uint8)
            x = 0
            while x < period:
                house = int(rng.uniform(34, 90) * (1 + 0.45 * layer))
                house = min(house, period - x) if period - x - house > 30 else period - x
                top = int(height * (rng.uniform(0.34, 0.66) + 0.10 * layer))
                image[top:, x:x + house] = 192 + 9 * layer + int(rng.random() * 5)
                step = 9 + 4 * layer
                for wy in range(top + step, height - 4, step):
                    for wx in range(x + step // 2, x + house - step // 2, step):
                        if rng.random() < 0.33:
                            image[wy:wy + step // 2 + 1, wx:wx + step // 2] = 224 + int(rng.random() ** 2 * 31)
                x += house
            top = int(numpy.nonzero(image.any(axis=1))[0][0])
            image = numpy.concatenate([image[top:], image[top:]], axis=1)
            self._layers.append((top, image, image > 0, period, 14.0 * 2.3 ** layer))

    def draw(self, out, t):
        numpy.copyto(self._index, self._sky)
        for top, image, mask, period, speed in self._layers:
            window = slice(int(t * speed) % period, int(t * speed) % period + self.width)
            numpy.copyto(self._index[top:], image[:, window], where=mask[:, window])
        self._paint(out)


_SCENES = dict(zip(SCENES, (Aurora, Dunes, Tunnel, Ripples, City)))


# --- The model -----------------------------------------------------------------------------------------------------


class DemoModel(VideoModel):
    """See the module. `config`: width, height, fps, block_size, jitter (share of a block's time), drift (share over a
    minute), seed, scene."""

    name = "reactor-demo"

    def __init__(self, config=None):
        settings = dict(config or {})
        self.width, self.height = int(settings.get("width", WIDTH)), int(settings.get("height", HEIGHT))
        if self.width < CELLS * CELL or self.height < 128:
            raise ValueError(f"the demo needs at least {CELLS * CELL}x128 pixels, got {self.width}x{self.height}")
        self.fps = float(settings.get("fps", 24.0))
        self.block_size = int(settings.get("block_size", 12))
        self.jitter, self.drift = float(settings.get("jitter", 0.15)), float(settings.get("drift", 0.2))
        self._seed = int(settings.get("seed", 1))
        self.speed, self.prompt, self.paused = 1.0, "", False
        self._font = Font()
        self._scenes = {}
        self._frames = None
        self.scene = settings.get("scene", SCENES[0])
        for name in {self.scene, *SCENES}:  # made beforehand: no command waits for a scene
            self._scene(name)

    # -- commands

    @command("scene", description="Changes the picture")
    def set_scene(self, name: typing.Literal[SCENES + ("next",)] = "aurora"):
        if name == "next":
            name = SCENES[(SCENES.index(self.scene) + 1) % len(SCENES)]
        self.scene = name
        get_ctx().send({"type": "scene", "data": {"name": name}})

    @command("pause", description="Stops generating: the last frame is held, the measured rate is kept")
    def pause(self):
        if not self.paused:
            self.paused = True
            get_ctx().disable_monitoring()
        self._tell()

    @command("resume", description="Goes on generating")
    def resume(self):
        if self.paused:
            self.paused = False
            get_ctx().enable_monitoring()
        self._tell()

    @command("block_size", description="How many frames are generated at a time")
    def set_block_size(self, frames: int = Field(12, ge=1, le=48, description="1, 4 or 12; up to 48")):
        self.block_size = frames
        self._tell()

    @command("speed", description="How fast the model generates", coalesce=True)
    def set_speed(self, factor: float = Field(1.0, ge=0.1, le=4.0, description="1 is 24 frames a second")):
        self.speed = factor
        self._tell()

    @command("prompt", description="Writes a line into the picture and turns its light")
    def set_prompt(self, text: str = Field("", max_length=200, description="any text")):
        self.prompt = text
        shift = int(hashlib.sha256(text.strip().lower().encode()).hexdigest()[:4], 16) / 65536 if text.strip() else 0.0
        for scene in self._scenes.values():
            scene.tint(shift)
        self._shift = shift
        self._tell()

    @command("black", description="Cuts to black until the next block")
    def cut_to_black(self):
        get_ctx().black()

    @command("flush", description="Drops what is not yet shown and starts again with the next block")
    def drop(self):
        get_ctx().flush()

    def _tell(self):
        get_ctx().send({"type": "settings", "data": {"scene": self.scene, "paused": self.paused, "speed": self.speed,
                                                     "block_size": self.block_size, "prompt": self.prompt}})

    # -- generating

    _shift = 0.0

    def _scene(self, name):
        if name not in self._scenes:
            if name not in _SCENES:
                raise ValueError(f"scene {name!r}: there is {', '.join(SCENES)}")
            rng = numpy.random.default_rng([self._seed, SCENES.index(name)])
            self._scenes[name] = _SCENES[name](self.height, self.width, rng)
            if self._shift:
                self._scenes[name].tint(self._shift)
        return self._scenes[name]

    def generate(self, n, block, first, clock):
        """`n` frames (n, H, W, 3) of the present scene; frame `first` of the film is the first. `clock` is the film's
        time in seconds. The memory is used again by the next call."""
        if self._frames is None or len(self._frames) < n:
            self._frames = numpy.empty((n, self.height, self.width, 4), numpy.uint8)
        frames = self._frames[:n]
        scene = self._scene(self.scene)
        step = 1.0 / self.fps
        for i in range(n):
            scene.draw(frames[i].view(numpy.uint32)[..., 0], clock + i * step)
            self._label(frames[i], block, i, n, first + i, clock + i * step)
        return frames[..., :3]

    def _label(self, picture, block, index, n, frame, clock):
        panel = picture[20:20 + 78, 24:24 + 420, :3]
        numpy.right_shift(panel, 1, out=panel)
        numpy.right_shift(panel, 1, out=panel)
        white, soft = (255, 255, 255, 255), (168, 196, 220, 255)
        minutes, seconds = divmod(clock, 60)
        code = f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{int(seconds):02d}.{int(seconds % 1 * 1000):03d}"
        x = self._font.draw(picture, 38, 32, f"BLOCK {block:05d}", 3, white)
        self._font.draw(picture, x + 24, 32, f"{index + 1:>2d}/{n}", 3, soft)
        self._font.draw(picture, 38, 64, code, 3, white)
        self._font.draw(picture, 38 + 13 * 18, 64, f"F {frame:06d}", 3, soft)
        if self.prompt:
            line = self.prompt[:(self.width - 80) // 18]
            top = self.height - CELL - 58
            strip = picture[top - 12:top + 33, 24:24 + len(line) * 18 + 26, :3]
            numpy.right_shift(strip, 2, out=strip)
            self._font.draw(picture, 38, top, line, 3, (255, 244, 214, 255))
        # A bar under the panel that fills once a block: the eye sees whether time flows evenly.
        picture[98:102, 24:24 + 420 * (index + 1) // n, :3] = (126, 240, 184)
        draw_bits(picture, frame)

    def start_session(self):
        ctx = get_ctx()
        # A session begins as a new one: nothing of the last user's.
        self.speed, self.paused, self.block_size = 1.0, False, max(self.block_size, 1)
        chance = random.Random(self._seed)
        begun = time.monotonic()
        block = frame = 0
        film = 0.0
        self._tell()
        while not ctx.should_stop():
            if self.paused:
                ctx.wait(0.25)
                continue
            started = time.monotonic()
            n = self.block_size
            frames = self.generate(n, block, frame, film)
            wander = 1.0 + self.drift * math.sin((started - begun) * 2 * math.pi / 60.0)
            lasts = n / (self.fps * self.speed * wander) * max(0.2, chance.gauss(1.0, self.jitter))
            # What is left of the time that a real model would need. As there, a command that comes meanwhile waits for
            # the next block.
            while ctx.in_session() and (left := started + lasts - time.monotonic()) > 0:
                time.sleep(min(left, 0.25))
            ctx.emit_block(frames)
            block, frame, film = block + 1, frame + n, film + n / self.fps
            if block % max(1, 48 // n) == 0:
                ctx.send({"type": "progress", "data": {"block": block, "frame": frame, "seconds": round(film, 3),
                                                       "scene": self.scene}})

    def cleanup(self):
        self.prompt, self.paused = "", False
        self._shift = 0.0
        for scene in self._scenes.values():
            scene.tint(0.0)
