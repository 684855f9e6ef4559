# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model in the pipeline's process: arrays in, pictures out; lending; waiting and being freed; memory."""
import ctypes
import gc
import os
import re
import tempfile
import threading
import time
import unittest

from gi_case import Gst, Pipeline, PipelineCase, numpy, pull

import gst_reactor
from gst_reactor import get_ctx, plot
from gst_reactor.pipeline import GLib, GstReactor, attach
from gst_reactor.model import set_ctx

try:
    import torch
except ImportError:
    torch = None

SINK = "appsink name=out sync=false max-buffers=0 enable-last-sample=false async=false"


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Pictures(PipelineCase):
    def shown(self, array, **options):
        """What arrives behind a converter of an emitted array."""
        pipeline = self.play(f"reactorsrc ! videoconvert ! video/x-raw,format=RGB ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        self.assertTrue(pipeline.context.emit_block(array, **options))
        count = 1 if array.ndim == 3 else len(array)
        frames = []
        for _ in range(count):
            got = pull(sink)
            self.assertIsNotNone(got)
            frames.append(got[3])
        return numpy.stack(frames)

    def test_the_same_picture_comes_out_of_every_layout_copied_and_lent(self):
        rng = numpy.random.default_rng(3)
        n, h, w = 3, 22, 30
        big = rng.integers(0, 256, (2 * n, 3 * h, 4 * w, 4), numpy.uint8)
        planar = rng.integers(0, 256, (3, n, h, w), numpy.uint8)
        cases = {
            "packed": rng.integers(0, 256, (n, h, w, 3), numpy.uint8),
            "the recipe for PyTorch, (B,C,T,H,W)": planar.transpose(1, 2, 3, 0),
            "from (B,T,C,H,W)": rng.integers(0, 256, (n, 3, h, w), numpy.uint8).transpose(0, 2, 3, 1),
            "planar, BGR": planar[::-1].transpose(1, 2, 3, 0),
            "RGBA without alpha": rng.integers(0, 256, (n, h, w, 4), numpy.uint8)[..., :3],
            "OpenCV's BGR reversed": rng.integers(0, 256, (n, h, w, 3), numpy.uint8)[..., ::-1],
            "BGRA reversed": rng.integers(0, 256, (n, h, w, 4), numpy.uint8)[..., 2::-1],
            "a crop": big[:n, 3:3 + h, 5:5 + w, :3],
            "reversed frames": big[:n, :h, :w, :3][::-1],
            "every second frame": big[::2, :h, :w, :3],
            "flipped": big[:n, :h, :w, :3][:, ::-1],
            "mirrored": big[:n, :h, :w, :3][:, :, ::-1],
            "transposed": rng.integers(0, 256, (n, w, h, 3), numpy.uint8).transpose(0, 2, 1, 3),
            "every third pixel": big[:n, ::3, ::4, :3],
            "one frame, three times": numpy.broadcast_to(big[:1, :h, :w, :3], (n, h, w, 3)),
            "grey": numpy.broadcast_to(big[:n, :h, :w, :1], (n, h, w, 3)),
        }
        for name, array in cases.items():
            for copy in (True, False):
                with self.subTest(f"{name}, {'copied' if copy else 'lent'}"):
                    numpy.testing.assert_array_equal(self.shown(array, copy=copy), array)

    def test_widths_that_are_no_multiple_of_four(self):
        for width in (1278, 641, 5, 1):
            for chain in ("videoconvert ! video/x-raw,format=RGB", "capsfilter caps=video/x-raw,format=RGB",
                          "identity drop-allocation=true"):
                with self.subTest(f"{width} through {chain}"):
                    array = numpy.zeros((2, 6, width, 3), numpy.uint8)
                    array[:, :, min(3, width - 1)] = (255, 0, 0)
                    array[1, 2] = (0, 7, 255)
                    pipeline = self.play(f"reactorsrc ! {chain} ! {SINK}")
                    sink = pipeline.pipeline.get_by_name("out")
                    pipeline.context.emit_block(array)
                    for frame in array:
                        got = pull(sink)
                        self.assertEqual((got[0], got[1]), (width, 6))
                        numpy.testing.assert_array_equal(got[3], frame)

    def test_size_may_change_between_blocks(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        for shape in ((2, 8, 12, 3), (1, 10, 16, 3), (2, 8, 12, 3)):
            pipeline.context.emit_block(numpy.zeros(shape, numpy.uint8))
            for _ in range(shape[0]):
                self.assertEqual(pull(sink)[:2], (shape[2], shape[1]))

    def test_none_is_black_of_the_last_size(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        pipeline.context.emit_block(numpy.full((1, 8, 12, 3), 200, numpy.uint8))
        self.assertEqual(pull(sink)[3].max(), 200)
        self.assertTrue(pipeline.context.emit_block(None))
        self.assertEqual(pull(sink)[3].max(), 0)

    def test_the_array_is_the_callers_again_on_return(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        array = numpy.full((2, 8, 12, 3), 17, numpy.uint8)
        pipeline.context.emit_block(array)
        array[:] = 99
        self.assertEqual(pull(sink)[3].tolist(), numpy.full((8, 12, 3), 17).tolist())

    def test_bad_arrays_are_refused_and_good_ones_follow(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        zeros = numpy.zeros
        for value, text in ((zeros((12, 8, 8, 3), numpy.float32), r"got float32 \(12, 8, 8, 3\)"),
                            (zeros((1, 3, 2, 8, 8), numpy.float16), "to_frames"),
                            (zeros((2, 3, 8, 8), numpy.uint8), "channels come first"),
                            (zeros((2, 8, 8, 4), numpy.uint8), r"\.\.\., :3"),
                            (zeros((0, 8, 8, 3), numpy.uint8), "no frames"),
                            (zeros((8, 8), numpy.uint8), "three channels"),
                            (zeros((2, 8, 8, 3), numpy.int64), "got int64"),
                            (zeros((2, 8, 8, 3), bool), "got bool"),
                            (zeros((1, 1, 17000, 3), numpy.uint8), "16384"),
                            ([zeros((8, 8, 3), numpy.uint8)], "numpy.stack"),
                            ("frames", "got str"), (3.5, "got float")):
            with self.subTest(text):
                with self.assertRaisesRegex((ValueError, TypeError), text):
                    pipeline.context.emit_block(value)
        self.assertTrue(pipeline.context.emit_block(zeros((1, 8, 8, 3), numpy.uint8)))
        self.assertEqual(pull(pipeline.pipeline.get_by_name("out"))[0], 8)

    def test_metadata_travels_with_its_frame(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        pipeline.context.emit_block(numpy.zeros((3, 8, 8, 3), numpy.uint8), metadata=[{"i": 0}, None, {"i": 2}])
        texts = [GstReactor.FrameMeta.get(pull(sink)[4]).json for _ in range(3)]
        self.assertEqual((texts[0], texts[2]), ('{"i":0}', '{"i":2}'))
        self.assertIn(texts[1], (None, "null"))


@unittest.skipIf(torch is None, "torch is not installed")
class Torch(Pictures):
    """Real tensors. (The inherited tests are not run again.)"""

    def test_the_documented_recipe_as_it_stands(self):
        for layout, order in (("BCTHW", (1, 2, 3, 0)), ("BTCHW", (0, 2, 3, 1))):
            shape = (1, 3, 2, 22, 30) if layout == "BCTHW" else (1, 2, 3, 22, 30)
            video = torch.rand(shape) * 2 - 1
            frames = video.squeeze(0).permute(*order)
            frames = ((frames + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu().numpy()
            self.assertFalse(frames.flags.c_contiguous)
            for copy in (True, False):
                with self.subTest(f"{layout} copy={copy}"):
                    numpy.testing.assert_array_equal(self.shown(frames, copy=copy), frames)

    def test_a_lent_array_over_a_tensor_is_writeable_afterwards(self):
        pipeline = self.play("reactorsrc ! fakesink sync=false enable-last-sample=false")
        array = torch.zeros(2, 8, 8, 3, dtype=torch.uint8).numpy()
        pipeline.context.emit_block(array, copy=False)
        self.until(lambda: pipeline.context.lent == 0)
        self.assertTrue(array.flags.writeable)

    def test_tensors_as_they_are(self):
        tensor = (torch.rand(2, 22, 30, 3) * 255).to(torch.uint8)
        numpy.testing.assert_array_equal(self.shown(tensor), tensor.numpy())
        numpy.testing.assert_array_equal(self.shown(tensor, copy=False), tensor.numpy())
        tensor = (torch.rand(2, 3, 22, 30) * 255).to(torch.uint8).permute(0, 2, 3, 1)
        numpy.testing.assert_array_equal(self.shown(tensor), tensor.numpy())

    def test_what_cannot_be_a_picture_says_the_fix(self):
        pipeline = self.play("reactorsrc ! fakesink")
        for tensor, text in ((torch.rand(2, 8, 8, 3), "floats have no agreed range"),
                             (torch.rand(1, 3, 2, 8, 8), r'layout="BCTHW"'),
                             (torch.rand(2, 3, 8, 8, requires_grad=True), r"detach\(\)"),
                             (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"permute\(0, 2, 3, 1\)"),
                             (torch.zeros(1, 2, 8, 8, 3, dtype=torch.uint8), r"x\[0\] or x.squeeze\(0\)"),
                             (torch.zeros(0, 8, 8, 3, dtype=torch.uint8), "no frames")):
            with self.subTest(text):
                with self.assertRaisesRegex(ValueError, text):
                    pipeline.context.emit_block(tensor)


for name in dir(Pictures):
    if name.startswith("test_"):
        setattr(Torch, name, None)


class Lending(PipelineCase):
    def test_nothing_is_copied_and_the_array_is_read_only_meanwhile(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        array = numpy.random.default_rng(1).integers(0, 256, (4, 16, 32, 3), numpy.uint8)
        address = array.__array_interface__["data"][0]
        pipeline.context.emit_block(array, copy=False)
        self.assertFalse(array.flags.writeable)
        with self.assertRaises(ValueError):
            array[0] = 0
        for index in range(4):
            buffer = pull(sink)[4]
            self.assertEqual(self.address_of(buffer), address + index * 16 * 32 * 3)
        self.assertEqual(pipeline.context.lent, 1)
        del buffer
        self.another(pipeline)
        self.until(lambda: array.flags.writeable)
        self.assertEqual(pipeline.context.lent, 0)

    def another(self, pipeline):
        """One more frame through the appsink, which keeps the last one that it gave."""
        gc.collect()
        pipeline.context.emit_block(numpy.zeros((1, 16, 32, 3), numpy.uint8))
        pull(pipeline.pipeline.get_by_name("out"))

    @staticmethod
    def address_of(buffer):
        """Where a buffer's bytes lie, from the C struct itself: what Python's map gives may be a copy."""
        lib = ctypes.CDLL("libgstreamer-1.0.so.0")
        lib.gst_buffer_peek_memory.restype = ctypes.c_void_p
        where = int(re.search(r"GstBuffer at (0x[0-9a-f]+)", repr(buffer)).group(1), 16)
        memory = ctypes.c_void_p(lib.gst_buffer_peek_memory(ctypes.c_void_p(where), 0))
        info = (ctypes.c_void_p * 16)()  # GstMapInfo: memory, flags, data, size …
        assert lib.gst_memory_map(memory, info, 1)
        lib.gst_memory_unmap(memory, info)
        return info[2]

    def test_the_memory_lives_as_long_as_its_last_buffer(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        array = numpy.full((2, 16, 32, 3), 55, numpy.uint8)
        pipeline.context.emit_block(array, copy=False)
        del array
        gc.collect()
        kept = pull(sink)[4]
        self.assertTrue((pull(sink)[3] == 55).all())
        self.another(pipeline)
        pipeline.stop()
        self.assertEqual(kept.extract_dup(0, 10), bytes([55] * 10))
        self.assertEqual(pipeline.context.lent, 1)
        del kept
        gc.collect()
        self.until(lambda: pipeline.context.lent == 0)

    def test_an_array_lent_twice_is_writeable_after_the_second(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        array = numpy.zeros((1, 16, 32, 3), numpy.uint8)
        pipeline.context.emit_block(array, copy=False)
        pipeline.context.emit_block(array, copy=False)
        first = pull(sink)[4]
        second = pull(sink)[4]
        del first
        gc.collect()
        self.until(lambda: pipeline.context.lent == 1)
        self.assertFalse(array.flags.writeable)
        del second
        self.another(pipeline)
        self.until(lambda: array.flags.writeable)

    def test_a_lent_call_is_short(self):
        pipeline = self.play("reactorsrc ! fakesink sync=false")
        array = numpy.zeros((12, 704, 1280, 3), numpy.uint8)
        times = []
        for _ in range(60):
            view = array[:]
            started = time.perf_counter()
            pipeline.context.emit_block(view, copy=False)
            times.append(time.perf_counter() - started)
            time.sleep(0.002)
        self.assertLess(sorted(times)[len(times) // 2], 500e-6)  # the benchmark has the figure


class Waiting(PipelineCase):
    def blocked(self, pipeline, array=None):
        """Fills the pipeline, then emits in a thread that gets stuck. (thread, results)."""
        array = numpy.zeros((4, 16, 16, 3), numpy.uint8) if array is None else array
        results = []

        def emit():
            while pipeline.context.in_session():
                started = time.monotonic()
                good = pipeline.context.emit_block(array)
                results.append((good, time.monotonic() - started, time.monotonic()))
                if not good:
                    return

        thread = threading.Thread(target=emit, daemon=True)
        thread.start()
        count = -1
        while count != len(results):
            count = len(results)
            time.sleep(0.3)
        self.assertTrue(thread.is_alive())
        return thread, results

    def test_stopping_frees_a_blocked_emit(self):
        pipeline = self.play("reactorsrc ! reactorpace max-fps=2 min-fps=1 ! fakesink sync=true")
        thread, results = self.blocked(pipeline)
        started = time.monotonic()
        pipeline.pipeline.set_state(Gst.State.NULL)
        stopped = time.monotonic()
        thread.join(2)
        self.assertFalse(thread.is_alive())
        self.assertLess(stopped - started, 0.5 * 4)
        self.assertLess(results[-1][2] - started, 0.1 * 10)
        self.assertFalse(pipeline.context.in_session() and results[-1][0])

    def test_flush_frees_a_blocked_emit_and_shows_no_old_frame(self):
        pipeline = self.play(f"reactorsrc ! reactorpace max-fps=2 min-fps=1 hold-framerate=0/1 ! {SINK}")
        sink = pipeline.pipeline.get_by_name("out")
        for _ in range(3):
            old = numpy.full((4, 16, 16, 3), 90, numpy.uint8)
            done = threading.Event()

            def emit():
                while pipeline.context.emit_block(old) and not done.is_set():
                    pass

            thread = threading.Thread(target=emit, daemon=True)
            thread.start()
            time.sleep(0.3)
            done.set()
            started = time.monotonic()
            pipeline.context.flush()
            thread.join(2)
            self.assertFalse(thread.is_alive())
            self.assertLess(time.monotonic() - started, 1.0)
            pipeline.context.flush()
            time.sleep(0.05)
            self.assertTrue(pipeline.context.emit_block(numpy.full((1, 16, 16, 3), 200, numpy.uint8)))
            black = False
            while True:
                level = int(pull(sink)[3].max())
                black = black or level == 0
                if black and level:
                    self.assertEqual(level, 200)
                    break

    def test_a_bus_handler_may_stop_the_pipeline(self):
        pipeline = self.play("reactorsrc ! reactorpace max-fps=2 min-fps=1 ! fakesink sync=true")
        thread, results = self.blocked(pipeline)
        threading.Thread(target=pipeline.stop).start()
        thread.join(3)
        self.assertFalse(thread.is_alive())
        self.assertTrue(pipeline.context.should_stop())


class Sessions(PipelineCase):
    def test_get_ctx_belongs_to_a_session(self):
        set_ctx(None)
        with self.assertRaisesRegex(RuntimeError, "no session is running"):
            get_ctx()
        with Pipeline("reactorsrc ! fakesink") as pipeline:
            pipeline.context.wait_session(5)
            self.assertIs(get_ctx(), pipeline.context)
            self.assertFalse(get_ctx().should_stop())
        with self.assertRaises(RuntimeError):
            get_ctx()

    def test_the_end_of_the_pipeline_ends_the_session(self):
        pipeline = self.play("reactorsrc ! fakesink")
        pipeline.pipeline.set_state(Gst.State.NULL)
        self.until(pipeline.context.should_stop)
        self.assertFalse(pipeline.context.emit_block(numpy.zeros((8, 8, 3), numpy.uint8)))

    def test_an_application_that_reads_its_own_bus(self):
        Gst.init(None)
        whole = Gst.parse_launch("reactorsrc name=src ! fakesink")
        context = attach(whole.get_by_name("src"))
        self.addCleanup(set_ctx, None)
        self.addCleanup(whole.set_state, Gst.State.NULL)
        whole.set_state(Gst.State.PLAYING)
        bus = whole.get_bus()
        deadline = time.monotonic() + 5
        while not context.in_session() and context.wait_session(0) is None and time.monotonic() < deadline:
            message = bus.timed_pop(100 * Gst.MSECOND)
            if message is not None:
                context.handle_message(message)
        self.assertTrue(get_ctx().emit_block(numpy.zeros((8, 8, 3), numpy.uint8)))

    def test_commands_viewers_and_shown_arrive_from_the_sink(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        context, pad = pipeline.context, pipeline.pipeline.get_by_name("out").get_static_pad("sink")
        heard = []
        context.on_command = lambda c: heard.append((c.id, c.viewer, c.type, c.data))
        context.on_viewer = lambda *a: heard.append(a)
        context.on_shown = lambda s: heard.append((s.block, s.first, s.last, s.dropped, s.reason))
        pad.push_event(GstReactor.event_new_viewer("v1", True))
        pad.push_event(GstReactor.event_new_command('{"type":"go","data":{"x":[1]}}', "v1", 41))
        pad.push_event(GstReactor.event_new_shown(3, 100, 200, 0, None))
        pad.push_event(GstReactor.event_new_command("no json", "v1", 42))
        self.until(lambda: context.wait(0.01) or len(heard) == 3)
        self.assertEqual(heard, [("v1", True), (41, "v1", "go", {"x": [1]}), (3, 100, 200, 0, None)])
        context.emit_block(numpy.zeros((8, 8, 3), numpy.uint8))
        meta = GstReactor.FrameMeta.get(pull(pipeline.pipeline.get_by_name("out"))[4])
        self.assertEqual(meta.command, 41)

    def test_sessions_of_a_sink_that_owns_them(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        context, pad = pipeline.context, pipeline.pipeline.get_by_name("out").get_static_pad("sink")
        pad.push_event(GstReactor.event_new_session(GstReactor.SessionState.STARTED, "one", "first viewer"))
        self.until(context.should_stop)
        self.assertEqual(context.wait_session(5), "one")
        pad.push_event(GstReactor.event_new_session(GstReactor.SessionState.ENDED, "one", "grace"))
        pad.push_event(GstReactor.event_new_session(GstReactor.SessionState.STARTED, "two", "first viewer"))
        self.until(context.should_stop)
        self.assertFalse(context.emit_block(numpy.zeros((8, 8, 3), numpy.uint8)))
        self.assertEqual(context.wait_session(5), "two")
        self.assertTrue(context.emit_block(numpy.zeros((8, 8, 3), numpy.uint8)))

    def test_what_is_sent_passes_the_pipeline(self):
        pipeline = self.play(f"reactorsrc ! {SINK}")
        pad, texts = pipeline.pipeline.get_by_name("out").get_static_pad("sink"), []

        def probe(pad, info):
            event = info.get_event()
            kind = GstReactor.event_get_kind(event)
            if kind == GstReactor.EventKind.MESSAGE:
                texts.append(GstReactor.event_parse_message(event)[1:])
            elif kind == GstReactor.EventKind.RUNTIME:
                texts.append(GstReactor.event_parse_runtime(event)[1])
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, probe)
        pipeline.context.send({"a": [1, "ü"]})
        pipeline.context.send(5, to="v1")
        pipeline.context.set_state("warming-up", "loading")
        self.until(lambda: len(texts) == 3)
        self.assertEqual(texts[:2], [('{"a":[1,"ü"]}', None), ("5", "v1")])
        self.assertIn("warming-up", texts[2])
        with self.assertRaisesRegex(ValueError, "at most 65536"):
            pipeline.context.send("x" * 70000)

    def test_handlers_may_call_everything(self):
        pipeline = self.play("reactorsrc ! reactorpace ! fakesink sync=false name=out")
        context, pad = pipeline.context, pipeline.pipeline.get_by_name("out").get_static_pad("sink")
        array, calls = numpy.zeros((2, 8, 8, 3), numpy.uint8), []

        def handler(command):
            calls.append(command.id)
            context.emit_block(array)
            context.flush()
            context.send({"id": command.id})
            context.disable_monitoring()
            context.enable_monitoring()
            context.black()
            context.should_stop()
            if command.id == 200:
                pipeline.stop()

        context.on_command = handler
        for id in range(1, 201):
            pad.push_event(GstReactor.event_new_command('{"type":"x"}', "v", id))
        deadline = time.monotonic() + 20
        while not context.should_stop() and time.monotonic() < deadline:
            context.wait(0.05)
        self.assertEqual(calls, list(range(1, 201)))

    def test_errors_of_the_pipeline_are_told(self):
        with self.assertRaisesRegex(ValueError, "no element"):
            Pipeline("reactorsrc ! nosuchelement")
        with self.assertRaisesRegex(ValueError, "reactorsrc"):
            Pipeline("videotestsrc ! fakesink name=reactorsrc")
        with self.assertRaisesRegex(ValueError, "has no property 'nonsense'"):
            Pipeline("reactorsrc ! fakesink", [("reactorsrc", "nonsense", "1")])
        self.assertEqual(Pipeline("reactorsrc ! fakesink", [("reactorsrc", "width", "64")]).src.get_property("width"), 64)
        with self.assertRaisesRegex(RuntimeError, "does not start"):
            Pipeline("reactorsrc ! filesink location=/no/such/folder/x").start()
        pipeline = self.play("reactorsrc ! identity error-after=2 ! fakesink")
        for _ in range(4):
            pipeline.context.emit_block(numpy.zeros((8, 8, 3), numpy.uint8))
        self.assertTrue(pipeline.ended.wait(5))
        self.assertIn("identity", pipeline.error)
        self.assertTrue(pipeline.context.should_stop())


class Gil(PipelineCase):
    def test_frames_leave_on_time_while_python_is_stuck(self):
        """A model that holds the GIL in C code, as some extension modules do, delays nobody's frames."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.csv")
            pipeline = self.play(f"reactorsrc ! reactorpace trace-location={path} ! fakesink sync=false")
            array = numpy.zeros((12, 16, 16, 3), numpy.uint8)
            for _ in range(3):
                pipeline.context.emit_block(array)
                time.sleep(0.4)
            pipeline.context.emit_block(array)
            stuck = ctypes.PyDLL(None).usleep
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            stuck(400_000)  # PyDLL keeps the GIL
            held = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - began) / 1e9
            time.sleep(0.2)
            pipeline.stop()
            trace = plot.Trace(path)
            last = trace.arrivals[-1][0]
            late = sorted(t - planned for t, block, index, planned in trace.releases if last < t < last + held)
            self.assertGreater(len(late), 3)
            self.assertLess(late[len(late) // 2], 0.02)
            self.assertLess(late[-1], held / 2)


class Memory(PipelineCase):
    TIMEOUT = 120

    def grows(self, call, count):
        """Bytes a call adds to the process: the smallest of three rounds, after one that fills caches and queues."""
        rounds = []
        for _ in range(4):
            before = resident()
            for _ in range(count):
                call()
            gc.collect()
            time.sleep(0.2)
            rounds.append((resident() - before) / count)
        return min(rounds[1:])

    def test_emits_do_not_grow_the_process(self):
        pipeline = self.play("reactorsrc ! fakesink sync=false")
        context = pipeline.context
        array = numpy.zeros((1, 64, 64, 3), numpy.uint8)
        for name, call in (("copied", lambda: context.emit_block(array)),
                           ("lent", lambda: context.emit_block(array[:], copy=False)),
                           ("with metadata", lambda: context.emit_block(array, metadata={"a": 1})),
                           ("send", lambda: context.send({"a": 1}))):
            with self.subTest(name):
                self.assertLess(self.grows(call, 4000), 20)  # a leaked closure is over 100 bytes a call

    def test_bus_messages_do_not_grow_the_process(self):
        pipeline = self.play("reactorsrc ! fakesink name=out")
        context, pad = pipeline.context, pipeline.pipeline.get_by_name("out").get_static_pad("sink")
        context.on_command = lambda command: None

        def call():
            pad.push_event(GstReactor.event_new_command('{"type":"x"}', "v", 1))
            while context._events:
                context.should_stop()

        self.assertLess(self.grows(call, 2000), 60)


class Override(PipelineCase):
    def test_the_element_itself_takes_arrays(self):
        pipeline = self.play(f"reactorsrc name=src ! {SINK}")
        src = pipeline.pipeline.get_by_name("src")
        array = numpy.arange(8 * 8 * 3, dtype=numpy.uint8).reshape(8, 8, 3)
        self.assertTrue(src.emit_frames(array))
        numpy.testing.assert_array_equal(pull(pipeline.pipeline.get_by_name("out"))[3], array)
        with self.assertRaisesRegex(ValueError, "expected uint8"):
            src.emit_frames(array.astype(float))

    def test_the_documented_import_line(self):
        import reactor_runtime

        self.assertIs(reactor_runtime.get_ctx, gst_reactor.get_ctx)
        self.assertIs(reactor_runtime.VideoModel, gst_reactor.VideoModel)


if __name__ == "__main__":
    unittest.main()
