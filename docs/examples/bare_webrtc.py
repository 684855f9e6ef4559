#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A model over a plain webrtcbin, without reactorwebrtcsink: the application does its own signalling.

    reactorsrc ! reactorpace ! videoconvert ! vp8enc ! rtpvp8pay ! webrtcbin

What the application adds for the JSON both ways is `on_bus_message` (model to viewer) and `on_viewer_text` (viewer to
model). The viewer is a second webrtcbin in the same process, so that the example runs by itself: it prints how evenly the
frames arrive, and the messages both ways. Exit status 0 when both work.

    bare_webrtc.py [SECONDS]
"""
import json
import queue
import random
import statistics
import sys
import threading
import time

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstReactor", "1.0")
from gi.repository import Gst, GstReactor, GstSdp, GstWebRTC  # noqa: E402

from gst_reactor import attach  # noqa: E402

FPS, BLOCK, WIDTH, HEIGHT = 16.0, 4, 320, 192

# colorimetry: VP8 cannot say which matrix it uses, receivers take BT.601. ssrc: fixed in the caps before the offer is made,
# since a model that is still silent would leave the offer without one.
PUBLISHER = """
    webrtcbin name=peer bundle-policy=max-bundle
    reactorsrc name=model ! reactorpace name=pace ! videoconvert
    ! video/x-raw,format=I420,colorimetry=bt601
    ! vp8enc deadline=1 cpu-used=8 lag-in-frames=0 error-resilient=partitions keyframe-max-dist=2147483647
        target-bitrate=1500000
    ! queue ! rtpvp8pay pt=96 ssrc=1234567 picture-id-mode=15-bit mtu=1200
    ! application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,ssrc=(uint)1234567 ! peer.
"""


class Loop:
    """One thread for everything that is not streaming: promises and signals only put work here."""

    def __init__(self):
        self._work = queue.Queue()

    def post(self, call, *args):
        self._work.put((call, args))

    def run(self, seconds, busses):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                call, args = self._work.get(timeout=0.02)
                call(*args)
            except queue.Empty:
                pass
            for bus, handler in busses:
                while (message := bus.pop()) is not None:
                    handler(message)


class Publisher:
    def __init__(self, loop):
        self.loop = loop
        self.pipeline = Gst.parse_launch(PUBLISHER)
        self.peer = self.pipeline.get_by_name("peer")
        self.pace = self.pipeline.get_by_name("pace")
        self.context = attach(self.pipeline.get_by_name("model"))
        self.commands = 0
        self.channel = None
        self.waiting = []  # messages sent before the channel is open

    def start(self, to_viewer):
        self.to_viewer = to_viewer
        self.peer.connect("on-ice-candidate", lambda _, line, text: self.loop.post(to_viewer.add_candidate, line, text))
        self.peer.connect("on-negotiation-needed", lambda _: self.loop.post(self.offer))
        self.pipeline.set_state(Gst.State.READY)  # a channel can be made from READY on, and belongs in the first offer
        self.channel = self.peer.emit("create-data-channel", "data", None)
        self.channel.connect("on-open", lambda _: self.loop.post(self.opened))
        self.channel.connect("on-message-string", lambda _, text: self.loop.post(self.on_viewer_text, text))
        self.pipeline.set_state(Gst.State.PLAYING)

    def offer(self):
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(
            lambda promise: self.loop.post(self.offered, promise)))

    def offered(self, promise):
        reply = promise.get_reply()  # kept while its values are used
        offer = reply.get_value("offer")
        self.peer.emit("set-local-description", offer, None)
        self.to_viewer.answer(offer.sdp.as_text())

    def answered(self, text):
        self.peer.emit("set-remote-description", description(GstWebRTC.WebRTCSDPType.ANSWER, text), None)

    def add_candidate(self, line, text):
        self.peer.emit("add-ice-candidate", line, text)

    def opened(self):
        for text in self.waiting:
            self.channel.emit("send-string", text)
        self.waiting = None

    # Model to viewer: what the model sends and what becomes of sessions stands on the bus.
    def on_bus_message(self, message):
        if message.type == Gst.MessageType.ERROR:
            raise SystemExit(f"publisher: {message.parse_error()[0].message}")
        structure = message.get_structure()
        if structure is not None and structure.get_name() == "reactor-message":
            envelope = json.dumps({"scope": "application", "data": json.loads(structure.get_value("json"))})
            if self.waiting is None:
                self.channel.emit("send-string", envelope)
            else:
                self.waiting.append(envelope)
        self.context.handle_message(message)

    # Viewer to model: one event, sent into the pacer, which passes it up to reactorsrc.
    def on_viewer_text(self, text):
        command = json.loads(text)["data"]
        self.commands += 1
        self.pace.send_event(GstReactor.event_new_command(json.dumps(command), "viewer-1", self.commands))


class Viewer:
    def __init__(self, loop):
        self.loop = loop
        self.pipeline = Gst.Pipeline.new(None)
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        self.arrivals, self.messages, self.channel = [], [], None

    def start(self, to_publisher):
        self.to_publisher = to_publisher
        self.peer.connect("on-ice-candidate", lambda _, line, text: self.loop.post(to_publisher.add_candidate, line, text))
        self.peer.connect("on-data-channel", lambda _, channel: self.loop.post(self.opened, channel))
        self.peer.connect("pad-added", self.on_pad)
        self.pipeline.set_state(Gst.State.PLAYING)

    def answer(self, text):
        self.peer.emit("set-remote-description", description(GstWebRTC.WebRTCSDPType.OFFER, text), None)
        self.peer.emit("create-answer", None, Gst.Promise.new_with_change_func(
            lambda promise: self.loop.post(self.answered, promise)))

    def answered(self, promise):
        reply = promise.get_reply()
        answer = reply.get_value("answer")
        self.peer.emit("set-local-description", answer, None)
        self.to_publisher.answered(answer.sdp.as_text())

    def add_candidate(self, line, text):
        self.peer.emit("add-ice-candidate", line, text)

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        branch = Gst.parse_bin_from_description("rtpvp8depay ! vp8dec ! fakesink name=out sync=false", True)
        branch.get_by_name("out").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def on_frame(self, _, info):
        self.arrivals.append(time.monotonic())
        return Gst.PadProbeReturn.OK

    def opened(self, channel):
        self.channel = channel
        channel.connect("on-message-string", lambda _, text: self.loop.post(self.messages.append, json.loads(text)))
        channel.emit("send-string", json.dumps({"scope": "application", "data": {"type": "hello", "data": {"from": "viewer"}}}))


def description(kind, text):
    _, sdp = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(kind, sdp)


def model(context, stop):
    """Blocks of four frames at 16 frames a second, each block up to 10 % early or late."""
    chance, shade = random.Random(1), 0
    if context.wait_session(timeout=10) is None:  # without a sink that owns sessions, the session is PLAYING
        return
    while not stop.is_set() and not context.should_stop():
        time.sleep(BLOCK / FPS * chance.uniform(0.9, 1.1))
        block = np.empty((BLOCK, HEIGHT, WIDTH, 3), np.uint8)
        for frame in block:
            shade = (shade + 5) % 256
            frame[:] = (shade, 255 - shade, 128)
        context.emit_block(block)
        while (command := context.poll_command()) is not None:
            context.send({"type": "echo", "data": command.data})


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    Gst.init(None)
    loop, stop = Loop(), threading.Event()
    publisher, viewer = Publisher(loop), Viewer(loop)
    viewer.start(publisher)
    publisher.start(viewer)
    worker = threading.Thread(target=model, args=(publisher.context, stop))
    worker.start()
    loop.run(seconds, [(publisher.pipeline.get_bus(), publisher.on_bus_message), (viewer.pipeline.get_bus(), lambda _: None)])
    stop.set()
    publisher.pipeline.set_state(Gst.State.NULL)
    viewer.pipeline.set_state(Gst.State.NULL)
    worker.join()

    settled = viewer.arrivals[len(viewer.arrivals) // 2:]  # the second half: the rate is known
    intervals = [b - a for a, b in zip(settled, settled[1:])]
    if len(intervals) < FPS * seconds / 4:
        print(f"only {len(viewer.arrivals)} frames arrived")
        return 1
    median = statistics.median(intervals)
    late = sum(i > 1.5 * median for i in intervals) / len(intervals)
    print(f"{len(viewer.arrivals)} frames; interval median {1000 * median:.1f} ms, "
          f"{100 * late:.1f} % above 1.5 x median; messages: {viewer.messages}")
    echoed = any(m["data"] == {"type": "echo", "data": {"from": "viewer"}} for m in viewer.messages)
    if not echoed:
        print("the viewer's hello did not come back")
    return 0 if echoed and late < 0.15 and abs(median * FPS - 1) < 0.15 else 1


if __name__ == "__main__":
    sys.exit(main())
