# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""How each application is started: a function of the bed, which has a folder, a free port and a backend's port.

A starter returns its daemons; the first one is the one that the clients ask."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness.proc import CACHE, Daemon, answers, find, free_port, part

APPS = pathlib.Path(__file__).parent / "apps"
PING_FOR_S = 0.3    # background calls of the apps end that long after the last request, so that nothing is cut off
CC = ("gcc", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wshadow", "-Werror")


class Bed:
    """Backend and application, running; both end with the block."""

    def __init__(self, folder, case):
        self.folder, self.case, self.daemons = folder, case, []

    def __enter__(self):
        try:
            self.port = free_port()
            self.backend = self.port if self.case.calls_itself else self._start_backend()
            self.daemons += self.case.start(self)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.stop()

    @property
    def pids(self):
        return [daemon.pid for daemon in self.daemons]

    def _start_backend(self):
        port = free_port()
        argv = [compiled("backend.c", "-pthread"), port, *self.case.delay_us, *(["close"] if self.case.backend_closes else [])]
        self.daemons.append(self.daemon("backend", argv, port, "/b/ready/x0/0"))
        return port

    def daemon(self, name, argv, port=None, path="/ready/i0", **more):
        more["env"] = {"PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", **more.get("env", {})}
        return Daemon(argv, self.folder / f"{name}.log", lambda: answers(port or self.port, path), **more)


def compiled(source, *flags, tool=CC):
    """Path of the program that one source file makes, kept in the cache by the contents of what it is made of."""
    source = APPS / source
    inputs = [source, *source.parent.glob("*.h")]
    words = [find(tool[0]), *tool[1:]]
    key = hashlib.sha256(repr((words[1:], flags)).encode() + b"".join(f.read_bytes() for f in inputs)).hexdigest()[:16]
    entry = CACHE / f"truth-{key}"
    if not entry.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = tempfile.mkdtemp(prefix="truth-", dir=CACHE)
        try:
            os.chmod(making, 0o755)
            subprocess.run([*words, "-o", os.path.join(making, source.stem), source, *flags], check=True, timeout=300)
            os.rename(making, entry)
        except BaseException:
            shutil.rmtree(making)
            raise
    return entry / source.stem


def c(source, *args):
    return lambda bed: [bed.daemon("app", [compiled(source, "-pthread"), bed.port, bed.backend, *args])]


def python(script, *args):
    return lambda bed: [bed.daemon("app", [find("python3"), APPS / script, bed.port, bed.backend, *args])]


def gunicorn(kind, *args):
    return lambda bed: [bed.daemon("app", [find("gunicorn"), "-k", kind, "-b", f"127.0.0.1:{bed.port}", *args, "wsgi:app"],
                                   cwd=APPS, env={"BACKEND": str(bed.backend)})]


def node(script):
    return lambda bed: [bed.daemon("app", [find("node"), APPS / script, bed.port, bed.backend])]


def go(stripped):
    return lambda bed: [bed.daemon("app", [part("truthgo") + ("" if stripped else "-plain"), bed.port, bed.backend])]
