# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Each way to move bytes: system calls, io_uring, splice. What can be read becomes spans, the rest is counted."""

import os
import signal
import subprocess

import pytest

from harness import check
from harness.proc import APPS, Daemon, find, free_port
from harness.raw import path

SKIPPED = 77


@pytest.fixture(scope="session")
def compiled(session_dir):
    """compiled(NAME): path of apps/NAME.c as a program."""
    def build(name):
        program = session_dir / name
        if not program.exists():
            subprocess.run([find("cc", "gcc", "clang"), "-O2", APPS / f"{name}.c", "-o", program], check=True, timeout=60)
        return program
    return build


def _is_listening(port):
    """Without connecting: a connection more would be one more to trace."""
    with open("/proc/net/tcp") as f:
        return any(f":{port:04X} 00000000:0000 0A" in line for line in f)


@pytest.fixture
def start(folder):
    """start(PORT, *ARGV): a program that listens there."""
    started = []

    def run(port, *argv):
        started.append(Daemon(argv, folder / f"daemon-{len(started)}.log", lambda: _is_listening(port)))
        return started[-1]

    yield run
    for daemon in started:
        daemon.stop()


def _ask(program, how, port, paths):
    """Exit code of the app's client, which makes these requests on one connection."""
    return subprocess.run([program, *how, "get", str(port), *paths], timeout=20).returncode


def _assert_both_sides(tap, paths):
    tap.wait_spans(2 * len(paths))
    closing = tap.stop()
    for kind in ("SERVER", "CLIENT"):
        check.assert_one_each(tap.spans(kind), paths, f"{kind} spans")
    assert (closing.requests, closing.lost, closing.unseen) == (2 * len(paths), 0, 0), closing
    assert {s.attributes["http.response.status_code"] for s in tap.spans()} == {200}
    assert not [s for s in tap.spans() if "spantap.incomplete" in s.attributes]


@pytest.mark.parametrize("how", [
    "read write", "recv send", "readv writev", "preadv2 pwritev2", "recvmsg sendmsg", "recvmmsg sendmmsg",
    "poll parts", "peek send"])
def test_calls(how, compiled, start, tracer):
    """Both ends by these calls; the second answer's 3 MB are accepted in parts, and none of its calls is a message.
    `peek` looks at the bytes first: what is looked at is not received."""
    program, port, how = compiled("calls"), free_port(), how.split()
    start(port, program, *how, "serve", port)
    tap = tracer("--port", port, "-o", "json")
    paths = [path(), path("big"), path()]
    assert _ask(program, how, port, paths) == 0
    _assert_both_sides(tap, paths)


@pytest.mark.parametrize("how", ["sendfile", "splice"])
def test_heads_of_kernel_pages(how, compiled, start, tracer):
    """The client's requests come from pages: its side of them is lost and counted. The server reads them; of
    its answers nothing can be read, which its spans say."""
    program, port = compiled("calls"), free_port()
    start(port, program, "read", how, "serve", port)
    tap = tracer("--port", port, "-o", "json")
    paths = [path(), path("big"), path()]
    assert _ask(program, ["read", how], port, paths) == 0
    tap.wait_spans(len(paths))
    closing = tap.stop()
    check.assert_one_each(tap.spans("SERVER"), paths, "SERVER spans")
    assert not tap.spans("CLIENT")
    check.assert_balance(closing, 2 * len(paths))
    assert all("spantap.incomplete" in s.attributes for s in tap.spans())


def test_splicing_proxy(compiled, start, tracer):
    """Nothing of it passes through user space: no span, and as many counted as there were, on both of its sides."""
    program, port, origin = compiled("calls"), free_port(), free_port()
    start(origin, program, "read", "write", "serve", origin)
    proxy = start(port, program, "-", "-", "proxy", port, origin)
    tap = tracer("-p", proxy.pid, "-o", "json")
    for _ in range(2):
        assert _ask(program, ["read", "write"], port, [path(), path(), path("big"), path(), path()]) == 0
    closing = tap.stop()
    assert not tap.spans()
    assert (closing.lost, closing.unseen) == (0, 20), closing


@pytest.mark.parametrize("where", ["", ",async", ",sqpoll"])
@pytest.mark.parametrize("how", ["recv", "recvmsg", "read", "readv", "provided", "multishot"])
def test_io_uring(how, where, compiled, start, tracer):
    """In the caller's own context, in io_uring's workers, by its poller."""
    program, port = compiled("uring"), free_port()
    if subprocess.run([program, how + where, "get", "1"]).returncode == SKIPPED:
        pytest.skip("this kernel refuses io_uring")
    start(port, program, how + where, "serve", port)
    tap = tracer("--port", port, "-o", "json")
    paths = [path() for _ in range(4)]
    assert _ask(program, [how + where], port, paths) == 0
    _assert_both_sides(tap, paths)


def test_io_uring_on_unix_sockets(compiled, folder, tracer):
    program, address = compiled("uring"), folder / "uring.sock"
    if subprocess.run([program, "recv", "get", "1"]).returncode == SKIPPED:
        pytest.skip("this kernel refuses io_uring")
    server = Daemon([program, "recv", "serve", address], folder / "uring.log", address.exists)
    try:
        tap = tracer("-p", server.pid, "-o", "json")
        paths = [path() for _ in range(4)]
        assert _ask(program, ["recv"], address, paths) == 0
        tap.wait_spans(4)
        closing = tap.stop()
    finally:
        server.stop()
    check.assert_one_each(tap.spans("SERVER"), paths, "SERVER spans")
    assert (closing.requests, closing.lost) == (4, 0)


def test_exe_of_a_process_that_has_ended(compiled, start, folder, tracer):
    """It ends before its first record is read, and calls itself by another name than its file's."""
    program, port = compiled("calls"), free_port()
    start(port, program, "read", "write", "serve", port)
    copy = folder / "shortlived"
    copy.write_bytes(program.read_bytes())
    copy.chmod(0o755)
    tap = tracer("--exe", "*/shortlived", "-o", "json")
    one = path()
    os.kill(tap.pid, signal.SIGSTOP)
    try:
        assert subprocess.run(["something", "read", "write", "get", str(port), one], executable=copy, timeout=10).returncode == 0
    finally:
        os.kill(tap.pid, signal.SIGCONT)
    spans = tap.wait_spans(1, "CLIENT")
    tap.stop()
    assert [s.path for s in spans] == [one], tap.stderr
