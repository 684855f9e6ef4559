# SPDX-License-Identifier: LGPL-2.1-or-later
"""A page with Reactor's SDK in it, as far as its HTTP requests go."""

import json

from fakesink import OFFER

API = {'Reactor-API-Version': '1', 'Reactor-API-Accept-Version': '1'}
RTC = {'Authorization': 'Bearer local', 'Reactor-WebRTC-Version': '1.0'}
JSON = {'Content-Type': 'application/json'}
MAPPING = [{'mid': '0', 'name': 'main_video', 'kind': 'video', 'direction': 'recvonly'}]


class Page:
    """A page with the SDK in it. Pages differ by their origin."""

    def __init__(self, sink, name='app'):
        self.sink = sink
        self.origin = {'Origin': f'http://{name}.localhost:3000'}
        self.sid = None

    def start(self):
        answer = self.sink.request('POST', '/start_session', {**API, **JSON, **self.origin}, '{}')
        assert answer.status == 200, answer
        self.sid = answer.json['session_id']
        return answer.json

    def stop(self):
        return self.sink.request('POST', '/stop_session', {**API, **self.origin})

    def transport(self, method, path, body=None, sid=None):
        headers = {**RTC, **self.origin, **(JSON if body is not None else {})}
        return self.sink.request(method, f'/sessions/{sid or self.sid}/transport/webrtc/{path}',
                                 headers, None if body is None else json.dumps(body))

    def offer(self, method='POST', sdp=OFFER, mapping=None, path='sdp_params'):
        info = {'sdk_version': '2.9.0', 'sdk_type': 'js'}
        return self.transport(method, path, {'sdp_offer': sdp, 'client_info': info,
                                             'track_mapping': MAPPING if mapping is None else mapping})

    def answer(self, path='sdp_params'):
        return self.transport('GET', path)

    def connect(self):
        self.start()
        assert self.offer().status == 202
        answer = self.answer()
        assert answer.status == 200 and answer.json['sdp_answer'].startswith('v=0'), answer
