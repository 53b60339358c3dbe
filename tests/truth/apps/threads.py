# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""threads.py PORT BACKEND: Python's ThreadingHTTPServer, a thread for each connection.

Modes: one (urllib); two (one after the other); none; keep (requests.Session, else http.client, a thread's own); after
(answers, then calls); chain, tree (one call for what was asked, which may be under /b/ itself); ping (the first one
starts a thread that makes calls for it)."""

import http.client
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    import requests
except ImportError:     # an interpreter with the standard library alone (run.py --python)
    requests = None

PORT, BACKEND = int(sys.argv[1]), int(sys.argv[2])
HOST = os.environ.get("BACKEND_ON", "127.0.0.1")
local = threading.local()
pinging = threading.Lock()


def below(path, k):
    return f"{path}.{k}" if path.startswith("/b/") else f"/b{path}/{k}"


def kept(url):
    if requests:
        local.session = getattr(local, "session", None) or requests.Session()
        return local.session.get(url, timeout=20).content
    local.connection = getattr(local, "connection", None) or http.client.HTTPConnection(HOST, BACKEND)
    local.connection.request("GET", url.partition(str(BACKEND))[2])
    return local.connection.getresponse().read()


def call(mode, path, k):
    url = f"http://{HOST}:{BACKEND}{below(path, k)}"
    if mode == "keep":
        return kept(url)
    with urllib.request.urlopen(url, timeout=20) as got:
        return got.read()


def ping(number):
    for k in range(10000):
        call("ping", f"/ping/{number}", k)
        time.sleep(0.003)


CALLS = {"one": 1, "two": 2, "keep": 1, "after": 1, "chain": 1, "tree": 1}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1   # one segment for head and body

    def do_GET(self):
        _, mode, number, *more = self.path.split("/")
        if mode == "b" and number in ("chain", "tree"):
            mode, number = number, more[0]
        if mode == "after":
            self.answer(number)
        if mode == "ping" and pinging.acquire(blocking=False):
            threading.Thread(target=ping, args=(number,), daemon=True).start()
        for k in range(CALLS.get(mode, 0)):
            call(mode, self.path, k)
        if mode != "after":
            self.answer(self.path if mode == "b" else number)

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
