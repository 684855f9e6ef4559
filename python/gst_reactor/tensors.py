# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From what a video model returns to what a picture is: `to_frames`.

Runs in the model's thread. On torch tensors, and on arrays that bring an array-API namespace, the arithmetic happens where the tensor
lives, so that a GPU converts and only bytes travel to host memory.
"""
from .client import _about, _kind, _probe

_AXES = "BCTHW"


def to_frames(x, layout=None, value_range=None):
    """Converts a video tensor to uint8 frames (T, H, W, 3) for `emit_block`.

    x: a numpy array, a torch tensor (any device, also one that requires a gradient), any array-API or DLPack object;
    float16, bfloat16, float32, float64 or uint8. layout: what its axes are, one letter each, of B (batch, of 1), C
    (channels, 3), T (time), H and W: "BCTHW", "BTCHW", "CTHW", "TCHW", "THWC", "CHW" … value_range: which values are black
    and full, (-1, 1) or (0, 1); floats have none that could be assumed. uint8 needs none. Values outside are clipped,
    NaN is black. Values are rounded, not cut off.

    Returns a numpy array. Its memory is planar where the input's was: emit_block takes it as it is.
    """
    shape = tuple(int(n) for n in getattr(x, "shape", ()))
    about = _about(x)
    if not shape:
        raise TypeError(f"to_frames: expected a tensor, got {_kind(x)}")
    if layout is None:
        raise ValueError(f'to_frames: got {about}: say what its axes are, for instance layout="{_guess(shape)}"')
    axes = layout.upper().replace("N", "T")
    if len(set(axes)) != len(axes) or not set("CHW") <= set(axes) <= set(_AXES):
        raise ValueError(f"to_frames: layout {layout!r}: expected each of C, H, W once, and B and T where there are such "
                         'axes: "BCTHW", "BTCHW", "CTHW", "TCHW"')
    if len(axes) != len(shape):
        raise ValueError(f"to_frames: layout {layout!r} names {len(axes)} axes, but the tensor is {about}")
    if "B" in axes and shape[axes.index("B")] != 1:
        raise ValueError(f"to_frames: {about} as {layout} holds {shape[axes.index('B')]} videos: choose one")
    if shape[axes.index("C")] != 3:
        raise ValueError(f"to_frames: {about} as {layout} has {shape[axes.index('C')]} channels, expected 3 (RGB): is the "
                         f"layout {_guess(shape)!r}?")
    if 0 in shape:
        raise ValueError(f"to_frames: {about} is empty")
    if value_range is not None:
        low, high = (float(value) for value in value_range)
        if not low < high:
            raise ValueError(f"to_frames: value_range ({low}, {high}): expected (black, full), as (-1, 1)")
    order = [axes.index(axis) for axis in "TCHW" if axis in axes]
    batch = axes.index("B") if "B" in axes else None
    if type(x).__module__.split(".")[0] == "torch":
        frames = _torch(x, batch, order, value_range, about)
    elif hasattr(x, "__array_namespace__") and type(x).__module__.split(".")[0] != "numpy":
        frames = _array_api(x, batch, order, value_range, about)
    else:
        frames = _numpy(x, batch, order, value_range, about)
    if "T" not in axes:
        frames = frames[None]
    return frames.transpose(0, 2, 3, 1)


def _guess(shape):
    if len(shape) == 5:
        return "BCTHW" if shape[1] == 3 else "BTCHW"
    if len(shape) == 4:
        return "THWC" if shape[3] == 3 else "CTHW" if shape[0] == 3 else "TCHW"
    return "HWC" if shape[-1] == 3 else "CHW"


def _needs_range(about):
    return ValueError(f"to_frames: got {about}: floats need value_range: (-1, 1) for what most video models return, (0, 1) "
                      "for pictures")


def _squeezed(order, batch):
    """The axis order once the batch axis is gone."""
    return order if batch is None else [axis - (axis > batch) for axis in order]


def _torch(x, batch, order, value_range, about):
    import torch

    x = x.detach()
    x = (x if batch is None else x.select(batch, 0)).permute(_squeezed(order, batch))
    if x.dtype != torch.uint8:
        if not x.dtype.is_floating_point:
            raise ValueError(f"to_frames: got {about}: expected floats or uint8")
        if value_range is None:
            raise _needs_range(about)
        low, high = value_range
        x = x.to(torch.float32)
        x = torch.nan_to_num(x, nan=low, posinf=high, neginf=low)
        x = x.sub(low).mul_(255.0 / (high - low)).add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)
    return x.cpu().numpy()


def _array_api(x, batch, order, value_range, about):
    import numpy

    xp = x.__array_namespace__()
    if batch is not None:
        x = xp.squeeze(x, axis=batch)
    x = xp.permute_dims(x, tuple(_squeezed(order, batch)))
    if x.dtype != xp.uint8:
        if not xp.isdtype(x.dtype, "real floating") if hasattr(xp, "isdtype") else False:
            raise ValueError(f"to_frames: got {about}: expected floats or uint8")
        if value_range is None:
            raise _needs_range(about)
        low, high = value_range
        x = xp.astype(x, xp.float32)
        x = xp.where(xp.isnan(x), xp.asarray(low, dtype=xp.float32), x)
        x = (x - low) * (255.0 / (high - low)) + 0.5
        x = xp.where(x < 0, xp.zeros_like(x), xp.where(x > 255, xp.full_like(x, 255.0), x))
        x = xp.astype(x, xp.uint8)
    for take in (lambda: numpy.from_dlpack(x), lambda: numpy.asarray(x)):
        try:
            return take()
        except (TypeError, BufferError, RuntimeError, AttributeError):
            continue
    raise ValueError(f"to_frames: {about} does not come to host memory by itself: copy it there first")


def _numpy(x, batch, order, value_range, about):
    import numpy

    if not isinstance(x, numpy.ndarray):
        address, shape, strides, dtype, owner = _probe(x)
        typestr = {"bfloat16": "<u2", "uint8": "|u1", "float16": "<f2", "float32": "<f4", "float64": "<f8"}.get(dtype)
        if typestr is None:
            raise ValueError(f"to_frames: got {dtype} {shape}: expected floats or uint8")
        x = numpy.asarray(_Memory(address, shape, strides, typestr, owner))
        half = dtype == "bfloat16"
    else:
        half = False
        if x.dtype != numpy.uint8 and x.dtype.kind != "f" and x.dtype.name != "bfloat16":
            raise ValueError(f"to_frames: got {about}: expected floats or uint8")
    x = x if batch is None else numpy.moveaxis(x, batch, 0)[0]
    x = x.transpose(_squeezed(order, batch))
    if x.dtype == numpy.uint8:
        return x
    if value_range is None:
        raise _needs_range(about)
    low, high = value_range
    scale = numpy.float32(255.0 / (high - low))
    offset = numpy.float32(0.5 - low * 255.0 / (high - low))
    frames = numpy.empty(x.shape, numpy.uint8)
    # Plane by plane: the floats in between stay in the cache.
    for index in numpy.ndindex(x.shape[:-2]):
        plane = x[index]
        if half:
            plane = (plane.astype(numpy.uint32) << 16).view(numpy.float32)
        values = numpy.multiply(plane, scale, dtype=numpy.float32)
        values += offset
        numpy.fmax(values, numpy.float32(0.0), out=values)  # fmax takes the number of a number and a NaN: black
        numpy.fmin(values, numpy.float32(255.0), out=values)
        frames[index] = values
    return frames


class _Memory:
    """Memory of somebody else's tensor, for numpy."""

    def __init__(self, address, shape, strides, typestr, owner):
        self.__array_interface__ = {"version": 3, "typestr": typestr, "shape": shape, "strides": strides,
                                    "data": (address, True)}
        self._owner = owner
