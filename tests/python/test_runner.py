# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python3 -m gst_reactor run` as users run it: models that work, crash, hang and never stop; both ways."""
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

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "python"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{PACKAGE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "PYTHONUNBUFFERED": "1"}
SINK = "reactorpace ! fakesink sync=false"

# Written for the documented API: nothing in it knows where it runs.
MODEL = '''
import os, time
from reactor_runtime import VideoModel, command, get_ctx

FRAMES = memoryview(bytes(2 * 16 * 16 * 3)).cast("B", (2, 16, 16, 3))

class Model(VideoModel):
    def __init__(self):
        self.blocks = 0
        log("init")

    @command
    def go(self, n: int):
        log(f"go {n}")

    def start_session(self):
        log("session")
        while not get_ctx().should_stop():
            get_ctx().emit_block(FRAMES)
            self.blocks += 1
            if self.blocks == 3:
                get_ctx().send({"blocks": self.blocks})
                log("emitted")
            time.sleep(0.02)
        log("stopped")

    def cleanup(self):
        log("cleanup")

def log(text):
    with open(os.environ["MODEL_LOG"], "a") as file:
        file.write(f"{text} {os.getpid()}\\n")
'''


class Run:
    """A running `gst_reactor run`."""

    def __init__(self, case, source, *options, pipeline=SINK, python=sys.executable):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="reactor-run-"))
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.log_path = self.folder / "log"
        model = self.folder / "my_model.py"
        model.write_text(source)
        self.process = subprocess.Popen(
            [python, "-m", "gst_reactor", "run", f"{model}:Model", "--pipeline", pipeline, *options],
            env={**ENVIRONMENT, "MODEL_LOG": str(self.log_path), "XDG_RUNTIME_DIR": str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        case.addCleanup(self.kill)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()

    def log(self):
        return [line.split()[0] for line in self.log_path.read_text().splitlines()] if self.log_path.exists() else []

    def pids(self, what):
        return [int(line.split()[-1]) for line in self.log_path.read_text().splitlines() if line.startswith(what)]

    def until(self, predicate, timeout=20.0):
        deadline = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {timeout} s; log {self.log()}; output {self.lines}")
            time.sleep(0.02)

    def interrupt(self):
        """Ctrl-C; (exit status, seconds it took)."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        self._reader.join(5)
        return code, time.monotonic() - started

    def end(self, timeout=30):
        code = self.process.wait(timeout)
        self._reader.join(5)
        return code

    @property
    def text(self):
        return "\n".join(self.lines)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")")[-1].split()[0] != "Z"


class RunnerTest(unittest.TestCase):
    @staticmethod
    def both_ways():
        """Options for a process of the model's own, and for the pipeline's."""
        return [], ["--in-process"]

    def test_the_same_file_runs_both_ways_and_ends_in_good_order(self):
        for options in self.both_ways():
            run = Run(self, MODEL, *options)
            run.until(lambda: "emitted" in run.log())
            code, took = run.interrupt()
            self.assertEqual(code, 0, run.text)
            self.assertLess(took, 2.0)
            self.assertEqual(run.log(), ["init", "session", "emitted", "stopped", "cleanup"])
            inside = run.pids("init")[0] == run.process.pid
            self.assertEqual(inside, bool(options))
            self.assertEqual(list(run.folder.glob("gst-reactor-*")), [])
            self.assertIn("● Model: running", run.text)

    def test_duration_ends_it(self):
        run = Run(self, MODEL, "--duration", "2")
        self.assertEqual(run.end(), 0)

    def test_a_crash_is_survived_and_the_session_goes_on(self):
        crash = MODEL.replace('log("emitted")', 'log("emitted")\n                if not os.path.exists("FLAG"): '
                              'open("FLAG", "w"); CRASH')
        for how, said in (("os._exit(3)", "ended with status 3"), ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
                          ("raise ValueError('x')", "ended with status 1")):
            with self.subTest(how):
                flag = tempfile.mktemp()
                run = Run(self, crash.replace("CRASH", how).replace("FLAG", flag))
                run.until(lambda: run.log().count("emitted") == 2)
                self.assertIn(said, run.text)
                self.assertIn("attempt 1 of 5", run.text)
                self.assertEqual(run.interrupt()[0], 0)
                os.unlink(flag)

    def test_an_exception_is_survived_in_process_too(self):
        source = MODEL.replace('log("emitted")', 'log("emitted")\n                if self.first(): raise ValueError("/secret")')
        source += '''
Model.first = lambda self: not os.path.exists(os.environ["MODEL_LOG"] + ".flag") and bool(open(os.environ["MODEL_LOG"] + ".flag", "w"))
'''
        run = Run(self, source, "--in-process")
        run.until(lambda: run.log().count("emitted") == 2)
        self.assertIn("the model raised ValueError", run.text)
        self.assertEqual(run.interrupt()[0], 0)

    def test_a_model_that_only_crashes_is_given_up(self):
        for where in ("__init__", "start_session", "cleanup"):
            for options in self.both_ways():
                source = ("from gst_reactor import VideoModel\nclass Model(VideoModel):\n"
                          "    def __init__(self): pass\n    def start_session(self): pass\n"
                          f"    def {where}(self): raise ValueError('broken')\n")
                with self.subTest(where):
                    run = Run(self, source, "--retries", "1", *options)
                    self.assertEqual(run.end(), 1, run.text)
                    self.assertIn("2 times in a row: giving up", run.text)
                    self.assertIn("broken", run.text)

    def test_a_model_that_cannot_be_loaded_is_not_tried_again(self):
        for options in self.both_ways():
            run = Run(self, "class Other: pass\n", *options)
            self.assertEqual(run.end(), 2)
            self.assertIn("has no class 'Model'", run.text)

    def test_a_model_that_returns_at_once_waits_for_the_next_session(self):
        for options in self.both_ways():
            run = Run(self, MODEL.replace('        log("session")\n', '        log("session")\n        return\n'), *options)
            run.until(lambda: "finished" in run.text)
            time.sleep(0.5)
            self.assertEqual(run.log().count("session"), 1)
            self.assertEqual(run.interrupt()[0], 0)

    def test_ctrl_c_ends_a_model_that_never_stops(self):
        for body in ("while True: time.sleep(1)", "while True: pass",
                     "while True: get_ctx().emit_block(FRAMES)",
                     "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        while True: time.sleep(1)"):
            for options in self.both_ways():
                if options and "signal" in body:
                    continue
                with self.subTest(body):
                    run = Run(self, MODEL.replace('        log("session")\n',
                                                  f'        log("session")\n        {body}\n'), *options)
                    run.until(lambda: "session" in run.log())
                    time.sleep(0.3)
                    code, took = run.interrupt()
                    self.assertEqual(code, 0, run.text)
                    self.assertLess(took, 3.0)
                    self.assertFalse(alive(run.pids("session")[0]))

    def test_workers_of_a_dead_model_do_not_live_on(self):
        source = MODEL.replace('        log("session")\n', '        if os.fork() == 0:\n            log("worker")\n'
                               '            time.sleep(60)\n        log("session")\n')
        run = Run(self, source)
        run.until(lambda: "emitted" in run.log())
        os.kill(run.pids("session")[0], signal.SIGKILL)
        run.until(lambda: run.log().count("emitted") == 2)
        self.assertFalse(alive(run.pids("worker")[0]))
        self.assertEqual(run.interrupt()[0], 0)
        self.assertFalse(alive(run.pids("worker")[1]))

    def test_a_killed_runner_takes_its_model_along(self):
        run = Run(self, MODEL)
        run.until(lambda: "emitted" in run.log())
        model = run.pids("init")[0]
        run.process.kill()
        run.process.wait()
        run.until(lambda: not alive(model), 5)

    def test_a_pipeline_that_fails_is_told(self):
        run = Run(self, MODEL, pipeline="nosuchelement")
        self.assertEqual(run.end(), 2)
        self.assertIn("nosuchelement", run.text)
        run = Run(self, MODEL, pipeline="reactorpace ! identity error-after=3 ! fakesink")
        self.assertEqual(run.end(), 1)
        self.assertIn("The pipeline ended:", run.text)

    def test_another_interpreter(self):
        other = next((p for p in sorted(pathlib.Path(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))).glob(
            "versions/3.*/bin/python3")) if subprocess.run([p, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]
                                                            ).returncode == 0), None)
        if other is None:
            self.skipTest("there is no other Python of 3.9 or newer")
        run = Run(self, "import sys\n" + MODEL.replace('log("init")', 'log(sys.executable)'), "--python", str(other))
        run.until(lambda: "emitted" in run.log())
        self.assertEqual(run.log()[0], str(other))
        self.assertEqual(run.interrupt()[0], 0)
        if subprocess.run([other, "-c", "import gi; gi.require_version"], stderr=subprocess.DEVNULL).returncode:
            # started from that interpreter, which has no PyGObject: the model stays there, the pipeline does not
            run = Run(self, "import sys\n" + MODEL.replace('log("init")', 'log(sys.executable)'), python=str(other))
            run.until(lambda: "emitted" in run.log())
            self.assertEqual(run.log()[0], str(other))
            self.assertIn(f"the model under {other}", run.text)
            self.assertEqual(run.interrupt()[0], 0)
        run = Run(self, MODEL, "--python", "/no/such/python")
        self.assertEqual(run.end(), 2)
        self.assertIn("/no/such/python", run.text)

    def test_configuration_reaches_the_model(self):
        source = MODEL.replace("def __init__(self):", "def __init__(self, config):").replace(
            'log("init")', 'log(f"{config.fps}-{config.deep.er}-{config.get(\'none\')}")')
        run = Run(self, source, "--set", "fps=12", "--set", "deep.er=text")
        run.until(lambda: "emitted" in run.log())
        self.assertEqual(run.log()[0], "12-text-None")
        self.assertEqual(run.interrupt()[0], 0)


class CommandLine(unittest.TestCase):
    def out(self, *arguments):
        return subprocess.run([sys.executable, "-m", "gst_reactor", *arguments], env=ENVIRONMENT, capture_output=True,
                              text=True, timeout=30)

    def test_help_and_mistakes(self):
        for arguments in (["--help"], ["run", "--help"], ["demo", "--help"], ["plot", "--help"]):
            result = self.out(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn("usage: python3 -m gst_reactor", result.stdout)
        self.assertEqual(self.out().returncode, 2)
        self.assertIn("expected 0 to 65535", self.out("demo", "--port", "70000").stderr)
        self.assertIn("uses this interpreter", self.out("demo", "--python", "x", "--in-process").stderr)

    def test_the_demo_plays(self):
        for options in ([], ["--in-process"]):
            result = self.out("demo", "--pipeline", SINK, "--duration", "3", "--set", "width=704", "--set", "height=128", *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("● DemoModel: running", result.stdout)


if __name__ == "__main__":
    unittest.main()
