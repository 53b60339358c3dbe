# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Python's own http.server, with a thread for each connection or a process: `threaded.py PORT [fork]`."""

import http.server
import socketserver
import sys
import time

from routes import BIG


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def end_headers(self):
        # Its base class closes without a word; a client that uses the connection again has to ask twice.
        if self.close_connection:
            self.send_header("Connection", "close")
        super().end_headers()

    def _answer(self, status, body=b""):
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        _, route, ident = (self.path + "//").split("/")[:3]
        if route == "chunked":
            return self._chunked()
        if route == "slow":
            return self._slow()
        if route == "items":
            return self._answer(200, b"item %s\n" % ident.encode())
        if route == "big":
            return self._answer(200, BIG)
        return self._answer({"empty": 204, "same": 304, "fail": 500}.get(route, 404))

    do_HEAD = do_GET

    def do_POST(self):
        left = int(self.headers.get("Content-Length") or 0)
        got = 0
        while got < left and (piece := self.rfile.read(min(65536, left - got))):
            got += len(piece)
        self._answer(200, b"got %d\n" % got)

    def _chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(3):
            self.wfile.write(b"8\r\npiece %d\n\r\n" % i)
        self.wfile.write(b"0\r\n\r\n")

    def _slow(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"beginning")
        time.sleep(30)


class Threading(http.server.ThreadingHTTPServer):
    request_queue_size = 128


class Forking(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 128


Server = Forking if sys.argv[2:] == ["fork"] else Threading
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
