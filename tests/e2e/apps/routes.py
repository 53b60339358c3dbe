# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The routes that all test servers share, as a WSGI application (`routes:app`)."""

import time

BIG = b"0123456789abcdef" * (2 << 16)


def _read_all(environ):
    """Bytes of the request's body; a WSGI server ends a chunked body by itself only if it says so."""
    stream, got = environ["wsgi.input"], 0
    left = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    while left is None or left > 0:
        piece = stream.read(65536 if left is None else min(left, 65536))
        if not piece:
            break
        got += len(piece)
        left = None if left is None else left - len(piece)
    return got


def _pieces():
    for i in range(3):
        yield b"piece %d\n" % i


def _slow():
    yield b"beginning"
    time.sleep(30)


def app(environ, start_response):
    method = environ["REQUEST_METHOD"]
    _, route, ident = (environ["PATH_INFO"] + "//").split("/")[:3]
    if route == "chunked":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _pieces()
    if route == "slow":
        start_response("200 OK", [("Content-Length", "1000")])
        return _slow()
    status, body = "200 OK", b""
    if route == "items":
        body = b"item %s\n" % ident.encode()
    elif route == "big":
        body = BIG
    elif route == "echo" and method == "POST":
        body = b"got %d\n" % _read_all(environ)
    else:
        status = {"empty": "204 No Content", "same": "304 Not Modified",
                  "fail": "500 Internal Server Error"}.get(route, "404 Not Found")
    headers = [("Content-Type", "text/plain")]
    if status[:3] not in ("204", "304"):
        headers.append(("Content-Length", str(len(body))))
    start_response(status, headers)
    return [] if method == "HEAD" else [body]
