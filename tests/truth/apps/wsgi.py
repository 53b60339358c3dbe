# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""For gunicorn; the backend's port is in $BACKEND.

Modes: one (urllib); two (one after the other); sleep (then one); keep (requests.Session of the thread); none; after (once the answer is
sent)."""

import os
import random
import threading
import time
import urllib.request

import requests

BACKEND = os.environ["BACKEND"]
CALLS = {"one": 1, "two": 2, "keep": 1, "sleep": 1}
local = threading.local()


def call(mode, number, k):
    url = f"http://127.0.0.1:{BACKEND}/b/{mode}/{number}/{k}"
    if mode == "keep":
        local.session = getattr(local, "session", None) or requests.Session()
        return local.session.get(url, timeout=20).content
    with urllib.request.urlopen(url, timeout=20) as got:
        return got.read()


class Then:
    """A body; what is to be done after it was sent."""

    def __init__(self, body, after):
        self.body, self.close = body, after

    def __iter__(self):
        yield self.body


def app(environ, start_response):
    _, mode, number, *_ = environ["PATH_INFO"].split("/")
    if mode == "sleep":
        time.sleep(random.random() * 0.01)  # with gevent, the thread goes on with another request
    for k in range(CALLS.get(mode, 0)):
        call(mode, number, k)
    body = number.encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return Then(body, lambda: call(mode, number, 0)) if mode == "after" else [body]
