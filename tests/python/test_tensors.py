# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""to_frames: axes, ranges, types, errors. Needs numpy; torch is used when it is there."""
import pathlib
import sys
import unittest

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

from gst_reactor import to_frames  # noqa: E402
from gst_reactor.client import frames_of  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

T, H, W = 3, 4, 6
PICTURE = numpy.random.default_rng(5).integers(0, 256, (T, H, W, 3), numpy.uint8)
LAYOUTS = {"BCTHW": (3, 0, 1, 2), "BTCHW": (0, 3, 1, 2), "CTHW": (3, 0, 1, 2), "TCHW": (0, 3, 1, 2), "THWC": (0, 1, 2, 3)}


def as_layout(frames, layout):
    x = frames.transpose(LAYOUTS[layout])
    return x[None] if layout[0] == "B" else x


class Foreign:
    """The array-API surface that to_frames uses, as a library other than numpy would bring it."""

    def __init__(self, array):
        self._a = array
        self.shape, self.dtype = array.shape, array.dtype

    def __array_namespace__(self):
        return _Namespace

    def __array__(self, dtype=None, copy=None):
        return self._a

    def _op(name):
        def method(self, other):
            return Foreign(getattr(self._a, name)(other._a if isinstance(other, Foreign) else other))
        return method

    __sub__, __mul__, __add__ = _op("__sub__"), _op("__mul__"), _op("__add__")
    __lt__, __gt__ = _op("__lt__"), _op("__gt__")


class _Namespace:
    uint8, float32 = numpy.dtype("uint8"), numpy.dtype("float32")
    squeeze = staticmethod(lambda x, axis: Foreign(numpy.squeeze(x._a, axis)))
    permute_dims = staticmethod(lambda x, axes: Foreign(numpy.transpose(x._a, axes)))
    isdtype = staticmethod(lambda dtype, kind: dtype.kind == "f")
    astype = staticmethod(lambda x, dtype: Foreign(x._a.astype(dtype)))
    isnan = staticmethod(lambda x: Foreign(numpy.isnan(x._a)))
    asarray = staticmethod(lambda x, dtype: Foreign(numpy.asarray(x, dtype)))
    where = staticmethod(lambda c, a, b: Foreign(numpy.where(c._a, a._a, b._a)))
    zeros_like = staticmethod(lambda x: Foreign(numpy.zeros_like(x._a)))
    full_like = staticmethod(lambda x, v: Foreign(numpy.full_like(x._a, v)))


class ToFrames(unittest.TestCase):
    def test_every_layout_and_range_gives_the_same_picture(self):
        for layout in LAYOUTS:
            for low, high in ((-1, 1), (0, 1), (0, 255)):
                for dtype in (numpy.float32, numpy.float64) + ((numpy.float16,) if high < 2 else ()):
                    with self.subTest(f"{layout} {low}…{high} {dtype.__name__}"):
                        x = as_layout(PICTURE, layout).astype(numpy.float64) / 255 * (high - low) + low
                        frames = to_frames(x.astype(dtype), layout=layout, value_range=(low, high))
                        self.assertEqual((frames.shape, frames.dtype), ((T, H, W, 3), numpy.uint8))
                        numpy.testing.assert_array_equal(frames, PICTURE)

    def test_the_result_is_what_emit_block_takes(self):
        x = as_layout(PICTURE, "BCTHW").astype(numpy.float32) / 255
        self.assertEqual(frames_of(to_frames(x, "BCTHW", (0, 1))).shape, (T, H, W))

    def test_a_single_picture(self):
        frames = to_frames(PICTURE[0].transpose(2, 0, 1) / 255.0, "CHW", (0, 1))
        numpy.testing.assert_array_equal(frames, PICTURE[:1])

    def test_bytes_pass_through_without_a_copy(self):
        x = numpy.ascontiguousarray(as_layout(PICTURE, "BCTHW"))
        frames = to_frames(x, "BCTHW")
        numpy.testing.assert_array_equal(frames, PICTURE)
        self.assertTrue(numpy.shares_memory(frames, x))

    def test_values_outside_are_clipped_and_nan_is_black(self):
        x = numpy.array([-9.0, -1.0, 0.0, 1.0, 9.0, numpy.nan, numpy.inf, -numpy.inf], numpy.float32)
        x = numpy.broadcast_to(x, (1, 3, 1, 1, 8))
        expected = [0, 0, 128, 255, 255, 0, 255, 0]
        for make in (numpy.ascontiguousarray, lambda a: Foreign(numpy.ascontiguousarray(a)),
                     *([torch.tensor] if torch else [])):
            self.assertEqual(to_frames(make(x), "BCTHW", (-1, 1))[0, 0, :, 1].tolist(), expected)

    def test_any_array_api_object(self):
        x = as_layout(PICTURE, "BTCHW").astype(numpy.float32) / 255 * 2 - 1
        numpy.testing.assert_array_equal(to_frames(Foreign(x), "BTCHW", (-1, 1)), PICTURE)

    def test_bfloat16_without_a_library_for_it(self):
        exact = numpy.array([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0], numpy.float32)
        words = (exact.view(numpy.uint32) >> 16).astype(numpy.uint16)
        plane = numpy.ascontiguousarray(numpy.broadcast_to(words, (3, 1, 2, 6)))
        import ctypes

        from gst_reactor import client

        shape, strides = (ctypes.c_int64 * 4)(*plane.shape), (ctypes.c_int64 * 4)(12, 12, 6, 1)

        class Managed(ctypes.Structure):
            _fields_ = [("tensor", client._DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]

        managed = Managed(client._DLTensor(plane.ctypes.data, client._DLDevice(1, 0), 4, 4, 16, 1, shape, strides, 0))
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

        class Tensor:
            shape, dtype = (3, 1, 2, 6), "bfloat16"

            def __dlpack_device__(self):
                return 1, 0

            def __dlpack__(self):
                return new(ctypes.addressof(managed), b"dltensor", None)

        self.assertEqual(to_frames(Tensor(), "CTHW", (-1, 1))[0, 1, :, 2].tolist(), [0, 64, 128, 191, 255, 255])

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_torch_tensors_of_every_float(self):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            for layout in LAYOUTS:
                x = torch.tensor(as_layout(PICTURE, layout).astype(numpy.float32) / 255 * 2 - 1).to(dtype)
                x.requires_grad_(True)
                error = numpy.abs(to_frames(x, layout, (-1, 1)).astype(int) - PICTURE).max()
                self.assertLessEqual(error, 1 if dtype is not torch.bfloat16 else 2)

    def test_what_cannot_be_meant_is_refused_with_the_fix(self):
        x = numpy.zeros((1, 3, 2, 4, 6), numpy.float32)
        for call, text in (
                (lambda: to_frames(x), 'layout="BCTHW"'),
                (lambda: to_frames(x, "BCTHW"), "floats need value_range"),
                (lambda: to_frames(x, "CTHW", (0, 1)), "names 4 axes"),
                (lambda: to_frames(x, "BTCHW", (0, 1)), "has 2 channels, expected 3.*BCTHW"),
                (lambda: to_frames(x, "BCTHX", (0, 1)), "expected each of C, H, W once"),
                (lambda: to_frames(x, "BCCHW", (0, 1)), "expected each of"),
                (lambda: to_frames(numpy.zeros((2, 3, 2, 4, 6)), "BCTHW", (0, 1)), "holds 2 videos"),
                (lambda: to_frames(x, "BCTHW", (1, 0)), "value_range"),
                (lambda: to_frames(numpy.zeros((1, 3, 0, 4, 6)), "BCTHW", (0, 1)), "is empty"),
                (lambda: to_frames(numpy.zeros((1, 3, 2, 4, 6), int), "BCTHW", (0, 1)), "expected floats or uint8"),
                (lambda: to_frames([1, 2], "CHW"), "expected a tensor"),
                (lambda: to_frames(None, "CHW"), "expected a tensor")):
            with self.subTest(text):
                with self.assertRaisesRegex((ValueError, TypeError), text):
                    call()


if __name__ == "__main__":
    unittest.main()
