# SPDX-License-Identifier: LGPL-2.1-or-later
"""The row of `doors` that is Python: arrays through appsrc as Gst.Buffer.new_wrapped(bytes).

    doors-appsrc.py WARM_UP BLOCKS RESTED REST_SECONDS

prints GB/s, CPU seconds a block, and the middle time in seconds from the array to reactorpace.
"""
import struct
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

HEIGHT = 12 * 704  # a block as one tall picture
SIZE = HEIGHT * 1280 * 3
LAUNCH = ("appsrc name=src block=true max-bytes=1 is-live=true do-timestamp=true format=time "
          f"caps=video/x-raw,format=RGB,width=1280,height={HEIGHT},framerate=0/1 ! ")


def measure(rest, warm_up, blocks, pause):
    array, arrivals = bytearray(b"\7" * SIZE), []
    pipeline = Gst.parse_launch(LAUNCH + rest)
    src = pipeline.get_by_name("src")

    def seen(pad, info):
        now = time.monotonic()
        arrivals.append((now, now - struct.unpack("d", info.get_buffer().extract_dup(0, 8))[0], time.process_time()))
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("sink").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, seen)
    pipeline.set_state(Gst.State.PLAYING)
    for i in range(warm_up + blocks):
        if i >= warm_up:
            time.sleep(pause)
        struct.pack_into("d", array, 0, time.monotonic())
        src.emit("push-buffer", Gst.Buffer.new_wrapped(bytes(array)))  # bytes(array): what tobytes() of numpy does
    deadline = time.monotonic() + 30
    while len(arrivals) < warm_up + blocks and time.monotonic() < deadline:
        time.sleep(0.001)
    pipeline.set_state(Gst.State.NULL)
    return arrivals[warm_up - 1:]


def main():
    Gst.init(None)
    warm_up, blocks, rested = map(int, sys.argv[1:4])
    seen = measure("fakesink name=sink sync=false enable-last-sample=false", warm_up, blocks, 0)
    seconds, cpu = seen[-1][0] - seen[0][0], seen[-1][2] - seen[0][2]
    late = measure("reactorpace name=sink max-fps=1000 ! fakesink sync=false enable-last-sample=false", warm_up, rested,
                   float(sys.argv[4]))
    print(blocks * SIZE / seconds / 1e9, cpu / blocks, sorted(latency for _, latency, _ in late[1:])[rested // 2])


if __name__ == "__main__":
    main()
