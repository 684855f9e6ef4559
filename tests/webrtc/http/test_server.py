# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTTP server as clients use it: page, WHEP, monitoring, CORS, connections, TLS."""

import http.client
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from fakesink import OFFER, Fakesink, run

PROGRAM = sys.argv[1]


def page_is_served_with_its_parts():
    with Fakesink(PROGRAM) as sink:
        page = sink.request('GET', '/')
        assert page.status == 200 and page.headers['content-type'].startswith('text/html'), page
        assert "default-src 'none'" in page.headers['content-security-policy']
        parts = re.findall(r'(?:src|href)="(page/[^"]+)"', page.body)
        assert parts, page.body
        for part in parts:
            answer = sink.request('GET', '/' + part)
            assert answer.status == 200 and answer.body, answer
            again = sink.request('GET', '/' + part, {'If-None-Match': answer.headers['etag']})
            assert again.status == 304 and not again.body, again
        head = sink.request('HEAD', '/')
        assert head.status == 200 and head.headers['content-length'] == str(len(page.body.encode()))
        missing = sink.request('GET', '/page/none.js')
        assert missing.status == 404 and missing.code == 'not-found', missing
        posted = sink.request('POST', '/', body='')
        assert posted.status == 405 and posted.headers['allow'] == 'GET, HEAD, OPTIONS', posted


def viewer_comes_and_goes_by_whep():
    with Fakesink(PROGRAM, ice_servers=['stun:stun.example.org:3478']) as sink:
        answer = sink.whep()
        assert answer.status == 201, answer
        assert answer.headers['content-type'] == 'application/sdp'
        assert answer.body.startswith('v=0')
        assert re.fullmatch('whep/[0-9a-f]{32}', answer.headers['location']), answer
        assert answer.headers['link'] == (
            '<stun:stun.example.org:3478>; rel="ice-server"; username="user"; '
            'credential="pass\\"word"; credential-type="password"'), answer
        assert sink.request('GET', '/stats').json == {'viewers': 1}
        resource = '/' + answer.headers['location']
        assert sink.request('DELETE', resource).status == 200
        again = sink.request('DELETE', resource)
        assert again.status == 404 and again.code == 'no-viewer', again
        assert sink.request('GET', '/stats').json == {'viewers': 0}


def candidates_trickle_in_by_patch():
    with Fakesink(PROGRAM) as sink:
        answer = sink.whep()
        resource, etag = '/' + answer.headers['location'], answer.headers['etag']
        kind = {'Content-Type': 'application/trickle-ice-sdpfrag'}
        candidate = 'candidate:1 1 UDP 2130706431 192.0.2.1 4711 typ host'
        fragment = ('a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n'
                    f'm=video 9 RTP/AVP 0\r\na=mid:0\r\na={candidate}\r\na=end-of-candidates\r\n')
        sink.calls()
        good = sink.request('PATCH', resource, {**kind, 'If-Match': etag}, fragment)
        assert good.status == 204, good
        assert sink.calls() == [['add_candidate', f'0 {candidate}']]
        missing = sink.request('PATCH', resource, kind, fragment)
        assert missing.status == 428, missing
        wrong = sink.request('PATCH', resource, {**kind, 'If-Match': '"other"'}, fragment)
        assert wrong.status == 412, wrong
        listed = sink.request('PATCH', resource, {**kind, 'If-Match': f'"x", {etag}'}, fragment)
        assert listed.status == 204, listed
        restart = sink.request('PATCH', resource, {**kind, 'If-Match': '*'},
                               fragment.replace('abcd', 'efgh'))
        assert restart.status == 422 and restart.code == 'ice-restart', restart
        typed = sink.request('PATCH', resource, {'Content-Type': 'application/sdp'}, fragment)
        assert typed.status == 415, typed
        broken = sink.request('PATCH', resource, {**kind, 'If-Match': etag}, 'nonsense\r\n')
        assert broken.status == 400, broken
        flood = fragment + f'a={candidate}\r\n' * 64
        many = sink.request('PATCH', resource, {**kind, 'If-Match': etag}, flood)
        assert many.status == 422 and many.code == 'too-many-candidates', many
        assert len(sink.calls()) == 1, 'a refused fragment must not be used in part'
        unknown = sink.request('PATCH', '/whep/' + '0' * 32, {**kind, 'If-Match': etag}, fragment)
        assert unknown.status == 404, unknown


def bad_offers_are_refused_with_a_reason():
    with Fakesink(PROGRAM) as sink:
        typed = sink.whep(headers={'Content-Type': 'text/plain'})
        assert typed.status == 415 and typed.code == 'content-type', typed
        assert sink.request('POST', '/whep', body=OFFER).status == 415
        assert sink.whep('').status == 400
        assert sink.whep('hello').status == 400
        assert sink.whep('v=0\r\n\0').status == 400
        lines = sink.whep(OFFER + 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\n' * 64)
        assert lines.status == 422 and lines.code == 'too-many-media', lines
        candidates = sink.whep(OFFER + 'a=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n' * 65)
        assert candidates.status == 422 and candidates.code == 'too-many-candidates', candidates
        large = sink.whep('v=0\r\n' + 'a' * (256 * 1024))
        assert large.status == 413 and large.code == 'body-too-large', large
        assert sink.calls() == [], 'the host heard of an offer that was refused'
        codec = sink.whep(OFFER + 'a=x-fake-refuse:406\r\n')
        assert codec.status == 406 and codec.code == 'fake', codec
        for method in ('GET', 'PUT', 'DELETE', 'PATCH'):
            other = sink.request(method, '/whep')
            assert other.status == 405 and other.headers['allow'] == 'POST, OPTIONS', other


def answer_may_take_its_time():
    with Fakesink(PROGRAM, response_ms=600) as sink:
        start = time.monotonic()
        answer = sink.whep(OFFER + 'a=x-fake-delay:250\r\n')
        assert answer.status == 201 and time.monotonic() - start >= 0.25, answer
        never = sink.whep(OFFER + 'a=x-fake-never:1\r\n')
        assert never.status == 503 and never.code == 'timeout', never


def viewer_is_removed_when_its_client_did_not_wait():
    with Fakesink(PROGRAM, response_ms=100) as sink:
        late = sink.whep(OFFER + 'a=x-fake-delay:300\r\n')
        assert late.status == 503, late
        time.sleep(0.5)
        names = [name for name, _ in sink.calls()]
        assert names == ['add_viewer', 'remove_viewer'], names
        assert sink.request('GET', '/stats').json == {'viewers': 0}


def health_says_why():
    with Fakesink(PROGRAM) as sink:
        good = sink.request('GET', '/healthz')
        assert good.status == 200 and good.json == {'status': 'ok'}, good
        sink.ask('problem the model is gone')
        bad = sink.request('GET', '/healthz')
        assert bad.status == 503 and bad.json['error']['message'] == 'the model is gone', bad


def metrics_are_prometheus_text():
    with Fakesink(PROGRAM) as sink:
        sink.whep()
        answer = sink.request('GET', '/metrics')
        assert answer.headers['content-type'] == 'text/plain; version=0.0.4; charset=utf-8', answer
        assert 'reactor_viewers 1\n' in answer.body


def foreign_pages_get_no_cors_and_allowed_ones_all():
    origin = 'https://app.example.org'
    with Fakesink(PROGRAM, cors_origins=[origin]) as sink:
        for method, path in (('POST', '/whep'), ('PATCH', '/whep/0'), ('DELETE', '/whep/0')):
            asked = {'Origin': origin, 'Access-Control-Request-Method': method,
                     'Access-Control-Request-Headers': 'authorization,content-type,if-match'}
            good = sink.request('OPTIONS', path, asked)
            assert good.status == 204, good
            assert good.headers['access-control-allow-origin'] == origin
            assert method in good.headers['access-control-allow-methods'].split(', ')
            assert (good.headers['access-control-allow-headers'] ==
                    'authorization,content-type,if-match')
            bad = sink.request('OPTIONS', path, {**asked, 'Origin': 'https://evil.example'})
            assert bad.status == 403 and bad.code == 'origin', bad
            assert 'access-control-allow-origin' not in bad.headers
        answer = sink.whep(headers={'Origin': origin})
        assert answer.status == 201 and answer.headers['access-control-allow-origin'] == origin
        exposed = answer.headers['access-control-expose-headers'].split(', ')
        assert {'Location', 'ETag', 'Link'} <= set(exposed), answer
        for foreign in ('https://evil.example', 'null', 'https://app.example.org.evil.example'):
            refused = sink.whep(headers={'Origin': foreign})
            assert refused.status == 403 and refused.code == 'origin', refused
        own = sink.whep(headers={'Origin': f'http://127.0.0.1:{sink.port}'})
        assert own.status == 201, own
        # Reading is not refused to a foreign page, but its browser keeps the answer from it.
        stats = sink.request('GET', '/stats', {'Origin': 'https://evil.example'})
        assert stats.status == 200 and 'access-control-allow-origin' not in stats.headers, stats


class _Proxy(http.server.BaseHTTPRequestHandler):
    """Serves a sink under /cam/live, as a reverse proxy does that keeps nothing but the path's end."""

    protocol_version = 'HTTP/1.1'
    target = 0

    def _pass_on(self):
        assert self.path.startswith('/cam/live/'), self.path
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        wanted = ('content-type', 'authorization', 'if-match')
        headers = {name: value for name, value in self.headers.items() if name.lower() in wanted}
        connection = http.client.HTTPConnection('127.0.0.1', self.target, timeout=10)
        connection.request(self.command, self.path[len('/cam/live'):], body, headers)
        answer = connection.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ('connection', 'content-length'):
                self.send_header(name, value)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    do_GET = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def viewer_behind_a_proxy_with_a_prefix_is_found_by_its_location():
    with Fakesink(PROGRAM) as sink:
        _Proxy.target = sink.port
        proxy = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Proxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            whep = f'http://127.0.0.1:{proxy.server_port}/cam/live/whep'
            request = urllib.request.Request(whep, OFFER.encode(), {'Content-Type': 'application/sdp'})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 201
                resource = urllib.parse.urljoin(whep, answer.headers['Location'])
            assert resource.startswith(whep + '/'), resource
            remove = urllib.request.Request(resource, method='DELETE')
            with urllib.request.urlopen(remove, timeout=10) as answer:
                assert answer.status == 200
            assert sink.request('GET', '/stats').json == {'viewers': 0}
            page = urllib.request.urlopen(f'http://127.0.0.1:{proxy.server_port}/cam/live/', timeout=10)
            part = re.search(r'src="([^"]+)"', page.read().decode()).group(1)
            urllib.request.urlopen(urllib.parse.urljoin(page.url, part), timeout=10).close()
            page.close()
        finally:
            proxy.shutdown()
            proxy.server_close()


def options_say_what_a_path_takes():
    with Fakesink(PROGRAM) as sink:
        whep = sink.request('OPTIONS', '/whep')
        assert whep.status == 204 and whep.headers['allow'] == 'POST, OPTIONS', whep
        assert whep.headers['accept-post'] == 'application/sdp', whep
        viewer = sink.request('OPTIONS', '/whep/0')
        assert viewer.headers['allow'] == 'PATCH, DELETE, OPTIONS', viewer
        assert viewer.headers['accept-patch'] == 'application/trickle-ice-sdpfrag', viewer
        assert sink.request('OPTIONS', '*').status == 204
        assert sink.request('OPTIONS', '/none').status == 404


def all_addresses_and_both_families_are_served():
    with Fakesink(PROGRAM, host='::1') as sink:
        client = sink.client(host='::1')
        assert sink.request('GET', '/healthz', client=client, host=f'[::1]:{sink.port}').status == 200
    with Fakesink(PROGRAM, host='localhost') as sink:
        for host in ('127.0.0.1', '::1'):
            assert sink.request('GET', '/healthz', client=sink.client(host=host)).status == 200
    for host in ('::', '0.0.0.0'):
        with Fakesink(PROGRAM, host=host, auth_token='none') as sink:
            assert sink.request('GET', '/stats', client=sink.client(host='127.0.0.1')).status == 200
            # The address that was reached is ours by whatever name the loopback interface has for it.
            client = sink.client(host='127.0.0.2')
            assert sink.request('GET', '/stats', client=client, host='127.0.0.2').status == 200


def misleading_tokens_are_spoken_about():
    with Fakesink(PROGRAM, view_token='view') as sink:
        assert 'auth-token' in sink.hello, sink.hello
    with Fakesink(PROGRAM, auth_token='same', view_token='same') as sink:
        assert sink.hello.startswith('error') and 'view-token' in sink.hello, sink.hello


def connection_is_kept_and_pipelined():
    with Fakesink(PROGRAM, keep_alive_ms=700) as sink:
        client = sink.client()
        for _ in range(3):
            assert sink.request('GET', '/healthz', client=client).status == 200
        one = f'GET /healthz HTTP/1.1\r\nHost: localhost:{sink.port}\r\n\r\n'
        client.send(one * 200)
        for _ in range(200):
            assert client.read().status == 200
        assert client.closed(3) and 0.3 < client.took < 2.5, 'idle connections must end'
        client = sink.client()
        last = sink.request('GET', '/healthz', {'Connection': 'close'}, client=client)
        assert last.headers['connection'] == 'close' and client.read() is None


def body_may_come_in_chunks_and_on_demand():
    with Fakesink(PROGRAM) as sink:
        client = sink.client()
        client.send(f'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                    'Transfer-Encoding: chunked\r\n\r\n')
        for part in (OFFER[:7], OFFER[7:]):
            client.send(f'{len(part):x};name=value\r\n{part}\r\n')
        client.send('0\r\nTrailer: dropped\r\n\r\n')
        assert client.read().status == 201
        client.send(f'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                    f'Content-Length: {len(OFFER)}\r\nExpect: 100-continue\r\n\r\n')
        assert client.read().status == 100
        client.send(OFFER)
        assert client.read().status == 201


def descriptors_do_not_leak():
    with Fakesink(PROGRAM, keep_alive_ms=300) as sink:
        sink.whep()
        before = sink.fds()
        for i in range(200):
            client = sink.client()
            sink.request('GET', '/healthz', {'Connection': 'close'} if i % 2 else {}, client=client)
            client.close()
        time.sleep(0.6)
        after = sink.fds()
        assert after <= before, f'{before} descriptors before, {after} after'


def server_restarts_on_its_port_with_clients_connected():
    with Fakesink(PROGRAM) as sink:
        idle = sink.client()
        waiting = sink.client()
        waiting.send(f'POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n'
                     f'Content-Length: {len(OFFER) + 20}\r\n\r\n{OFFER}a=x-fake-never:1\r\n')
        time.sleep(0.2)
        assert sink.ask('restart').startswith(f'port {sink.port}')
        assert idle.closed(2) and waiting.closed(2)
        assert sink.request('GET', '/healthz').status == 200


def port_in_use_is_said_clearly():
    with Fakesink(PROGRAM) as sink:
        with Fakesink(PROGRAM, port=sink.port) as second:
            assert second.hello.startswith('error cannot listen on 127.0.0.1 port'), second.hello
            assert 'choose another port' in second.hello


def other_addresses_need_a_token():
    with Fakesink(PROGRAM, host='0.0.0.0') as sink:
        assert sink.hello.startswith('error') and 'auth-token' in sink.hello, sink.hello
    with Fakesink(PROGRAM, host='0.0.0.0', auth_token='none') as sink:
        assert 'auth-token=none' in sink.hello, sink.hello
        assert sink.request('GET', '/stats').status == 200
    with Fakesink(PROGRAM, host='0.0.0.0', auth_token='secret') as sink:
        assert sink.request('GET', '/stats').status == 401
    with Fakesink(PROGRAM, host='no.such.host.invalid', auth_token='secret') as sink:
        assert sink.hello.startswith('error cannot listen on host=no.such.host.invalid'), sink.hello


def same_routes_are_served_over_tls():
    with tempfile.TemporaryDirectory() as folder:
        pem = os.path.join(folder, 'server.pem')
        made = subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
             '-nodes', '-subj', '/CN=localhost', '-days', '2', '-keyout', pem + '.key', '-out', pem],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        assert made.returncode == 0, made.stderr
        with open(pem, 'a', encoding='ascii') as out, open(pem + '.key', encoding='ascii') as key:
            out.write(key.read())
        with Fakesink(PROGRAM, tls_certificate=pem, request_ms=2000) as sink:
            client = sink.client()
            assert sink.whep(client=client).status == 201
            assert sink.request('GET', '/', client=client).status == 200
            close = sink.request('GET', '/healthz', {'Connection': 'close'}, client=client)
            assert close.status == 200 and client.read() is None
            plain = Fakesink.client
            sink.tls = False
            start = time.monotonic()
            silent = plain(sink)
            assert silent.closed(9), 'a handshake that never comes must end'
            assert time.monotonic() - start > 1, 'and not before its time'
            wrong = plain(sink)
            wrong.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
            assert wrong.closed(9)
            sink.tls = True
            assert sink.request('GET', '/healthz').status == 200
        with Fakesink(PROGRAM, tls_certificate=os.path.join(folder, 'none.pem')) as sink:
            assert sink.hello.startswith('error cannot use tls-certificate='), sink.hello


run({name: test for name, test in list(globals().items())
     if callable(test) and getattr(test, '__module__', '') == '__main__'
     and not name.startswith('_')})
