# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""wire_client.py ADDRESS PORT FOLDER: for each line of standard input, the name of a scenario below, opens a connection,
plays it, and keeps what it sent, byte by byte, in FOLDER/N, N from 0; then prints a line: what it found, or "done"."""

import array
import fcntl
import os
import pathlib
import select
import socket
import ssl
import struct
import sys
import tempfile
import termios
import time

ADDRESS, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
BODY = bytes(range(256)) * 400
PARENT = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"


class Connection:
    def __init__(self, number, tls=False):
        self.socket = socket.create_connection((ADDRESS, PORT), 20)
        self.socket.settimeout(None)    # else its calls do not block
        self.file = open(FOLDER / str(number), "wb")
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)

    def note(self, *parts):
        for part in parts:
            self.file.write(part)
        self.file.flush()

    def send(self, *parts, pause_s=0.0, flags=0):
        """Each part by a call of its own."""
        for part in parts:
            self.note(part)
            if flags:
                self.socket.send(part, flags)
            else:
                self.socket.sendall(part)
            time.sleep(pause_s)

    def gather(self, *parts):
        """All by one writev."""
        self.note(*parts)
        assert os.writev(self.socket.fileno(), parts) == sum(map(len, parts))

    def answers(self, count=1, size=2):
        """The heads and bodies of so many answers of that size."""
        got = b""
        while got.count(b"HTTP/1.1 200 OK") < count or not got.endswith((b"ok", b"x")):
            more = self.socket.recv(1 << 20)
            assert more, "the server closed"
            got += more
        assert size == 2 or len(got.partition(b"\r\n\r\n")[2]) == size or self.rest(got, size)
        return got

    def rest(self, got, size):
        while len(got.partition(b"\r\n\r\n")[2]) < size:
            got += self.socket.recv(1 << 20)
        return True


def get(target=b"/x", more=b""):
    return b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (target, more)


def post(target=b"/x", size=len(BODY), more=b""):
    return b"POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n" % (target, more, size)


def one(c):
    c.send(get())
    c.answers()


def kept(c):
    for k in range(5):
        c.send(get(b"/%d" % k))
        c.answers()


def idle(c):
    for k in range(5):
        c.send(get(b"/%d" % k))
        c.answers()
        time.sleep(0.2)


def body(c):
    c.send(post() + BODY)
    c.answers()


def body_apart(c):
    c.send(post(), BODY)
    c.answers()


def gathered(c):
    c.gather(post(size=20000), BODY[:1000], BODY[1000:20000])
    c.answers()


def lines(c):
    c.gather(b"GET /x HTTP/1.1\r\n", b"Host: a\r\n", b"X: y\r\n\r\n")
    c.answers()


def torn(c):
    c.gather(b"GET /to", b"rn HT", b"TP/1.1\r\nHost: a\r\n\r\n")
    c.answers()


def split(c):
    c.send(b"GET /split HTTP/1.1\r\nHos", b"t: a\r\n\r\n", pause_s=0.05)
    c.answers()


def split_method(c):
    c.send(b"GE", b"T /split HTTP/1.1\r\nHost: a\r\n\r\n", pause_s=0.05)
    c.answers()


def pipelined(c):
    c.send(get(b"/1") + get(b"/2") + get(b"/3"))
    c.answers(3)


def lookalike(c):
    """A body that looks like a request, sent when the server has spoken."""
    text = get(b"/in/the/body")
    c.send(post(b"/ask", len(text), b"Expect: 100-continue\r\n"))
    assert b"100 Continue" in c.socket.recv(1000)
    c.send(text)
    c.answers()


def lookalike_plain(c):
    """The same from a client that did not say that it waits."""
    text = get(b"/in/the/body")
    c.send(post(b"/ask", len(text)))
    assert b"100 Continue" in c.socket.recv(1000)
    c.send(text)
    c.answers()


def chunked(c):
    c.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n" b"0\r\n\r\n")
    c.answers()
    c.send(get())
    c.answers()


def own(c):
    c.send(get(more=PARENT))
    c.answers()


def own_later(c):
    c.send(get(more=b"X: " + b"y" * 900 + b"\r\n" + PARENT))
    c.answers()


def own_b3(c):
    c.send(get(more=b"b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\r\n"))
    c.answers()


def long_head(c):
    c.send(get(more=b"X: " + b"y" * 6000 + b"\r\n"))
    c.answers()


def big(c):
    c.send(post(size=len(BODY) * 40) + BODY * 40)
    c.answers()


def sendfile(c):
    with tempfile.TemporaryFile() as file:
        file.write(BODY * 10)
        file.flush()
        c.send(post(size=len(BODY) * 10))
        c.note(BODY * 10)
        at = 0
        while at < len(BODY) * 10:
            at += os.sendfile(c.socket.fileno(), file.fileno(), at, len(BODY) * 10 - at)
    c.answers()


def more(c):
    c.send(b"GET /more HTTP/1.1\r\n", flags=socket.MSG_MORE)
    c.send(b"Host: a\r\n\r\n")
    c.answers()


def zerocopy(c):
    c.socket.setsockopt(socket.SOL_SOCKET, 60, 1)   # SO_ZEROCOPY
    c.send(get(), flags=0x4000000)  # MSG_ZEROCOPY
    c.answers()


def half_closed(c):
    c.send(get())
    c.socket.shutdown(socket.SHUT_WR)
    c.answers()


def unread(c):
    """How many bytes there are to read, as FIONREAD says and as there are."""
    c.send(get(b"/big/5000"))
    time.sleep(0.3)
    told = array.array("i", [0])
    fcntl.ioctl(c.socket.fileno(), termios.FIONREAD, told)
    there = len(c.socket.recv(1 << 20, socket.MSG_PEEK))
    c.answers(size=5000)
    return f"{told[0]} {there}"


def download(c):
    c.send(get(b"/big/5000000"))
    c.answers(size=5000000)


def small(c):
    """Small requests with Nagle's algorithm on: how many segments with data each takes."""
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    before = segments(c)
    for k in range(20):
        c.send(get(b"/%d" % k))
        c.answers()
    return f"{(segments(c) - before) / 20}"


def segments(c):
    info = c.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, 156)[0]    # tcpi_data_segs_out, linux/tcp.h


def both_ways(c):
    """Requests while a long answer comes in, so that losses of it are told in SACK blocks beside them."""
    c.send(get(b"/big/3000000"))
    for k in range(30):
        c.send(get(b"/%d" % k), pause_s=0.005)
    got = b""
    while got.count(b"HTTP/1.1 200 OK") < 31:
        assert select.select([c.socket], [], [], 20)[0]
        got += c.socket.recv(1 << 20)


for number, line in enumerate(sys.stdin):
    name, _, how = line.strip().partition(" ")
    connection = Connection(number, how == "tls")
    try:
        said = globals()[name](connection)
        print(said or "done", flush=True)
    except Exception as error:  # the test sees it, and the next scenario runs
        print(f"failed: {error!r}", flush=True)
    connection.socket.close()
