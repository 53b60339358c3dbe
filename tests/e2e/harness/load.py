# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Load at full speed: our own generator, which counts exactly, and wrk, which stops by time."""

import json
import re
import subprocess
import urllib.request

from .proc import find, part, wait_until


class Load:
    """The generator, started; `wait` gives its report as a dict (requests, failed, seconds, p50_ns, ...)."""

    def __init__(self, port, requests, conns=16, prefix="/items/", times=None):
        argv = [part("loadgen"), "-c", str(conns), "-n", str(requests), "-u", prefix]
        if times:
            argv += ["-o", str(times)]
        self.popen = subprocess.Popen(argv + [str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self.popen.pid

    def wait(self, timeout_s=60):
        try:
            out, err = self.popen.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise
        if not out:
            raise RuntimeError(f"loadgen ended with {self.popen.returncode}: {err}")
        return json.loads(out)


def read_times(path):
    """{request number: nanoseconds} of a generator's -o file."""
    with open(path) as lines:
        return {int(number): int(took) for number, took in (line.split() for line in lines)}


def wrk(base, path, seconds=2, conns=4):
    """Number of requests that wrk saw answered, and of those that failed (timeouts, not 2xx, ...)."""
    done = subprocess.run([find("wrk"), "-t1", f"-c{conns}", f"-d{seconds}s", base + path],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 30)
    answered = int(re.search(r"(\d+) requests in", done.stdout)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    errors = re.search(r"Socket errors: (.*)", done.stdout)
    failed = int(bad[1]) if bad else 0
    return answered, failed + sum(int(n) for n in re.findall(r"\d+", errors[1] if errors else ""))


def nginx_status(server):
    """(connections that are open, requests served so far), by nginx itself, this question included in both."""
    with urllib.request.urlopen(server.base + "/status", timeout=5) as answer:
        text = answer.read().decode()
    return int(re.search(r"Active connections: (\d+)", text)[1]), int(text.split("\n")[2].split()[2])


def nginx_requests(server):
    """Requests that nginx has served, the questions for it not counted; asked until it is idle."""
    def idle():
        server.questions += 1
        active, served = nginx_status(server)
        return served if active == 1 else None

    return wait_until(idle, 10, "nginx is idle") - server.questions
