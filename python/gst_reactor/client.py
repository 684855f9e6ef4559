# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model's side of the model socket, in one file and with the standard library only.

A model that runs in its own process reaches `reactorsrc socket-path=…` through this module. Blocks travel as slots
of sealed shared memory; the packets beside them are small JSON objects (docs/model-socket.md). The file can be copied
into a project as it is; numpy and torch are used when the model uses them and are never needed.

    from gst_reactor.client import connect

    ctx = connect("/tmp/model.sock")
    while ctx.wait_session():
        while not ctx.should_stop():
            ctx.emit_block(frames)              # (N, H, W, 3) uint8: copied, yours again on return

Threads: one daemon thread reads the socket and reconnects. Every method may be called from any thread. Handlers
(`on_command`, `on_viewer`, `on_shown`) are called in the model's own thread, inside `should_stop()`, `wait()` and at
the end of `emit_block()`: between blocks, one after the other, in the order of arrival.
"""
import collections
import contextlib
import ctypes
import errno
import fcntl
import json
import logging
import math
import mmap
import os
import select
import socket
import sys
import threading
import time
import weakref

__all__ = [
    "Block", "Command", "Context", "Frames", "ReactorError", "SessionEnded", "Shown", "SocketContext", "connect",
    "frames_of", "to_json",
]

log = logging.getLogger("gst_reactor")

PROTOCOL = 1
DATA_LIMIT = 65536      # bytes of UTF-8 in one message
DEPTH_LIMIT = 64        # levels of lists and dicts in one message
PACKET_LIMIT = 69632    # the same and 4 KiB for our fields
EVENT_QUEUE = 1024      # commands that may wait for the model; more are refused
WARN_AFTER = 2.0        # seconds a model may go on emitting after its session before it is told
RAISE_AFTER = 10.0      # … and before emit_block raises SessionEnded
SEND_TIMEOUT = 5.0      # seconds a packet may wait for the source before the connection counts as dead
DEFAULT_SLOTS = 4


class ReactorError(RuntimeError):
    """The source refused something, or there is no source. `code` is the stable word for it."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class SessionEnded(ReactorError):
    """Raised by emit_block when a model goes on long after its session is over."""

    def __init__(self, message):
        super().__init__("session", message)


class Command:
    """What a viewer sent: `type` and `data` as the page wrote them, `viewer` who, `id` which."""

    __slots__ = ("id", "viewer", "type", "data")

    def __init__(self, id, viewer, type, data):
        self.id, self.viewer, self.type, self.data = id, viewer, type, data

    def __repr__(self):
        return f"Command(id={self.id}, viewer={self.viewer!r}, type={self.type!r}, data={self.data!r})"


class Shown:
    """When a block was on screen: `first` and `last` in ns of running time, or `dropped` frames and the `reason`."""

    __slots__ = ("block", "first", "last", "dropped", "reason")

    def __init__(self, block, first=None, last=None, dropped=0, reason=None):
        self.block, self.first, self.last, self.dropped, self.reason = block, first, last, dropped, reason

    def __repr__(self):
        return (f"Shown(block={self.block}, first={self.first}, last={self.last}, dropped={self.dropped}, "
                f"reason={self.reason!r})")


# --- Arrays ------------------------------------------------------------------------------------------------------


class Frames:
    """Where the frames of a block lie: `address` of frame 0, pixel (0, 0), red; `shape` (n, h, w); `strides` of frame,
    row, pixel and channel in bytes, any sign; `owner` keeps the memory alive."""

    __slots__ = ("address", "shape", "strides", "owner")

    def __init__(self, address, shape, strides, owner):
        self.address, self.shape, self.strides, self.owner = address, shape, strides, owner

    def span(self):
        """(lowest byte touched, one past the highest), relative to `address`."""
        low = high = 0
        for count, stride in zip((*self.shape, 3), self.strides):
            reach = (count - 1) * stride
            low, high = (low + reach, high) if reach < 0 else (low, high + reach)
        return low, high + 1


class _DLDevice(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", _DLDevice), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


_HOST_DEVICES = (1, 3)  # DLPack: CPU, CUDA pinned host memory
_DEVICE_NAMES = {2: "a CUDA GPU", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "a ROCm GPU", 14: "oneAPI"}
_DL_CODES = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex", 6: "bool"}


class _PyBuffer(ctypes.Structure):
    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t),
                ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
                ("format", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
                ("strides", ctypes.POINTER(ctypes.c_ssize_t)), ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
                ("internal", ctypes.c_void_p)]


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int]
_get_buffer.restype = ctypes.c_int
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_PyBuffer)]
_release_buffer.restype = None
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_capsule_pointer.restype = ctypes.c_void_p


class _BufferOwner:
    """An exported Py_buffer: holds the export, and with it the memory, for as long as it lives."""

    def __init__(self, exporter):
        self._view = _PyBuffer()
        _get_buffer(exporter, ctypes.byref(self._view), 0x001C)  # PyBUF_RECORDS_RO: shape, strides, format
        self._exporter = exporter

    def __del__(self):
        if self._view.buf is not None or self._view.len:
            _release_buffer(ctypes.byref(self._view))

    @property
    def view(self):
        return self._view


def _c_strides(shape, itemsize=1):
    strides, step = [], itemsize
    for count in reversed(shape):
        strides.append(step)
        step *= count
    return tuple(reversed(strides))


def _kind(x):
    kind = type(x)
    module = (kind.__module__ or "").split(".")[0]
    return kind.__name__ if module in ("builtins", "__main__", "") else f"{module}.{kind.__name__}"


def _probe(x):
    """(address, shape, strides in bytes, dtype name, owner) of anything array-like in host memory."""
    interface = getattr(x, "__array_interface__", None)
    if isinstance(interface, dict):
        shape = tuple(int(n) for n in interface["shape"])
        typestr = interface["typestr"]
        names = {"u": "uint", "i": "int", "f": "float", "b": "bool", "c": "complex"}
        size = int(typestr[2:] or 1)
        name = names.get(typestr[1], typestr)
        dtype = name if name == "bool" else f"{name}{size * 8}"
        data = interface.get("data")
        if data is None:
            return _probe(memoryview(x))
        strides = interface.get("strides") or _c_strides(shape, size)
        return int(data[0]), shape, tuple(int(s) for s in strides), dtype, x
    if hasattr(x, "__dlpack__"):
        if getattr(x, "requires_grad", False):
            raise ValueError(f"emit_block: {_about(x)} requires a gradient, which a picture cannot have: "
                             "generate under torch.no_grad(), or pass x.detach()")
        device = getattr(x, "__dlpack_device__", lambda: (1, 0))()
        if int(device[0]) not in _HOST_DEVICES:
            where = _DEVICE_NAMES.get(int(device[0]), f"device type {int(device[0])}")
            raise ValueError(f"emit_block: {_about(x)} lives on {where}, and frames are taken from host memory: "
                             "pass x.cpu()")
        capsule = x.__dlpack__()
        tensor = _DLTensor.from_address(_capsule_pointer(capsule, b"dltensor"))
        shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        size = max(tensor.bits // 8, 1)
        strides = tuple(tensor.strides[i] * size for i in range(tensor.ndim)) if tensor.strides \
            else _c_strides(shape, size)
        code = _DL_CODES.get(tensor.code, "type")
        dtype = code if code == "bool" else f"{code}{tensor.bits}"
        # The capsule is not consumed: its own destructor hands the memory back when the last reference goes.
        return (tensor.data or 0) + tensor.byte_offset, shape, strides, dtype, (x, capsule)
    if hasattr(x, "__array__") and not isinstance(x, (bytes, bytearray, memoryview)):
        return _probe(x.__array__())
    try:
        owner = _BufferOwner(x)
    except (TypeError, BufferError):
        raise TypeError(f"emit_block: expected an array, uint8 (N, H, W, 3) or (H, W, 3), or None for black; got "
                        f"{_kind(x)}" + (": numpy.stack(frames) makes one block of a list of frames"
                                         if isinstance(x, (list, tuple)) else "")) from None
    view = owner.view
    shape = tuple(view.shape[i] for i in range(view.ndim)) if view.shape else (view.len,)
    strides = tuple(view.strides[i] for i in range(view.ndim)) if view.strides else _c_strides(shape, view.itemsize)
    fmt = (view.format or b"B").decode().lstrip("@=<>!")
    names = {"B": "uint8", "b": "int8", "c": "uint8", "?": "bool", "f": "float32", "d": "float64", "e": "float16",
             "H": "uint16", "h": "int16", "I": "uint32", "i": "int32", "L": "uint64", "l": "int64"}
    return view.buf or 0, shape, strides, names.get(fmt, fmt), owner


def _about(x):
    """«torch.Tensor float32 (1, 3, 12, 704, 1280)»: what an error says about an array."""
    parts = [_kind(x)]
    dtype, shape = getattr(x, "dtype", None), getattr(x, "shape", None)
    if dtype is not None:
        parts.append(str(dtype).replace("torch.", ""))
    if shape is not None:
        with contextlib.suppress(TypeError, ValueError):
            parts.append(str(tuple(int(n) for n in shape)))
    return " ".join(parts)


def frames_of(x):
    """The Frames of an array, or a ValueError or TypeError that says what was wrong and how to put it right."""
    address, shape, strides, dtype, owner = _probe(x)
    given = f"got {dtype} {shape}"
    want = "emit_block: expected uint8 (N, H, W, 3) or (H, W, 3), "
    if len(shape) == 5:
        first = "x[0] or x.squeeze(0)" if shape[0] == 1 else "one block at a time"
        raise ValueError(f"{want}{given}: five axes have a batch axis in front: pass {first}, channels last; for what a "
                         'video model returns use to_frames(x, layout="BCTHW", value_range=(-1, 1))')
    if dtype != "uint8":
        if "float" in dtype:
            layout = "TCHW" if len(shape) == 4 and shape[1] == 3 else "CTHW" if len(shape) == 4 and shape[0] == 3 else ""
            how = f'to_frames(x, layout="{layout}", value_range=(-1, 1))' if layout \
                else "(x * 255).clip(0, 255).astype(uint8) if its values are 0…1"
            raise ValueError(f"{want}{given}: floats have no agreed range: use {how}")
        raise ValueError(f"{want}{given}: convert it to values of 0…255 and uint8 first")
    if len(shape) == 3:
        if shape[2] != 3 and shape[0] == 3:
            raise ValueError(f"{want}{given}: the channels come first: pass x.transpose(1, 2, 0) "
                             "(torch: x.permute(1, 2, 0))")
        shape, strides = (1, *shape), (0, *strides)
    elif len(shape) != 4:
        more = ": a grey picture needs three channels, for instance numpy.repeat(x[..., None], 3, axis=-1)" \
            if len(shape) == 2 else ""
        raise ValueError(f"{want}{given}{more}")
    if shape[3] != 3:
        if shape[1] == 3:
            fix = "the channels come first: pass x.transpose(0, 2, 3, 1) (torch: x.permute(0, 2, 3, 1))"
        elif shape[0] == 3:
            fix = "the channels come first: pass x.transpose(1, 2, 3, 0) (torch: x.permute(1, 2, 3, 0))"
        elif shape[3] == 4:
            fix = "four channels: pass x[..., :3] to leave alpha out (nothing is copied for it)"
        elif shape[3] == 1:
            fix = "one channel: pass numpy.repeat(x, 3, axis=-1)"
        else:
            fix = "the last axis must be red, green, blue"
        raise ValueError(f"{want}{given}: {fix}")
    if 0 in shape:
        what = "no frames" if shape[0] == 0 else "no pixels"
        raise ValueError(f"{want}{given}: it has {what}; emit_block(None) shows black")
    return Frames(address, shape[:3], tuple(strides), owner)


def to_json(value, what="send"):
    """Compact JSON text of a value, at most 64 KiB of UTF-8, without what JSON cannot carry."""

    def scalar(x):
        for name in ("item", "tolist"):
            convert = getattr(x, name, None)
            if callable(convert) and (name == "tolist" or getattr(x, "size", 1) == 1):
                return convert()
        raise TypeError(f"{what}: {_kind(x)} has no JSON form; pass dicts, lists, strings, numbers, booleans, None")

    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=scalar)
        size = len(text.encode())
    except RecursionError:
        raise ValueError(f"{what}: nested too deeply: at most 64 levels") from None
    except UnicodeEncodeError:
        raise ValueError(f"{what}: a string holds half a surrogate pair, which UTF-8 cannot carry") from None
    except ValueError as error:
        raise ValueError(f"{what}: JSON has no NaN, infinity or circles ({error})") from None
    if size > DATA_LIMIT:
        raise ValueError(f"{what}: {size} bytes of JSON, at most {DATA_LIMIT} fit in one message: send less, or in parts")
    if "\\u0000" in text:
        raise ValueError(f"{what}: strings must not hold NUL characters")
    _check_json(text, what)
    return text


def _check_json(text, what):
    """What the source's strict validator refuses although json.dumps writes it: such a packet would cost the connection."""

    def whole(digits):
        number = int(digits)
        if abs(number) > 2 ** 53:
            raise ValueError(f"{what}: {number} is beyond ±2^53, which browsers cannot hold as a number: send it as a string")
        return number

    def members(pairs):
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"{what}: two keys become {twice!r} in JSON, as 1 and '1' do: keep one")
        return dict(pairs)

    if text.count("[") + text.count("{") > DEPTH_LIMIT and _depth(text) > DEPTH_LIMIT:
        raise ValueError(f"{what}: nested too deeply: at most {DEPTH_LIMIT} levels")
    json.loads(text, parse_int=whole, object_pairs_hook=members)


def _depth(text):
    depth = deepest = 0
    inside = escaped = False
    for c in text:
        if inside:
            inside = c != '"' or escaped
            escaped = c == "\\" and not escaped
        elif c == '"':
            inside = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


def metadata_list(metadata, n_frames):
    """JSON texts, one a frame, of emit_block's `metadata`: a list of n entries, or one dict for every frame."""
    if metadata is None:
        return None
    if isinstance(metadata, dict):
        return [to_json(metadata, "metadata")] * n_frames
    entries = list(metadata)
    if len(entries) != n_frames:
        raise ValueError(f"emit_block: metadata has {len(entries)} entries for {n_frames} frames: one a frame, "
                         "None where there is nothing to say")
    return [to_json(entry, "metadata") for entry in entries]


# --- What both contexts share --------------------------------------------------------------------------------------


class Context:
    """Sessions, viewers, commands and their delivery: the same in-process and through the socket.

    Subclasses call the `_note_*` methods from their own reader threads and implement `_emit`, `_emit_black`,
    `_send`, `_set_monitoring` and `_flush`.
    """

    #: called with a Command, a (viewer, joined) pair or a Shown, in the model's thread, between blocks
    on_command = None
    on_viewer = None
    on_shown = None

    def __init__(self):
        self._changed = threading.Condition()  # guards all below; never held across a call to anybody
        self._session = None                   # id of the running session
        self._serial = 0                       # counts sessions; the model's own is _mine
        self._mine = 0
        self._waits = False                    # the model asks for its sessions
        self._ended_at = None
        self._end_reason = None
        self._warned = False
        self._closed = False
        self._events = collections.deque()
        self._viewers = {}
        self._monitoring = True
        self._applied = 0                      # id of the last command that reached the model
        self._delivering = None                # ident of the thread in which a handler runs
        self._generating_since = None
        self._announced = None
        self.command = None                    # the Command whose handler is running
        self.stats = {}                        # the newest figures of the pacer, once a second
        self.counters = {"blocks": 0, "frames": 0, "refused": 0, "unseen": 0, "commands_lost": 0, "shown_lost": 0}

    # -- session

    @property
    def session(self):
        """Id of the running session, or None."""
        with self._changed:
            return self._session

    @property
    def viewers(self):
        """Ids of those who watch."""
        with self._changed:
            return tuple(self._viewers)

    @property
    def closed(self):
        return self._closed

    def wait_session(self, timeout=None):
        """Waits for a session that this model has not served yet and makes it the model's own. Returns its id, or
        None when the time is over or the context is closed. Commands that come meanwhile reach their handlers."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._waits = True
        while True:
            self._deliver()
            with self._changed:
                if self._closed:
                    return None
                if self._session is not None and self._serial != self._mine:
                    self._mine = self._serial
                    self._ended_at, self._warned, self._generating_since = None, False, None
                    return self._session
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                if self._deliverable() is None:
                    self._changed.wait(0.5 if left is None else min(left, 0.5))

    def serve_again(self):
        """The running session counts as not served yet: for a runner that starts a failed model again."""
        with self._changed:
            self._mine = 0
            self._waits = True

    @property
    def serving(self):
        """True from the first session on: there is one to ask about, be it over."""
        with self._changed:
            return self._mine != 0

    def in_session(self):
        """True while the session that this model serves goes on."""
        with self._changed:
            return self._alive()

    def _alive(self):
        if self._mine == 0 and not self._waits and self._session is not None:
            self._mine = self._serial  # a model that asks for none takes the first that it meets
        return not self._closed and self._session is not None and self._serial == self._mine

    def should_stop(self):
        """True when the session is over: return from the generation loop. Delivers waiting commands first."""
        self._deliver()
        return not self.in_session()

    def wait(self, timeout):
        """Sleeps without missing anything: returns True at once when the session ends, delivers commands as they come,
        returns False after `timeout` seconds. For models that pause."""
        deadline = time.monotonic() + timeout
        while True:
            if self.should_stop():
                return True
            with self._changed:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if self._deliverable() is None and self._alive():
                    self._changed.wait(left)

    def _note_session(self, session, reason=None):
        with self._changed:
            if session is not None and session != self._session and self._session != "":
                self._serial += 1  # "": one that ran before we came, whose id comes later
            if session is None and self._session is not None:
                self._ended_at = time.monotonic()
                self._end_reason = reason
                self._viewers.clear()
            self._session = session
            self._changed.notify_all()

    # -- what viewers do

    def _note_command(self, id, viewer, value):
        kind = value.get("type") if isinstance(value, dict) else None
        data = value.get("data") if isinstance(value, dict) else None
        command = Command(id, viewer, kind if isinstance(kind, str) else "", data)
        with self._changed:
            if len(self._events) >= EVENT_QUEUE:
                self.counters["commands_lost"] += 1
                return
            self._events.append(("command", command))
            self._changed.notify_all()

    def _note_viewer(self, viewer, joined):
        with self._changed:
            if joined:
                self._viewers[viewer] = True
            else:
                self._viewers.pop(viewer, None)
            if self.on_viewer is not None and len(self._events) < EVENT_QUEUE:
                self._events.append(("viewer", (viewer, joined)))
            self._changed.notify_all()

    def _note_shown(self, shown):
        with self._changed:
            if self.on_shown is None:
                return
            if len(self._events) >= EVENT_QUEUE // 2:
                self.counters["shown_lost"] += 1
                return
            self._events.append(("shown", shown))

    def poll_command(self, timeout=0):
        """The next waiting Command, or None after `timeout` seconds. For models without an `on_command` handler."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for index, (kind, what) in enumerate(self._events):
                    if kind == "command":
                        del self._events[index]
                        self._applied = what.id
                        return what
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    return None
                self._changed.wait(left)

    def _next_event(self):
        """Index of the next event that has a handler, or None. Under the lock."""
        return next((i for i, (kind, _) in enumerate(self._events)
                     if kind != "command" or self.on_command is not None), None)

    def _deliverable(self):
        """The same for those who wait: None while a handler runs, which delivers what follows itself."""
        return None if self._delivering is not None else self._next_event()

    def _deliver(self):
        """Calls handlers for what has come. Not re-entered by a handler that calls us."""
        me = threading.get_ident()
        with self._changed:
            if self._delivering is not None or not self._events:
                return
            self._delivering = me
        try:
            while True:
                with self._changed:
                    index = self._next_event()
                    if index is None:
                        return
                    kind, what = self._events[index]
                    del self._events[index]
                    if kind == "command":
                        self._applied = what.id
                        self.command = what
                self._call(kind, what)
        finally:
            with self._changed:
                self._delivering = None
                self.command = None

    def _call(self, kind, what):
        try:
            if kind == "command":
                self.on_command(what)
            elif kind == "viewer" and self.on_viewer is not None:
                self.on_viewer(*what)
            elif kind == "shown" and self.on_shown is not None:
                self.on_shown(what)
        except SessionEnded:
            raise
        except Exception:
            log.exception("the handler of %s raised; the model goes on", f"command {what.type!r}" if kind == "command"
                          else f"on_{kind}")

    def pending_commands(self, type):
        """Takes the waiting commands of one type out of the queue: for handlers that want only the newest value."""
        with self._changed:
            taken = [what for kind, what in self._events if kind == "command" and what.type == type]
            if taken:
                self._events = collections.deque(
                    event for event in self._events if not (event[0] == "command" and event[1].type == type))
                self._applied = max(self._applied, taken[-1].id)
            return taken

    # -- what the model does

    def emit_block(self, frames, copy=True, metadata=None):
        """Shows a block: uint8 (N, H, W, 3) or (H, W, 3), RGB; any strides; None for black.

        Waits while the pacer is full: that is the model's brake. With copy=True the array is the caller's again on
        return; copy=False lends it: it must not be written to until its frames were shown. `metadata` is one JSON
        value a frame, which viewers get with that frame. Returns True when the block was taken, False when nobody
        will see it (the session is over). Raises ValueError or TypeError when the array cannot be a picture.
        """
        described = None if frames is None else frames_of(frames)
        texts = None if described is None else metadata_list(metadata, described.shape[0])
        now = time.monotonic()
        with self._changed:
            since = self._generating_since
            compute = None if since is None or not self._monitoring else max(int((now - since) * 1e9), 0)
            alive = self._alive()
        if not alive:
            self._refuse_after_end()
            return False
        taken = self._emit_black() if described is None else self._emit(described, frames, copy, texts, compute)
        with self._changed:
            if taken:
                self.counters["blocks"] += 1
                self.counters["frames"] += 1 if described is None else described.shape[0]
            else:
                self.counters["unseen"] += 1
        self._deliver()
        with self._changed:
            self._generating_since = time.monotonic()
        return taken

    def _refuse_after_end(self):
        with self._changed:
            self.counters["unseen"] += 1
            over = 0.0 if self._ended_at is None else time.monotonic() - self._ended_at
            reason = f" ({self._end_reason})" if self._end_reason else ""
            warn = over > WARN_AFTER and not self._warned
            self._warned = self._warned or warn
        if warn:
            log.warning("the session ended %.0f s ago%s and the model goes on emitting: nobody sees these blocks. "
                        "Check should_stop() in the generation loop and return when it is True.", over, reason)
        if over > RAISE_AFTER:
            raise SessionEnded(f"the session ended {over:.0f} s ago{reason}: return from the generation loop when "
                               "should_stop() is True")

    def send(self, value, to=None):
        """Sends a JSON value to every viewer, or to the one whose id is `to`. At most 64 KiB."""
        self._send(to_json(value), to)

    def enable_monitoring(self):
        """The time until the next block counts as generation time again."""
        self._monitor(True)

    def disable_monitoring(self):
        """From here on the time until the next block says nothing about the model's speed (it waits for its user).
        The last frame stays on screen and the rate is kept."""
        self._monitor(False)

    def _monitor(self, enabled):
        with self._changed:
            self._monitoring = enabled
            self._generating_since = None
        self._set_monitoring(enabled)

    def flush(self):
        """Drops what is not yet on screen and cuts to black. Returns at once."""
        self._flush()

    def black(self):
        """Shows black until the next block. The same as emit_block(None)."""
        return self.emit_block(None)

    # -- what viewers and /healthz are told about the model

    def announce(self, commands):
        """Tells viewers which commands there are: [{name, description, schema}]."""
        data = {"commands": list(commands)}
        to_json({"type": "capabilities", "data": data}, "announce")  # raises what the source would refuse
        self._announced = data["commands"]
        self._runtime("capabilities", data)

    def set_state(self, state, reason=None):
        """Tells viewers and /healthz how the model is: «warming-up», «restarting» … An empty state takes it back."""
        self._runtime("state", {"state": state, "reason": reason})

    def answer(self, command, code=None, message=None, field=None, superseded=False):
        """Tells the sender of a command how it ended. Without a `code` all went well."""
        data = {"command": command.id, "viewer": command.viewer, "type": command.type}
        for name, value in (("code", code), ("message", message), ("field", field)):
            if value is not None:
                data[name] = value
        if superseded:
            data["superseded"] = True
        self._runtime("answer", data)

    def _runtime(self, kind, data):
        raise NotImplementedError

    def get_track(self, name=None):
        """The output track. There is one, the picture; any name means it."""
        return Track(self, name or "main_video")

    def alloc_block(self, n, h, w, planar=False):
        """A writable uint8 (n, h, w, 3) array to generate into; `emit_block` of it copies nothing where the context
        has memory that it shares with the pipeline."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Track:
    """An output track of the documented API: `get_ctx().get_track().emit(frames)`."""

    def __init__(self, context, name):
        self._context, self.name = context, name

    def emit(self, frames, **options):
        return self._context.emit_block(frames, **options)


# --- Shared memory -------------------------------------------------------------------------------------------------

_F_ADD_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033)
_SEALS = 0x0002 | 0x0004 | 0x0001  # F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL


def _memfd(size):
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("gst-reactor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.memfd_create(b"gst-reactor", 3)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "memfd_create")
    try:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd


class _Pool:
    """Sealed shared memory of `count` slots. A slot is free, with the model (`held`) or with the source (`lent`)."""

    def __init__(self, id, slot_size, count):
        self.id, self.slot_size, self.count = id, slot_size, count
        size = slot_size * count
        self.fd = _memfd(size)
        try:
            self.map = mmap.mmap(self.fd, size)
        except (OSError, ValueError):
            os.close(self.fd)
            raise
        self._anchor = (ctypes.c_ubyte * size).from_buffer(self.map)
        self.address = ctypes.addressof(self._anchor)
        self.free = collections.deque(range(count))
        self.held, self.lent = {}, {}  # slot to the number of its loan; slot to the packet that lent it
        self.loans = 0
        self.dropped = False

    def close_fd(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def slot_of(self, address):
        offset = address - self.address
        return offset // self.slot_size if 0 <= offset < self.slot_size * self.count else None


class Block:
    """One slot of shared memory as an array. numpy and torch see it through `__array_interface__`."""

    def __init__(self, pool, slot, shape, strides):
        self._pool = pool  # keeps the mapping
        self.slot, self.shape, self.strides = slot, shape, strides
        self.address = pool.address + slot * pool.slot_size

    @property
    def __array_interface__(self):
        return {"version": 3, "typestr": "|u1", "shape": self.shape, "strides": self.strides,
                "data": (self.address, False)}

    @property
    def memory(self):
        """The slot's bytes as a writable memoryview: for models without numpy."""
        start = self.slot * self._pool.slot_size
        return memoryview(self._pool.map)[start:start + math.prod(self.shape)]


def _numpy():
    """numpy when the model's process has loaded it or can; None otherwise."""
    module = sys.modules.get("numpy")
    if module is None:
        try:
            import numpy as module
        except ImportError:
            return None
    return module


def _pieces(shape, strides, limit=1.5):
    """How to bring a strided array over in few straight copies.

    Returns (copies, strides, offset, size): `copies` are (source offset, target offset, length), `strides` and `offset`
    describe the same array in the target, `size` is what the target needs. Axes are taken from the widest stride in;
    as soon as what lies between the first and the last byte of an axis is mostly the array's own, it is one copy.
    None when single pixels would have to be picked.
    """
    order = sorted(range(4), key=lambda axis: -abs(strides[axis]))
    spans, dense = [1] * 5, [1] * 5  # bytes from first to last, and bytes that count, of the inner axes
    for level in range(3, -1, -1):
        axis = order[level]
        spans[level] = spans[level + 1] + (shape[axis] - 1) * abs(strides[axis])
        dense[level] = dense[level + 1] * (shape[axis] if strides[axis] else 1)
    level = 0
    while spans[level] > limit * dense[level] + 64:
        level += 1
        if level == 3:
            return None
    low = sum(min((shape[axis] - 1) * strides[axis], 0) for axis in order[level:])
    length = spans[level]
    step = (length + 63) & ~63
    target = list(strides)
    copies = [(low, 0)]
    for axis in reversed(order[:level]):
        count, stride = shape[axis], strides[axis]
        if count == 1 or stride == 0:
            target[axis] = 0
            continue
        size = len(copies) * step
        target[axis] = size
        copies = [(s + i * stride, t + i * size) for i in range(count) for s, t in copies]
    return [(s, t, length) for s, t in copies], tuple(target), -low, (len(copies) - 1) * step + length


class _View:
    """Frames as something that numpy takes without a copy."""

    def __init__(self, frames):
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (*frames.shape, 3),
                                    "strides": frames.strides, "data": (frames.address, True)}


def _pick(frames, target):
    """Packs an array that no straight copies bring over, pixel by pixel, at `target`."""
    n, h, w = frames.shape
    numpy = _numpy()
    if numpy is not None:
        packed = numpy.frombuffer((ctypes.c_ubyte * (n * h * w * 3)).from_address(target), numpy.uint8)
        numpy.copyto(packed.reshape(n, h, w, 3), numpy.asarray(_View(frames)))
        return
    fs, rs, ps, cs = frames.strides
    for frame in range(n):
        for row in range(h):
            into = memoryview((ctypes.c_ubyte * (w * 3)).from_address(target + (frame * h + row) * w * 3)).cast("B")
            for channel in range(3):
                first = frames.address + frame * fs + row * rs + channel * cs
                low = first + min((w - 1) * ps, 0)
                line = memoryview((ctypes.c_ubyte * ((w - 1) * abs(ps) + 1)).from_address(low)).cast("B")
                into[channel::3] = line[::ps] if ps else bytes(line) * w


# --- The socket ------------------------------------------------------------------------------------------------------


def _wait_for(file, events, seconds):
    """Until `file` is ready. Not select(), which knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(file, events)
    poll.poll(1000 * seconds)


class SocketContext(Context):
    """A model's connection to `reactorsrc socket-path=…`. Made by `connect`."""

    def __init__(self, path, name="model", slots=DEFAULT_SLOTS):
        super().__init__()
        self.path, self.name = os.fspath(path), name
        self._slot_count = slots
        self._pid = os.getpid()
        self._sock = None
        self._connection = 0        # counts connections: slots of an older one are nobody's
        self._pools = []
        self._next_pool = 0
        self._failure = None        # the last reason why there is no connection
        self._fatal = False
        self._flushed = 0
        self._epoch = 0             # counts flushes; changed under _sending and _changed
        self._sequence = 0
        self._limits = {}
        self._sending = threading.Lock()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="reactor-socket", daemon=True)
        self._thread.start()

    # -- connection

    @property
    def connected(self):
        with self._changed:
            return self._sock is not None

    def wait_connected(self, timeout):
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._sock is None and not self._fatal and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._sock is not None

    @property
    def failure(self):
        """Why there is no connection: a ReactorError or OSError, or None."""
        with self._changed:
            return self._failure

    def close(self):
        """Ends the connection. Frames that the source has play out; the last one is held."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            sock, self._sock = self._sock, None
            self._changed.notify_all()
        if os.getpid() != self._pid:
            return
        with self._changed, contextlib.suppress(OSError):
            if self._wake_w >= 0:
                os.write(self._wake_w, b"x")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _run(self):
        pause = 0.05
        while not self._closed:
            sock = None
            try:
                sock = self._dial()
                pause = 0.05
                self._read(sock)
            except ReactorError as error:
                self._lost(error, fatal=sock is None and error.code in ("forbidden", "protocol", "hello"))
            except OSError as error:
                self._lost(error)
            except Exception as error:  # a fault of ours must not leave the model without a word
                log.exception("model socket")
                self._lost(error)
            finally:
                if sock is not None:
                    sock.close()
            if self._fatal or self._closed:
                break
            _wait_for(self._wake_r, select.POLLIN, pause)
            pause = min(pause * 2, 1.0)
        with self._changed:  # close() writes to it: never to a descriptor that somebody else has got since
            descriptors, self._wake_r, self._wake_w = (self._wake_r, self._wake_w), -1, -1
        for fd in descriptors:
            os.close(fd)

    def _lost(self, error, fatal=False):
        with self._changed:
            had = self._sock is not None
            self._sock = None
            self._failure, self._fatal = error, self._fatal or fatal
            pools, self._pools = self._pools, []
            for pool in pools:
                pool.dropped = True
                pool.close_fd()
            self._changed.notify_all()
        self._note_session(None, "the pipeline is gone")
        if had and not self._closed:
            log.info("model socket %s: %s; connecting again", self.path, error)

    def _dial(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(5.0)
            sock.connect(self.path)
            hello = {"op": "hello", "protocol": PROTOCOL, "name": self.name}
            try:
                sock.send(json.dumps(hello, ensure_ascii=False).encode())
            except (BrokenPipeError, ConnectionResetError):
                pass  # the refusal that the source sent before it closed is still there to be read
            answer = self._receive(sock)
            if answer is None:
                raise ConnectionResetError(errno.ECONNRESET, f"{self.path} closed without an answer")
            if answer.get("op") == "error":
                raise ReactorError(str(answer.get("code")), f"{self.path}: {answer.get('message')}")
            if answer.get("op") != "hello" or answer.get("protocol") != PROTOCOL:
                raise ReactorError("protocol", f"{self.path} speaks protocol {answer.get('protocol')!r}, this client "
                                               f"{PROTOCOL}: use matching versions")
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        with self._changed:
            self._connection += 1
            self._sock, self._failure = sock, None
            self._limits = answer.get("limits") or {}
            self._next_pool = 0
            monitoring = self._monitoring
            self._changed.notify_all()
        session = answer.get("session")
        if self._announced is not None:
            self._runtime("capabilities", {"commands": self._announced})
        if not monitoring:
            self._quietly({"op": "monitoring", "enabled": False})
        if isinstance(session, dict) and session.get("state") == "started":
            self._note_session(str(session.get("id")))
        return sock

    @staticmethod
    def _receive(sock):
        """One packet as a dict; None at the end of the stream. A reset may hide a last packet: one more look."""
        for attempt in (0, 1):
            try:
                data = sock.recv(PACKET_LIMIT + 1)
                break
            except ConnectionResetError:
                if attempt:
                    return None
        if not data:
            return None
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ReactorError("garbage", "the source sent something that is not a JSON object")
        return value

    def _read(self, sock):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.register(self._wake_r, select.POLLIN)
        while not self._closed:
            poll.poll()
            while True:
                try:
                    packet = self._receive(sock)
                except BlockingIOError:
                    break
                if packet is None:
                    raise ConnectionResetError(errno.ECONNRESET, "the source closed the connection")
                self._handle(packet)

    def _handle(self, packet):
        op = packet.get("op")
        if op == "release":
            self._released(packet.get("pool"), packet.get("slot"))
        elif op == "session":
            started = packet.get("state") == "started"
            self._note_session(str(packet.get("id")) if started else None, packet.get("reason"))
        elif op == "command":
            self._note_command(packet.get("id", 0), packet.get("viewer"), packet.get("data"))
        elif op == "viewer":
            self._note_viewer(str(packet.get("id")), packet.get("state") == "joined")
        elif op == "shown":
            self._note_shown(Shown(packet.get("block"), packet.get("first"), packet.get("last"),
                                   packet.get("dropped") or 0, packet.get("reason")))
        elif op == "stats":
            self.stats = {key: value for key, value in packet.items() if key != "op"}
        elif op == "flushed":
            with self._changed:
                self._flushed = max(self._flushed, packet.get("seq") or 0)
                self._changed.notify_all()
        elif op == "error":
            with self._changed:
                self.counters["refused"] += 1
                self._refused(packet.get("seq"))
            log.warning("the source refused %s: %s (%s)", packet.get("about") or "a packet", packet.get("message"),
                        packet.get("code"))
            if packet.get("code") in ("hello", "protocol", "forbidden", "busy", "json", "packet", "pool", "flood"):
                raise ReactorError(str(packet.get("code")), str(packet.get("message")))

    def _post(self, packet, fds=(), epoch=None):
        """Sends one packet. ReactorError «disconnected» when there is nobody, or nobody who reads; «flushed» when a flush
        was sent since the `epoch` in which the packet's block was begun."""
        if os.getpid() != self._pid:
            raise ReactorError("forked", "this connection belongs to the parent process: a forked worker hands its "
                                         "frames to the parent, or is the model itself and calls connect()")
        data = json.dumps(packet, ensure_ascii=False, separators=(",", ":")).encode()
        deadline = time.monotonic() + SEND_TIMEOUT
        with self._sending:
            if packet["op"] == "flush":
                with self._changed:
                    self._epoch += 1
                    self._changed.notify_all()
            if epoch is not None and epoch != self._epoch:
                raise ReactorError("flushed", "a flush overtook the block")
            while True:
                sock = self._sock
                if sock is None:
                    raise ReactorError("disconnected", f"no pipeline serves {self.path}")
                try:
                    if fds:
                        socket.send_fds(sock, [data], list(fds))
                    else:
                        sock.send(data)
                    return
                except BlockingIOError:
                    pass
                except (OSError, ValueError) as error:
                    raise ReactorError("disconnected", f"{self.path}: {error}") from None
                left = deadline - time.monotonic()
                if left <= 0:
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                    raise ReactorError("disconnected", f"{self.path} reads nothing")
                with contextlib.suppress(OSError, ValueError):  # closed meanwhile: sending says so
                    _wait_for(sock, select.POLLOUT, left)

    # -- slots

    def _released(self, pool_id, slot):
        with self._changed:
            for pool in self._pools:
                if pool.id == pool_id and slot in pool.lent:
                    pool.lent.pop(slot)
                    pool.free.append(slot)
                    self._retire(pool)
                    self._changed.notify_all()
                    return

    def _refused(self, sequence):
        """A refused block's slot was never the source's."""
        for pool in self._pools:
            for slot in [slot for slot, lent in pool.lent.items() if lent == sequence]:
                pool.lent.pop(slot)
                pool.free.append(slot)
                self._retire(pool)
                self._changed.notify_all()

    def _retire(self, pool):
        """Forgets a dropped pool whose last slot is back."""
        if pool.dropped and not pool.lent and not pool.held and pool in self._pools:
            self._pools.remove(pool)
            pool.close_fd()

    def _take(self, size, epoch=None):
        """A free slot of at least `size` bytes as (pool, slot), waiting for one; None when the session ends, or a flush comes
        after `epoch`."""
        while True:
            with self._changed:
                if not self._alive() or self._sock is None or epoch not in (None, self._epoch):
                    return None
                pool = next((p for p in self._pools if not p.dropped and p.slot_size >= size), None)
                if pool is not None:
                    if pool.free:
                        slot = pool.free.popleft()
                        pool.loans += 1
                        pool.held[slot] = pool.loans
                        return pool, slot
                    self._changed.wait(0.5)
                    continue
                connection, sock = self._connection, self._sock
            if sock is not None:
                self._grow(size, connection)

    def _grow(self, size, connection):
        """Makes a pool for blocks of `size` bytes in the place of those for smaller ones, within the source's limits."""
        slot_size = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE * mmap.PAGESIZE
        with self._changed:
            most = self._limits.get("bytes", sys.maxsize)
            if slot_size > most:
                raise ValueError(f"emit_block: the block needs {slot_size} bytes of shared memory, but the source takes at most "
                                 f"{most}: emit fewer frames at a time")
            smaller = [pool for pool in self._pools if not pool.dropped]
            for pool in smaller:
                pool.dropped = True
                self._retire(pool)
        for pool in smaller:
            self._post({"op": "drop-pool", "id": pool.id})
        with self._changed:
            # A dropped pool counts until the source has let go of its last slot.
            rest = most - sum(pool.slot_size * pool.count for pool in self._pools)
            if len(self._pools) >= self._limits.get("pools", 8) or rest < slot_size:
                self._changed.wait(0.5)
                return
            count = min(self._slot_count, self._limits.get("slots", 64), rest // slot_size)
            id, self._next_pool = self._next_pool, self._next_pool + 1
        pool = _Pool(id, slot_size, count)
        try:
            self._post({"op": "pool", "id": id, "size": slot_size, "slots": count}, [pool.fd])
        finally:
            pool.close_fd()
        with self._changed:
            if connection == self._connection and self._sock is not None:
                self._pools.append(pool)

    def _give_back(self, pool, slot, loan):
        with self._changed:
            if pool.held.get(slot) == loan:
                del pool.held[slot]
                pool.free.append(slot)
                self._retire(pool)
                self._changed.notify_all()

    def alloc_block(self, n, h, w, planar=False):
        """A writable uint8 array (n, h, w, 3) over a slot of shared memory: emit_block of it copies nothing.

        `planar` lays it out as three planes a frame, as PyTorch leaves its tensors. Waits for a free slot like
        emit_block; None when the session is over. Without numpy a Block: write into its `memory`.
        """
        if min(n, h, w) < 1:
            raise ValueError(f"alloc_block: ({n}, {h}, {w}) has no pixels")
        with contextlib.suppress(ReactorError):
            began = time.monotonic()
            got = self._take(n * h * w * 3)
            with self._changed:
                if self._generating_since is not None:  # waiting is not generating: the pacer plans with the latter
                    self._generating_since += time.monotonic() - began
            if got is not None:
                pool, slot = got
                strides = (h * w * 3, w, 1, h * w) if planar else (h * w * 3, w * 3, 3, 1)
                block = Block(pool, slot, (n, h, w, 3), strides)
                # Every view that numpy makes keeps the Block, so a slot that is never emitted comes back by itself.
                weakref.finalize(block, self._give_back, pool, slot, pool.held[slot]).atexit = False
                numpy = _numpy()
                return block if numpy is None else numpy.asarray(block)
        return None

    # -- what the model does

    def _emit(self, frames, array, copy, texts, compute):
        epoch = self._epoch
        n, h, w = frames.shape
        for name, value in (("frames", n), ("height", h), ("width", w)):
            limit = self._limits.get(name)
            if isinstance(limit, int) and value > limit:
                raise ValueError(f"emit_block: {value} {name if name == 'frames' else 'pixels of ' + name}, but the source "
                                 f"takes at most {limit}: emit smaller blocks")
        size = sum(len(text.encode()) + 1 for text in texts or ())
        if size > self._limits.get("meta", size):
            raise ValueError(f"emit_block: {size} bytes of metadata, but the source takes at most "
                             f"{self._limits['meta']} a block: say less, or send() it")
        try:
            with self._changed:
                home = next(((p, p.slot_of(frames.address)) for p in self._pools
                             if p.slot_of(frames.address) is not None), None)
            if home is not None:
                pool, slot = home
                with self._changed:
                    if slot not in pool.held:
                        raise RuntimeError("emit_block: this block of alloc_block was emitted before and is on its way "
                                           "to the screen: allocate another one")
                offset, strides = frames.address - pool.address - slot * pool.slot_size, frames.strides
                low, high = frames.span()
                if offset + low < 0 or offset + high > pool.slot_size:
                    raise ValueError("emit_block: the array reaches beyond the block that alloc_block gave")
                if hasattr(array, "flags"):
                    with contextlib.suppress(ValueError, AttributeError):
                        array.flags.writeable = False
            else:
                plan = _pieces((n, h, w, 3), frames.strides)
                size = plan[3] if plan else n * h * w * 3
                got = self._take(size, epoch)
                if got is None:
                    return False
                pool, slot = got
                target = pool.address + slot * pool.slot_size
                if plan:
                    copies, strides, offset, _ = plan
                    for source, into, length in copies:  # ctypes lets go of the GIL for each
                        ctypes.memmove(target + into, frames.address + source, length)
                else:
                    _pick(frames, target)
                    strides, offset = _c_strides((n, h, w, 3)), 0
            with self._changed:
                self._sequence += 1
                sequence = self._sequence
            packet = {"op": "block", "seq": sequence, "pool": pool.id, "slot": slot, "shape": [*frames.shape, 3]}
            if strides != _c_strides((*frames.shape, 3)):
                packet["strides"] = list(strides)
            if offset:
                packet["offset"] = offset
            if compute is not None:
                packet["compute_ns"] = compute
            if self._applied:
                packet["command"] = self._applied
            if texts is not None:
                packet["meta"] = [json.loads(text) for text in texts]
            with self._changed:
                if pool.dropped and pool not in self._pools:
                    return False  # the connection that knew this slot is gone
                pool.held.pop(slot, None)
                pool.lent[slot] = sequence
            try:
                self._post(packet, epoch=epoch)
            except ReactorError:
                with self._changed:
                    pool.lent.pop(slot, None)
                    pool.free.append(slot)
                raise
            return True
        except ReactorError as error:
            if error.code == "forked":
                raise
            return False

    def _quietly(self, packet):
        """For what is lost without harm when the pipeline is not there."""
        try:
            self._post(packet)
            return True
        except ReactorError as error:
            if error.code == "forked":
                raise
            return False

    def _emit_black(self):
        return self._quietly({"op": "black"})

    def _send(self, text, to):
        packet = {"op": "send", "data": json.loads(text)}
        if to is not None:
            packet["to"] = to
        self._quietly(packet)

    def _runtime(self, kind, data):
        self._quietly({"op": "runtime", "data": {"type": kind, "data": data}})

    def _set_monitoring(self, enabled):
        self._quietly({"op": "monitoring", "enabled": enabled})

    def _flush(self):
        with self._changed:
            self._sequence += 1
            sequence = self._sequence
        self._quietly({"op": "flush", "seq": sequence})


def connect(path=None, name=None, timeout=10.0, slots=DEFAULT_SLOTS):
    """Connects to a pipeline's model socket and keeps connecting when the pipeline restarts.

    path: of the socket; default the environment's GST_REACTOR_SOCKET. name: what logs call this model. timeout:
    seconds to wait for the first connection; then ReactorError says why there is none. slots: blocks of shared memory.
    """
    path = path or os.environ.get("GST_REACTOR_SOCKET")
    if not path:
        raise ReactorError("path", "connect: no path given and GST_REACTOR_SOCKET is not set: it is the socket-path "
                                   "of the pipeline's reactorsrc")
    context = SocketContext(path, name or os.path.basename(sys.argv[0] or "") or "model", slots)
    if not context.wait_connected(timeout):
        why = context.failure
        context.close()
        if isinstance(why, ReactorError):
            raise why
        if isinstance(why, FileNotFoundError):
            why = "there is no such socket: start the pipeline with reactorsrc socket-path=" + os.fspath(path)
        elif isinstance(why, ConnectionRefusedError):
            why = "nobody listens there: the pipeline has ended, or is not yet in READY"
        raise ReactorError("disconnected", f"connect: {path}: {why or 'no answer'}")
    return context
