# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""pool.py PORT BACKEND: a thread for each connection, whose calls a ThreadPoolExecutor makes.

Modes: one (submitted and waited for); two (both submitted, then waited for); same (by the handler's own thread); none;
after (submitted, not waited for)."""

import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, BACKEND = int(sys.argv[1]), int(sys.argv[2])
CALLS = {"one": 1, "two": 2, "after": 1}
pool = ThreadPoolExecutor(8)


def call(mode, number, k):
    with urllib.request.urlopen(f"http://127.0.0.1:{BACKEND}/b/{mode}/{number}/{k}", timeout=20) as got:
        return got.read()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        _, mode, number, *_ = self.path.split("/")
        futures = [pool.submit(call, mode, number, k) for k in range(CALLS.get(mode, 0))]
        if mode == "same":
            call(mode, number, 0)
        if mode != "after":
            for future in futures:
                future.result()
        self.send_response(200)
        self.send_header("Content-Length", str(len(number)))
        self.end_headers()
        self.wfile.write(number.encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
