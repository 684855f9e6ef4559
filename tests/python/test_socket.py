# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The socket client against the real reactorsrc: pictures, sessions, commands, death and rebirth on both sides."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from gi_case import Gst, PipelineCase, numpy, pull

from gst_reactor import client
from gst_reactor.pipeline import GstReactor

SINK = "appsink name=out sync=false max-buffers=0 enable-last-sample=false async=false"


class SocketCase(PipelineCase):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="reactor-socket-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "model.sock")

    def serve(self, rest=SINK, options=""):
        pipeline = self.play(f"reactorsrc socket-path={self.path} {options} ! {rest}", session=False)
        self.out = pipeline.pipeline.get_by_name("out")
        return pipeline

    def model(self, **options):
        context = client.connect(self.path, timeout=5, **options)
        self.addCleanup(context.close)
        self.assertIsNotNone(context.wait_session(5))
        return context


class Pictures(SocketCase):
    def test_every_layout_shows_the_same_picture(self):
        rng = numpy.random.default_rng(3)
        n, h, w = 3, 22, 30
        big = rng.integers(0, 256, (2 * n, 3 * h, 4 * w, 4), numpy.uint8)
        planar = rng.integers(0, 256, (3, n, h, w), numpy.uint8)
        self.serve(f"videoconvert ! video/x-raw,format=RGB ! {SINK}")
        context = self.model()
        for name, array in {
            "packed": rng.integers(0, 256, (n, h, w, 3), numpy.uint8),
            "planar": planar.transpose(1, 2, 3, 0), "planar BGR": planar[::-1].transpose(1, 2, 3, 0),
            "RGBA without alpha": big[:n, :h, :w, :3], "BGR": numpy.ascontiguousarray(big[:n, :h, :w, :3])[..., ::-1],
            "reversed": big[:n, :h, :w, :3][::-1], "flipped": big[:n, :h, :w, :3][:, ::-1],
            "mirrored": big[:n, :h, :w, :3][:, :, ::-1], "skipping": big[::2, ::3, ::4, :3],
            "transposed": rng.integers(0, 256, (n, w, h, 3), numpy.uint8).transpose(0, 2, 1, 3),
            "one frame repeated": numpy.broadcast_to(big[:1, :h, :w, :3], (n, h, w, 3)),
            "odd width": rng.integers(0, 256, (n, 7, 641, 3), numpy.uint8),
        }.items():
            with self.subTest(name):
                self.assertTrue(context.emit_block(array))
                frames = [pull(self.out) for _ in range(len(array))]
                numpy.testing.assert_array_equal(numpy.stack([frame[3] for frame in frames]), array)
        self.assertEqual(context.counters["refused"], 0)

    def test_allocated_blocks_packed_and_planar(self):
        self.serve(f"videoconvert ! video/x-raw,format=RGB ! {SINK}")
        context = self.model(slots=2)
        rng = numpy.random.default_rng(4)
        for round in range(6):
            block = context.alloc_block(2, 16, 24, planar=bool(round % 2))
            picture = rng.integers(0, 256, block.shape, numpy.uint8)
            block[:] = picture
            self.assertTrue(context.emit_block(block))
            for frame in picture:
                numpy.testing.assert_array_equal(pull(self.out)[3], frame)
        self.assertEqual(context.counters["refused"], 0)

    def test_black_flush_and_metadata(self):
        self.serve()
        context = self.model()
        context.emit_block(numpy.full((1, 16, 16, 3), 99, numpy.uint8), metadata=[{"seed": 3}])
        got = pull(self.out)
        self.assertEqual(json.loads(GstReactor.FrameMeta.get(got[4]).json), {"seed": 3})
        context.black()
        self.assertEqual(pull(self.out)[3].max(), 0)
        context.flush()
        self.until(lambda: context._flushed == context._sequence)

    def test_one_slot_is_enough_to_go_on(self):
        self.serve("reactorpace max-fps=240 ! fakesink sync=false")
        context = self.model(slots=1)
        array = numpy.zeros((2, 16, 16, 3), numpy.uint8)
        started = time.monotonic()
        for _ in range(20):
            self.assertTrue(context.emit_block(array))
        self.assertLess(time.monotonic() - started, 15)


class Life(SocketCase):
    def test_messages_and_capabilities_reach_the_pipeline(self):
        pipeline = self.serve()
        texts, pad = [], self.out.get_static_pad("sink")

        def probe(pad, info):
            event = info.get_event()
            kind = GstReactor.event_get_kind(event)
            if kind == GstReactor.EventKind.MESSAGE:
                texts.append(GstReactor.event_parse_message(event)[1:])
            elif kind == GstReactor.EventKind.RUNTIME:
                said = json.loads(GstReactor.event_parse_runtime(event)[1])
                if said["type"] != "state":  # the source itself says that a model is there
                    texts.append(said)
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, probe)
        context = self.model()
        context.send({"a": [1, "ü"]})
        context.send(5, to="v1")
        context.send("x" * 65534)
        context.announce([{"name": "go", "description": "", "schema": {}}])
        self.until(lambda: len(texts) >= 4)
        self.assertEqual([(json.loads(t), v) for t, v in texts[:2]], [({"a": [1, "ü"]}, None), (5, "v1")])
        self.assertEqual(len(texts[2][0]), 65536)
        self.assertEqual(texts[3]["type"], "capabilities")
        context.disable_monitoring()
        self.until(lambda: not pipeline.src.get_property("monitoring"))
        context.enable_monitoring()
        self.until(lambda: pipeline.src.get_property("monitoring"))

    def test_commands_viewers_and_shown_reach_the_model(self):
        self.serve(f"reactorpace max-fps=240 ! {SINK}")
        context, pad, heard = self.model(), self.out.get_static_pad("sink"), []
        context.on_command = lambda c: heard.append((c.id, c.viewer, c.type, c.data))
        context.on_viewer = lambda *a: heard.append(a)
        shown = []
        context.on_shown = shown.append
        pad.push_event(GstReactor.event_new_viewer("v1", True))
        pad.push_event(GstReactor.event_new_command('{"type":"go","data":{"x":1}}', "v1", 41))
        self.until(lambda: context.wait(0.01) or len(heard) == 2)
        self.assertEqual(heard, [("v1", True), (41, "v1", "go", {"x": 1})])
        context.emit_block(numpy.zeros((2, 16, 16, 3), numpy.uint8))
        meta = GstReactor.FrameMeta.get(pull(self.out)[4])
        self.assertEqual((meta.command, meta.count), (41, 2))
        context.emit_block(numpy.zeros((2, 16, 16, 3), numpy.uint8))
        self.until(lambda: context.wait(0.01) or shown)
        self.assertEqual(shown[0].block, 0)

    def test_sessions_follow_the_sink(self):
        self.serve()
        context, pad = self.model(), self.out.get_static_pad("sink")
        pad.push_event(GstReactor.event_new_session(GstReactor.SessionState.ENDED, "x", "grace"))
        pad.push_event(GstReactor.event_new_session(GstReactor.SessionState.STARTED, "one", "viewer"))
        self.until(context.should_stop)
        self.assertEqual(context.wait_session(5), "one")
        self.assertTrue(context.emit_block(numpy.zeros((1, 16, 16, 3), numpy.uint8)))

    def test_a_second_model_is_refused_by_name_and_admitted_later(self):
        self.serve()
        first = self.model()
        with self.assertRaisesRegex(client.ReactorError, str(os.getpid())) as caught:
            client.connect(self.path, timeout=0.5)
        self.assertEqual(caught.exception.code, "busy")
        first.close()
        self.assertTrue(client.connect(self.path, timeout=5).connected)

    def test_stopping_the_pipeline_frees_a_waiting_emit(self):
        pipeline = self.serve("reactorpace max-fps=2 min-fps=1 ! fakesink sync=true")
        context = self.model(slots=1)
        array, result = numpy.zeros((8, 16, 16, 3), numpy.uint8), []

        def emit():
            while context.emit_block(array):
                pass
            result.append(time.monotonic())

        thread = threading.Thread(target=emit, daemon=True)
        thread.start()
        time.sleep(0.5)
        self.assertTrue(thread.is_alive())
        started = time.monotonic()
        pipeline.pipeline.set_state(Gst.State.NULL)
        thread.join(3)
        self.assertFalse(thread.is_alive())
        self.assertLess(result[0] - started, 1.0)
        pipeline.pipeline.set_state(Gst.State.PLAYING)
        self.assertIsNotNone(context.wait_session(5))
        self.assertTrue(context.emit_block(array))

    def test_killed_models_leave_nothing_behind(self):
        self.serve(f"reactorpace max-fps=240 ! {SINK}")
        code = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
                "from gst_reactor.client import connect\n"
                "c = connect(sys.argv[2]); c.wait_session(5)\n"
                "f = memoryview(bytes([int(sys.argv[3])]) * (4 * 64 * 64 * 3)).cast('B', (4, 64, 64, 3))\n"
                "while True: c.emit_block(f); time.sleep(0.001)\n")
        package = os.path.dirname(os.path.dirname(client.__file__))
        descriptors = None
        for round in range(6):
            process = subprocess.Popen([sys.executable, "-c", code, package, self.path, str(10 + round)])
            try:
                deadline = time.monotonic() + 10
                while True:
                    got = pull(self.out)
                    self.assertIsNotNone(got)
                    level = set(numpy.unique(got[3]).tolist())
                    self.assertEqual(len(level), 1)  # never a frame that is part old and part new
                    if level == {10 + round}:
                        break
                    self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02 * (round % 3))
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
            while pull(self.out, 0) is not None:
                pass
            if round == 2:
                time.sleep(0.3)
                descriptors = len(os.listdir("/proc/self/fd"))
        time.sleep(0.3)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 2)


if __name__ == "__main__":
    unittest.main()
