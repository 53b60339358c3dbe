# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The clients under test: curl, Python's requests, Node's fetch, Go's net/http.

Each is a process that waits for its plan on standard input, so that a tracer can be attached to it before its
first request leaves."""

import json
import os
import subprocess

from .proc import APPS, find, part


class Client:
    """A started client. `run(base, plan)` gives one dict per request: path, status, seconds, error."""

    def __init__(self, name, argv, folder):
        self.name, self.folder = name, folder
        self.popen = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*"},
            start_new_session=True)
        self.pid = self.popen.pid

    def run(self, base, plan, timeout_s=60):
        try:
            out, err = self.popen.communicate(self.input(base, plan), timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise
        results = self.results(out)
        if len(results) != len(plan):
            raise RuntimeError(f"{self.name}: {len(results)} results of {len(plan)}: {err[-2000:]}")
        return results

    def input(self, base, plan):
        return json.dumps({"base": base, "requests": [r._asdict() for r in plan]})

    def results(self, out):
        return [json.loads(line) for line in out.splitlines()]

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if not stream.closed:
                stream.close()
        self.popen.wait(5)


class Curl(Client):
    """curl reads its whole configuration to the end of standard input before it does anything."""

    _WRITE = "%{http_code} %{size_download} %{time_total} %{exitcode} %{url_effective}\\n"

    def __init__(self, folder):
        super().__init__("curl", [find("curl"), "-q", "-K", "-"], folder)

    def _one(self, base, request):
        lines = [f'url = "{base}{request.path}"', "silent", "max-time = 20", "output = /dev/null",
                 f'write-out = "{self._WRITE}"']
        if request.method == "HEAD":
            lines.append("head")
        elif request.method == "POST":
            body = self.folder / f"body-{request.body_sz}"
            if not body.exists():
                body.write_bytes(b"b" * request.body_sz)
            lines.append(f'data-binary = "@{body}"')
        if request.close:
            lines.append('header = "Connection: close"')
        lines += [f'header = "{name}: {value}"' for name, value in request.headers.items()]
        return "\n".join(lines)

    def input(self, base, plan):
        self.base = base
        return "\nnext\n".join(self._one(base, r) for r in plan) + "\n"

    def results(self, out):
        rows = []
        for line in out.splitlines():
            status, size, seconds, code, url = line.split(" ", 4)
            row = {"path": url.removeprefix(self.base), "status": int(status), "body_sz": int(size),
                   "seconds": float(seconds)}
            rows.append(row if code == "0" else row | {"error": f"curl: {code}"})
        return rows


def curl(folder):
    return Curl(folder)


def requests(folder):
    return Client("requests", [find("python3"), APPS / "client.py"], folder)


def node(folder):
    return Client("node", [find("node"), APPS / "client.js"], folder)


def go(folder):
    return Client("go", [part("gohttp"), "get"], folder)


ALL = {f.__name__: f for f in (curl, requests, node, go)}
