# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loads a model and serves its sessions: the part of the runner that is the same in the pipeline's process and in one
of the model's own. `python -m gst_reactor.host` is that process's program.

It needs the standard library only: it runs in the model's interpreter, whatever that is.
"""
import argparse
import ctypes
import importlib
import importlib.util
import inspect
import json
import logging
import os
import pathlib
import signal
import sys
import threading
import time
import traceback

from . import client
from .commands import Commands
from .model import VideoModel, set_ctx

log = logging.getLogger("gst_reactor")


class LoadError(Exception):
    """The model cannot be found or made; the text says what to do."""


class Config(dict):
    """A model's configuration: a dict whose entries are attributes too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}; it has {', '.join(self) or 'nothing'}") from None

    def __setattr__(self, name, value):
        self[name] = value


def _wrap(value):
    if isinstance(value, dict):
        return Config((key, _wrap(item)) for key, item in value.items())
    return [_wrap(item) for item in value] if isinstance(value, list) else value


def read_config(path, overrides=()):
    """A YAML or JSON file as a Config, with `key.sub=value` overrides (values are JSON, or plain text)."""
    config = Config()
    if path is not None:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if str(path).endswith((".yml", ".yaml")):
            try:
                import yaml
            except ImportError:
                raise LoadError(f"{path}: reading YAML needs PyYAML (pip install pyyaml); JSON works without") from None
            value = yaml.safe_load(text)
        else:
            value = json.loads(text)
        config = _wrap(value or {})
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise LoadError(f"--set {override}: expected KEY=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *above, last = key.split(".")
        holder = config
        for name in above:
            holder = holder.setdefault(name, Config())
        holder[last] = _wrap(value)
    return config


def load_class(spec):
    """The class that `file.py:Class` or `package.module:Class` names. Without `:Class` the only model in there."""
    where, _, name = spec.partition(":")
    if where.endswith(".py") or os.sep in where:
        path = pathlib.Path(where).resolve()
        if not path.is_file():
            raise LoadError(f"{where}: there is no such file")
        sys.path.insert(0, str(path.parent))
        found = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(found)
        sys.modules[path.stem] = module
        found.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        try:
            module = importlib.import_module(where)
        except ModuleNotFoundError as error:
            if error.name and where.startswith(error.name):
                raise LoadError(f"{where}: there is no such module; name a file as my_model.py:MyModel") from None
            raise
    if name:
        cls = getattr(module, name, None)
        if not isinstance(cls, type):
            raise LoadError(f"{where} has no class {name!r}")
    else:
        classes = [value for value in vars(module).values() if isinstance(value, type)
                   and value.__module__ == module.__name__
                   and (issubclass(value, VideoModel) or hasattr(value, "__reactor_model__"))]
        if len(classes) != 1:
            names = ", ".join(value.__name__ for value in classes)
            raise LoadError(f"{where} has {f'the models {names}' if names else 'no VideoModel'}: say which class, "
                            f"as {where}:MyModel")
        cls = classes[0]
    if not callable(getattr(cls, "start_session", None)):
        raise LoadError(f"{cls.__name__} has no start_session(): is it a model?")
    return cls


def make_model(cls, config=None, overrides=()):
    """Calls the class with what its `__init__` asks for: nothing, or the configuration."""
    named = getattr(cls, "__reactor_model__", {})
    path = config
    if path is None and named.get("config"):
        path = pathlib.Path(inspect.getfile(cls)).parent / named["config"]
    settings = read_config(path, overrides)
    parameters = [p for p in inspect.signature(cls).parameters.values()
                  if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    wants = [p for p in parameters if p.name == "config" or p.default is p.empty]
    if len(wants) > 1:
        raise LoadError(f"{cls.__name__}.__init__ asks for {', '.join(p.name for p in wants)}: a model takes nothing, or "
                        "its configuration")
    return cls(settings) if wants and parameters[0] is wants[0] else \
        cls(**{wants[0].name: settings}) if wants else cls()


class Host:
    """Serves sessions with one model, in one thread. `report(state, **more)` hears what it does."""

    def __init__(self, context, model, report=lambda state, **more: None):
        self.context, self.model, self.report = context, model, report
        self.commands = Commands(model)
        context.on_command = lambda command: self.commands.handle(context, command)
        context.announce(self.commands.describe())

    def serve(self):
        """Session after session, until the context is closed. What a model raises comes out, after its cleanup."""
        self.report("ready")
        while True:
            session = self.context.wait_session()
            if session is None:
                return
            self._serve_one(session)
            self.report("ready")

    def _serve_one(self, session):
        self.report("session", session=session)
        set_ctx(self.context)
        failure = None
        try:
            self.model.start_session()
            if self.context.in_session():
                self.report("returned", session=session)
                self.context.set_state("over", "the model has finished")
        except client.SessionEnded as error:
            log.warning("%s", error)
        except BaseException as error:
            failure = error
        try:
            cleanup = getattr(self.model, "cleanup", None)
            if callable(cleanup):
                cleanup()
        except Exception as error:
            # A model that could not clean up is in no state that the next user should meet.
            if failure is None:
                failure = error
            else:
                log.exception("cleanup raised as well")
        finally:
            set_ctx(None)
        if failure is not None:
            raise failure


class StopWatch:
    """Warns when a model does not return from start_session although its session is over."""

    def __init__(self, context, after=client.WARN_AFTER):
        self._context, self._after = context, after
        self._thread = threading.Thread(target=self._watch, name="reactor-stop-watch", daemon=True)
        self._serving = None

    def heard(self, state, **more):
        self._serving = more.get("session") if state == "session" else None

    def start(self):
        self._thread.start()

    def _watch(self):
        over, warned = None, None
        while not self._context.closed:
            time.sleep(0.25)
            serving = self._serving
            if serving is None or serving == warned or self._context.in_session():
                over = None
            elif over is None:
                over = time.monotonic()
            elif time.monotonic() - over > self._after:
                warned, over = serving, None
                log.warning("the session is over and start_session() has not returned: check get_ctx().should_stop() in the "
                            "generation loop, also inside long steps. The next session waits for it.")


def _die_with_parent():
    """The kernel ends this process when the runner is killed."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m gst_reactor.host",
                                     description="Runs a model in this interpreter, for the pipeline behind a socket.")
    parser.add_argument("model", help="my_model.py:MyModel or package.module:MyModel")
    parser.add_argument("--socket", default=os.environ.get("GST_REACTOR_SOCKET"), help="path of the model socket")
    parser.add_argument("--config", help="YAML or JSON file, given to the model")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override of one configuration value")
    parser.add_argument("--slots", type=int, default=client.DEFAULT_SLOTS, help="blocks of shared memory")
    options = parser.parse_args(argv)
    logging.basicConfig(level=os.environ.get("GST_REACTOR_LOG", "INFO").upper(), format="%(levelname)s: %(message)s")

    fd = os.environ.pop("GST_REACTOR_STATUS_FD", None)
    out = open(int(fd), "w", buffering=1, encoding="utf-8") if fd else None
    if out is not None:
        os.set_inheritable(int(fd), False)
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's; it tells us
        if options.socket:
            os.environ["GST_REACTOR_SOCKET"] = options.socket
    os.environ["GST_REACTOR_HOSTED"] = "1"
    context = None
    watch = None

    def report(state, **more):
        if watch is not None:
            watch.heard(state, **more)
        if out is not None:
            try:
                out.write(json.dumps({"state": state, **more}) + "\n")
            except (OSError, ValueError):
                pass

    def stop(*_):
        if context is None:
            sys.exit(0)
        threading.Thread(target=context.close, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    try:
        report("loading")
        context = client.connect(options.socket, name=options.model, timeout=30.0, slots=options.slots)
        context.set_state("warming-up", "the model is loading")
        model = make_model(load_class(options.model), options.config, options.set)
        host = Host(context, model, report)
        watch = StopWatch(context)
        watch.start()
        context.set_state("", None)
        host.serve()
        return 0
    except (LoadError, client.ReactorError) as error:
        report("failed", message=str(error))
        print(f"gst_reactor: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        traceback.print_exc()
        report("failed", message=f"{type(error).__name__} in the model")
        return 1
    finally:
        if context is not None:
            context.close()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that a model left behind must not keep a dead model's process alive.
    os._exit(code)
