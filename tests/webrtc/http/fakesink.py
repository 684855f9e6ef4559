# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts http-fakesink and talks to it over raw sockets, so that a test decides about every byte."""

import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
import traceback

OFFER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
         "a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n")


class Answer:
    """One response: status, headers (lower-case names, the last of each), body."""

    def __init__(self, status, pairs, body):
        self.status = status
        self.pairs = pairs
        self.headers = {name.lower(): value for name, value in pairs}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a refusal; every refusal must have one, and a sentence."""
        error = self.json['error']
        assert error['message'], self.body
        assert self.headers['content-type'] == 'application/json', self.headers
        return error['code']

    def __repr__(self):
        return f'{self.status} {self.headers} {self.body[:300]!r}'


class Client:
    """One connection."""

    def __init__(self, port, host='127.0.0.1', tls=False, timeout=10):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.buffer = b''

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def read(self, head_only=False):
        """The next response, or None at the end of the connection."""
        while b'\r\n\r\n' not in self.buffer:
            if not self._more():
                assert not self.buffer, self.buffer
                return None
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        lines = head.decode().split('\r\n')
        status = int(lines[0].split()[1])
        pairs = [tuple(line.split(': ', 1)) for line in lines[1:]]
        length = int({n.lower(): v for n, v in pairs}.get('content-length', 0))
        if head_only or status in (100, 204, 304):
            length = 0
        while len(self.buffer) < length:
            assert self._more(), f'the body ended early: {head!r}'
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(status, pairs, body.decode())

    def closed(self, within=5.0):
        """Whether the server ends the connection in time; how long it took is in `took`."""
        start = time.monotonic()
        self.socket.settimeout(within)
        try:
            while self._more():
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        except TimeoutError:
            return False
        self.took = time.monotonic() - start
        return True

    def close(self):
        self.socket.close()


class Fakesink:
    """The server process. Use as a context manager."""

    def __init__(self, program, preload=None, prepare=None, **config):
        """`preload`: a library for LD_PRELOAD; `prepare`: called in the new process before it starts."""
        self.tls = 'tls_certificate' in config
        env = dict(os.environ)
        if self.tls:  # LeakSanitizer stumbles over the threads that GnuTLS leaves running
            env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        if preload:
            env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'
            env['LD_PRELOAD'] = ':'.join(filter(None, [env.get('LD_PRELOAD'), preload]))
        self.process = subprocess.Popen([program, json.dumps(config)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1, env=env,
                                        preexec_fn=prepare)
        self.hello = self._line()
        self.port = int(self.hello.split()[1]) if self.hello.startswith('port') else 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()
        if kind is None and self.port:
            assert status == 0, f'the server ended with {status}'

    def _line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        assert ready, 'the server says nothing'
        return self.process.stdout.readline().rstrip('\n')

    def ask(self, what):
        self.process.stdin.write(what + '\n')
        return self._line()

    def calls(self):
        return json.loads(self.ask('calls'))

    def fds(self):
        return int(self.ask('fds'))

    def client(self, **options):
        return Client(self.port, tls=self.tls, **options)

    def request(self, method, path, headers=None, body=None, client=None, host=None):
        """One request on a connection of its own, or on `client`."""
        own = client is None
        if own:
            client = self.client()
        lines = [f'{method} {path} HTTP/1.1', f'Host: {host or f"127.0.0.1:{self.port}"}']
        lines += [f'{name}: {value}' for name, value in (headers or {}).items()]
        data = body if isinstance(body, bytes) else (body or '').encode()
        if body is not None:
            lines.append(f'Content-Length: {len(data)}')
        client.send('\r\n'.join(lines).encode() + b'\r\n\r\n' + data)
        answer = client.read(head_only=method == 'HEAD')
        if own:
            client.close()
        return answer

    def whep(self, sdp=OFFER, headers=None, **more):
        return self.request('POST', '/whep', {'Content-Type': 'application/sdp', **(headers or {})},
                            sdp, **more)


def run(tests):
    """Runs the functions whose names do not start with an underscore; exit status 1 if one fails."""
    failed = 0
    for name, test in tests.items():
        start = time.monotonic()
        try:
            test()
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            failed += 1
            print(f'not ok - {name}')
        else:
            print(f'ok - {name} ({time.monotonic() - start:.2f} s)')
    sys.exit(1 if failed else 0)
