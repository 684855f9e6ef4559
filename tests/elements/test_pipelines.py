#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lines of docs/pipelines.md that are marked as tested, run as they stand there, at the same time."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "pipelines.md"
SECONDS = 5.0  # 80 frames at 16 frames a second


def duration(path):
    """Seconds that a file says it lasts, and its video frames counted by reading it through."""
    pipeline = Gst.parse_launch("filesrc name=in ! parsebin ! fakesink name=out sync=false")
    pipeline.get_by_name("in").set_property("location", path)
    frames = []
    pipeline.get_by_name("out").get_static_pad("sink").add_probe(
        Gst.PadProbeType.BUFFER, lambda _, info: frames.append(info.get_buffer().pts) or Gst.PadProbeReturn.OK)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(10 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    known, length = pipeline.query_duration(Gst.Format.TIME)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type != Gst.MessageType.EOS or not known:
        raise AssertionError(f"{path} cannot be read to its end")
    return length / Gst.SECOND, len(frames)


class Pipelines(unittest.TestCase):
    def setUp(self):
        text = DOCS.read_text()
        self.source = re.search(r"^ {4}(videotestsrc .*)$", text, re.M)[1]
        self.lines = [line for line in re.findall(r"^\*tested\*[^\n]*\n\n {4}(gst-launch-1\.0 .*)$", text, re.M)]
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, line, **env):
        command = shlex.split(line.replace("SOURCE", self.source).replace("OUT.", f"{self.folder}/out."))
        return subprocess.Popen(["timeout", "-k", "2", "30", *command], env={**os.environ, **env},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_the_documented_lines_run_to_their_end(self):
        self.assertEqual(len(self.lines), 4)
        running, display = [], None
        for line in self.lines:
            if "ximagesink" in line:
                if not shutil.which("Xvfb"):
                    print("the window is left out: Xvfb is not installed (package xvfb)")
                    continue
                reader, writer = os.pipe()
                display = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24"],
                                           pass_fds=[writer], stderr=subprocess.DEVNULL)
                self.addCleanup(display.wait)
                self.addCleanup(display.terminate)
                os.close(writer)
                with os.fdopen(reader) as chosen:
                    number = chosen.readline().strip()
                running.append((line, self.start(line, DISPLAY=f":{number}")))
            else:
                running.append((line, self.start(line)))
        for line, process in running:
            with process:
                output, _ = process.communicate()
            self.assertEqual(process.returncode, 0, f"{line}\n{output}")
        for name in ("out.mkv", "out.mp4"):
            seconds, frames = duration(f"{self.folder}/{name}")
            # the first frame waits for its whole block; the last one lasts for its own interval
            self.assertAlmostEqual(seconds, SECONDS, delta=0.15 * SECONDS, msg=name)
            self.assertGreaterEqual(frames, 80, name)


if __name__ == "__main__":
    Gst.init(None)
    unittest.main(argv=[sys.argv[0], "-v"])
