# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a model and its pipeline: `python3 -m gst_reactor run my_model.py:MyModel`.

By default the model gets a process and an interpreter of its own and reaches the pipeline through the model socket: it
may crash, and is started again, while viewers keep the held frame. `--in-process` puts it into this process.

Threads: the main thread supervises and prints; the bus has a thread of its own (pipeline.Pipeline); in-process the
model has one too.
"""
import contextlib
import ctypes
import json
import logging
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from .host import Host, LoadError, StopWatch, load_class, make_model

log = logging.getLogger("gst_reactor")

HEALTHY_AFTER = 30.0   # seconds after which a model that runs counts as well again
FIRST_PAUSE = 0.5      # seconds before the first restart; doubled with each
LONGEST_PAUSE = 15.0
STOP_WITHIN = 1.2      # seconds a model has to end by itself when the runner ends


class Status:
    """The one line that says how things are. On a terminal it is rewritten in place, elsewhere printed on change."""

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._tty = self._out.isatty()
        self._last = None
        self._lock = threading.Lock()

    # Whoever read the output may be gone («| head»): that is no reason to stop serving.

    def show(self, state, figures=""):
        with self._lock, contextlib.suppress(OSError):
            if self._tty:
                width = shutil.get_terminal_size().columns - 1
                line = f"{state}{'  ' + figures if figures else ''}"
                self._out.write("\r\x1b[2K" + line[:width])
                self._out.flush()
            elif state != self._last:
                print(state, file=self._out, flush=True)
            self._last = state

    def say(self, text):
        """A line that stays."""
        with self._lock, contextlib.suppress(OSError):
            print(("\r\x1b[2K" if self._tty else "") + text, file=self._out, flush=True)
            self._last = None

    def end(self):
        with self._lock, contextlib.suppress(OSError):
            if self._tty and self._last is not None:
                print(file=self._out, flush=True)


class _LogHandler(logging.Handler):
    """Log lines above the status line."""

    def __init__(self, status):
        super().__init__()
        self._status = status
        self.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def emit(self, record):
        with contextlib.suppress(Exception):
            self._status.say(self.format(record))


class Model:
    """The model's process: started, watched, ended."""

    def __init__(self, command, environment):
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            # A session of its own: Ctrl-C reaches the runner alone, which ends the model in good order; and all that
            # the model started can be ended with it.
            self.process = subprocess.Popen(command, env={**environment, "GST_REACTOR_STATUS_FD": str(write)},
                                            pass_fds=(write,), start_new_session=True)
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(write)
        os.set_blocking(read, False)
        self.pipe = read
        self.started = time.monotonic()
        self._rest = b""

    def heard(self):
        """What the model reported since the last call: a list of dicts."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = os.read(self.pipe, 65536)
                if not data:
                    break
                self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def end(self, within):
        """SIGTERM, then SIGKILL to it and to all it started."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(within)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.close()

    def close(self):
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


def _why(code):
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"
    return f"ended with status {code}" if code else "ended by itself"


class Runner:
    """One pipeline, one model, until Ctrl-C, --duration or too many crashes. `run` returns the exit status."""

    def __init__(self, options):
        self.options = options
        self.status = Status()
        self._stop = threading.Event()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._signals = 0
        self._deadline = None if not options.duration else time.monotonic() + options.duration
        self._name = options.model.rpartition(":")[2] or options.model
        self._state, self._reason = "starting", None
        self.pipeline = None

    # -- what both ways share

    def run(self):
        from .pipeline import Pipeline  # here: the rest of the package needs no GStreamer

        logging.getLogger("gst_reactor").addHandler(_LogHandler(self.status))
        logging.getLogger("gst_reactor").propagate = False
        logging.getLogger("gst_reactor").setLevel(os.environ.get("GST_REACTOR_LOG", "INFO").upper())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)
        options = self.options
        properties = []
        if options.port is not None:
            properties.append(("reactorwebrtcsink", "port", options.port))
        if options.host is not None:
            properties.append(("reactorwebrtcsink", "host", options.host))
        properties.append(("reactorwebrtcsink", "model-name", self._name))
        for setting in options.sink or ():
            name, _, value = setting.partition("=")
            properties.append(("reactorwebrtcsink", name, value))
        folder = None
        try:
            if not options.in_process:
                folder = tempfile.mkdtemp(prefix="gst-reactor-", dir=_runtime_dir())
                self._site(folder)
                self._socket = os.path.join(folder, "model.sock")
                properties.append(("reactorsrc", "socket-path", self._socket))
            try:
                self.pipeline = Pipeline(options.pipeline, properties)
                self.pipeline.start()
            except (ValueError, RuntimeError, TypeError) as error:
                print(f"gst_reactor: {error}", file=sys.stderr)
                return 2
            url = self.pipeline.url()
            self.status.say(f"{self._name} at {url}" if url else f"{self._name} plays into its pipeline")
            return self._in_process() if options.in_process else self._own_process()
        finally:
            if self.pipeline is not None:
                self.pipeline.stop()
            self.status.end()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _signalled(self, number, frame):
        self._signals += 1
        self._stop.set()
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"x")
        if self._signals > 2:
            os._exit(130)

    def _over(self):
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return True
        return self._stop.is_set() or self.pipeline.ended.is_set()

    def _tell(self, state, reason=None):
        """To viewers and /healthz; an empty state leaves both to the sink."""
        self.pipeline.context.set_state(state, reason)

    def _figures(self):
        parts = []
        viewers = len(self.pipeline.context.viewers)
        if self.pipeline.sink is not None:
            parts.append(f"{viewers} viewer{'' if viewers == 1 else 's'}")
        stats = self.pipeline.stats()
        if stats.get("fps"):
            parts.append(f"{stats['fps']:.1f} fps")
        if "queue-frames" in stats:
            parts.append(f"{stats['queue-frames']} queued")
        if stats.get("latency-mean"):
            parts.append(f"+{stats['latency-mean'] / 1e6:.0f} ms")
        return " · ".join(parts)

    def _show(self):
        mark = {"running": "●", "waiting for viewers": "○"}.get(self._state, "◌")
        self.status.show(f"{mark} {self._name}: {self._state}{f' ({self._reason})' if self._reason else ''}",
                         self._figures())

    def _set(self, state, reason=None):
        self._state, self._reason = state, reason
        self._show()

    def _heard(self, report):
        state = report.get("state")
        if state == "loading":
            self._set("loading")
        elif state == "ready":
            self._tell("")
            self._set("waiting for viewers")
        elif state == "session":
            self._tell("")
            self._set("running")
        elif state == "returned":
            self._set("finished", "start_session() returned: the session is over; the next one starts it again")
        elif state == "failed":
            self._reason = report.get("message")

    def _end_status(self):
        if self.pipeline.error:
            self.status.say(f"The pipeline ended: {self.pipeline.error}")
            return 1
        return 0

    # -- in a process of its own

    @staticmethod
    def _site(folder):
        """A folder for PYTHONPATH with this package in it and nothing else of this interpreter's."""
        site = os.path.join(folder, "site")
        os.mkdir(site)
        package = pathlib.Path(__file__).resolve().parent
        for name in ("gst_reactor", "reactor_runtime"):
            if (package.parent / name).is_dir():
                os.symlink(package.parent / name, os.path.join(site, name))
        return site

    def _own_process(self):
        options = self.options
        folder = os.path.dirname(self._socket)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (os.path.join(folder, "site"), options.pythonpath) if part)
        environment["GST_REACTOR_SOCKET"] = self._socket
        environment["PYTHONUNBUFFERED"] = "1"
        command = [options.python or sys.executable, "-m", "gst_reactor.host", options.model, "--socket", self._socket]
        if options.config:
            command += ["--config", options.config]
        for setting in options.set or ():
            command += ["--set", setting]
        crashes, pause = 0, FIRST_PAUSE
        while True:
            self._set("starting")
            try:
                model = Model(command, environment)
            except OSError as error:
                self.status.say(f"gst_reactor: {command[0]}: {error.strerror}")
                return 2
            code = self._watch(model)
            if code is None:
                self._stop_all(model)
                return self._end_status()
            model.end(0)
            if time.monotonic() - model.started > HEALTHY_AFTER:
                crashes, pause = 0, FIRST_PAUSE
            crashes += 1
            why = f"the model {_why(code)}"
            if code == 2:
                self._tell("model-gone", "the model cannot be loaded")
                self.status.say(f"{self._name} cannot be loaded: {self._reason or why}")
                return 2
            if crashes > options.retries:
                self._tell("model-gone", f"{why}; it is not started again")
                self.status.say(f"{why}, {crashes} times in a row: giving up")
                time.sleep(0.2)  # the word to the viewers is on its way
                return 1
            self._tell("restarting", f"{why}; it is started again (attempt {crashes} of {options.retries})")
            self._set("restarting", f"{why}; again in {pause:.1f} s, attempt {crashes} of {options.retries}")
            if self._sleep(pause):
                return self._end_status()
            pause = min(pause * 2, LONGEST_PAUSE)

    def _watch(self, model):
        """Until the model ends (its status) or the run does (None)."""
        poll = select.poll()
        poll.register(model.pipe, select.POLLIN)
        poll.register(self._wake_r, select.POLLIN)
        pidfd = -1
        with contextlib.suppress(OSError, AttributeError):
            pidfd = os.pidfd_open(model.process.pid)
            poll.register(pidfd, select.POLLIN)
        try:
            while True:
                for fd, event in poll.poll(250):
                    if fd == model.pipe and event & (select.POLLHUP | select.POLLERR) and not event & select.POLLIN:
                        poll.unregister(model.pipe)
                for report in model.heard():
                    self._heard(report)
                if self._over():
                    return None
                code = model.process.poll()
                if code is not None:
                    return code
                self._show()
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    def _sleep(self, seconds):
        deadline = time.monotonic() + seconds
        while not self._over():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select.select([self._wake_r], [], [], min(left, 0.25))
        return True

    def _stop_all(self, model):
        self._set("stopping")
        self._tell("over", "the model's server is shutting down")
        model.end(STOP_WITHIN)
        self.pipeline.stop()

    # -- in this process

    def _in_process(self):
        options, context = self.options, self.pipeline.context
        result, crashes, pause = {}, 0, FIRST_PAUSE
        watch = StopWatch(context)
        watch.start()
        os.environ["GST_REACTOR_HOSTED"] = "1"

        def report(state, **more):
            watch.heard(state, **more)
            if not context.closed:
                self._heard({"state": state, **more})

        def serve():
            try:
                report("loading")
                self._tell("warming-up", "the model is loading")
                Host(context, make_model(load_class(options.model), options.config, options.set or ()), report).serve()
            except LoadError as error:
                result["load"] = str(error)
            except BaseException as error:
                result["error"] = error
                if not context.closed:
                    log.exception("the model raised %s", type(error).__name__)
            finally:
                with contextlib.suppress(OSError):
                    os.write(self._wake_w, b"x")

        while True:
            result.clear()
            started = time.monotonic()
            thread = threading.Thread(target=serve, name="model", daemon=True)
            thread.start()
            while thread.is_alive() and not self._over():
                select.select([self._wake_r], [], [], 0.25)
                with contextlib.suppress(OSError):
                    os.read(self._wake_r, 64)
                self._show()
            if self._over():
                break
            thread.join()
            if "load" in result:
                self._tell("model-gone", "the model cannot be loaded")
                self.status.say(f"{self._name} cannot be loaded: {result['load']}")
                return 2
            if time.monotonic() - started > HEALTHY_AFTER:
                crashes, pause = 0, FIRST_PAUSE
            crashes += 1
            why = f"the model raised {type(result.get('error')).__name__}"
            if crashes > options.retries:
                self._tell("model-gone", f"{why}; it is not started again")
                self.status.say(f"{why}, {crashes} times in a row: giving up")
                time.sleep(0.2)
                return 1
            self._tell("restarting", f"{why}; it is started again (attempt {crashes} of {options.retries})")
            self._set("restarting", f"{why}; again in {pause:.1f} s, attempt {crashes} of {options.retries}")
            if self._sleep(pause):
                break
            pause = min(pause * 2, LONGEST_PAUSE)
            context.serve_again()
        self._tell("over", "the model's server is shutting down")
        if self.pipeline.sink is not None:
            time.sleep(0.2)  # the word to the viewers is on its way
        self.pipeline.stop()
        self._set("stopping")
        thread.join(STOP_WITHIN)
        code = self._end_status()
        if thread.is_alive():
            log.warning("the model does not stop by itself; ending without it")
            self.status.end()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        return code


def _runtime_dir():
    """Where a socket belongs: the user's own directory when there is one."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return folder if folder and os.access(folder, os.W_OK) else None


def main(options):
    # Timers of this process at full resolution: the pacer's waits profit.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK, 1 ns
    return Runner(options).run()
