# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Processes that tests start: ready when they answer, ended by their own id, never waited for by a fixed time."""

import ctypes
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1    # linux/prctl.h

ROOT = pathlib.Path(__file__).resolve().parents[3]
APPS = pathlib.Path(__file__).resolve().parents[1] / "apps"
CACHE = pathlib.Path(os.environ.get("SPANTAP_CACHE") or ROOT / ".cache" / "parts")
VENV = CACHE / "venv" / "bin"


def wait_until(condition, timeout_s, what):
    """The first true result of `condition()`; asked often, and for a bounded time."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.002
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.05)


def find(*names):
    """Path of the first of these programs that is there: distribution's folders for daemons included."""
    path = os.pathsep.join([str(VENV), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise FileNotFoundError(f"{names[0]}: not installed; run tools/install-test-deps.sh")


def part(name):
    """Path of a third-party part, built now if it is not in the cache."""
    script = ROOT / "tests" / "parts" / name / "build.sh"
    done = subprocess.run([script], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def listens(port, address="127.0.0.1"):
    """True when something accepts on this loopback port."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


def answers(port, path="/items/ready", address="127.0.0.1"):
    """True when an HTTP server answers here. A listening socket is not enough: Apache opens its own twice, and
    what connects to the first is reset."""
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# Ports below the ephemeral range: an outgoing connection of another test cannot take one between choosing and
# binding. The start differs per process so that two runs side by side seldom try the same.
_next_port = 10000 + os.getpid() * 61 % 18000


def free_port():
    """A loopback port that nothing is bound to; never the same twice in one session."""
    global _next_port
    for _ in range(1000):
        _next_port = 10000 + (_next_port - 10000 + 1) % 20000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", _next_port))
            except OSError:
                continue
            return _next_port
    raise OSError("no free loopback port")


def end_with_parent():
    """In a child, before it runs its program: it is told to end when this process does, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Daemon:
    """A process in a session of its own, with its output in a file.

    `ready` is called until it returns true; `stop` asks the process and then ends its whole process group, so
    that no worker outlives the test."""

    def __init__(self, argv, log, ready, env=None, cwd=None, timeout_s=30):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True,
                preexec_fn=end_with_parent)
        self.pid = self.popen.pid
        try:
            wait_until(lambda: self._alive() and ready(), timeout_s, str(argv[0]))
        except Exception:
            self.stop()
            raise

    def _alive(self):
        if self.popen.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.popen.args[0]} ended with {self.popen.returncode}: {tail}")
        return True

    def stop(self, first=signal.SIGTERM):
        if self.popen.poll() is None:
            self.popen.send_signal(first)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait(5)
