# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model socket's client against a small source in Python. Runs on Python 3.9 and newer, without gi and numpy."""
import array
import ctypes
import gc
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "python")]

from fake_source import FakeSource  # noqa: E402
from gst_reactor import client  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None


class Strided:
    """An array as another library would hand it over: __array_interface__ over memory of its own."""

    def __init__(self, memory, shape, strides, offset=0, typestr="|u1"):
        self._memory = (ctypes.c_ubyte * len(memory)).from_buffer_copy(memory)
        self.__array_interface__ = {"version": 3, "typestr": typestr, "shape": shape, "strides": strides,
                                    "data": (ctypes.addressof(self._memory) + offset, True)}


def seen(memory, shape, strides, offset=0):
    """The bytes that such an array shows, in order."""
    n, h, w, c = shape
    return bytes(memory[offset + f * strides[0] + y * strides[1] + x * strides[2] + k * strides[3]]
                 for f in range(n) for y in range(h) for x in range(w) for k in range(c))


class ClientCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="reactor-test-")
        self.path = os.path.join(self.folder, "model.sock")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def source(self, **options):
        source = FakeSource(self.path, **options)
        self.addCleanup(source.close)
        return source

    def connect(self, **options):
        context = client.connect(self.path, timeout=5.0, **options)
        self.addCleanup(context.close)
        return context

    def settles(self, level):
        """Open descriptors return to about what they were; the fake source closes its own a moment later."""
        deadline = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) > level + 1:
            self.assertLess(time.monotonic(), deadline, os.listdir("/proc/self/fd"))
            time.sleep(0.02)

    def both(self, slots=4, **options):
        source = self.source(**options)
        context = self.connect(slots=slots)
        if source.session:
            self.assertEqual(context.wait_session(5.0), source.session)
        return source, context


class Emitting(ClientCase):
    def test_packed_bytes_arrive_as_they_are(self):
        source, context = self.both()
        memory = bytes(range(2 * 3 * 4 * 3))
        view = memoryview(memory).cast("B", (2, 3, 4, 3))
        self.assertTrue(context.emit_block(view))
        source.wait(lambda: source.blocks)
        packet, frames = source.blocks[0]
        self.assertEqual(frames, memory)
        self.assertEqual(packet["shape"], [2, 3, 4, 3])
        self.assertNotIn("strides", packet)
        self.assertEqual(source.errors, [])

    def test_a_single_frame_needs_no_frame_axis(self):
        source, context = self.both()
        memory = bytes(range(36))
        self.assertTrue(context.emit_block(memoryview(memory).cast("B", (3, 4, 3))))
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][0]["shape"], [1, 3, 4, 3])
        self.assertEqual(source.blocks[0][1], memory)

    def test_every_layout_shows_the_same_picture(self):
        source, context = self.both()
        n, h, w = 3, 5, 7
        memory = bytes((i * 37 + i // 251) & 255 for i in range(9000))
        plane = n * h * w
        layouts = {
            "planar, as PyTorch leaves it": ((h * w, w, 1, plane), 0),
            "planar, reversed channels": ((h * w, w, 1, -plane), 2 * plane),
            "RGBA without its alpha": ((h * w * 4, w * 4, 4, 1), 0),
            "BGR reversed": ((h * w * 3, w * 3, 3, -1), 2),
            "reversed frames": ((-h * w * 3, w * 3, 3, 1), (n - 1) * h * w * 3),
            "every second frame": ((2 * h * w * 3, w * 3, 3, 1), 0),
            "flipped rows": ((h * w * 3, -w * 3, 3, 1), (h - 1) * w * 3),
            "mirrored": ((h * w * 3, w * 3, -3, 1), (w - 1) * 3),
            "a crop of wide rows": ((h * 300, 300, 3, 1), 17),
            "one frame, repeated": ((0, w * 3, 3, 1), 0),
            "one colour everywhere": ((0, 0, 0, 1), 5),
            "transposed": ((h * w * 3, 3, h * 3, 1), 0),
            "every tenth pixel": ((9000 // 4, 400, 30, 1), 0),
            "grey as three channels": ((h * w, w, 1, 0), 0),
        }
        for name, (strides, offset) in layouts.items():
            with self.subTest(name):
                before = len(source.blocks)
                self.assertTrue(context.emit_block(Strided(memory, (n, h, w, 3), strides, offset)))
                source.wait(lambda: len(source.blocks) > before)
                self.assertEqual(source.blocks[-1][1], seen(memory, (n, h, w, 3), strides, offset))
        self.assertEqual(source.errors, [])

    def test_random_layouts_show_the_same_picture(self):
        import random
        chance = random.Random(11)
        source, context = self.both()
        for _ in range(150):
            n, h, w = chance.randint(1, 4), chance.randint(1, 6), chance.randint(1, 6)
            strides = tuple(chance.choice([0, 1, 3, 4, 12, 40, 90, 270, -1, -3, -12, -90, chance.randint(-300, 300)])
                            for _ in range(4))
            low = sum(min((c - 1) * s, 0) for c, s in zip((n, h, w, 3), strides))
            high = sum(max((c - 1) * s, 0) for c, s in zip((n, h, w, 3), strides))
            memory = bytes(chance.getrandbits(8) for _ in range(high - low + 1))
            before = len(source.blocks)
            self.assertTrue(context.emit_block(Strided(memory, (n, h, w, 3), strides, -low)))
            source.wait(lambda: len(source.blocks) > before or source.errors)
            self.assertEqual(source.errors, [])
            self.assertEqual(source.blocks[-1][1], seen(memory, (n, h, w, 3), strides, -low), (n, h, w, strides))

    def test_the_array_is_the_callers_again_on_return(self):
        source, context = self.both(release=False)
        memory = bytearray(b"\x11" * 36)
        context.emit_block(memoryview(memory).cast("B", (3, 4, 3)))
        memory[:] = b"\x99" * 36
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][1], b"\x11" * 36)

    def test_none_is_black(self):
        source, context = self.both()
        self.assertTrue(context.emit_block(None))
        self.assertTrue(context.black())
        source.wait(lambda: len(source.ops("black")) == 2)

    def test_metadata_goes_with_its_frames(self):
        source, context = self.both()
        context.emit_block(memoryview(bytes(72)).cast("B", (2, 3, 4, 3)), metadata=[{"seed": 1}, None])
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][0]["meta"], [{"seed": 1}, None])
        with self.assertRaisesRegex(ValueError, "metadata has 1 entries for 2 frames"):
            context.emit_block(memoryview(bytes(72)).cast("B", (2, 3, 4, 3)), metadata=[1])

    def test_what_cannot_be_a_picture_is_refused_with_the_fix(self):
        source, context = self.both()
        cases = [
            (memoryview(bytes(12)).cast("B", (2, 2, 3, 1)), "one channel"),
            (memoryview(bytes(48)).cast("B", (3, 4, 4)), r"channels come first: pass x.transpose\(1, 2, 0\)"),
            (memoryview(bytes(96)).cast("B", (2, 3, 4, 4)), r"channels come first: pass x.transpose\(0, 2, 3, 1\)"),
            (memoryview(bytes(96)).cast("B", (3, 2, 4, 4)), r"channels come first: pass x.transpose\(1, 2, 3, 0\)"),
            (memoryview(bytes(80)).cast("B", (2, 2, 5, 4)), r"x\[\.\.\., :3\]"),
            (memoryview(bytes(36)).cast("B", (1, 1, 3, 4, 3)), r"batch axis in front: pass x\[0\]"),
            (memoryview(bytes(12)).cast("B", (3, 4)), "three channels"),
            (memoryview(bytes(12)), "three channels|expected uint8"),
            (array.array("f", [0.0] * 36), "expected uint8"),
            (memoryview(array.array("f", [0.0] * 36)).cast("B").cast("f", (3, 4, 3)), "floats have no agreed range"),
            (memoryview(array.array("f", [0.0] * 144)).cast("B").cast("f", (1, 3, 6, 8)), r'to_frames\(x, layout="TCHW"'),
            (memoryview(array.array("H", [0] * 36)).cast("B").cast("H", (3, 4, 3)), "got uint16"),
            (Strided(b"\0", (0, 3, 4, 3), None), "no frames"),
            (Strided(b"\0", (1, 0, 4, 3), None), "no pixels"),
            ([1, 2, 3], "numpy.stack"),
            ("text", "got str"),
            (7, "got int"),
            (object(), "got object"),
        ]
        for value, text in cases:
            with self.subTest(text):
                with self.assertRaisesRegex((ValueError, TypeError), text):
                    context.emit_block(value)
        self.assertEqual(source.blocks, [])
        self.assertTrue(context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3))))

    def test_tensors_say_what_to_do(self):
        class Tensor:
            dtype, shape = "torch.float32", (12, 704, 1280, 3)

            def __init__(self, device, grad=False):
                self.device, self.requires_grad = device, grad

            def __dlpack_device__(self):
                return self.device, 0

            def __dlpack__(self):
                raise BufferError("no")

        with self.assertRaisesRegex(ValueError, r"lives on a CUDA GPU.*x\.cpu\(\)"):
            client.frames_of(Tensor(2))
        with self.assertRaisesRegex(ValueError, r"requires a gradient.*x\.detach\(\)"):
            client.frames_of(Tensor(1, grad=True))

    def test_dlpack_memory_is_taken_where_it_lies(self):
        memory = (ctypes.c_ubyte * 72)(*range(72))
        shape, strides = (ctypes.c_int64 * 4)(2, 3, 4, 3), (ctypes.c_int64 * 4)(36, 12, 3, 1)

        class Managed(ctypes.Structure):
            _fields_ = [("tensor", client._DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]

        managed = Managed(client._DLTensor(ctypes.addressof(memory), client._DLDevice(1, 0), 4, 1, 8, 1, shape, strides, 0))
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

        class Tensor:
            def __dlpack_device__(self):
                return 1, 0

            def __dlpack__(self):
                return new(ctypes.addressof(managed), b"dltensor", None)

        frames = client.frames_of(Tensor())
        self.assertEqual(frames.address, ctypes.addressof(memory))
        self.assertEqual((frames.shape, frames.strides), ((2, 3, 4), (36, 12, 3, 1)))
        source, context = self.both()
        self.assertTrue(context.emit_block(Tensor()))
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][1], bytes(range(72)))

    def test_compute_time_excludes_what_is_not_monitored(self):
        source, context = self.both()
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        context.emit_block(frame)
        time.sleep(0.05)
        context.emit_block(frame)
        context.disable_monitoring()
        time.sleep(0.05)
        context.emit_block(frame)
        context.enable_monitoring()
        context.emit_block(frame)
        source.wait(lambda: len(source.blocks) == 4)
        times = [packet.get("compute_ns") for packet, _ in source.blocks]
        self.assertIsNone(times[0])
        self.assertGreater(times[1], 45e6)
        self.assertIsNone(times[2])
        self.assertIsNone(times[3])
        self.assertEqual([packet["enabled"] for packet in source.ops("monitoring")], [False, True])


    def test_compute_time_excludes_the_wait_for_a_slot(self):
        source, context = self.both(slots=1, release=False)
        self.assertTrue(context.emit_block(context.alloc_block(1, 3, 4)))
        source.wait(lambda: source.blocks)
        packet = source.blocks[0][0]
        timer = threading.Timer(0.6, source.give_back, (packet["pool"], packet["slot"]))
        timer.start()
        block = context.alloc_block(1, 3, 4)
        timer.join()
        time.sleep(0.05)
        self.assertTrue(context.emit_block(block))
        source.wait(lambda: len(source.blocks) == 2)
        self.assertGreater(source.blocks[1][0]["compute_ns"], 45e6)
        self.assertLess(source.blocks[1][0]["compute_ns"], 0.5e9)


class Slots(ClientCase):
    def test_emit_waits_for_a_slot_and_goes_on_with_a_release(self):
        source, context = self.both(slots=2, release=False)
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        self.assertTrue(context.emit_block(frame))
        self.assertTrue(context.emit_block(frame))
        done = []
        thread = threading.Thread(target=lambda: done.append(context.emit_block(frame)))
        thread.start()
        time.sleep(0.2)
        self.assertEqual(done, [])
        packet = source.blocks[0][0]
        source.give_back(packet["pool"], packet["slot"])
        thread.join(2.0)
        self.assertEqual(done, [True])
        self.assertEqual(source.errors, [])

    def test_a_waiting_emit_ends_with_the_session(self):
        source, context = self.both(slots=1, release=False)
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        context.emit_block(frame)
        result = []
        thread = threading.Thread(target=lambda: result.append((context.emit_block(frame), time.monotonic())))
        thread.start()
        time.sleep(0.1)
        ended = time.monotonic()
        source.send({"op": "session", "id": "s1", "state": "ended", "reason": "grace"})
        thread.join(2.0)
        self.assertEqual(result[0][0], False)
        self.assertLess(result[0][1] - ended, 0.5)

    def test_a_waiting_emit_ends_with_a_flush_and_its_block_is_not_shown(self):
        source, context = self.both(slots=1, release=False)
        context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3)))
        result = []
        thread = threading.Thread(target=lambda: result.append(context.emit_block(
            memoryview(b"\x07" * 36).cast("B", (3, 4, 3)))))
        thread.start()
        time.sleep(0.1)
        context.flush()
        thread.join(2.0)
        self.assertEqual(result, [False])
        packet = source.blocks[0][0]
        source.give_back(packet["pool"], packet["slot"])
        self.assertTrue(context.emit_block(memoryview(b"\x08" * 36).cast("B", (3, 4, 3))))
        source.wait(lambda: len(source.blocks) == 2)
        self.assertEqual(source.blocks[1][1], b"\x08" * 36)

    def test_a_waiting_emit_ends_with_close(self):
        source, context = self.both(slots=1, release=False)
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        context.emit_block(frame)
        result = []
        thread = threading.Thread(target=lambda: result.append(context.emit_block(frame)))
        thread.start()
        time.sleep(0.1)
        context.close()
        thread.join(2.0)
        self.assertEqual(result, [False])
        self.assertTrue(context.should_stop())

    def test_a_refused_block_gives_its_slot_back(self):
        source, context = self.both(slots=1, release=False)
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        for round in range(3):
            self.assertTrue(context.emit_block(frame))
            source.wait(lambda: len(source.blocks) == round + 1)
            packet = source.blocks[-1][0]
            source.pools[packet["pool"]]["busy"].clear()
            with self.assertLogs("gst_reactor", "WARNING"):
                source.send({"op": "error", "code": "too-large", "message": "meta", "about": "block", "seq": packet["seq"]})
                deadline = time.monotonic() + 2
                while context.counters["refused"] == round and time.monotonic() < deadline:
                    time.sleep(0.01)
        self.assertEqual(len(context._pools[0].free), 1)
        self.assertEqual(source.errors, [])

    def test_what_is_over_the_sources_limits_is_refused_here(self):
        source, context = self.both(hello={"op": "hello", "protocol": 1, "limits": {"frames": 2, "width": 8, "height": 8, "meta": 50},
                                           "session": {"id": "s1", "state": "started"}})
        for shape, text in (((3, 4, 4, 3), "3 frames, but the source takes at most 2"), ((1, 9, 4, 3), "9 pixels of height"),
                            ((1, 4, 9, 3), "9 pixels of width")):
            with self.assertRaisesRegex(ValueError, text):
                context.emit_block(Strided(bytes(400), shape, None))
        with self.assertRaisesRegex(ValueError, "bytes of metadata, but the source takes at most 50"):
            context.emit_block(Strided(bytes(400), (2, 4, 4, 3), None), metadata=["x" * 30] * 2)
        self.assertTrue(context.emit_block(Strided(bytes(400), (2, 8, 8, 3), None), metadata=["x" * 10] * 2))

    def test_pools_stay_within_the_sources_limits(self):
        hello = {"op": "hello", "protocol": 1, "limits": {"bytes": 10 * 4096, "pools": 2, "slots": 3},
                 "session": {"id": "s1", "state": "started"}}
        source, context = self.both(hello=hello, release=False)
        block = lambda pages: memoryview(bytes(pages * 4096 // 12 * 12)).cast("B", (1, 4, pages * 4096 // 12, 3))
        self.assertTrue(context.emit_block(block(1)))
        source.wait(lambda: len(source.blocks) == 1)
        self.assertEqual(context._pools[0].count, 3)
        self.assertTrue(context.emit_block(block(3)))   # 3 pages of the old pool count: room for two slots
        source.wait(lambda: len(source.blocks) == 2)
        self.assertEqual([pool.count for pool in context._pools], [3, 2])
        done = []
        thread = threading.Thread(target=lambda: done.append(context.emit_block(block(5))), daemon=True)
        thread.start()
        time.sleep(0.3)
        self.assertEqual(done, [])                      # two pools are all there may be
        for packet, _ in list(source.blocks):
            source.give_back(packet["pool"], packet["slot"])
        thread.join(3)
        self.assertEqual(done, [True])
        with self.assertRaisesRegex(ValueError, "emit fewer frames at a time"):
            context.emit_block(block(11))
        self.assertEqual(source.errors, [])

    def test_larger_blocks_get_a_larger_pool_and_the_old_one_is_dropped(self):
        source, context = self.both()
        for n in (1, 4, 12, 3, 40):
            self.assertTrue(context.emit_block(memoryview(bytes(n * 4 * 40 * 3)).cast("B", (n, 4, 40, 3))))
        source.wait(lambda: len(source.blocks) == 5)
        source.wait(lambda: len(source.pools) == 1)
        self.assertEqual(source.errors, [])
        self.assertLessEqual(source.most_pools, 2)

    def test_alloc_block_is_written_in_place(self):
        source, context = self.both()
        block = context.alloc_block(2, 3, 4)
        if numpy is not None:
            self.assertEqual((block.shape, block.dtype), ((2, 3, 4, 3), numpy.uint8))
            block[:] = numpy.arange(72).reshape(2, 3, 4, 3)
        else:
            block.memory[:] = bytes(range(72))
        self.assertTrue(context.emit_block(block))
        source.wait(lambda: source.blocks)
        packet, frames = source.blocks[0]
        self.assertEqual(frames, bytes(range(72)))
        self.assertEqual(context._pools[0].address + packet["slot"] * context._pools[0].slot_size,
                         client.frames_of(block).address)

    def test_a_block_is_emitted_once(self):
        source, context = self.both(release=False)
        block = context.alloc_block(1, 3, 4)
        context.emit_block(block)
        with self.assertRaisesRegex(RuntimeError, "allocate another"):
            context.emit_block(block)

    @unittest.skipIf(numpy is None, "needs numpy")
    def test_planar_and_part_of_an_allocated_block(self):
        source, context = self.both()
        block = context.alloc_block(2, 3, 4, planar=True)
        self.assertEqual(block.strides, (36, 4, 1, 12))
        block[:] = numpy.arange(72).reshape(2, 3, 4, 3)
        context.emit_block(block[::-1, :2])
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][1], numpy.arange(72, dtype=numpy.uint8).reshape(2, 3, 4, 3)[::-1, :2].tobytes())
        self.assertEqual(source.errors, [])

    def test_a_block_that_is_forgotten_frees_its_slot(self):
        source, context = self.both(slots=1)
        for _ in range(5):
            block = context.alloc_block(1, 3, 4)
            self.assertIsNotNone(block)
            del block
            gc.collect()
        block = context.alloc_block(1, 3, 4)
        if numpy is not None:
            part = block[0, 0]
            del block
            gc.collect()
            self.assertFalse(context._pools[0].free)  # a view keeps it
            del part
            gc.collect()
            self.assertTrue(context._pools[0].free)

    def test_alloc_of_nothing_is_refused(self):
        source, context = self.both()
        with self.assertRaisesRegex(ValueError, "no pixels"):
            context.alloc_block(0, 3, 4)

    def test_descriptors_return_to_their_level(self):
        source, context = self.both()
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        context.emit_block(frame)
        source.wait(lambda: source.blocks)
        level = len(os.listdir("/proc/self/fd"))
        for n in range(2, 60):
            context.emit_block(memoryview(bytes(n * 4800)).cast("B", (n, 40, 40, 3)))
        source.wait(lambda: len(source.blocks) == 59, 20)
        source.wait(lambda: len(source.pools) == 1)
        self.settles(level)


class Sessions(ClientCase):
    def test_should_stop_follows_the_session(self):
        source, context = self.both()
        self.assertFalse(context.should_stop())
        source.send({"op": "session", "id": "s1", "state": "ended", "reason": "grace"})
        self.assertTrue(context.wait(2.0))
        self.assertTrue(context.should_stop())
        self.assertFalse(context.emit_block(None))
        source.send({"op": "session", "id": "s2", "state": "started"})
        self.assertEqual(context.wait_session(2.0), "s2")
        self.assertFalse(context.should_stop())

    def test_a_session_missed_in_between_still_ends_the_first(self):
        source, context = self.both()
        source.send({"op": "session", "id": "s1", "state": "ended"})
        source.send({"op": "session", "id": "s2", "state": "started"})
        deadline = time.monotonic() + 2
        while context.session != "s2" and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertTrue(context.should_stop())
        self.assertEqual(context.wait_session(1.0), "s2")

    def test_a_model_that_asks_for_no_session_serves_the_first_it_meets(self):
        source = self.source()
        context = self.connect()
        self.assertTrue(context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3))))
        source.send({"op": "session", "id": "s1", "state": "ended"})
        self.assertTrue(context.wait(2.0))
        source.send({"op": "session", "id": "s2", "state": "started"})
        deadline = time.monotonic() + 2
        while context.session != "s2" and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertTrue(context.should_stop())  # it never serves another one unasked

    def test_wait_session_waits_and_gives_up(self):
        source, context = self.both(session=None)
        started = time.monotonic()
        self.assertIsNone(context.wait_session(0.2))
        self.assertLess(time.monotonic() - started, 1.0)

    def test_a_model_that_ignores_the_end_is_told_and_then_stopped(self):
        source, context = self.both()
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        source.send({"op": "session", "id": "s1", "state": "ended", "reason": "grace"})
        context.wait(2.0)
        self.assertFalse(context.emit_block(frame))
        with self.assertLogs("gst_reactor", "WARNING") as logs:
            context._ended_at -= 3
            context.emit_block(frame)
        self.assertIn("should_stop()", logs.output[0])
        context._ended_at -= 10
        with self.assertRaisesRegex(client.SessionEnded, "return from the generation loop"):
            context.emit_block(frame)
        self.assertEqual(source.blocks, [])

    def test_viewers_are_known(self):
        source, context = self.both()
        heard = []
        context.on_viewer = lambda viewer, joined: heard.append((viewer, joined))
        source.send({"op": "viewer", "id": "a", "state": "joined"})
        source.send({"op": "viewer", "id": "b", "state": "joined"})
        source.send({"op": "viewer", "id": "a", "state": "left"})
        deadline = time.monotonic() + 2
        while len(heard) < 3 and time.monotonic() < deadline:
            context.wait(0.05)
        self.assertEqual(heard, [("a", True), ("b", True), ("a", False)])
        self.assertEqual(context.viewers, ("b",))

    def test_shown_and_stats_are_heard(self):
        source, context = self.both()
        heard = []
        context.on_shown = heard.append
        source.send({"op": "stats", "fps": 24.0})
        source.send({"op": "shown", "block": 0, "first": 1000, "last": 2000})
        source.send({"op": "shown", "block": 1, "dropped": 12, "reason": "flush"})
        deadline = time.monotonic() + 2
        while len(heard) < 2 and time.monotonic() < deadline:
            context.wait(0.02)
        self.assertEqual((heard[0].first, heard[1].dropped, heard[1].reason), (1000, 12, "flush"))
        self.assertEqual(context.stats["fps"], 24.0)


class Commanding(ClientCase):
    def command(self, source, id, type="set", data=None, viewer="v"):
        source.send({"op": "command", "id": id, "viewer": viewer, "data": {"type": type, "data": data}})

    def test_a_handler_runs_between_blocks_in_the_models_thread(self):
        source, context = self.both()
        heard = []
        context.on_command = lambda command: heard.append((command.id, command.type, command.data, command.viewer,
                                                           threading.get_ident()))
        for id in (1, 2, 3):
            self.command(source, id, data={"x": id})
        deadline = time.monotonic() + 2
        while len(heard) < 3 and time.monotonic() < deadline:
            context.should_stop()
            time.sleep(0.01)
        me = threading.get_ident()
        self.assertEqual(heard, [(i, "set", {"x": i}, "v", me) for i in (1, 2, 3)])
        context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3)))
        source.wait(lambda: source.blocks)
        self.assertEqual(source.blocks[0][0]["command"], 3)

    def test_polling(self):
        source, context = self.both()
        self.assertIsNone(context.poll_command())
        self.command(source, 7, "go")
        command = context.poll_command(2.0)
        self.assertEqual((command.id, command.type), (7, "go"))

    def test_handlers_may_call_everything(self):
        source, context = self.both()
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        calls = []

        def handler(command):
            calls.append(command.id)
            context.emit_block(frame)
            context.flush()
            context.send({"a": 1})
            context.disable_monitoring()
            context.enable_monitoring()
            context.should_stop()
            if command.id == 3:
                context.close()

        context.on_command = handler
        for id in (1, 2, 3):
            self.command(source, id)
        deadline = time.monotonic() + 5
        while len(calls) < 3 and time.monotonic() < deadline:
            context.wait(0.02)
        self.assertEqual(calls, [1, 2, 3])

    def test_a_handler_that_raises_does_not_end_the_loop(self):
        source, context = self.both()
        context.on_command = lambda command: 1 / 0
        self.command(source, 1)
        with self.assertLogs("gst_reactor", "ERROR"):
            deadline = time.monotonic() + 2
            while context._applied != 1 and time.monotonic() < deadline:
                context.should_stop()
                time.sleep(0.01)
        self.assertFalse(context.should_stop())

    def test_waiting_costs_nothing_while_commands_wait_to_be_polled(self):
        source, context = self.both()
        self.command(source, 1)
        deadline = time.monotonic() + 2
        while not context._events and time.monotonic() < deadline:
            time.sleep(0.01)
        spent = time.process_time()
        self.assertFalse(context.wait(0.5))
        self.assertLess(time.process_time() - spent, 0.2)
        self.assertEqual(context.poll_command().id, 1)

    def test_a_flood_that_nobody_reads_is_bounded(self):
        source, context = self.both()
        for id in range(client.EVENT_QUEUE + 50):
            self.command(source, id + 1)
        deadline = time.monotonic() + 5
        while context.counters["commands_lost"] < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(context.counters["commands_lost"], 50)
        self.assertEqual(len(context._events), client.EVENT_QUEUE)


class Sending(ClientCase):
    def test_values_arrive_as_json(self):
        source, context = self.both()
        context.send({"text": "grüße", "list": [1, 2.5, None, True]})
        context.send("to one", to="v7")
        source.wait(lambda: len(source.ops("send")) == 2)
        self.assertEqual(source.ops("send")[0]["data"], {"text": "grüße", "list": [1, 2.5, None, True]})
        self.assertEqual(source.ops("send")[1]["to"], "v7")

    def test_the_limit_is_64_kib_of_the_value(self):
        source, context = self.both()
        context.send("x" * (client.DATA_LIMIT - 2))
        source.wait(lambda: source.ops("send"))
        with self.assertRaisesRegex(ValueError, "65537 bytes of JSON, at most 65536"):
            context.send("x" * (client.DATA_LIMIT - 1))
        self.assertTrue(context.connected)

    def test_what_json_cannot_carry_is_refused(self):
        source, context = self.both()
        circle = []
        circle.append(circle)
        for value, text in ((float("nan"), "NaN"), (float("inf"), "NaN"), (circle, "circles|nested"),
                            ({"a": object()}, "no JSON form"), ("\ud800", "surrogate"), ("a\0b", "NUL"), (b"x", "no JSON")):
            with self.subTest(text):
                with self.assertRaisesRegex((ValueError, TypeError), text):
                    context.send(value)
        self.assertEqual(source.ops("send"), [])

    def test_a_flush_is_numbered(self):
        source, context = self.both()
        context.flush()
        context.flush()
        source.wait(lambda: len(source.ops("flush")) == 2)
        self.assertEqual([packet["seq"] for packet in source.ops("flush")], [1, 2])

    def test_announcements_are_repeated_to_a_new_source(self):
        source, context = self.both()
        context.announce([{"name": "go", "description": "", "schema": {}}])
        context.disable_monitoring()
        source.wait(lambda: source.ops("runtime") and source.ops("monitoring"))
        source.drop_connection()
        source.wait(lambda: source.hellos == 2)
        source.wait(lambda: len(source.ops("runtime")) == 2 and len(source.ops("monitoring")) == 2)
        self.assertEqual(source.ops("runtime")[1]["data"]["data"]["commands"][0]["name"], "go")


class Connecting(ClientCase):
    def test_no_pipeline_is_a_clear_error_in_time(self):
        started = time.monotonic()
        with self.assertRaisesRegex(client.ReactorError, "start the pipeline with reactorsrc socket-path="):
            client.connect(self.path, timeout=0.3)
        self.assertLess(time.monotonic() - started, 2.0)
        with self.assertRaisesRegex(client.ReactorError, "GST_REACTOR_SOCKET"):
            os.environ.pop("GST_REACTOR_SOCKET", None)
            client.connect()

    def test_it_waits_for_a_pipeline_that_starts_later(self):
        threading.Timer(0.3, lambda: self.source()).start()
        context = self.connect()
        self.assertTrue(context.connected)

    def test_a_busy_source_is_tried_again(self):
        source = self.source(hello={"op": "error", "code": "busy", "message": "model of pid 7 is connected"})
        with self.assertRaisesRegex(client.ReactorError, "pid 7") as caught:
            client.connect(self.path, timeout=0.5)
        self.assertEqual(caught.exception.code, "busy")
        self.assertGreater(source.hellos, 1)
        source.hello = None
        self.assertTrue(self.connect().connected)

    def test_a_forbidden_one_is_not_tried_again(self):
        source = self.source(hello={"op": "error", "code": "forbidden", "message": "uid 1000 may not"})
        started = time.monotonic()
        with self.assertRaisesRegex(client.ReactorError, "uid 1000"):
            client.connect(self.path, timeout=5.0)
        self.assertLess(time.monotonic() - started, 2.0)
        self.assertEqual(source.hellos, 1)

    def test_another_protocol_is_refused(self):
        self.source(hello={"op": "hello", "protocol": 9})
        with self.assertRaisesRegex(client.ReactorError, "speaks protocol 9"):
            client.connect(self.path, timeout=5.0)

    def test_the_pipeline_restarts_and_the_model_goes_on(self):
        source, context = self.both(slots=1, release=False)
        frame = memoryview(bytes(36)).cast("B", (3, 4, 3))
        block = context.alloc_block(1, 3, 4)
        if numpy is not None:
            block[:] = 0
        source.close()
        self.assertTrue(context.wait(3.0))
        self.assertFalse(context.emit_block(frame))
        again = FakeSource(self.path, session="t1")
        self.addCleanup(again.close)
        self.assertEqual(context.wait_session(5.0), "t1")
        self.assertTrue(context.emit_block(block))  # memory of the connection before: copied, no slot of this one
        again.wait(lambda: again.blocks)
        self.assertEqual(again.blocks[0][1], bytes(36))
        self.assertEqual(again.errors, [])

    def test_what_the_source_would_close_for_is_refused_here(self):
        source, context = self.both()
        deep = []
        for _ in range(70):
            deep = [deep]
        for value, complaint in (({"seed": 2 ** 60}, "string"), ({"a": [-2 ** 53 - 1]}, "string"), ({1: "a", "1": "b"}, "two keys"),
                                 (deep, "64 levels"), ({"x": "\0"}, "NUL"), ([float("nan")], "NaN")):
            with self.assertRaisesRegex(ValueError, complaint):
                context.send(value)
        for value in ({"seed": 2 ** 53}, "[" * 1000, "\\\"" * 40 + "{" * 100, [1e300], {"a": {"a": 1}}):
            context.send(value)
        with self.assertRaisesRegex(ValueError, "announce"):
            context.announce([{"name": "x", "description": "y" * 80000, "schema": {}}])
        context.send("last")
        source.wait(lambda: len(source.ops("send")) == 6)
        self.assertEqual((source.hellos, context.connected), (1, True))

    def test_descriptors_above_1023_are_no_hindrance(self):
        resource = __import__("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 1200:
            self.skipTest("no more than %d descriptors are allowed" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
        try:
            source, context = self.both()
            source.close()
            self.assertTrue(context.wait(3.0))
            again = FakeSource(self.path, session="t1")
            self.addCleanup(again.close)
            self.assertEqual(context.wait_session(5.0), "t1")
            context.send("x")
            again.wait(lambda: again.ops("send"))
        finally:
            for fd in taken:
                os.close(fd)

    def test_a_source_that_reads_nothing_counts_as_gone(self):
        source, context = self.both()
        old, client.SEND_TIMEOUT = client.SEND_TIMEOUT, 0.3
        self.addCleanup(setattr, client, "SEND_TIMEOUT", old)
        with source.changed:  # its reader waits for this lock after its next packet
            started = time.monotonic()
            for _ in range(3000):
                context.send("x" * 10000)
                if time.monotonic() - started > 5:
                    break
            self.assertLess(time.monotonic() - started, 5.0)

    def test_refusals_are_logged_and_the_connection_lives(self):
        source, context = self.both()
        with self.assertLogs("gst_reactor", "WARNING") as logs:
            source.send({"op": "error", "code": "shape", "message": "3 numbers", "about": "block"})
            deadline = time.monotonic() + 2
            while not context.counters["refused"] and time.monotonic() < deadline:
                time.sleep(0.01)
        self.assertIn("3 numbers", logs.output[0])
        self.assertTrue(context.connected)

    def test_garbage_from_the_source_ends_the_connection_only(self):
        source, context = self.both()
        for garbage in (b"nonsense", b"[1,2]", b"\xff\xff", b"{" * 5000):
            hellos = source.hellos
            with source.changed:
                conn = source.conn
            conn.send(garbage)
            source.wait(lambda: source.hellos > hellos)
        self.assertIsNotNone(context.wait_session(5.0))

    def test_a_forked_child_cannot_use_its_parents_connection(self):
        source, context = self.both()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                context.send("child")
                answer = b"sent"
            except client.ReactorError as error:
                answer = error.code.encode()
            except BaseException as error:
                answer = type(error).__name__.encode()
            os.write(write, answer)
            context.close()
            os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(os.read(read, 100), b"forked")
        os.close(read)
        os.close(write)
        self.assertTrue(context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3))))
        source.wait(lambda: source.blocks)

    def test_no_thread_and_no_descriptor_is_left(self):
        self.source()
        client.connect(self.path).close()
        gc.collect()
        threads, level = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            context = client.connect(self.path)
            context.wait_session(5.0)
            context.emit_block(memoryview(bytes(36)).cast("B", (3, 4, 3)))
            context.close()
            del context
        gc.collect()
        self.assertEqual(threading.active_count(), threads)
        self.settles(level)


class OneFile(unittest.TestCase):
    def test_the_client_needs_nothing_but_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(HERE.parent.parent / "python" / "gst_reactor" / "client.py", os.path.join(folder, "reactor_client.py"))
            code = ("import sys; sys.modules['numpy'] = None\n"
                    "import reactor_client as c\n"
                    "f = c.frames_of(memoryview(bytes(36)).cast('B', (3, 4, 3)))\n"
                    "assert f.shape == (1, 3, 4)\n"
                    "assert not [m for m in sys.modules if m.startswith(('gi', 'gst_reactor'))]\n")
            subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {folder!r})\n" + code], check=True,
                           timeout=20)

    def test_get_ctx_finds_the_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            source = FakeSource(path)
            try:
                code = ("from reactor_runtime import get_ctx\n"
                        "ctx = get_ctx()\n"
                        "assert not ctx.should_stop()\n"
                        "get_ctx().get_track().emit(memoryview(bytes(36)).cast('B', (3, 4, 3)))\n")
                environment = {**os.environ, "GST_REACTOR_SOCKET": path,
                               "PYTHONPATH": str(HERE.parent.parent / "python")}
                subprocess.run([sys.executable, "-c", code], check=True, timeout=20, env=environment)
                self.assertEqual(len(source.blocks), 1)
                environment.pop("GST_REACTOR_SOCKET")
                out = subprocess.run([sys.executable, "-c", "from gst_reactor import get_ctx; get_ctx()"], timeout=20,
                                     env=environment, capture_output=True, text=True)
                self.assertIn("RuntimeError: get_ctx: no session is running", out.stderr)
            finally:
                source.close()


if __name__ == "__main__":
    signal.alarm(120)
    unittest.main()
