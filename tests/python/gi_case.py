# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of the in-process layer share. A process with PyGObject imports this first: it ends, with the name of the test,
when one hangs."""
import contextlib
import faulthandler
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

import numpy  # noqa: E402
from gst_reactor.pipeline import Gst, Pipeline  # noqa: E402


class PipelineCase(unittest.TestCase):
    TIMEOUT = 30

    def setUp(self):
        faulthandler.dump_traceback_later(self.TIMEOUT, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)

    def play(self, description, session=True):
        pipeline = Pipeline(description)
        pipeline.start()
        self.addCleanup(pipeline.stop)
        if session:
            self.assertIsNotNone(pipeline.context.wait_session(5.0))
        return pipeline

    def until(self, predicate, timeout=5.0):
        deadline = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > deadline:
                self.fail("it did not come to that in time")
            time.sleep(0.01)


def pull(sink, seconds=5):
    """The next buffer of an appsink, as (width, height, format, RGB array of its picture, buffer)."""
    sample = sink.try_pull_sample(seconds * Gst.SECOND)
    if sample is None:
        return None
    structure = sample.get_caps().get_structure(0)  # GStreamer's bindings from 1.26 on give it for a with block only
    with structure if hasattr(structure, "__enter__") else contextlib.nullcontext(structure) as caps:
        width, height, kind = (caps.get_value(name) for name in ("width", "height", "format"))
    buffer = sample.get_buffer()
    stride = (width * 3 + 3) & ~3
    data = numpy.frombuffer(buffer.extract_dup(0, buffer.get_size()), numpy.uint8)
    picture = None
    if kind == "RGB":
        rows = data[:stride * height] if data.size >= stride * height - 3 else data
        padded = numpy.zeros(stride * height, numpy.uint8)
        padded[:rows.size] = rows
        picture = padded.reshape(height, stride)[:, :width * 3].reshape(height, width, 3)
    return width, height, kind, picture, buffer
