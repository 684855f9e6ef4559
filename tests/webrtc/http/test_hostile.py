# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that mean harm or know no better: floods, slow ones, liars; and who gets in where.

Whatever they do, they get a documented refusal or the end of the connection, nobody else notices, and nothing is left
behind.
"""

import os
import random
import re
import resource
import socket
import struct
import sys
import time

from fakesink import OFFER, Fakesink, run

PROGRAM = sys.argv[1]
GET = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'


def _sanitized(sink):
    with open(f'/proc/{sink.process.pid}/maps', encoding='ascii') as file:
        return re.search('lib[a-z]+san', file.read())


def _memory(sink):
    """Resident bytes of the server; a sanitizer's own memory says nothing about it."""
    if _sanitized(sink):
        return 0
    with open(f'/proc/{sink.process.pid}/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * 4096


def _cpu(sink):
    """Processor time of the server, in seconds."""
    with open(f'/proc/{sink.process.pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _alive(sink):
    answer = sink.request('GET', '/healthz')
    assert answer.status == 200, answer


def slow_request_ends_with_408():
    with Fakesink(PROGRAM, request_ms=500) as sink:
        head = 'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
        for text in ('G', head, head + 'Content-Length: 100\r\n\r\nv=0',
                     head + 'Transfer-Encoding: chunked\r\n\r\n5\r\nv='):
            client = sink.client()
            start = time.monotonic()
            client.send(text)
            answer = client.read()
            took = time.monotonic() - start
            assert answer.status == 408 and answer.code == 'too-slow', answer
            assert 0.4 < took < 3, took
            assert client.closed(3)
        # Dripping bytes do not buy time.
        client = sink.client()
        start = time.monotonic()
        try:
            for byte in head * 20:
                client.send(byte)
                time.sleep(0.02)
                if time.monotonic() - start > 5:
                    break
        except OSError:
            pass
        assert time.monotonic() - start < 4
        _alive(sink)


def silent_connection_is_ended_without_a_word():
    with Fakesink(PROGRAM, keep_alive_ms=400) as sink:
        client = sink.client()
        assert client.closed(4) and client.took > 0.2 and not client.buffer
        # The same after a request.
        client = sink.client()
        client.send(GET)
        assert client.read().status == 200
        assert client.closed(4)


def connections_beyond_the_limit_get_429():
    with Fakesink(PROGRAM, connections=8) as sink:
        before = sink.fds()
        holders = [sink.client() for _ in range(8)]
        for holder in holders:
            holder.send(GET)
            assert holder.read().status == 200
        for _ in range(20):
            refused = sink.client()
            answer = refused.read()
            assert answer.status == 429 and answer.code == 'too-many-connections', answer
            assert answer.headers['connection'] == 'close'
            refused.close()
        holders[0].send(GET)
        assert holders[0].read().status == 200, 'those who are in are not touched'
        # A flood that reads nothing: the ones that cannot be told are just ended.
        flood = [sink.client() for _ in range(200)]
        for client in flood + holders:
            client.close()
        time.sleep(0.3)
        _alive(sink)
        deadline = time.monotonic() + 5
        while sink.fds() > before and time.monotonic() < deadline:
            time.sleep(0.1)
        assert sink.fds() <= before


def server_out_of_descriptors_waits_and_recovers():
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))  # noqa: E731
    with Fakesink(PROGRAM, prepare=limit, keep_alive_ms=1500) as sink:
        if _sanitized(sink):
            return  # a sanitizer itself needs descriptors to look at memory
        crowd = [sink.client() for _ in range(80)]
        time.sleep(0.3)
        before = _cpu(sink)
        time.sleep(0.8)
        assert _cpu(sink) - before < 0.1, 'a server that can accept nobody must not spin'
        for client in crowd:
            client.close()
        _alive(sink)


def timeouts_do_not_follow_the_wall_clock():
    with Fakesink(PROGRAM, preload=sys.argv[2], request_ms=700, keep_alive_ms=700,
                  auth_token='full') as sink:
        for text, whole in (('', False), ('GET /', True)):
            client = sink.client()
            client.send(text)
            start = time.monotonic()
            answer = client.read()
            assert (answer.status == 408) if whole else (answer is None), answer
            assert 0.5 < time.monotonic() - start < 3
        wrong = [sink.request('GET', '/stats', {'Authorization': 'Bearer x'}).status for _ in range(12)]
        assert wrong == [401] * 10 + [429] * 2, wrong


def giant_bodies_are_refused_before_they_are_read():
    with Fakesink(PROGRAM) as sink:
        before = _memory(sink)
        for _ in range(4):
            client = sink.client()
            client.send('POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                        'Content-Length: 104857600\r\n\r\n')
            try:
                for _ in range(1600):
                    client.send(b'x' * 65536)
            except OSError:
                pass
            answer = None
            try:
                answer = client.read()
            except OSError:
                pass
            assert answer is None or answer.status == 413, answer
            # One that stops sending when it is told so hears the reason.
            client = sink.client()
            client.send('POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                        f'Content-Length: 104857600\r\n\r\n{"x" * 300000}')
            answer = client.read()
            assert answer.status == 413 and answer.code == 'body-too-large', answer
            assert client.read() is None, 'an end, not a reset that could take the answer with it'
            client = sink.client()
            client.send('POST /whep HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n' +
                        f'10000\r\n{"x" * 65536}\r\n' * 5)
            assert client.read().status == 413
        assert _memory(sink) - before < 8 << 20
        assert sink.calls() == []


def long_heads_are_refused():
    with Fakesink(PROGRAM) as sink:
        for path, headers, status in (('/' + 'a' * 5000, {}, 414), ('/', {'X': 'x' * 17000}, 431),
                                      ('/', {f'X-{i}': '1' for i in range(150)}, 431)):
            answer = sink.request('GET', path, headers)
            assert answer.status == status and answer.code, answer


def lengths_that_lie_reach_nobody():
    with Fakesink(PROGRAM, request_ms=400) as sink:
        head = 'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
        # Ends early: there is no request, so there is no answer.
        client = sink.client()
        client.send(f'{head}Content-Length: {len(OFFER) + 10}\r\n\r\n{OFFER}')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.closed(3) and not client.buffer
        # Goes on: the rest is the next request, and a broken one.
        client = sink.client()
        client.send(f'{head}Content-Length: 2\r\n\r\n{OFFER}')
        assert client.read().code == 'sdp'
        assert client.read().code == 'request-line' and client.read() is None
        smuggled = sink.client()
        smuggled.send(f'{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{GET}')
        assert smuggled.read().status == 400
        assert smuggled.read() is None, 'nothing after a refused request may be answered'
        assert sink.calls() == []


def half_closed_client_gets_its_answer():
    with Fakesink(PROGRAM) as sink:
        client = sink.client()
        client.send(GET)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read().status == 200 and client.read() is None
        client = sink.client()
        client.send(f'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                    f'Content-Length: {len(OFFER) + 22}\r\n\r\n{OFFER}a=x-fake-delay:0200\r\n ')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read().status == 201


def client_that_does_not_read_is_ended():
    with Fakesink(PROGRAM, response_ms=500, keep_alive_ms=60000) as sink:
        before = _memory(sink)
        client = sink.client()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.socket.settimeout(1)
        page = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
        start = time.monotonic()
        try:
            while time.monotonic() - start < 6:
                client.send(page * 100)
        except OSError:
            pass
        assert time.monotonic() - start < 5, 'the server never gave up'
        assert _memory(sink) - before < 8 << 20
        _alive(sink)


def resets_at_any_moment_leave_nothing():
    with Fakesink(PROGRAM, request_ms=300, keep_alive_ms=300) as sink:
        _alive(sink)
        time.sleep(0.5)
        before = sink.fds()
        post = (f'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                f'Content-Length: {len(OFFER) + 20}\r\n\r\n{OFFER}a=x-fake-delay:0050\r\n')
        for cut in range(0, len(post), 7):
            client = sink.client()
            client.send(post[:cut] if cut < len(post) - 7 else post)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            client.close()
        time.sleep(0.7)
        _alive(sink)
        assert sink.fds() <= before + 1


def garbage_is_answered_or_ended():
    generator = random.Random(7)
    with Fakesink(PROGRAM, request_ms=300, keep_alive_ms=300) as sink:
        valid = ['GET', 'POST', '/', '/whep', '/start_session', '/sessions/x/transport/webrtc/sdp_params',
                 ' ', '\r\n', '\r\n\r\n', ':', 'HTTP/1.1', 'Host: localhost', 'Content-Length: 10',
                 'Transfer-Encoding: chunked', 'Expect: 100-continue', '\0', '%00', '\xff', '{', '0\r\n\r\n']
        seen = set()
        for i in range(300):
            client = sink.client()
            if i % 3:
                text = ''.join(generator.choice(valid) for _ in range(generator.randrange(1, 30)))
                data = text.encode('latin-1')
            else:
                data = generator.randbytes(generator.randrange(1, 2000))
            try:
                client.send(data)
                client.socket.shutdown(socket.SHUT_WR)
                answer = client.read()
            except (ConnectionResetError, BrokenPipeError):
                answer = None
            if answer and answer.status != 100:
                seen.add(answer.status)
                assert 200 <= answer.status < 500, answer
                if answer.status >= 400:
                    assert answer.code, answer
            client.close()
        assert 400 in seen
        _alive(sink)


def json_that_breaks_parsers_is_refused():
    with Fakesink(PROGRAM) as sink:
        kind = {'Content-Type': 'application/json'}
        for body, status in (('[' * 200000, 400), ('{"a":' * 50000, 400), ('{} {}', 400),
                             ('{"a":"\\u0000"}', 400), ('{"a":1,"a":2}', 400), ('// x\n{}', 400),
                             ('{"a":18446744073709551615}', 400), ('{"a":1e400}', 400),
                             (b'{"a":"\xed\xa0\x80"}', 400),
                             ('"text"', 422), ('1', 422), ('null', 422), ('', 400)):
            answer = sink.request('POST', '/start_session', kind, body)
            assert answer.status == status and answer.code == 'json', (body[:20], answer)
        assert sink.calls() == []
        _alive(sink)


def viewers_beyond_the_limit_get_429():
    with Fakesink(PROGRAM) as sink:
        client = sink.client()
        for _ in range(64):
            assert sink.whep(client=client).status == 201
        refused = sink.whep(client=client)
        assert refused.status == 429 and refused.code == 'too-many-viewers', refused


def flood_of_requests_is_served_fairly():
    """One client that keeps its connection full does not keep another from its answer."""
    with Fakesink(PROGRAM) as sink:
        flooder = sink.client()
        flooder.socket.settimeout(0.2)
        waits = []
        for _ in range(20):
            try:
                flooder.send(GET * 2000)
            except TimeoutError:
                pass
            start = time.monotonic()
            _alive(sink)
            waits.append(time.monotonic() - start)
            flooder.socket.setblocking(False)
            try:
                while flooder.socket.recv(1 << 20):
                    pass
            except BlockingIOError:
                pass
            flooder.socket.settimeout(0.2)
        assert sorted(waits)[len(waits) // 2] < 2, waits


ROUTES = (  # method, path, who may: 'open', 'view' (any token), 'full'
    ('GET', '/', 'open'), ('GET', '/page/app.js', 'open'), ('GET', '/healthz', 'open'),
    ('OPTIONS', '/whep', 'open'), ('GET', '/stats', 'view'), ('GET', '/metrics', 'view'),
    ('POST', '/whep', 'view'), ('PATCH', '/whep/0', 'view'), ('DELETE', '/whep/0', 'view'),
    ('POST', '/start_session', 'view'), ('POST', '/stop_session', 'full'), ('GET', '/session', 'view'),
    ('GET', '/sessions/0', 'view'), ('GET', '/sessions/0/transport/webrtc/ice_servers', 'view'),
    ('POST', '/sessions/0/transport/webrtc/sdp_params', 'view'),
    ('PUT', '/sessions/0/transport/webrtc/sdp_params', 'view'),
    ('GET', '/sessions/0/transport/webrtc/sdp_params', 'view'),
    ('POST', '/sessions/0/transport/webrtc/connections', 'view'),
    ('POST', '/sessions/0/transport/webrtc/connections/1002/sdp_params', 'view'),
    ('POST', '/sessions/0/transport/webrtc/connections/1002/ice_candidates', 'view'),
    ('DELETE', '/sessions/0/transport/webrtc/connections/1002', 'view'))
CALLERS = {  # headers, host
    'no token': ({}, None),
    'wrong token': ({'Authorization': 'Bearer wrong'}, None),
    'view token': ({'Authorization': 'Bearer view'}, None),
    'full token': ({'Authorization': 'Bearer full'}, None),
    'foreign Host': ({'Authorization': 'Bearer full'}, 'evil.example'),
    'foreign Origin': ({'Authorization': 'Bearer full', 'Origin': 'https://evil.example'}, None)}


def _expected(method, need, caller):
    """The refusal that the rules demand, or None."""
    if caller == 'foreign Host':
        return 403
    if caller == 'foreign Origin':
        return 403 if method not in ('GET', 'OPTIONS') else None
    if need == 'open' or caller == 'full token':
        return None
    if caller == 'view token':
        return 403 if need == 'full' else None
    return 401


def every_route_lets_in_who_may():
    with Fakesink(PROGRAM, auth_token='full', view_token='view') as sink:
        print(f'{"":62}' + ''.join(f'{caller:>15}' for caller in CALLERS))
        client = sink.client()
        for method, path, need in ROUTES:
            row = []
            for caller, (headers, host) in CALLERS.items():
                if caller == 'wrong token' and len(row) and sink.ask('restart'):
                    client = sink.client()  # fresh counters: this is not the test of the rate limit
                answer = sink.request(method, path, headers, client=client, host=host)
                expected = _expected(method, need, caller)
                if expected:
                    assert answer.status == expected and answer.code, (method, path, caller, answer)
                    assert answer.status != 401 or answer.headers['www-authenticate']
                else:
                    assert answer.status not in (401, 403, 429), (method, path, caller, answer)
                row.append(answer.status)
            print(f'{method:8}{path:54}' + ''.join(f'{status:>15}' for status in row))
        assert not [name for name, _ in sink.calls() if name == 'stop_session'], 'nobody may have'


def wrong_tokens_are_slowed_down_and_the_right_one_is_not():
    with Fakesink(PROGRAM, auth_token='full') as sink:
        got = [sink.request('GET', '/stats', {'Authorization': f'Bearer {i}'}).status for i in range(15)]
        assert got == [401] * 10 + [429] * 5, got
        assert sink.request('GET', '/stats', {'Authorization': 'Bearer full'}).status == 200
        assert sink.request('GET', '/stats').status == 401


def view_token_may_not_touch_what_the_full_one_made():
    full, view = {'Authorization': 'Bearer full'}, {'Authorization': 'Bearer view'}
    with Fakesink(PROGRAM, auth_token='full', view_token='view') as sink:
        made = '/' + sink.whep(headers=full).headers['location']
        assert sink.request('DELETE', made, view).status == 403
        assert sink.request('DELETE', made).status == 401
        own = '/' + sink.whep(headers=view).headers['location']
        assert sink.request('DELETE', own, view).status == 200
        assert sink.request('DELETE', made, full).status == 200


def rebound_names_are_refused_whatever_the_form():
    with Fakesink(PROGRAM) as sink:
        for target, host, status in (('/stats', 'evil.example', 403), ('/stats', 'localhost', 200),
                                     ('http://evil.example/stats', 'localhost', 403),
                                     ('http://localhost/stats', 'evil.example', 200),
                                     ('/stats', '127.0.0.1.evil.example', 403),
                                     ('/stats', 'localhost:1:2', 403), ('/none', 'evil.example', 403)):
            answer = sink.request('GET', target, host=host)
            assert answer.status == status, (target, host, answer)
        client = sink.client()
        client.send('GET /stats HTTP/1.1\r\n\r\n')
        assert client.read().status == 400
        client.send('GET /stats HTTP/1.0\r\n\r\n')
        assert client.read().status == 400


run({name: test for name, test in list(globals().items())
     if callable(test) and getattr(test, '__module__', '') == '__main__'
     and not name.startswith('_')})
