# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`pip install ./python` without a network, into a folder of its own; the wheel holds what is in the tree."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "python"


class Install(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="reactor-install-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_the_wheel_holds_the_tree(self):
        sys.path.insert(0, str(PACKAGE))
        try:
            import build_wheel
        finally:
            sys.path.pop(0)
        name = build_wheel.build_wheel(self.folder)
        with zipfile.ZipFile(self.folder / name) as wheel:
            inside = {path for path in wheel.namelist() if path.endswith(".py")}
            record = wheel.read(next(path for path in wheel.namelist() if path.endswith("RECORD"))).decode()
        expected = {f"{package}/{path.name}" for package in ("gst_reactor", "reactor_runtime")
                    for path in (PACKAGE / package).glob("*.py")}
        self.assertEqual(inside, expected)
        self.assertEqual(len(record.splitlines()), len(expected) + 4)
        listed = (PACKAGE / "meson.build").read_text()
        for path in expected:
            self.assertIn(path, listed)  # `meson install` has every file as well

    def test_pip_installs_it_without_a_network(self):
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GST_REACTOR_SOCKET")}
        environment.update(PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_CACHE_DIR=str(self.folder / "cache"))
        target = self.folder / "site"
        if subprocess.run([sys.executable, "-m", "pip", "--version"], env=environment, capture_output=True).returncode:
            self.skipTest("this Python has no pip")
        tree = self.folder / "python"  # pip may write beside the sources
        shutil.copytree(PACKAGE, tree, ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--target", target, tree], env=environment,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        environment["PYTHONPATH"] = str(target)
        code = "import gst_reactor, reactor_runtime; print(gst_reactor.__file__)"
        out = subprocess.run([sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True)
        self.assertTrue(out.stdout.startswith(str(target)), out.stdout + out.stderr)
        version = subprocess.run([target / "bin" / "gst-reactor", "--version"], env=environment, capture_output=True, text=True)
        self.assertEqual(version.stdout, "gst_reactor 0.1.0\n")


if __name__ == "__main__":
    unittest.main()
