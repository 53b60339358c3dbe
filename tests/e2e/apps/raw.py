# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Answers that ordinary servers give seldom, byte for byte: `raw.py FAMILY ADDRESS` (inet, inet6, unix).

The request's path chooses: /upgrade and CONNECT open a tunnel that echoes, /close is ended by the connection's end,
/early answers before it reads the body, /drip sends its head one byte a call, /reset resets after half of a body."""

import os
import re
import socket
import struct
import sys
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None, b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def tunnel(connection, answer):
    connection.sendall(answer)
    while data := connection.recv(65536):
        connection.sendall(data)


def drip(connection):
    for i in range(len(answer := HEAD % 3)):
        connection.sendall(answer[i:i + 1])
    connection.sendall(b"abc")


def reset(connection):
    connection.sendall(HEAD % 1000 + b"half")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(connection, head, rest):
    """True when the connection goes on."""
    method, target = head.split(b" ")[:2]
    length = int((re.search(rb"content-length: *(\d+)", head, re.I) or [0, 0])[1])
    if method == b"CONNECT":
        return tunnel(connection, b"HTTP/1.1 200 Connection established\r\n\r\n")
    if target.startswith(b"/upgrade"):
        return tunnel(connection, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    if target.startswith(b"/close"):
        return connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
    if target.startswith(b"/reset"):
        return reset(connection)
    if target.startswith(b"/early"):
        connection.sendall(HEAD.replace(b"200 OK", b"413 Content Too Large") % 0)
    if re.search(rb"expect: *100-continue", head, re.I):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while length > len(rest) and (piece := connection.recv(65536)):
        rest += piece
    if target.startswith(b"/drip"):
        drip(connection)
    elif not target.startswith(b"/early"):
        connection.sendall(HEAD % 2 + b"ok")
    return True


def serve(connection):
    with connection:
        try:
            while True:
                head, rest = read_head(connection)
                if not head or not answer(connection, head, rest):
                    return
        except OSError:
            return


def listener(family, address):
    if family == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.bind(address + ".new")
        s.listen(64)
        os.rename(address + ".new", address)    # whoever sees the name can connect
        return s
    if family == "inet6":
        return socket.create_server(("::1", int(address)), family=socket.AF_INET6)
    return socket.create_server(("127.0.0.1", int(address)))


server = listener(*sys.argv[1:])
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
