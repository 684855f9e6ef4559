# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTTP side with the real sink behind it: offers that are no offers, sessions in a row, the metrics' format."""

import json
import os
import random
import re
import sys
import time
import urllib.request

import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstSdp', '1.0')
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402,F401  pylint: disable=wrong-import-position

from fakesink import Fakesink, run  # noqa: E402  pylint: disable=wrong-import-position
from reactorpage import Page  # noqa: E402  pylint: disable=wrong-import-position

PIPELINE = ('videotestsrc is-live=true ! video/x-raw,format=RGB,width=320,height=180,framerate=16/1 ! '
            'reactorwebrtcsink name=sink port=0')


class Sink(Fakesink):
    """reactorwebrtcsink in this process, asked over HTTP like the one without media."""

    def __init__(self, settings=''):  # pylint: disable=super-init-not-called
        self.pipeline = Gst.parse_launch(f'{PIPELINE} {settings}')
        self.tls = False
        self.pipeline.set_state(Gst.State.PLAYING)
        self.port = self.pipeline.get_by_name('sink').get_property('port')
        assert self.port, 'the sink does not listen'

    def __exit__(self, kind, value, trace):
        self.read_bus()
        self.pipeline.set_state(Gst.State.NULL)

    def read_bus(self):
        """No error may be there."""
        bus = self.pipeline.get_bus()
        while message := bus.pop():
            assert message.type != Gst.MessageType.ERROR, message.parse_error()

    def stats(self):
        return self.request('GET', '/stats').json


def _offer():
    """What a WHEP client offers: one video to receive, and a data channel."""
    pipeline = Gst.Pipeline()
    peer = Gst.ElementFactory.make('webrtcbin')
    peer.set_property('bundle-policy', 'max-bundle')
    pipeline.add(peer)
    pipeline.set_state(Gst.State.READY)
    pipeline.set_state(Gst.State.PAUSED)
    channel = peer.emit('create-data-channel', 'data', None)
    caps = Gst.Caps.from_string('application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96')
    peer.emit('add-transceiver', GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)
    promise = Gst.Promise.new()
    peer.emit('create-offer', None, promise)
    promise.wait()
    reply = promise.get_reply()
    text = reply.get_value('offer').sdp.as_text()
    del channel, reply
    pipeline.set_state(Gst.State.NULL)
    return text


def _mid(offer):
    return re.search(r'm=video.*?a=mid:(\S+)', offer, re.S).group(1)


def whep_offer_is_answered_and_counted():
    with Sink() as sink:
        answer = sink.whep(_offer())
        assert answer.status == 201 and 'a=sendonly' in answer.body and 'VP8' in answer.body, answer
        assert 'a=candidate' in answer.body, 'the answer must have our candidates'
        assert len(sink.stats()['viewers']) == 1
        resource = '/' + answer.headers['location']
        start = time.monotonic()
        assert sink.request('DELETE', resource).status == 200
        while sink.stats()['viewers'] and time.monotonic() - start < 3:
            time.sleep(0.02)
        assert time.monotonic() - start < 1.5, 'a viewer must be gone within a second'
        assert sink.request('DELETE', resource).status == 404


def mangled_offers_are_answered_or_refused():
    generator = random.Random(3)
    offer = _offer()
    lines = offer.split('\r\n')
    with Sink() as sink:
        client = sink.client(timeout=30)
        seen = {}
        for _ in range(120):
            mangled = list(lines)
            for _ in range(generator.randrange(1, 5)):
                at = generator.randrange(len(mangled))
                what = generator.randrange(5)
                if what == 0:
                    del mangled[at]
                elif what == 1:
                    mangled.insert(at, generator.choice(lines))
                elif what == 2:
                    mangled[at] = re.sub(r'\d+', lambda _: str(generator.choice([0, 1, 65536, 99999999999])),
                                         mangled[at])
                elif what == 3:
                    mangled[at] = mangled[at][:generator.randrange(len(mangled[at]) + 1)]
                else:
                    mangled[at] += generator.choice([' ', 'é', ' ' * 5000, '\t;=', ' trickle', '%n%s'])
                if not mangled:
                    break
            answer = sink.whep('\r\n'.join(mangled), client=client)
            seen[answer.status] = seen.get(answer.status, 0) + 1
            assert answer.status in (201, 400, 406, 422), answer
            if answer.status == 201:
                assert sink.request('DELETE', '/' + answer.headers['location'], client=client).status == 200
            else:
                assert answer.code
        print(seen)
        assert seen.get(201) and seen.get(400), seen
        # And it still works.
        assert sink.whep(offer).status == 201


def superseded_offers_leave_one_viewer():
    offer = _offer()
    mapping = [{'mid': _mid(offer), 'name': 'main_video', 'kind': 'video', 'direction': 'recvonly'}]
    with Sink() as sink:
        for i in range(6):
            page = Page(sink, f'page{i}')
            page.start()
            # Each comes before the one before it is answered, whose viewer goes as soon as it is.
            for _ in range(5):
                assert page.offer(sdp=offer, mapping=mapping).status == 202
            deadline = time.monotonic() + 10
            while (answer := page.answer()).status == 202 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert answer.status == 200 and 'a=sendonly' in answer.json['sdp_answer'], answer
            deadline = time.monotonic() + 10
            while len(sink.stats()['viewers']) != 1 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert len(sink.stats()['viewers']) == 1, sink.stats()['viewers']
            assert page.stop().json == {'stopped': True}
            sink.read_bus()


def sessions_in_a_row_leave_nothing():
    offer = _offer()
    mapping = [{'mid': _mid(offer), 'name': 'main_video', 'kind': 'video', 'direction': 'recvonly'}]
    with Sink() as sink:
        def one(i):
            if i % 2:
                answer = sink.whep(offer)
                assert answer.status == 201, answer
                assert sink.request('DELETE', '/' + answer.headers['location']).status == 200
                return
            page = Page(sink, f'page{i}')
            page.start()
            assert page.offer(sdp=offer, mapping=mapping).status == 202
            deadline = time.monotonic() + 6
            while (answer := page.answer()).status == 202 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert answer.status == 200 and 'a=sendonly' in answer.json['sdp_answer'], answer
            assert page.stop().json == {'stopped': True}
            assert page.answer().status == 404, 'the session is over'

        def settle():
            """Descriptors and threads, once they have not changed for a second."""
            deadline = time.monotonic() + 15
            last, since = None, time.monotonic()
            while time.monotonic() < deadline:
                sink.read_bus()
                found = (len(os.listdir('/proc/self/fd')), _threads(), len(sink.stats()['viewers']))
                if found != last:
                    last, since = found, time.monotonic()
                elif time.monotonic() - since > 1 and not found[2]:
                    break
                time.sleep(0.1)
            return last

        for i in range(4):
            one(i)
        before = settle()
        for i in range(10):
            one(i)
        after = settle()
        print(before, after)
        assert after[0] <= before[0] + 2 and after[1] <= before[1] + 2, (before, after)
        assert sink.stats()['session']['count'] == 0, 'nobody ever connected: the model was never started'


def _threads():
    with open('/proc/self/status', encoding='ascii') as file:
        return int(re.search(r'Threads:\s+(\d+)', file.read()).group(1))


def metrics_follow_the_rules_of_the_text_format():
    with Sink() as sink:
        sink.whep(_offer())
        text = sink.request('GET', '/metrics').body
        assert text.endswith('\n')
        kinds, helped, seen = {}, set(), set()
        family = None
        for line in text.splitlines():
            if line.startswith('# HELP '):
                family = line.split()[2]
                assert family not in helped and len(line.split(' ', 3)[3]) > 3, line
                helped.add(family)
            elif line.startswith('# TYPE '):
                _, _, name, kind = line.split()
                assert name == family and name not in kinds, line
                assert kind in ('counter', 'gauge'), line
                assert name.endswith('_total') == (kind == 'counter'), line
                assert re.fullmatch('reactor_[a-z0-9_]+', name), line
                kinds[name] = kind
            else:
                match = re.fullmatch(r'([a-z0-9_]+)(\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})? (\S+)',
                                     line)
                assert match and match.group(1) == family and family in kinds, line
                float(match.group(3))
                assert (match.group(1), match.group(2)) not in seen, line
                seen.add((match.group(1), match.group(2)))
        assert 'reactor_viewers' in kinds and seen


def stats_are_json_and_health_is_said():
    with Sink() as sink:
        stats = sink.stats()
        assert stats['session']['state'] == 'idle' and stats['viewers'] == [], stats
        assert sink.request('GET', '/healthz').status in (200, 503)
        assert json.loads(sink.request('POST', '/start_session', {'Content-Type': 'application/json'},
                                       '{}').body)['session_id'] == sink.stats()['session']['id']


def tokens_hold_in_front_of_the_real_sink():
    with Sink('auth-token=full view-token=view') as sink:
        offer = _offer()
        assert sink.whep(offer).status == 401
        seen = sink.whep(offer, {'Authorization': 'Bearer view'})
        assert seen.status == 201, seen
        stats = sink.request('GET', '/stats', {'Authorization': 'Bearer full'}).json
        assert stats['viewers'][0]['role'] == 'view', stats
        assert sink.request('POST', '/stop_session', {'Authorization': 'Bearer view'}).status == 403


def the_url_can_be_opened_though_the_sink_listens_on_all_addresses():
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for host in ('0.0.0.0', '::'):
        with Sink(f'host={host} auth-token=none') as sink:
            url = sink.pipeline.get_by_name('sink').get_property('url')
            assert '//0.0.0.0:' not in url and '//[::]:' not in url, url
            assert direct.open(url, timeout=5).status == 200, url


Gst.init(None)
run({name: test for name, test in list(globals().items())
     if callable(test) and getattr(test, '__module__', '') == '__main__'
     and not name.startswith('_') and not isinstance(test, type)})
