# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Reactor local protocol over HTTP, both generations, as its SDK speaks it."""

import sys
import time

from fakesink import OFFER, Fakesink, run
from reactorpage import API, JSON, MAPPING, RTC, Page

PROGRAM = sys.argv[1]

def _viewers(sink):
    return sink.request('GET', '/stats').json['viewers']


def _stops(sink):
    return [detail for name, detail in sink.calls() if name == 'stop_session']


def sdk_connects_step_by_step():
    with Fakesink(PROGRAM, ice_servers=['stun:a:1', 'turn:b:2']) as sink:
        page = Page(sink)
        document = page.start()
        assert document == {
            'session_id': page.sid, 'state': 'waiting', 'cluster': 'local',
            'model': {'name': 'reactor'}, 'server_info': document['server_info'],
            'selected_transport': {'protocol': 'webrtc', 'version': '1.0'},
            'capabilities': {'protocol_version': 'v0', 'commands': [], 'tracks': [
                {'name': 'main_video', 'kind': 'video', 'direction': 'recvonly'}]}}, document
        assert isinstance(document['server_info']['server_version'], str)
        ice = page.transport('GET', 'ice_servers')
        assert ice.status == 200 and ice.json == {'ice_servers': [
            {'uris': ['stun:a:1', 'turn:b:2'],
             'credentials': {'username': 'user', 'password': 'pass"word'}}]}, ice
        early = page.answer()
        assert early.status == 409 and early.code == 'no-offer', early
        assert page.offer(sdp=OFFER + 'a=x-fake-delay:200\r\n').status == 202
        assert page.answer().status == 202
        time.sleep(0.4)
        for _ in range(2):
            assert page.answer().status == 200
        assert _viewers(sink) == 1
        stopped = page.stop()
        assert stopped.status == 200 and stopped.json == {'stopped': True}, stopped
        assert _viewers(sink) == 0
        gone = page.offer()
        assert gone.status == 404 and gone.code == 'no-session', gone
        assert page.stop().json == {'stopped': False}


def start_is_idempotent():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        assert page.start() == page.start()
        page.connect()
        assert page.answer().status == 200


def any_order_of_start_stop_start_leaves_a_working_last_start():
    for order in ('start stop start', 'start start stop', 'stop start start', 'start stop stop start',
                  'start start start stop stop'):
        with Fakesink(PROGRAM) as sink:
            page = Page(sink)
            for step in order.split():
                getattr(page, step)()
            assert page.offer().status == 202, order
            assert page.answer().status == 200, order
            assert _viewers(sink) == 1, order


def late_stop_of_a_page_that_mounted_twice_spares_its_viewer():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        page.connect()
        assert page.stop().json == {'stopped': False}
        assert page.answer().status == 200 and _viewers(sink) == 1
        assert page.stop().json == {'stopped': True}


def stop_of_a_page_that_mounted_twice_works_a_moment_later():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        page.connect()
        time.sleep(3.3)
        assert page.stop().json == {'stopped': True}
        assert _viewers(sink) == 0


def page_that_never_connected_ends_nothing():
    with Fakesink(PROGRAM) as sink:
        viewer, other = Page(sink), Page(sink, 'other')
        viewer.connect()
        sink.calls()
        refused = other.stop()
        assert refused.status == 409 and refused.code == 'not-yours', refused
        other.start()
        assert other.stop().json == {'stopped': False}
        assert _stops(sink) == [] and _viewers(sink) == 1
        # Nor one that comes by WHEP.
        sink.whep()
        viewer.stop()
        sink.whep()
        assert other.stop().status == 409
        assert _viewers(sink) == 1


def stop_of_one_page_spares_another_that_is_starting():
    with Fakesink(PROGRAM) as sink:
        first, second = Page(sink), Page(sink, 'other')
        first.start()
        second.start()
        assert first.stop().json == {'stopped': False}
        assert second.offer().status == 202 and second.answer().status == 200


def pages_do_not_get_each_others_answers():
    with Fakesink(PROGRAM) as sink:
        first, second = Page(sink), Page(sink, 'other')
        first.start()
        second.start()
        assert first.sid != second.sid
        first.offer(sdp=OFFER + 'a=x-fake-delay:300\r\n')
        second.offer()
        assert first.answer().status == 202 and second.answer().status == 200
        # Two tabs of one page: the first has connected, so the second is a client of its own.
        third = Page(sink, 'other')
        third.start()
        assert third.sid not in (first.sid, second.sid)


def reconnect_by_put_replaces_the_viewer():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        early = page.offer('PUT')
        assert early.status == 409 and early.code == 'no-offer', early
        page.offer()
        sink.calls()
        assert page.offer('PUT').status == 202
        assert [name for name, _ in sink.calls()] == ['replace_viewer']
        assert page.answer().status == 200 and _viewers(sink) == 1
        bad = page.offer('PUT', 'not an sdp')
        assert bad.status == 422, bad
        assert page.answer().status == 200 and _viewers(sink) == 1, 'a bad offer must touch nothing'


def superseded_offer_leaves_no_viewer():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        page.offer(sdp=OFFER + 'a=x-fake-delay:200\r\n')
        page.offer()
        assert page.answer().status == 200
        time.sleep(0.4)
        assert _viewers(sink) == 1
        assert ['remove_viewer', 'its offer was superseded'] in sink.calls()


def refusals_are_what_the_sdk_expects():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        sink.calls()
        for sdp, status in (('', 422), ('nonsense', 422), (OFFER + 'a=x-fake-refuse:400\r\n', 422),
                            (OFFER + 'a=x-fake-refuse:406\r\n', 406),
                            (OFFER + 'm=audio 9 x 0\r\n' * 64, 422)):
            refused = page.offer(sdp=sdp)
            assert refused.status == status and refused.code, (sdp, refused)
        for mapping in ({}, [], [1], [{}], [{**MAPPING[0], 'name': 'other'}],
                        [{**MAPPING[0], 'mid': '7'}], [{**MAPPING[0], 'mid': 0}],
                        [{**MAPPING[0], 'direction': 'sendonly'}], MAPPING * 65):
            refused = page.offer(mapping=mapping)
            assert refused.status == 422 and refused.code == 'field', (mapping, refused)
        path = f'/sessions/{page.sid}/transport/webrtc/sdp_params'
        for body, status in (('{', 400), ('[]', 422), ('{}', 422), ('{"sdp_offer":1}', 422),
                             ('[' * 100000, 400), ('{"a":1,"a":2}', 400), ('{"a":1e999}', 400)):
            refused = sink.request('POST', path, {**RTC, **JSON}, body)
            assert refused.status == status and refused.code, (body[:20], refused)
        typed = sink.request('POST', path, {**RTC, 'Content-Type': 'text/plain'}, '{}')
        assert typed.status == 415, typed
        for sid in ('x', '0' * 32, page.sid[:-1]):
            assert page.transport('GET', 'ice_servers', sid=sid).status == 404
        for headers in ({'Reactor-API-Version': '2'}, {'Reactor-API-Version': ''},
                        {'Reactor-API-Accept-Version': '2, 3'}):
            old = sink.request('POST', '/start_session', {**JSON, **headers}, '{}')
            assert old.status == 426 and old.code == 'api-version', old
        both = {'Reactor-API-Version': '2', 'Reactor-API-Accept-Version': '2, 1'}
        assert sink.request('POST', '/start_session', {**JSON, **both}, '{}').status == 200
        rtc = sink.request('GET', f'/sessions/{page.sid}/transport/webrtc/ice_servers',
                           {**RTC, 'Reactor-WebRTC-Version': '2.0'})
        assert rtc.status == 426 and rtc.code == 'webrtc-version', rtc
        assert _viewers(sink) == 0


def host_refuses_later_and_the_answer_says_so():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        assert page.offer(sdp=OFFER + 'a=x-fake-delay:100\r\na=x-fake-refuse:406\r\n').status == 202
        time.sleep(0.3)
        refused = page.answer()
        assert refused.status == 406 and refused.code == 'fake', refused


def connections_of_the_newer_sdk():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        opened = page.transport('POST', 'connections')
        assert opened.status == 201, opened
        number = opened.json['connection_id']
        assert 1002 <= number <= 9999 and opened.json['track_map'] == {}
        other = page.transport('POST', 'connections').json['connection_id']
        assert other != number
        base = f'connections/{number}'
        candidate = {'candidate': 'candidate:1 1 UDP 1 192.0.2.1 9 typ host', 'sdp_mid': '0',
                     'sdp_mline_index': 0}
        batch = {'candidates': [candidate], 'is_final': False}
        early = page.transport('POST', f'{base}/ice_candidates', batch)
        assert early.status == 409 and early.code == 'no-offer', early
        assert page.offer(sdp=OFFER + 'a=x-fake-delay:200\r\n', path=f'{base}/sdp_params').status == 202
        # Candidates that come before the viewer is there wait for it.
        assert page.transport('POST', f'{base}/ice_candidates', batch).status == 202
        assert page.answer(f'{base}/sdp_params').status == 202
        time.sleep(0.4)
        assert page.answer(f'{base}/sdp_params').status == 200
        final = {'candidates': [{'candidate': '', 'sdp_mid': None, 'sdp_mline_index': None}],
                 'is_final': True}
        assert page.transport('POST', f'{base}/ice_candidates', final).status == 202
        assert [d for n, d in sink.calls() if n == 'add_candidate'] == ['0 ' + candidate['candidate']]
        for bad in ({}, {'candidates': {}}, {'candidates': [1]}, {'candidates': [{}]},
                    {'candidates': [{'candidate': 'hello'}]},
                    {'candidates': [{**candidate, 'sdp_mline_index': -1}]},
                    {'candidates': [{**candidate, 'candidate': 'candidate:1\na=b'}]},
                    {'candidates': [candidate] * 65}):
            refused = page.transport('POST', f'{base}/ice_candidates', bad)
            assert refused.status == 422, (bad, refused)
        flood = [page.transport('POST', f'{base}/ice_candidates', {'candidates': [candidate] * 32})
                 for _ in range(3)]
        assert [answer.status for answer in flood] == [202, 422, 422], flood
        assert page.answer(f'connections/{other}/sdp_params').status == 409
        for wrong in ('1001', '9999', '0', 'x', '99999999999999999999'):
            assert page.answer(f'connections/{wrong}/sdp_params').status == 404, wrong
        assert page.offer('PUT', path=f'{base}/sdp_params').status == 202
        assert _viewers(sink) == 1
        assert page.transport('DELETE', base).status == 200
        assert page.transport('DELETE', base).status == 404
        assert _viewers(sink) == 0


def connections_are_bounded():
    with Fakesink(PROGRAM) as sink:
        page = Page(sink)
        page.start()
        got = [page.transport('POST', 'connections').status for _ in range(66)]
        assert got == [201] * 64 + [429] * 2, got


def session_can_be_adopted():
    with Fakesink(PROGRAM) as sink:
        none = sink.request('GET', '/session', API)
        assert none.status == 404 and none.code == 'no-session', none
        starter, joiner = Page(sink), Page(sink, 'joiner')
        starter.connect()
        document = sink.request('GET', '/session', API).json
        joiner.sid = document['session_id']
        assert joiner.offer().status == 202 and joiner.answer().status == 200
        assert _viewers(sink) == 2
        assert sink.request('GET', f'/sessions/{joiner.sid}', API).json == document


def starts_of_a_thousand_pages_stay_bounded():
    with Fakesink(PROGRAM) as sink:
        viewer = Page(sink)
        viewer.connect()
        client = sink.client()
        for i in range(1000):
            headers = {**API, **JSON, 'User-Agent': f'page {i}'}
            assert sink.request('POST', '/start_session', headers, '{}', client=client).status == 200
        assert viewer.answer().status == 200, 'a page with a viewer must not be forgotten'


run({name: test for name, test in list(globals().items())
     if callable(test) and getattr(test, '__module__', '') == '__main__'
     and not name.startswith('_') and not isinstance(test, type)})
