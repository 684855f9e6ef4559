# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serving sessions: order of calls, failures, models that do not stop, loading and configuration. Standard library only."""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

from gst_reactor import VideoModel, get_ctx, host, model  # noqa: E402
from gst_reactor.client import Context, SessionEnded  # noqa: E402


class Told(Context):
    """A context without a pipeline."""

    def __init__(self):
        super().__init__()
        self.said, self.blocks = [], 0

    def _runtime(self, kind, data):
        self.said.append((kind, data))

    def _emit(self, frames, array, copy, texts, compute):
        self.blocks += 1
        return True

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()


FRAME = memoryview(bytes(36)).cast("B", (3, 4, 3))


class Serving(unittest.TestCase):
    def serve(self, instance, context, report=lambda state, **more: None):
        """Serves in a thread; (thread, what it raised)."""
        raised = []

        def run():
            try:
                host.Host(context, instance, report).serve()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        self.addCleanup(context.close)
        return thread, raised

    def until(self, predicate):
        deadline = time.monotonic() + 5
        while not predicate():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def test_each_session_is_started_and_cleaned_up_after(self):
        calls, context = [], Told()

        class Model(VideoModel):
            def start_session(self):
                calls.append(get_ctx().session)
                while not get_ctx().should_stop():
                    get_ctx().emit_block(FRAME)
                    time.sleep(0.001)

            def cleanup(self):
                calls.append("cleanup")

        thread, raised = self.serve(Model(), context)
        for session in ("a", "b", "c"):
            context._note_session(session)
            self.until(lambda: session in calls)
            self.until(lambda: context.blocks > 3)
            context._note_session(None, "grace")
            self.until(lambda: calls[-1] == "cleanup")
            context.blocks = 0
        context.close()
        thread.join(5)
        self.assertEqual(calls, ["a", "cleanup", "b", "cleanup", "c", "cleanup"])
        self.assertEqual(raised, [])
        with self.assertRaises(RuntimeError):
            get_ctx()

    def test_a_session_that_follows_at_once_ends_the_first(self):
        calls, context = [], Told()

        class Model(VideoModel):
            def start_session(self):
                calls.append(context.session)
                while not get_ctx().should_stop():
                    time.sleep(0.001)
                calls.append("stopped")

        self.serve(Model(), context)
        context._note_session("a")
        self.until(lambda: calls == ["a"])
        with context._changed:  # both within one step of the model
            context._note_session(None)
            context._note_session("b")
        self.until(lambda: len(calls) == 3)
        self.assertEqual(calls, ["a", "stopped", "b"])

    def test_a_model_that_returns_ends_its_session(self):
        context, states = Told(), []

        class Model(VideoModel):
            def start_session(self):
                pass

        self.serve(Model(), context, lambda state, **more: states.append(state))
        context._note_session("a")
        self.until(lambda: ("state", {"state": "over", "reason": "the model has finished"}) in context.said)
        time.sleep(0.1)
        self.assertEqual(states, ["ready", "session", "returned", "ready"])

    def test_what_a_model_raises_comes_out_after_its_cleanup(self):
        for where in ("start_session", "cleanup"):
            calls, context = [], Told()

            class Model(VideoModel):
                def start_session(self):
                    calls.append("start")
                    if where == "start_session":
                        raise KeyError("broken")

                def cleanup(self):
                    calls.append("cleanup")
                    if where == "cleanup":
                        raise KeyError("broken")

            thread, raised = self.serve(Model(), context)
            context._note_session("a")
            thread.join(5)
            self.assertEqual(calls, ["start", "cleanup"])
            self.assertIsInstance(raised[0], KeyError)

    def test_a_model_that_only_emits_is_ended(self):
        calls, context = [], Told()

        class Model(VideoModel):
            def start_session(self):
                calls.append(context.session)
                while True:
                    get_ctx().emit_block(FRAME)
                    time.sleep(0.001)

        with self.assertLogs("gst_reactor", "WARNING") as logs:
            self.serve(Model(), context)
            context._note_session("a")
            self.until(lambda: context.blocks > 2)
            context._note_session(None, "grace")
            shown = context.blocks
            time.sleep(0.05)
            self.assertLessEqual(context.blocks, shown + 1)  # nothing is shown after the end
            with context._changed:
                context._ended_at -= 30
            context._note_session("b")
            self.until(lambda: calls == ["a", "b"])
        self.assertTrue(any("should_stop()" in line for line in logs.output))

    def test_a_model_that_hangs_gets_a_clear_warning(self):
        context, over = Told(), threading.Event()

        class Model(VideoModel):
            def start_session(self):
                over.wait(10)

        watch = host.StopWatch(context, after=0.2)
        watch.start()
        with self.assertLogs("gst_reactor", "WARNING") as logs:
            self.serve(Model(), context, watch.heard)
            context._note_session("a")
            time.sleep(0.6)
            self.assertEqual(logs.output, [])
            context._note_session(None)
            self.until(lambda: logs.output)
            time.sleep(0.6)
        over.set()
        self.assertEqual(len(logs.output), 1)
        self.assertIn("start_session() has not returned", logs.output[0])


class Loading(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="reactor-host-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(setattr, sys, "path", sys.path[:])

    def write(self, text, name="a_model.py"):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def test_a_class_by_name_or_the_only_one(self):
        path = self.write("from gst_reactor import VideoModel\nclass One(VideoModel):\n    def start_session(self): pass\n")
        self.assertEqual(host.load_class(path + ":One").__name__, "One")
        self.assertEqual(host.load_class(path).__name__, "One")
        self.assertEqual(host.load_class("gst_reactor.model:VideoModel"), VideoModel)

    def test_what_is_missing_is_named(self):
        one = "class One:\n    def start_session(self): pass\n"
        for text, spec, said in ((one, ":Two", "no class 'Two'"), (one, "", "no VideoModel"), ("class One: pass\n", ":One", "start_session"),
                                 ("One = 3\n", ":One", "no class 'One'")):
            with self.assertRaisesRegex(host.LoadError, said):
                host.load_class(self.write(text) + spec)
        two = "from gst_reactor import VideoModel\nclass One(VideoModel): pass\nclass Two(VideoModel): pass\n"
        with self.assertRaisesRegex(host.LoadError, "the models One, Two: say which"):
            host.load_class(self.write(two))
        for spec, said in (("none.py:X", "no such file"), ("no_such_module_here:X", "no such module")):
            with self.assertRaisesRegex(host.LoadError, said):
                host.load_class(spec)
        with self.assertRaises(ZeroDivisionError):
            host.load_class(self.write("1 / 0\n"))

    def test_configuration_from_file_and_overrides(self):
        config = self.write(json.dumps({"fps": 24, "deep": {"a": [1, {"b": 2}]}}), "config.json")

        class Asks:
            def __init__(self, config):
                self.config = config

        asked = host.make_model(Asks, config, ["deep.c=text", "fps=12.5", "new.one=true"]).config
        self.assertEqual((asked.fps, asked.deep.a[1].b, asked.deep.c, asked.new.one, asked["fps"]), (12.5, 2, "text", True, 12.5))
        with self.assertRaisesRegex(AttributeError, "no 'nothing'; it has fps"):
            asked.nothing
        with self.assertRaisesRegex(host.LoadError, "KEY=VALUE"):
            host.make_model(Asks, None, ["fps"])

    def test_what_init_asks_for(self):
        class Nothing:
            pass

        class Optional:
            def __init__(self, size=3, config=None):
                self.config = config

        class TooMuch:
            def __init__(self, one, two):
                pass

        self.assertIsInstance(host.make_model(Nothing), Nothing)
        self.assertEqual(host.make_model(Optional, None, ["a=1"]).config.a, 1)
        with self.assertRaisesRegex(host.LoadError, "asks for one, two"):
            host.make_model(TooMuch)

    def test_the_model_decorator_names_a_configuration_beside_the_file(self):
        self.write(json.dumps({"x": 5}), "config.json")
        path = self.write("from reactor_runtime import VideoModel, model\n@model(name='named', config='config.json')\n"
                          "class One(VideoModel):\n    def __init__(self, config): self.x = config.x\n    def start_session(self): pass\n")
        cls = host.load_class(path)
        self.assertEqual((cls.name, host.make_model(cls).x), ("named", 5))
        self.assertIs(model(VideoModel), VideoModel)


if __name__ == "__main__":
    unittest.main()
