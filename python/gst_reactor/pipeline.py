# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model in the pipeline's own process: GstReactorSrc through GObject introspection.

    from gst_reactor import Pipeline, get_ctx

    with Pipeline("reactorsrc ! reactorpace ! reactorwebrtcsink") as pipeline:
        ctx = pipeline.context
        while ctx.wait_session():
            while not ctx.should_stop():
                ctx.emit_block(frames)

No Python callable is handed to C for a call: lent arrays are known by a token, and one thread collects the tokens
that come back; what viewers do arrives on the bus, which a second thread reads. Both wait without the GIL.
"""
import contextlib
import json
import logging
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstReactor", "1.0")
from gi.repository import GLib, Gst, GstReactor  # noqa: E402

from .client import Context, Shown  # noqa: E402
from .model import set_ctx  # noqa: E402

log = logging.getLogger("gst_reactor")

DEFAULT_PIPELINE = "reactorsrc ! reactorpace ! reactorwebrtcsink"
_MANY_LENT = 32  # blocks
_WAIT = 200 * Gst.MSECOND  # for how long the threads here wait before they look whether to end


def _can_be_locked(array):
    """Whether a numpy array that is made read-only can be made writeable again: not one over foreign memory (torch)."""
    owner, base = array, array.base
    while type(base).__name__ == "ndarray":
        owner, base = base, base.base
    if base is None:
        return owner.flags.writeable
    try:
        return not memoryview(base).readonly
    except TypeError:
        return False


class PipelineContext(Context):
    """A model's context over a GstReactorSrc of this process."""

    def __init__(self, src):
        super().__init__()
        self._src = src
        self._lent = {}      # token: (what keeps the memory, the array to make writeable again or None)
        self._read_only = {}  # id of a numpy array: how often it is lent
        self._tokens = 0
        self._collector = None
        if src.get_property("session-active"):
            self._note_session("")

    def handle_message(self, message):
        """Takes what concerns the model from a bus message. For applications that read the bus themselves. Returns
        True when it was one of ours."""
        structure = message.get_structure() if message.type == Gst.MessageType.ELEMENT else None
        name = structure.get_name() if structure is not None else ""
        if message.src != self._src or not name.startswith("reactor-"):
            return False

        def field(key, default=None):
            return structure.get_value(key) if structure.has_field(key) else default

        if name == "reactor-command":
            with contextlib.suppress(ValueError):
                self._note_command(field("id", 0), field("viewer"), json.loads(field("json", "null")))
        elif name == "reactor-session":
            self._note_session(field("id", "") if field("state") == "started" else None, field("reason"))
        elif name == "reactor-viewer":
            self._note_viewer(field("id"), field("joined"))
        elif name == "reactor-shown":
            self._note_shown(Shown(field("block"), field("first"), field("last"), field("dropped", 0), field("reason")))
        else:
            return False
        return True

    def in_session(self):
        # A pipeline that goes to NULL throws its last messages away: the source itself is asked.
        if not super().in_session():
            return False
        if self._src.should_stop():
            self._note_session(None, "the pipeline was stopped")
            return False
        return True

    def close(self):
        """Ends the context: waiting emits return. The pipeline is its owner's."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- what the model does

    def _emit(self, frames, array, copy, texts, compute):
        token, n, (fs, rs, ps, cs) = 0, frames.shape[0], frames.strides
        if not copy:
            token = self._lend(array, frames.owner)
        try:
            if self._applied:
                self._src.set_command_id(self._applied)
            self._src.emit_array(frames.address, n, frames.shape[1], frames.shape[2], fs, rs, ps, cs, token, texts)
            # A fast model that outruns the collector's thread takes back itself what has come.
            while token and len(self._lent) > _MANY_LENT:
                token = self._src.wait_released(0)
                if token:
                    self._give_back(token)
            return True
        except GLib.Error as error:
            if token:
                self._give_back(token)
            if error.matches(GstReactor.error_quark(), GstReactor.Error.INVALID) or \
                    error.matches(GstReactor.error_quark(), GstReactor.Error.TOO_LARGE) or \
                    error.matches(GstReactor.error_quark(), GstReactor.Error.JSON):
                raise ValueError(error.message) from None
            log.debug("emit: %s", error.message)
            return False

    def _lend(self, array, owner):
        flags = getattr(array, "flags", None)
        with self._changed:
            self._tokens += 1
            token = self._tokens
            again = None
            if flags is not None and hasattr(flags, "writeable"):
                if id(array) in self._read_only:
                    self._read_only[id(array)] += 1
                    again = array
                elif flags.writeable and _can_be_locked(array):
                    self._read_only[id(array)] = 1
                    flags.writeable = False
                    again = array
            self._lent[token] = (owner, again)
            if self._collector is None:
                self._collector = threading.Thread(target=self._collect, name="reactor-released", daemon=True)
                self._collector.start()
        return token

    def _give_back(self, token):
        with self._changed:
            owner, again = self._lent.pop(token, (None, None))
            if again is not None:
                self._read_only[id(again)] -= 1
                if not self._read_only[id(again)]:
                    del self._read_only[id(again)]
                    again.flags.writeable = True
            self._changed.notify_all()

    def _collect(self):
        src = self._src
        while True:
            token = src.wait_released(_WAIT)
            if token:
                self._give_back(token)
            else:
                with self._changed:
                    if self._closed and not self._lent:
                        self._collector = None
                        return

    @property
    def lent(self):
        """How many blocks are lent and not yet given back."""
        with self._changed:
            return len(self._lent)

    def alloc_block(self, n, h, w, planar=False):
        """A new array (n, h, w, 3). In-process nothing is shared: emit it with copy=False and nothing is copied."""
        import numpy

        if min(n, h, w) < 1:
            raise ValueError(f"alloc_block: ({n}, {h}, {w}) has no pixels")
        if planar:
            return numpy.empty((n, 3, h, w), numpy.uint8).transpose(0, 2, 3, 1)
        return numpy.empty((n, h, w, 3), numpy.uint8)

    def _emit_black(self):
        try:
            self._src.emit_black()
            return True
        except GLib.Error as error:
            log.debug("emit_black: %s", error.message)
            return False

    def _send(self, text, to):
        try:
            self._src.send(text, to)
        except GLib.Error as error:
            if error.matches(GstReactor.error_quark(), GstReactor.Error.TOO_LARGE) or \
                    error.matches(GstReactor.error_quark(), GstReactor.Error.JSON):
                raise ValueError(f"send: {error.message}") from None
            log.debug("send: %s", error.message)

    def _runtime(self, kind, data):
        text = json.dumps({"type": kind, "data": data}, ensure_ascii=False, separators=(",", ":"))
        self._src.send_event(GstReactor.event_new_runtime(text))

    def _set_monitoring(self, enabled):
        self._src.set_monitoring(enabled)

    def _flush(self):
        self._src.flush()


class Pipeline:
    """A pipeline with a reactorsrc, run from Python without a main loop.

    description: as for gst-launch. Without a reactorsrc in it, one is put in front. properties: (factory name, property,
    value) of reactorsrc or reactorwebrtcsink, where there is one. Threads: one reads the bus.
    """

    def __init__(self, description=DEFAULT_PIPELINE, properties=None):
        Gst.init(None)
        if "reactorsrc" not in description:
            description = f"reactorsrc ! {description}"
        try:
            self.pipeline = Gst.parse_launch(description)
        except GLib.Error as error:
            raise ValueError(f"pipeline «{description}»: {error.message}") from None
        if not isinstance(self.pipeline, Gst.Pipeline):
            whole = Gst.Pipeline.new(None)
            whole.add(self.pipeline)
            self.pipeline = whole
        self.src = self._find("reactorsrc")
        self.sink = self._find("reactorwebrtcsink")
        self.pace = self._find("reactorpace")
        if self.src is None:
            raise ValueError(f"pipeline «{description}»: it has no reactorsrc, by which a model enters")
        for element, name, value in properties or ():
            target = self.sink if element == "reactorwebrtcsink" else self.src
            if target is None:
                continue
            if target.find_property(name) is None:
                raise ValueError(f"{element} has no property {name!r}; gst-inspect-1.0 {element} lists them")
            if isinstance(value, str):
                Gst.util_set_object_arg(target, name, value)
            else:
                target.set_property(name, value)
        self.context = PipelineContext(self.src)
        self.error = None           # why the pipeline ended, or None
        self.ended = threading.Event()
        self._stop = threading.Event()
        self._bus = self.pipeline.get_bus()
        self._thread = None

    def _find(self, factory):
        found = None
        for element in self._elements():
            made_by = element.get_factory()
            if made_by is not None and made_by.get_name() == factory:
                found = found or element
        return found

    def _elements(self):
        iterator = self.pipeline.iterate_recurse()
        while True:
            result, element = iterator.next()
            if result == Gst.IteratorResult.OK:
                yield element
            elif result == Gst.IteratorResult.RESYNC:
                iterator.resync()
            else:
                return

    def start(self):
        """To PLAYING. RuntimeError says why not."""
        if self.pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            message = self._bus.timed_pop_filtered(Gst.SECOND, Gst.MessageType.ERROR)
            text = message.parse_error()[0].message if message is not None else "an element refused to start"
            self.pipeline.set_state(Gst.State.NULL)
            raise RuntimeError(f"the pipeline does not start: {text}")
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="reactor-bus", daemon=True)
            self._thread.start()

    def stop(self):
        """To NULL. A waiting emit_block returns False. Idempotent."""
        self.context.close()
        self.pipeline.set_state(Gst.State.NULL)
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)
        self.ended.set()

    def url(self):
        """Where viewers find the page, or None without a reactorwebrtcsink."""
        if self.sink is None:
            return None
        return self.sink.get_property("url") or ""

    def stats(self):
        """What the pacer says of itself, as a dict; empty without one."""
        structure = self.pace.get_property("stats") if self.pace is not None else None
        if structure is None:
            return {}
        names = [structure.nth_field_name(i) for i in range(structure.n_fields())]
        return {name: structure.get_value(name) for name in names}

    def _watch(self):
        while not self._stop.is_set():
            message = self._bus.timed_pop(_WAIT)
            if message is None or self.context.handle_message(message):
                continue
            if message.type == Gst.MessageType.ERROR:
                error, detail = message.parse_error()
                self.error = self.error or f"{message.src.get_name()}: {error.message}"
                log.debug("%s", detail)
                self._end()
            elif message.type == Gst.MessageType.WARNING:
                log.warning("%s: %s", message.src.get_name(), message.parse_warning()[0].message)
            elif message.type == Gst.MessageType.EOS:
                self._end()
            elif message.type == Gst.MessageType.LATENCY:
                self.pipeline.recalculate_latency()

    def _end(self):
        self.context._note_session(None, self.error or "the stream has ended")
        self.ended.set()

    def __enter__(self):
        self.start()
        set_ctx(self.context)
        return self

    def __exit__(self, *exc):
        set_ctx(None)
        self.stop()


def attach(src):
    """The context of a reactorsrc in an application's own pipeline. The application passes bus messages on:
    `context.handle_message(message)`. get_ctx() returns this context from here on."""
    context = PipelineContext(src)
    set_ctx(context)
    return context
