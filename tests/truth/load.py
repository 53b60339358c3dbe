# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Clients side by side, each request with a number of its own in its path; every answer must be about that number.

Every second client opens a connection for each request; the others keep theirs, and may pipeline. The former may also
leave without waiting for some of their answers."""

import collections
import itertools
import random
import re
import socket
import threading
import time

from . import paths

TIMEOUT_S = 30

# start_ns: wall clock, before its first byte; left: the client did not wait for the answer, so there may be none.
Sent = collections.namedtuple("Sent", "mode number start_ns left")


class Connection:
    """HTTP/1.1 by hand: what http.client cannot do is to pipeline."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.ends = False

    def close(self):
        self.file.close()
        self.socket.close()

    def _head(self):
        line = self.file.readline()
        if not line:
            return None, {}
        status, fields = int(line.split()[1]), {}
        while (line := self.file.readline()).strip():
            name, _, text = line.decode("latin-1").partition(":")
            fields[name.lower()] = text.strip().lower()
        return status, fields

    def _chunks(self):
        body = b""
        while size := int(self.file.readline().split(b";")[0], 16):
            body += self.file.read(size)
            self.file.readline()
        self.file.readline()
        return body

    def answer(self):
        """(status, whose it is): the latter is the header X-Request, which a cache adds, else the body; status None when
        the server closed instead."""
        status, fields = self._head()
        self.ends = status is None or fields.get("connection") == "close"
        body = self._body(fields) if status else b""
        return status, fields["x-request"].encode() if "x-request" in fields else body

    def _body(self, fields):
        if "chunked" in fields.get("transfer-encoding", ""):
            return self._chunks()
        if "content-length" in fields:
            return self.file.read(int(fields["content-length"]))
        self.ends = True
        return self.file.read()


class Load:
    """`modes`: their names, taken in turn. `pipeline`: requests sent at once by the clients that keep connections.
    `leave`: of the requests on connections of their own, each third is left alone. With `endless`, it goes on until `more(N)` says how many are still to come."""

    def __init__(self, port, modes, requests, clients=24, header=None, pipeline=1, leave=False, endless=False):
        self.port, self.header, self.pipeline, self.leave = port, header, pipeline, leave
        self.limit = None if endless else requests
        self.sent, self.errors = [], []
        self._modes, self._numbers = list(modes), itertools.count(1)
        self._lock = threading.Lock()   # guards limit, sent, errors, _numbers
        self.threads = [threading.Thread(target=self._client, args=(n % 2,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def more(self, requests):
        with self._lock:
            self.limit = len(self.sent) + requests

    def wait(self, timeout_s=120):
        """What was sent; an error when an answer was wrong or did not come."""
        deadline = time.monotonic() + timeout_s
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        if any(t.is_alive() for t in self.threads):
            self.limit = 0
            raise TimeoutError(f"the load did not end within {timeout_s} s, {len(self.sent)} sent; {self.errors[:3]}")
        if self.errors:
            raise RuntimeError(f"{len(self.errors)} bad answers: {self.errors[:3]}")
        return self.sent

    def _take(self, fresh):
        count = 1 if fresh else self.pipeline
        with self._lock:
            if self.limit is not None:
                count = min(count, self.limit - len(self.sent))
            numbers = [next(self._numbers) for _ in range(count)]
            taken = [Sent(self._modes[n % len(self._modes)], n, time.time_ns(), fresh and self.leave and n % 3 == 0)
                     for n in numbers]
            self.sent += taken
            return taken

    def _client(self, fresh):
        connection = None
        while todo := self._take(fresh):
            try:
                connection = connection or Connection(self.port)
                self._ask(connection, todo, fresh)
            except (OSError, ValueError, IndexError) as error:
                self._failed(f"{todo}: {error!r}")
                connection = connection and connection.close()
                continue
            if fresh or connection.ends:
                connection = connection.close()

    def _ask(self, connection, todo, fresh):
        connection.socket.sendall(b"".join(self._text(one, fresh) for one in todo))
        if todo[0].left:
            return time.sleep(random.random() * 0.01)
        for one in todo:
            status, whose = connection.answer()
            if status != 200 or not re.search(rb"\bi%d\b" % one.number, whose):
                self._failed(f"{one}: {status} {whose[:200]}")

    def _failed(self, what):
        with self._lock:
            self.errors.append(what)

    def _text(self, one, fresh):
        lines = [f"GET {paths.inbound(one.mode, one.number)} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        if fresh:
            lines.append("Connection: close")
        if head := paths.traceparent(self.header, one.number):
            lines.append(f"traceparent: {head}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
