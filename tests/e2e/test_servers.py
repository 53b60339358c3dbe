# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Exactly one SERVER span per request of every real server, one CLIENT span per request of every real client."""

import os
import signal
import subprocess

import pytest

from harness import check, clients, plan, servers
from harness.proc import find, wait_until
from harness.spantap import parse_latencies

REQUESTS = 50


@pytest.mark.parametrize("client_name", clients.ALL)
@pytest.mark.parametrize("server_name", servers.ALL)
def test_both_sides(server_name, client_name, start_server, start_client, tracer):
    server, client = start_server(server_name), start_client(client_name)
    requests = plan.mixed(REQUESTS, server.lacks)
    tap = tracer("-p", f"{server.pid},{client.pid}", "-o", "json")
    results = client.run(server.base, requests)
    wanted = 2 * REQUESTS + (REQUESTS if server.asks else 0)
    tap.wait_spans(wanted)
    closing = tap.stop()
    spans = tap.spans()
    check.assert_spans(spans, "SERVER", requests, results, server)
    check.assert_spans(spans, "CLIENT", requests, results, server)
    if server.via:
        check.assert_spans(spans, "CLIENT", requests, results, server.via)
    assert len(spans) == wanted
    assert (closing.requests, closing.spans, closing.lost) == (wanted, wanted, 0)
    pids = check.tree_pids(server.pid)
    assert {s.resource["process.pid"] for s in check.on_port(spans, "SERVER", server.port)} <= pids
    assert {s.resource["process.pid"] for s in check.on_port(spans, "CLIENT", server.port)} == {client.pid}


@pytest.mark.parametrize("server_name", servers.ALL)
def test_server_alone(server_name, start_server, start_client, tracer):
    server = start_server(server_name)
    requests = plan.mixed(REQUESTS, server.lacks)
    tap = tracer("-p", server.pid, "-o", "json")
    results = start_client("requests").run(server.base, requests)
    tap.wait_spans(REQUESTS, "SERVER")
    tap.stop()
    check.assert_spans(tap.spans(), "SERVER", requests, results, server)
    assert len(tap.spans("SERVER")) == REQUESTS
    assert len(tap.spans("CLIENT")) == (REQUESTS if server.asks else 0)


def test_requests_after_posts(start_server, start_client, tracer):
    """nginx answers a POST here as soon as it has the head; the client sends its body in a call of its own, which may
    come before the answer, beside it or after it. On many connections, as it goes wrong on new ones, to meet each order."""
    server = start_server("nginx")
    groups = [[*plan.same(1, "POST", "echo", body_sz=4096), *plan.same(1), plan.same(1)[0]._replace(close=True)]
              for _ in range(40)]
    requests = [r for group in groups for r in group]
    tap = tracer("-p", server.pid, "-o", "json")
    results = start_client("requests").run(server.base, requests)
    tap.wait_spans(len(requests))
    tap.stop()
    check.assert_spans(tap.spans(), "SERVER", requests, results, server)


def test_client_alone(start_server, start_client, tracer):
    server, client = start_server("go"), start_client("requests")
    requests = plan.mixed(REQUESTS)
    tap = tracer("-p", client.pid, "-o", "json")
    results = client.run(server.base, requests)
    tap.wait_spans(REQUESTS)
    tap.stop()
    check.assert_spans(tap.spans(), "CLIENT", requests, results, server)
    assert len(tap.spans()) == REQUESTS


def test_both_ends_of_a_proxy(start_server, start_client, tracer):
    """nginx's own request to the server behind it is a CLIENT span there and a SERVER span here."""
    proxy = start_server("nginx_proxy")
    requests = plan.mixed(REQUESTS, proxy.lacks)
    tap = tracer("-p", f"{proxy.pid},{proxy.via.pid}", "-o", "json")
    results = start_client("go").run(proxy.base, requests)
    tap.wait_spans(3 * REQUESTS)
    tap.stop()
    spans = tap.spans()
    check.assert_spans(spans, "SERVER", requests, results, proxy)
    for kind in ("CLIENT", "SERVER"):
        check.assert_spans(spans, kind, requests, results, proxy.via)
    assert len(spans) == 3 * REQUESTS


WHO = {
    "port": lambda server: ["--port", server.port],
    "comm": lambda server: ["--comm", "gohttp"],
    "exe": lambda server: ["--exe", os.readlink(f"/proc/{server.pid}/exe")],
    "exe glob": lambda server: ["--exe", "*/gohttp"],
}


@pytest.mark.parametrize("who", WHO)
def test_who(who, start_server, start_client, tracer):
    """The client starts after the attach: with a pattern it is seen from its first request on."""
    server = start_server("go")
    tap = tracer(*WHO[who](server), "-o", "json")
    requests = plan.mixed(REQUESTS)
    results = start_client("go").run(server.base, requests)
    tap.wait_spans(2 * REQUESTS)
    tap.stop()
    for kind in ("SERVER", "CLIENT"):
        check.assert_spans(tap.spans(), kind, requests, results, server)


def test_command(start_server, tracer, folder):
    """`-- COMMAND` is traced from its first request on, and its exit code is ours."""
    server = start_server("go")
    urls = [server.base + f"/items/9{i}" for i in range(3)]
    script = f"{find('curl')} -qs {' '.join(urls)} >{folder / 'answers'}; exit 7"
    tap = tracer("-o", "json", "--", "sh", "-c", script, wait=False)
    assert tap.wait(20) == 7
    check.assert_one_each(tap.spans("CLIENT"), ["/items/90", "/items/91", "/items/92"], "CLIENT spans")
    assert (folder / "answers").read_text() == "item 90\nitem 91\nitem 92\n"


def test_children_to_come(fresh_server, start_client, tracer):
    """Workers that are forked after the attach are of the traced process too."""
    server = fresh_server("gunicorn_sync")
    tap = tracer("-p", server.pid, "-o", "json")
    before, after = plan.mixed(20), plan.mixed(20)
    results = start_client("curl").run(server.base, before)
    old = check.tree_pids(server.pid) - {server.pid}
    for pid in old:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: len(check.tree_pids(server.pid) - {server.pid} - old) >= len(old), 10, "new workers")
    results += start_client("curl").run(server.base, after)
    tap.wait_spans(40)
    tap.stop()
    check.assert_spans(tap.spans(), "SERVER", before + after, results, server)


def test_gone_with_their_connection(folder, start_client, tracer):
    """Processes that live for one request: by the time that a span is over, nobody can read whose it was."""
    server = servers.python_forking(folder)
    requests = [r._replace(close=True) for r in plan.same(200)]
    try:
        spans, timed = tracer("-p", server.pid, "-o", "json"), tracer("-p", server.pid, "-o", "none")
        results = start_client("curl").run(server.base, requests)
        spans.wait_spans(len(requests))
        spans.stop()
        timed.stop()
    finally:
        server.stop()
    check.assert_spans(spans.spans(), "SERVER", requests, results, server)
    assert {s.resource["service.name"] for s in spans.spans()} == {"threaded"}
    assert len({s.resource["process.pid"] for s in spans.spans()}) == len(requests)
    assert {s.resource["process.parent_pid"] for s in spans.spans()} == {server.pid}
    row, = parse_latencies(timed.stderr)
    assert (row.service, row.role, row.count) == ("threaded", "server", len(requests)), timed.stderr


def test_without_children(start_server, start_client, tracer):
    """nginx's parent serves nothing itself."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--no-children", "-o", "json")
    start_client("curl").run(server.base, plan.mixed(20))
    closing = tap.stop()
    assert tap.spans() == [] and closing.requests == 0


def test_attach_under_load(start_server, tracer):
    """A client that never stops asking: spans come from the attach on. How soon is tests/bench/latency.sh's."""
    server = start_server("nginx")
    asking = subprocess.Popen(["sh", "-c", f"while :; do {find('curl')} -qs -o /dev/null {server.base}/items/1; done"],
                              start_new_session=True)
    try:
        for _ in range(3):
            tap = tracer("-p", server.pid, "-o", "json", env={"OTEL_BSP_SCHEDULE_DELAY": "0"}, wait=False)
            tap.wait_spans(3)
            closing = tap.stop()
            assert closing.lost == 0 and closing.requests == closing.spans >= 3
            whole = [s for s in tap.spans() if "spantap.incomplete" not in s.attributes]
            assert all(s.attributes["http.response.status_code"] == 200 for s in whole)
            assert len(whole) >= len(tap.spans()) - 1
    finally:
        os.killpg(asking.pid, signal.SIGKILL)
        asking.wait(5)
