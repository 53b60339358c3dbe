# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The traced processes are what they were: every byte, every request, and nothing left when the tracer dies."""

import hashlib
import os
import pathlib
import re
import signal

import pytest

from harness import check, load, plan, servers, spantap
from harness.proc import wait_until

BIG_SHA256 = hashlib.sha256(b"0123456789abcdef" * (servers.BIG_SZ // 16)).hexdigest()


@pytest.mark.parametrize("who", ["pid", "all"])
def test_transfer_is_unchanged(who, start_server, start_client, tracer):
    """2 MiB, both directions, through nginx's proxy_pass with all ends traced."""
    proxy, client = start_server("nginx_proxy"), start_client("go")
    pids = f"{proxy.pid},{proxy.via.pid},{client.pid}"
    tap = tracer(*(["-p", pids] if who == "pid" else ["-a"]), "-o", "json")
    requests = plan.same(10, route="big") + plan.same(10, "POST", "echo", body_sz=servers.BIG_SZ)
    results = client.run(proxy.base, requests)
    tap.wait_spans(4 * 20)
    tap.stop()
    assert [(r["status"], r.get("error")) for r in results] == 20 * [(200, None)]
    assert {r["sha256"] for r in results[:10]} == {BIG_SHA256}
    echoed = hashlib.sha256(b"got %d\n" % servers.BIG_SZ).hexdigest()
    assert {r["sha256"] for r in results[10:]} == {echoed}
    check.assert_spans(tap.spans(), "SERVER", requests, results, proxy)


@pytest.mark.parametrize("server_name", ["nginx", "go", "node"])
def test_killed_tracer(server_name, start_server, tracer, kernel_before):
    """kill -9 in the middle of a load: not one failed request, and nothing stays attached."""
    server = start_server(server_name)
    requests = {"nginx": 200_000, "go": 100_000, "node": 30_000}[server_name]
    tap = tracer("-p", server.pid, "-o", "json")
    load_run = load.Load(server.port, requests, 32)
    tap.wait_output(1_000_000)
    assert load_run.popen.poll() is None, "the load was over too soon"
    tap.kill()
    report = load_run.wait()
    assert (report["requests"], report["failed"]) == (requests, 0)
    spantap.assert_nothing_left(kernel_before, [tap.pid])


def test_attached_again_and_again(start_server, tracer, kernel_before):
    """Attaching and detaching under load harms no request either."""
    server = start_server("nginx")
    load_run = load.Load(server.port, 300_000, 16)
    times = 0
    while load_run.popen.poll() is None and times < 8:
        tap = tracer("-p", server.pid, "-o", "json")
        wait_until(lambda: tap.out_path.stat().st_size > 100_000 or load_run.popen.poll() is not None, 10, "spans")
        tap.stop()
        spantap.assert_nothing_left(kernel_before, [tap.pid])
        times += 1
    report = load_run.wait()
    assert (report["requests"], report["failed"]) == (300_000, 0)
    assert times >= 2


def test_stopped_tracer(start_server, tracer):
    """A tracer that hangs holds nobody up: the load goes on at its own speed."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    alone = load.Load(server.port, 20_000).wait()["seconds"]
    os.kill(tap.pid, signal.SIGSTOP)
    report = load.Load(server.port, 20_000).wait()
    os.kill(tap.pid, signal.SIGCONT)
    tap.stop()
    assert report["failed"] == 0 and report["seconds"] < 3 * alone + 1


def _code(pid):
    """{mapping: hash} of a process's executable memory, the kernel's page for stepped instructions aside."""
    hashes = {}
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-x\S* \S+ \S+ \S+\s*(/.*)?$", line)
            if m and m[3]:
                memory.seek(int(m[1], 16))
                hashes[m[0]] = hashlib.sha256(memory.read(int(m[2], 16) - int(m[1], 16))).hexdigest()
    return hashes


def test_passive(start_server, start_client, tracer):
    """Nothing is written into a traced process: its code, descriptors and threads are the same after it."""
    server = start_server("nginx")
    pids = sorted(check.tree_pids(server.pid))

    def state():
        return {p: (_code(p), len(os.listdir(f"/proc/{p}/fd")), len(os.listdir(f"/proc/{p}/task"))) for p in pids}

    before = state()
    assert all(code for code, _, _ in before.values())
    tap = tracer("-p", server.pid, "-o", "json")
    start_client("curl").run(server.base, plan.mixed(20))
    tap.wait_spans(20)
    assert {p: code for p, (code, _, _) in state().items()} == {p: code for p, (code, _, _) in before.items()}
    tap.stop()
    # nginx closes a left connection a moment after its client's end.
    wait_until(lambda: state() == before, 5, "the state of before")


def test_tracer_does_not_trace_itself(collector, tracer, start_server, start_client):
    """`-a` with an OTLP output: its own exports would else be spans that make exports without end."""
    server = start_server("nginx")
    tap = tracer("-a", "-o", "json", "-o", f"otlp:{collector.url()}",
                 env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    start_client("curl").run(server.base, plan.mixed(20))
    sent = tap.wait_spans(40)
    collector.spans(s.span_id for s in sent)
    tap.stop()
    own = [s for s in tap.spans() if s.kind == "CLIENT" and "/v1/traces" in s.path]
    assert own == []
    assert tap.pid not in {s.resource["process.pid"] for s in tap.spans()}
