# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The live view on a terminal: nothing wraps, nothing that a request brings along reaches the terminal's own language."""

import contextlib
import fcntl
import gzip
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

import pytest

from harness.proc import ROOT, Daemon, answers, find, free_port, listens, wait_until
from harness.raw import Raw

SGR = re.compile(r"\x1b\[[0-9]*m")
LINE = re.compile(r"(\d\d:\d\d:\d\d\.\d{3})  (\d{3}|-  )  ([ \d.]{6} .s|[ \w]{9})  (\S.*)  ([0-9a-f]{8})")
TERMINAL = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}


def _columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@contextlib.contextmanager
def terminal(columns):
    """Its two ends; what is written to the second is read from the first."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def _read_all(ours, popen):
    """Until the program has ended and nothing is left."""
    content, ended = b"", False
    while True:
        if select.select([ours], [], [], 0 if ended else 0.02)[0]:
            content += os.read(ours, 65536)
        elif ended:
            return content.decode()
        else:
            ended = popen.poll() is not None


@pytest.fixture(scope="module")
def recording(session_dir):
    unpacked = session_dir / "terminal.rec"
    unpacked.write_bytes(gzip.decompress((ROOT / "tests" / "golden" / "nginx.rec.gz").read_bytes()))
    return unpacked


def _replay(binary, recording, columns, env):
    with terminal(columns) as (ours, theirs):
        popen = subprocess.Popen([binary, "replay", recording, "-o", "tree:lines=0"], stdin=theirs, stdout=theirs,
                                 stderr=subprocess.DEVNULL, env={**os.environ, **TERMINAL, **env})
        return _read_all(ours, popen).splitlines()


@pytest.mark.parametrize("columns", [60, 80, 100, 132, 200])
def test_nothing_wraps_and_columns_line_up(columns, binary, recording):
    lines = _replay(binary, recording, columns, {})
    assert len(lines) == 2000 and all("\x1b[" in line for line in lines)
    plain = [SGR.sub("", line) for line in lines]
    assert all("\x1b" not in line for line in plain)
    assert {_columns(line) for line in plain} == {columns}, sorted(plain, key=_columns)[-1]
    assert all(LINE.fullmatch(line) for line in plain), next(line for line in plain if not LINE.fullmatch(line))


def test_no_color(binary, recording):
    """no-color.org: set, and not empty."""
    assert not any("\x1b" in line for line in _replay(binary, recording, 80, {"NO_COLOR": "1"}))
    assert not any("\x1b" in line for line in _replay(binary, recording, 80, {"TERM": "dumb"}))
    assert any("\x1b" in line for line in _replay(binary, recording, 80, {"NO_COLOR": ""}))


def test_no_terminal(run, recording):
    code, out, _ = run("replay", recording, env={**TERMINAL, "COLUMNS": "30"})
    assert code == 0 and "\x1b" not in out
    assert {_columns(line) for line in out.splitlines()} == {80}


@pytest.mark.parametrize("output", ["tree", "json"])
def test_reader_leaves(output, binary, start_server, tracer_pids):
    """As head(1) does: with nobody left to read, there is nothing left to trace for."""
    server = start_server("nginx")
    popen = subprocess.Popen([binary, "-p", str(server.pid), "-o", output], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tracer_pids.append(popen.pid)
    try:
        while "hooks:" not in popen.stderr.readline():
            pass
        popen.stdout.close()
        deadline = time.monotonic() + 15
        while popen.poll() is None and time.monotonic() < deadline:
            assert answers(server.port)
            time.sleep(0.2)
        assert popen.wait(5) == 0
    finally:
        popen.kill()
    said = popen.stderr.read()
    assert said.count("Broken pipe") == 1 and "requests, " in said, said


# Bytes below 0x21 in a target are no HTTP (RFC 9112, 3.2): the vectors of the unit tests have those.
HOSTILE = [
    b"/a\xc2\x9b2Jb\x9b2J", "/\u202emoc.live\u2066".encode(), b"/\xc2\x9d0;title\xc2\x9c", "/漢字かなまじり文".encode() * 5,
    "/✅⚡🟢🫠".encode() * 5, "/漢/字".encode(), "/é/ü".encode(), b"/" + b"\xff\xfe" * 40, b"/" + b"x" * 300,
]


# Takes what no ordinary server would.
TOLERANT = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    with client:
        data = b""
        while more := client.recv(65536):
            data += more
            while b"\\r\\n\\r\\n" in data:
                data = data.partition(b"\\r\\n\\r\\n")[2]
                client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""


def test_hostile_paths(folder, tracer):
    port = free_port()
    daemon = Daemon([find("python3"), "-c", TOLERANT, port], folder / "server.log", lambda: listens(port))
    tap = tracer("-p", daemon.pid, "-o", "tree", env=TERMINAL)
    with Raw(port) as raw:
        for one in HOSTILE:
            raw.send(b"GET " + one + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert raw.answer() == 200
    wait_until(lambda: tap.out_path.read_text().count("\n") == len(HOSTILE), 10, "a line a request")
    closing = tap.stop()
    daemon.stop()
    assert (closing.requests, closing.lost) == (len(HOSTILE), 0)
    for line in tap.out_path.read_text().splitlines():
        assert _columns(line) == 80 and LINE.fullmatch(line), line
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Co", "Mn") for c in line), line
