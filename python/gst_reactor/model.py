# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a model is, and where it finds its context."""
import os
import threading

from . import client

_lock = threading.Lock()
_current = None
_standalone = None


class VideoModel:
    """Base class of models. `__init__` loads once; `start_session` generates until `get_ctx().should_stop()`; `cleanup`
    runs after each session. Methods marked with `@command` are called between blocks, in the same thread."""

    name = None

    def start_session(self):
        raise NotImplementedError(f"{type(self).__name__} needs a start_session() that emits blocks")

    def cleanup(self):
        """Called after each session, also after one that raised."""


def model(name=None, config=None, weights=None):
    """Names a model class: `@model(name="my-model", config="config.yml")`. `config` is a YAML or JSON file beside the
    model's; it is given to `__init__`. `weights` is accepted for code that is also deployed elsewhere."""

    def mark(cls):
        cls.__reactor_model__ = {"name": name, "config": config, "weights": list(weights or [])}
        if name is not None:
            cls.name = name
        return cls

    if isinstance(name, type):
        cls, name = name, None
        return mark(cls)
    return mark


def set_ctx(context):
    """Makes a context the one that get_ctx() returns while its session runs; None to have none."""
    global _current
    with _lock:
        _current = context


def get_ctx():
    """The context of the running session. RuntimeError when there is none.

    In a program of its own (no runner, no in-process pipeline) the first call connects to the socket named by
    GST_REACTOR_SOCKET and waits up to 10 s for the session.
    """
    global _standalone
    with _lock:
        context = _current
    if context is not None:
        if not (context.in_session() or context.serving or context.wait_session(0)):
            raise RuntimeError("get_ctx: no session is running: nobody watches, or the pipeline does not play. Wait for one "
                               "with the context's wait_session()")
        return context
    path = os.environ.get("GST_REACTOR_SOCKET")
    if path and not os.environ.get("GST_REACTOR_HOSTED"):
        with _lock:
            if _standalone is None or _standalone.closed or _standalone.path != path:
                _standalone = client.connect(path)
            context = _standalone
        if context.in_session() or context.wait_session(10.0):
            return context
        raise RuntimeError(f"get_ctx: no session runs at {path}: nobody watches, or the pipeline does not play")
    raise RuntimeError("get_ctx: no session is running. Call it inside start_session(), run the model with "
                       "`python3 -m gst_reactor run`, or set GST_REACTOR_SOCKET to a pipeline's socket-path")
