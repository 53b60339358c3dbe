# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A client that decides on each byte and each call: for what ordinary clients do seldom."""

import itertools
import socket
import struct

_numbers = itertools.count(7_000_000)


def path(route="items"):
    """A path that no other request of this session has."""
    return f"/{route}/{next(_numbers)}"


class Raw:
    """One connection; `address` is a port, an (address, port) of IPv6, or the path of a Unix socket."""

    def __init__(self, address):
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address), timeout=10)
        elif isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=10)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(str(address))
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text, piece_sz=None):
        """All of it, in calls of `piece_sz` bytes."""
        data = text.encode() if isinstance(text, str) else text
        for i in range(0, len(data), piece_sz or len(data)):
            self.socket.sendall(data[i:i + (piece_sz or len(data))])

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self._rest)
        self._rest += data

    def until(self, mark):
        while mark not in self._rest:
            self._fill()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def exactly(self, size):
        while len(self._rest) < size:
            self._fill()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def answer(self, head_only=False):
        """Status of the next answer, whose body (by Content-Length, else none) is read."""
        head = self.until(b"\r\n\r\n").decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        if not head_only:
            self.exactly(int(fields.get("content-length", 0)))
        return int(head.split(" ")[1])

    def to_the_end(self):
        try:
            while True:
                self._fill()
        except EOFError:
            found, self._rest = self._rest, b""
            return found

    def get(self, target, method="GET", version="1.1", fields=()):
        lines = [f"{method} {target} HTTP/{version}", "Host: shop.example", *fields]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
