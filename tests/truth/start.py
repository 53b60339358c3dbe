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

CXX = ("g++", "-std=c++17", "-O2", "-g", "-Wall", "-Wextra", "-Wshadow", "-Werror")
PYTHON = None   # another interpreter for the apps that need the standard library alone
RUSTC = ("rustc", "--edition", "2021", "-O")


class Bed:
    """Backend and application, running; both end with the block. The backend may be in a namespace of its own, for apps
    that heed $BACKEND_ON."""

    def __init__(self, folder, case, netns=None):
        self.folder, self.case, self.netns, self.daemons = folder, case, netns, []

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
        path = "/b/ready/x0/0"
        if not self.netns:
            self.daemons.append(self.daemon("backend", argv, port, path))
            return port
        far = self.netns.far
        self.daemons.append(self.daemon("backend", [*self.netns.within, *argv], env={"LISTEN_ON": far},
                                        ready=lambda: answers(port, path, far)))
        return port

    def daemon(self, name, argv, port=None, path="/ready/i0", ready=None, **more):
        """Ready when a GET of `path` on its port is answered, or else by `ready`."""
        more["env"] = {"PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*", **more.get("env", {})}
        if self.netns:
            more["env"]["BACKEND_ON"] = self.netns.far
        ready = ready or (lambda: answers(port or self.port, path))
        return Daemon(argv, self.folder / f"{name}.log", ready, **more)


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


# Starters. All take the port and the backend's port of the bed, unless others are named: services behind services.

def program(argv, env=None, **more):
    """`argv(bed, port, backend)` gives the words."""
    def start(bed, port=None, backend=None, name="app"):
        port, backend = port or bed.port, backend or bed.backend
        return [bed.daemon(name, argv(bed, port, backend), port, env=env(backend) if env else {}, **more)]
    return start


def c(source, *args):
    return program(lambda bed, port, backend: [compiled(source, "-pthread"), port, backend, *args])


def cpp(source, *args):
    return program(lambda bed, port, backend: [compiled(source, "-pthread", tool=CXX), port, backend, *args])


def rust(source):
    return program(lambda bed, port, backend: [compiled(source, tool=RUSTC), port, backend])


def python(script, *args):
    return program(lambda bed, port, backend: [PYTHON or find("python3"), APPS / script, port, backend, *args])


def node(script):
    return program(lambda bed, port, backend: [find("node"), APPS / script, port, backend])


def go(built=""):
    """Stripped; `-plain`: with its symbols; `-pie`: stripped and position-independent."""
    return program(lambda bed, port, backend: [part("truthgo") + built, port, backend])


def tokio(*args):
    return program(lambda bed, port, backend: [part("truthtokio"), port, backend, *args])


def gunicorn(kind, *args):
    return program(lambda bed, port, backend: [find("gunicorn"), "-k", kind, "-b", f"127.0.0.1:{port}", *args, "wsgi:app"],
                   lambda backend: {"BACKEND": str(backend)}, cwd=APPS)


def puma(threads):
    return program(lambda bed, port, backend: [find("puma"), "-q", "-e", "production", "-t", f"{threads}:{threads}",
                                               "-b", f"tcp://127.0.0.1:{port}", APPS / "config.ru"],
                   lambda backend: {"BACKEND": str(backend)}, cwd="/")


def java(source, *args):
    return program(lambda bed, port, backend: [find("java"), "-Xmx256m", APPS / source, port, backend, *args],
                   timeout_s=60)


def spring(bed):
    argv = [find("java"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", part("spring"), f"--server.port={bed.port}",
            "--server.address=127.0.0.1", f"--backend={bed.backend}"]
    return [bed.daemon("app", argv, timeout_s=60)]


def php_builtin(bed):
    """PHP's own server, which is for developers; a process handles one connection at a time."""
    argv = [find("php"), "-d", "display_errors=stderr", "-S", f"127.0.0.1:{bed.port}", APPS / "calls.php"]
    return [bed.daemon("app", argv, env={"BACKEND": str(bed.backend), "PHP_CLI_SERVER_WORKERS": "4"})]


def chain(*starters):
    """Each calls the next one, the last one the backend. The first is what clients ask."""
    def start(bed):
        daemons, backend = [], bed.backend
        for number, starter in reversed(list(enumerate(starters))):
            port = free_port() if number else bed.port
            daemons = starter(bed, port, backend, f"app-{number}") + daemons
            backend = port
        return daemons
    return start
