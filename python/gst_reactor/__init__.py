# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real-time models into a GStreamer pipeline.

`get_ctx`, `VideoModel`, `command`: write a model. `connect`: reach a pipeline in another process. `Pipeline`, `attach`:
a pipeline of this process. `to_frames`: what a video model returns, as frames. `python3 -m gst_reactor --help`: run one.
"""
from .client import Command, ReactorError, SessionEnded, Shown, connect
from .commands import CommandError, Field, command
from .model import VideoModel, get_ctx, model
from .tensors import to_frames

__version__ = "0.1.0"
__all__ = [
    "Command", "CommandError", "Field", "Pipeline", "ReactorError", "SessionEnded", "Shown", "VideoModel", "attach",
    "command", "connect", "get_ctx", "model", "run", "to_frames",
]


def __getattr__(name):
    # The GStreamer side is loaded when it is asked for: a model in its own interpreter has none.
    if name in ("Pipeline", "attach"):
        from . import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def run(model_class, socket=None, config=None):
    """Serves sessions with a model in this process, over the socket named by `socket` or GST_REACTOR_SOCKET.

    For `if __name__ == "__main__": gst_reactor.run(MyModel)`. Returns when the context is closed (Ctrl-C).
    """
    from .host import Host, make_model

    with connect(socket, name=model_class.__name__, timeout=30.0) as context:
        try:
            Host(context, make_model(model_class, config)).serve()
        except KeyboardInterrupt:
            pass
