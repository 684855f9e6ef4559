# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small source's side of the model socket, in the standard library, for tests of the client.

It keeps what it was sent: `blocks` are (packet, bytes of the frames in their order), `packets` everything else.
"""
import fcntl
import json
import mmap
import os
import select
import socket
import threading


class FakeSource:
    def __init__(self, path, session="s1", release=True, hello=None):
        self.path, self.session, self.release = path, session, release
        self.hello = hello
        self.packets, self.blocks, self.errors = [], [], []
        self.pools = {}
        self.most_pools = 0
        self.conn = None
        self.hellos = 0
        self.changed = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(8)
        self._end_r, self._end_w = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            if self._ended(self.listener):
                return
            conn = self.listener.accept()[0]
            with self.changed:
                self.conn = conn
            try:
                self._serve(conn)
            except OSError:
                pass
            with self.changed:
                self.conn = None
                for pool in self.pools.values():
                    pool["map"].close()
                self.pools.clear()
                self.changed.notify_all()
            conn.close()

    def _ended(self, sock):
        """Waits for something to read; True when it is the end."""
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.register(self._end_r, select.POLLIN)
        return any(fd == self._end_r for fd, _ in poll.poll())

    def ops(self, name):
        with self.changed:
            return [packet for packet in self.packets if packet["op"] == name]

    def _serve(self, conn):
        while True:
            if self._ended(conn):
                return
            data, fds, _flags, _address = socket.recv_fds(conn, 70000, 4)
            if not data:
                return
            packet = json.loads(data)
            op = packet["op"]
            if op == "hello":
                self.hellos += 1
                answer = self.hello or {"op": "hello", "protocol": 1, "limits": {"data": 65536},
                                        "session": {"id": self.session, "state": "started"} if self.session else None}
                self.send(answer)
                if answer["op"] == "error":
                    return
            elif op == "pool":
                seals = fcntl.fcntl(fds[0], 1034)  # F_GET_SEALS
                size = packet["size"] * packet["slots"]
                if seals & 6 != 6 or os.fstat(fds[0]).st_size < size:
                    self.errors.append(f"pool {packet} has seals {seals}")
                if packet["id"] in self.pools:
                    self.errors.append(f"pool {packet['id']} twice")
                memory = mmap.mmap(fds[0], size, prot=mmap.PROT_READ)
                with self.changed:
                    self.pools[packet["id"]] = {"map": memory, "size": packet["size"], "busy": set(), "dropped": False}
                    self.most_pools = max(self.most_pools, len(self.pools))
            elif op == "drop-pool":
                pool = self.pools[packet["id"]]
                pool["dropped"] = True
                self._forget(packet["id"])
            elif op == "block":
                self._block(packet)
            with self.changed:
                if op not in ("pool", "block"):
                    self.packets.append(packet)
                self.changed.notify_all()
            for fd in fds:
                os.close(fd)
            if op == "flush":
                self.send({"op": "flushed", "seq": packet.get("seq", 0)})

    def _block(self, packet):
        pool = self.pools[packet["pool"]]
        if packet["slot"] in pool["busy"]:
            self.errors.append(f"slot {packet['slot']} used before its release")
        n, h, w, c = packet["shape"]
        strides = packet.get("strides") or [h * w * 3, w * 3, 3, 1]
        start = packet["slot"] * pool["size"] + packet.get("offset", 0)
        memory, frames = pool["map"], bytearray()
        low = packet["slot"] * pool["size"]
        for f in range(n):
            for y in range(h):
                for x in range(w):
                    at = start + f * strides[0] + y * strides[1] + x * strides[2]
                    for k in range(c):
                        place = at + k * strides[3]
                        if not low <= place < low + pool["size"]:
                            self.errors.append(f"{packet} reaches outside its slot")
                            return
                        frames.append(memory[place])
        with self.changed:
            self.blocks.append((packet, bytes(frames)))
            pool["busy"].add(packet["slot"])
        if self.release:
            self.give_back(packet["pool"], packet["slot"])

    def give_back(self, pool, slot):
        with self.changed:
            self.pools[pool]["busy"].discard(slot)
        self.send({"op": "release", "pool": pool, "slot": slot})
        self._forget(pool)

    def _forget(self, id):
        pool = self.pools.get(id)
        if pool and pool["dropped"] and not pool["busy"]:
            pool["map"].close()
            del self.pools[id]

    def send(self, packet):
        with self.changed:
            conn = self.conn
        if conn is not None:
            conn.send(json.dumps(packet).encode())

    def wait(self, predicate, timeout=5.0):
        with self.changed:
            if not self.changed.wait_for(predicate, timeout):
                raise AssertionError(f"nothing within {timeout} s; packets {self.packets[-5:]}, "
                                     f"{len(self.blocks)} blocks, errors {self.errors}")

    def ops(self, op):
        return [packet for packet in self.packets if packet["op"] == op]

    def drop_connection(self):
        with self.changed:
            if self.conn is not None:
                self.conn.shutdown(socket.SHUT_RDWR)

    def close(self, unlink=True):
        """Idempotent."""
        if self._end_w < 0:
            return
        os.write(self._end_w, b"x")
        self.thread.join(5)
        self.listener.close()
        if self.conn is not None:
            self.conn.close()
        os.close(self._end_r)
        os.close(self._end_w)
        self._end_w = -1
        if unlink and os.path.exists(self.path):
            os.unlink(self.path)
