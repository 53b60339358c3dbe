# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Requests and connects that fail are spans that say so, and as long as they took; ends that flush."""

import errno
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import check, plan
from harness.proc import APPS, Daemon, find, free_port, listens, wait_until
from harness.raw import Raw, path

# The routes that hang do so for 30 s: a span that ends when its request has failed is far shorter.
SOON_NS = 10_000_000_000


def _the_error(tap, kind, one, timeout_s=10):
    """The one span of this kind and path, which must be there before the tracer is asked to end."""
    spans = [s for s in tap.wait_spans(1, kind, timeout_s) if s.path == one]
    assert len(spans) == 1, (spans, tap.stderr)
    span, = spans
    assert span.status == "ERROR" and span.attributes.get("error.type"), span
    assert span.duration_ns < SOON_NS, span
    return span


@pytest.mark.parametrize("server_name, how", [("go", "closed"), ("node", "closed"), ("go", "reset"), ("node", "reset"),
                                              ("python", "reset")])
def test_client_leaves(server_name, how, fresh_server, tracer):
    """In the middle of an answer. A client that has only ended its own direction may still read (RFC 9293, 3.6), and
    Python's server does not notice it."""
    server = fresh_server(server_name)
    tap = tracer("-p", server.pid, "-o", "json")
    one = path("slow")
    with Raw(server.port) as raw:
        raw.get(one)
        raw.until(b"beginning")
        if how == "reset":
            raw.reset()
    _the_error(tap, "SERVER", one)
    assert tap.stop().lost == 0


@pytest.mark.parametrize("client_name", ["curl", "go"])
def test_server_resets(client_name, folder, start_client, tracer):
    """In the middle of a body, seen from the client's side."""
    port = free_port()
    daemon = Daemon([find("python3"), APPS / "raw.py", "inet", port], folder / "raw.log", lambda: listens(port))
    client = start_client(client_name)
    tap = tracer("-p", client.pid, "-o", "json")
    try:
        # A POST: clients make a GET again by themselves when its connection fails (RFC 9110, 9.2.2).
        requests = plan.same(1, "POST", "reset")
        result, = client.run(f"http://127.0.0.1:{port}", requests)
    finally:
        daemon.stop()
    assert result["error"]
    _the_error(tap, "CLIENT", requests[0].path)
    assert tap.stop().lost == 0


@pytest.mark.parametrize("client_name", ["requests", "go"])
def test_server_is_killed(client_name, fresh_server, start_client, tracer):
    """In the middle of an answer, both ends traced: two spans, both with an error."""
    server, client = fresh_server("go"), start_client(client_name)
    tap = tracer("-p", f"{server.pid},{client.pid}", "-o", "json")
    slow = plan.same(1, route="slow")
    client.popen.stdin.write(client.input(server.base, slow))
    client.popen.stdin.close()
    wait_until(lambda: _connected(server.port), 10, "the client's connection")
    _wait_for_answer_begun(server.port)
    os.kill(server.pid, signal.SIGKILL)
    _the_error(tap, "CLIENT", slow[0].path)
    _the_error(tap, "SERVER", slow[0].path)
    tap.stop()


def _connected(port):
    done = subprocess.run([find("ss"), "-Htn", "state", "established", f"( dport = :{port} )"],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _wait_for_answer_begun(port):
    """Until bytes of the answer have reached the client's socket."""
    def received():
        done = subprocess.run([find("ss"), "-Htin", "state", "established", f"( dport = :{port} )"],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=10)
        return "bytes_received:" in done.stdout
    wait_until(received, 10, "the answer's first bytes")


@pytest.mark.parametrize("client_name", ["curl", "requests", "go", "node"])
def test_connect_is_refused(client_name, start_client, tracer):
    client, port = start_client(client_name), free_port()
    tap = tracer("-p", client.pid, "-o", "json")
    result, = client.run(f"http://127.0.0.1:{port}", plan.same(1))
    assert result["error"]
    spans = tap.wait_spans(1)
    tap.stop()
    assert len(spans) == 1, spans
    assert spans[0].kind == "CLIENT" and spans[0].status == "ERROR"
    attributes = spans[0].attributes
    assert attributes["error.type"] == "ECONNREFUSED"
    assert 0 < spans[0].duration_ns < 50_000_000, spans[0]
    assert port in (attributes.get("server.port"), attributes.get("network.peer.port"))


def test_client_gives_up(fresh_server, tracer):
    """A timeout is the client's own end of the connection."""
    server = fresh_server("go")
    tap = tracer("--port", server.port, "-o", "json")
    one = path("slow")
    done = subprocess.run([find("curl"), "-qs", "--max-time", "0.5", server.base + one], stdout=subprocess.DEVNULL,
                          timeout=20)
    assert done.returncode == 28
    for kind in ("CLIENT", "SERVER"):
        _the_error(tap, kind, one)
    tap.stop()


NO_REQUESTS = {"tls": b"\x16\x03\x01\x02\0\1\0" + bytes(100) + b"\r\n\r\n",
               "nul": b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", "version": b"GET / HTTP/9.9\r\n\r\n"}


@pytest.mark.parametrize("bytes_of", NO_REQUESTS)
@pytest.mark.parametrize("server_name", ["nginx", "apache", "go", "node"])
def test_no_request_is_answered(server_name, bytes_of, start_server, tracer):
    """What a server says no to is a request to it, whatever it is to the grammar: `_OTHER`, with the answer's status."""
    server = start_server(server_name)
    tap = tracer("-p", server.pid, "-o", "json")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(NO_REQUESTS[bytes_of])
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.")
    span, = tap.wait_spans(1, "SERVER")
    closing = tap.stop()
    assert (closing.requests, closing.spans, closing.lost) == (1, 1, 0), closing
    assert (span.name, span.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert span.attributes["http.response.status_code"] == int(answer[9:12])


def test_open_requests(fresh_server, tracer):
    """A request without an answer is shown as open when asked, and exported as incomplete at the end."""
    server = fresh_server("python")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path("slow")
    with Raw(server.port) as raw:
        raw.get(one)
        raw.until(b"beginning")
        os.kill(tap.pid, signal.SIGUSR1)
        wait_until(lambda: re.search(r"requests open now", tap.stderr), 5, "the report on stderr")
        wait_until(lambda: re.search(r"open for [\d.]+ s: GET /slow/", tap.stderr), 1, "the open request in it")
        assert re.search(r"tracer [\d.]+ % of a core, \d+ MiB, maps [\d.]+ MiB$", tap.stderr, re.M), tap.stderr
        assert re.search(r"^spantap:   map records: \d+ KiB$", tap.stderr, re.M), tap.stderr
        closing = tap.stop()
    span, = tap.spans()
    assert span.path == one and span.attributes["spantap.incomplete"] is True
    check.assert_balance(closing, 1)


def test_target_ends(fresh_server, start_client, tracer):
    """With the last traced process the tracer has nothing to wait for."""
    server = fresh_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    requests = plan.mixed(10)
    results = start_client("curl").run(server.base, requests)
    os.kill(server.pid, signal.SIGTERM)
    assert tap.wait() == 0
    check.assert_spans(tap.spans(), "SERVER", requests, results, server)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_flush(signum, start_server, start_client, tracer):
    """With a batch's whole delay still ahead."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json", env={"OTEL_BSP_SCHEDULE_DELAY": "60000"})
    requests = plan.mixed(20)
    results = start_client("curl").run(server.base, requests)
    os.kill(tap.pid, signum)
    assert tap.wait() == 0
    check.assert_spans(tap.spans(), "SERVER", requests, results, server)


@pytest.fixture
def deaf(folder):
    """A listener that never accepts, for as many as its queue has no room for: its Daemon and its port."""
    port = free_port()
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port}), backlog=1); time.sleep(60)"
    daemon = Daemon([find("python3"), "-c", script], folder / "deaf.log", lambda: _listening(port))
    callers = []

    def call(count):
        for _ in range(count):
            callers.append(socket.socket())
            callers[-1].setblocking(False)
            assert callers[-1].connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS

    yield daemon, port, call
    for caller in callers:
        caller.close()
    daemon.stop()


def test_accept_queue_is_full(deaf, tracer):
    """Nobody takes connections: the listener's span says so, and how many connects it was is not told."""
    daemon, port, call = deaf
    tap = tracer("-p", daemon.pid, "-o", "json")
    call(6)
    # Asleep it looks every ten seconds.
    span = tap.wait_spans(1, timeout_s=13)[0]
    closing = tap.stop()
    assert (span.kind, span.status, span.attributes["error.type"]) == ("SERVER", "ERROR", "accept_queue_full"), span
    assert (span.attributes["server.address"], span.attributes["server.port"]) == ("127.0.0.1", port)
    assert closing.requests == closing.spans and closing.lost == 0


def test_connect_times_out(deaf, start_client, tracer):
    """One span as long as the client waited."""
    _, port, call = deaf
    call(4)
    tap = tracer("-o", "json", "--", find("curl"), "-qs", "--connect-timeout", "1", f"http://127.0.0.1:{port}/", wait=False)
    assert tap.wait(20) == 28
    span, = tap.spans()
    assert (span.kind, span.status, span.attributes["error.type"]) == ("CLIENT", "ERROR", "connect_aborted")
    assert span.attributes["server.port"] == port
    assert 0.9e9 < span.duration_ns < 2e9, span


FEW_PORTS = """
import socket
server = socket.create_server(("127.0.0.1", 80))
kept = []
for _ in range(11):
    kept.append(socket.socket())
    kept[-1].connect_ex(("127.0.0.1", 80))
"""


def test_no_local_port_is_left(tracer):
    """The kernel tells that to its caller alone; a connect that never had a port says it all the same."""
    setup = "ip link set lo up && echo 40000 40009 >/proc/sys/net/ipv4/ip_local_port_range && exec python3 -c \"$0\""
    tap = tracer("-o", "json", "--", "unshare", "--net", "sh", "-c", setup, FEW_PORTS, wait=False)
    assert tap.wait(20) == 0, tap.stderr
    span, = tap.spans()
    assert (span.kind, span.attributes["error.type"]) == ("CLIENT", "EADDRNOTAVAIL"), span


def _listening(port):
    """Without connecting, as listens() does: a connection would stay in the queue."""
    done = subprocess.run([find("ss"), "-Hltn", f"( sport = :{port} )"], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=10)
    return done.stdout.strip()
