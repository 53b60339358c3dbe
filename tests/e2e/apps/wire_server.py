# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""wire_server.py ADDRESS PORT FOLDER [CERTIFICATE KEY]: keeps what each connection sends, byte by byte, in FOLDER/N, N
from 0. Answers each whole HTTP/1 request by its target: /big/N: N bytes; /ask: 100 Continue when the head has come and
200 when the body has; anything else: "ok". With a certificate it speaks TLS."""

import pathlib
import socket
import ssl
import sys
import threading

ADDRESS, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])


class Kept:
    def __init__(self, connection, file):
        self.connection, self.file, self.buffer = connection, file, b""

    def more(self):
        got = self.connection.recv(1 << 16)
        self.file.write(got)
        self.file.flush()
        self.buffer += got
        return bool(got)

    def until(self, end):
        while end not in self.buffer:
            if not self.more():
                return None
        at = self.buffer.index(end) + len(end)
        head, self.buffer = self.buffer[:at], self.buffer[at:]
        return head

    def take(self, count):
        while len(self.buffer) < count:
            if not self.more():
                return
        self.buffer = self.buffer[count:]


def body(kept, fields):
    if fields.get(b"transfer-encoding") == b"chunked":
        while size := int(kept.until(b"\r\n"), 16):
            kept.take(size + 2)
        kept.take(2)
    else:
        kept.take(int(fields.get(b"content-length", 0)))


def answer(connection, target):
    size = int(target.split(b"/")[2]) if target.startswith(b"/big/") else 2
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + (b"ok" if size == 2 else b"x" * size))


def serve(connection, number):
    with connection, open(FOLDER / str(number), "wb") as file:
        kept = Kept(connection, file)
        while head := kept.until(b"\r\n\r\n"):
            first, *lines = head.split(b"\r\n")
            target = first.split()[1]
            fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines if line)}
            if target == b"/ask":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body(kept, fields)
            answer(connection, target)


def main():
    context = None
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
    listener = socket.create_server((ADDRESS, PORT), backlog=64)
    number = 0
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                continue
        threading.Thread(target=serve, args=(connection, number), daemon=True).start()
        number += 1


main()
