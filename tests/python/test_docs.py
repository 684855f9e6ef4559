# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The models in README and docs run as they are printed; the names that the guide mentions exist."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "python"))

import gst_reactor  # noqa: E402
from gst_reactor.client import Context, SocketContext  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
               "PYTHONUNBUFFERED": "1"}


def models():
    for name in ("README.md", "docs/writing-a-model.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for number, code in enumerate(re.findall(r"```python\n(# my_model.py\n.*?)```", text, re.DOTALL)):
            yield f"{name}, model {number + 1}", code


class Docs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="reactor-docs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.model = self.folder / "my_model.py"

    def frames(self, path):
        return path.stat().st_size if path.exists() else 0

    def test_printed_models_run(self):
        found = list(models())
        self.assertEqual(len(found), 3)
        for name, code in found:
            with self.subTest(name):
                self.model.write_text(code)
                shown = self.folder / f"shown{len(code)}"
                process = subprocess.Popen(
                    [sys.executable, "-m", "gst_reactor", "run", f"{self.model}:MyModel", "--retries", "0", "--pipeline",
                     f"reactorpace ! videoscale ! video/x-raw,width=8,height=8 ! filesink buffer-mode=unbuffered location={shown}"],
                    env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                deadline = time.monotonic() + 20
                while self.frames(shown) < 192 * 5 and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                process.send_signal(signal.SIGINT)
                output = process.communicate(timeout=10)[0]
                self.assertEqual(process.returncode, 0, output)
                self.assertGreaterEqual(self.frames(shown), 192 * 5, output)

    def test_two_terminals(self):
        code = dict(models())["README.md, model 1"]
        self.model.write_text(code)
        path, shown = self.folder / "model.sock", self.folder / "shown"
        pipeline = subprocess.Popen(["gst-launch-1.0", "-q", "reactorsrc", f"socket-path={path}", "!", "reactorpace", "!",
                                     "videoscale", "!", "video/x-raw,width=8,height=8", "!", "filesink",
                                     "buffer-mode=unbuffered", f"location={shown}"], env=ENVIRONMENT)
        model = subprocess.Popen([sys.executable, self.model], env={**ENVIRONMENT, "GST_REACTOR_SOCKET": str(path)})
        try:
            deadline = time.monotonic() + 20
            while self.frames(shown) < 192 * 5 and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertGreaterEqual(self.frames(shown), 192 * 5)
            model.send_signal(signal.SIGINT)
            self.assertEqual(model.wait(5), 0)
            self.assertIsNone(pipeline.poll())
        finally:
            for process in (model, pipeline):
                process.kill()
                process.wait()

    def test_the_guide_names_what_exists(self):
        text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
        table = text[text.index("## The context"):text.index("Handlers and commands run")]
        for name in re.findall(r"`(\w+)\(", table) + ["viewers", "session", "on_viewer", "on_shown"]:
            if name not in ("get_ctx", "emit"):
                self.assertTrue(hasattr(SocketContext, name) or hasattr(Context, name), name)
        options = text[text.index("## The runner"):text.index("Exit status")]
        told = subprocess.run([sys.executable, "-m", "gst_reactor", "run", "--help"], env=ENVIRONMENT, capture_output=True,
                              text=True, timeout=30).stdout
        for option in set(re.findall(r"--[a-z][a-z-]+", options)):
            self.assertIn(option, told)
        for name in re.findall(r"from gst_reactor import ([\w, ]+)", text):
            for each in name.split(", "):
                self.assertTrue(hasattr(gst_reactor, each), each)


if __name__ == "__main__":
    unittest.main()
