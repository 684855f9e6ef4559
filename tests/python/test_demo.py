# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo model: its pictures, its bits, its commands, its speed. Needs numpy."""
import pathlib
import sys
import time
import unittest

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

from gst_reactor import demo  # noqa: E402
from gst_reactor.client import Context  # noqa: E402
from gst_reactor.host import Host  # noqa: E402


class Recording(Context):
    """A context that keeps what the model does; ends the session after some blocks."""

    def __init__(self, blocks):
        super().__init__()
        self.left, self.shapes, self.numbers, self.messages, self.answers, self.switches = blocks, [], [], [], [], []
        self.at_block = {}
        self._note_session("s")

    def _emit(self, frames, array, copy, texts, compute):
        self.shapes.append(frames.shape)
        self.numbers.extend(demo.read_bits(frame) for frame in array)
        self.left -= 1
        for type, data in self.at_block.pop(len(self.shapes), ()):
            self._note_command(len(self.shapes), "v", {"type": type, "data": data})
        if not self.left:
            self._note_session(None)
            self.close()
        return True

    def close(self):
        self._closed = True

    def _send(self, text, to):
        self.messages.append(text)

    def _runtime(self, kind, data):
        if kind == "answer":
            self.answers.append(data)

    def _set_monitoring(self, enabled):
        self.switches.append(enabled)


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = demo.DemoModel()

    def test_every_scene_draws_moving_pictures_of_many_colours(self):
        for scene in demo.SCENES:
            with self.subTest(scene):
                self.model.scene = scene
                frames = self.model.generate(2, 3, 40, 1.0).copy()
                later = self.model.generate(1, 3, 40, 2.0)
                self.assertEqual((frames.shape, frames.dtype), ((2, 704, 1280, 3), numpy.uint8))
                changed = (frames[0, 110:680] != later[0, 110:680]).any(axis=-1).mean()
                self.assertGreater(changed, 0.05)
                self.assertGreater(len(numpy.unique(frames[0].reshape(-1, 3)[::97], axis=0)), 30)
                self.assertEqual([demo.read_bits(frame) for frame in frames], [40, 41])

    def test_bits_survive_a_rough_picture_and_wrong_ones_are_not_read(self):
        picture = numpy.zeros((128, 1280, 3), numpy.uint8)
        for number in (0, 1, 7, 123456789, 2 ** 32 - 1):
            demo.draw_bits(picture, number)
            self.assertEqual(demo.read_bits(picture), number)
            noisy = (picture * 0.6 + 40 + numpy.random.default_rng(1).normal(0, 25, picture.shape)).clip(0, 255)
            self.assertEqual(demo.read_bits(noisy.astype(numpy.uint8)), number)
        picture[-16:, 10 * 16:11 * 16] ^= 255
        self.assertIsNone(demo.read_bits(picture))
        self.assertIsNone(demo.read_bits(numpy.zeros((128, 1280, 3), numpy.uint8)))
        self.assertIsNone(demo.read_bits(numpy.full((128, 1280, 3), 255, numpy.uint8)))
        self.assertIsNone(demo.read_bits(numpy.zeros((8, 8, 3), numpy.uint8)))

    def test_it_generates_much_faster_than_it_shows(self):
        for scene in demo.SCENES:
            self.model.scene = scene
            self.model.generate(12, 0, 0, 0.0)
            started = time.process_time()
            self.model.generate(12, 0, 0, 0.0)
            self.assertLess((time.process_time() - started) / 12, 1 / 24, scene)

    def test_a_session_obeys_its_commands(self):
        model = demo.DemoModel({"width": 704, "height": 128, "fps": 400, "jitter": 0})
        context = Recording(8)
        context.at_block = {
            1: [("block_size", {"frames": 4}), ("scene", {"name": "tunnel"})],
            3: [("block_size", {"frames": 1}), ("block_size", {"frames": 49}), ("scene", {"name": "nowhere"}),
                ("prompt", {"text": "A red barn"})],
            5: [("pause", None), ("resume", None), ("speed", {"factor": 2})],
        }
        Host(context, model).serve()
        self.assertEqual([shape[0] for shape in context.shapes], [12, 4, 4, 1, 1, 1, 1, 1])
        self.assertEqual(context.numbers, list(range(25)))
        self.assertEqual([answer["field"] for answer in context.answers if "code" in answer], ["frames", "name"])
        self.assertEqual(context.switches, [False, True])
        self.assertTrue(any("tunnel" in text for text in context.messages))
        self.assertEqual(model.scene, "tunnel")

    def test_a_paused_model_emits_nothing(self):
        model = demo.DemoModel({"width": 704, "height": 128, "fps": 400, "jitter": 0})
        context = Recording(3)
        context.at_block = {1: [("pause", None)]}
        import threading

        thread = threading.Thread(target=Host(context, model).serve, daemon=True)
        thread.start()
        time.sleep(0.4)
        self.assertEqual(len(context.shapes), 1)
        self.assertEqual(context.switches, [False])
        context._note_command(9, "v", {"type": "resume"})
        thread.join(5)
        self.assertEqual(len(context.shapes), 3)

    def test_a_picture_too_small_for_its_bits_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at least 704x128"):
            demo.DemoModel({"width": 640})


if __name__ == "__main__":
    unittest.main()
