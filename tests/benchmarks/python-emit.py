# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What emit_block costs: copied and lent, in-process and through the socket, against appsrc with new_wrapped(bytes), numpy's
ascontiguousarray and memcpy. All in one run, 12x704x1280x3 blocks. Prints a table; fails on nothing.

    meson test -C build --benchmark python-emit -v
"""
import ctypes
import gc
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

import numpy  # noqa: E402
from gst_reactor import client  # noqa: E402
from gst_reactor.pipeline import GLib, Gst, GstReactor, Pipeline  # noqa: E402

SHAPE = (12, 704, 1280, 3)
ROUNDS = int(os.environ.get("ROUNDS", 30))


def measure(call, rounds=ROUNDS):
    """(median, best) seconds of a call, after warming up."""
    for _ in range(4):
        call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
        time.sleep(0.003)
    times.sort()
    return times[len(times) // 2], times[0]


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def main():
    Gst.init(None)
    rows = []
    array = numpy.random.default_rng(0).integers(0, 256, SHAPE, numpy.uint8)
    planar = numpy.ascontiguousarray(array.transpose(3, 0, 1, 2)).transpose(1, 2, 3, 0)
    target = numpy.empty(SHAPE, numpy.uint8)
    size = array.nbytes

    rows.append(("memcpy", measure(lambda: ctypes.memmove(target.ctypes.data, array.ctypes.data, size))))
    rows.append(("numpy.ascontiguousarray, planar", measure(lambda: numpy.ascontiguousarray(planar), 8)))

    pipeline = Pipeline("reactorsrc ! fakesink sync=false enable-last-sample=false")
    pipeline.start()
    context = pipeline.context
    context.wait_session(5)
    rows.append(("emit_block(a)", measure(lambda: context.emit_block(array))))
    rows.append(("emit_block(a), planar from PyTorch", measure(lambda: context.emit_block(planar))))
    rows.append(("emit_block(a, copy=False)", measure(lambda: context.emit_block(array[:], copy=False))))
    rows.append(("emit_block(a, copy=False), planar", measure(lambda: context.emit_block(planar[:], copy=False))))

    small = numpy.zeros((1, 64, 64, 3), numpy.uint8)
    count = int(os.environ.get("EMITS", 200_000))
    growth = {}
    for name, call in (("copied", lambda: context.emit_block(small)),
                       ("lent", lambda: context.emit_block(small[:], copy=False))):
        for _ in range(count // 10):
            call()
        gc.collect()
        time.sleep(0.5)
        before, started = resident(), time.perf_counter()
        for _ in range(count):
            call()
        gc.collect()
        growth[name] = resident() - before, (time.perf_counter() - started) / count
    pipeline.stop()

    plain = Gst.parse_launch("appsrc name=src is-live=true format=time max-bytes=0 caps=video/x-raw,format=RGB,width=1280,"
                             "height=704,framerate=0/1 ! fakesink sync=false enable-last-sample=false")
    plain.set_state(Gst.State.PLAYING)
    src = plain.get_by_name("src")
    rows.append(("appsrc, Gst.Buffer.new_wrapped(a.tobytes())",
                 measure(lambda: src.emit("push-buffer", Gst.Buffer.new_wrapped(array.tobytes())), 8)))
    plain.set_state(Gst.State.NULL)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.sock")
        pipeline = Pipeline(f"reactorsrc socket-path={path} ! fakesink sync=false enable-last-sample=false")
        pipeline.start()
        model = client.connect(path)
        model.wait_session(5)

        def fill():
            block = model.alloc_block(*SHAPE[:3])
            ctypes.memmove(block.ctypes.data, array.ctypes.data, size)
            model.emit_block(block)

        rows.append(("socket, emit_block(a)", measure(lambda: model.emit_block(array))))
        rows.append(("socket, emit_block(a), planar", measure(lambda: model.emit_block(planar))))
        rows.append(("socket, alloc_block filled by memcpy", measure(fill)))
        rows.append(("socket, alloc_block alone", measure(lambda: model.emit_block(model.alloc_block(*SHAPE[:3])))))
        model.close()
        pipeline.stop()

    base = rows[0][1]
    print(f"{'12 x 704 x 1280 x 3, 32.4 MB':44} {'median':>11} {'best':>11} {'x memcpy (best)':>16}")
    for name, (median, best) in rows:
        print(f"{name:44} {median * 1e3:8.3f} ms {best * 1e3:8.3f} ms {best / base[1]:15.2f}")
    for name, (grown, each) in growth.items():
        print(f"{count} emits of 1x64x64x3, {name}: {each * 1e6:.1f} µs each, the process grew by {grown / 1e6:.2f} MB")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)
