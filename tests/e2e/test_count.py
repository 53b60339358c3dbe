# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""At full speed, and under loss at each stage: spans + losses = requests, against the generator's own count."""

import os
import pathlib
import re
import signal
import time

import pytest

from harness import check, load, receivers
from harness.proc import wait_until
from harness.spantap import parse_latencies

REQUESTS = 100_000
FORCED = 20_000


@pytest.mark.parametrize("conns", [4, 64])
def test_nothing_is_lost(conns, start_server, tracer, folder):
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    full_speed = check.FullSpeed()
    report = load.Load(server.port, REQUESTS, conns, times=folder / "times").wait()
    assert report["failed"] == 0
    full_speed.assert_none_lost(tap, tap.stop(), REQUESTS)
    spans = tap.spans("SERVER")
    check.assert_one_each(spans, [f"/items/{i}" for i in range(REQUESTS)], "SERVER spans")
    _assert_durations(spans, load.read_times(folder / "times"))


def _assert_durations(spans, times):
    """Each lies within the client's own time for that request. One in a thousand may have a sender that was
    preempted between its last byte's arrival at the client and its return (see check.SLACK_S)."""
    late = [s for s in spans if s.duration_ns > times[int(s.path.rpartition("/")[2])] + 100_000]
    assert len(late) <= len(spans) // 1000, (len(late), late[0])
    assert all(s.duration_ns <= times[int(s.path.rpartition("/")[2])] + check.SLACK_S * 1e9 for s in late)


def test_on_another_server(start_server, tracer):
    """The same on a server that answers from user space and schedules many goroutines."""
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    full_speed = check.FullSpeed()
    assert load.Load(server.port, FORCED, 64).wait()["failed"] == 0
    full_speed.assert_none_lost(tap, tap.stop(), FORCED)
    check.assert_one_each(tap.spans("SERVER"), [f"/items/{i}" for i in range(FORCED)], "SERVER spans")


def test_both_sides_are_counted(start_server, tracer):
    server = start_server("nginx")
    tap = tracer("--port", server.port, "-o", "json")
    full_speed = check.FullSpeed()
    assert load.Load(server.port, FORCED).wait()["failed"] == 0
    full_speed.assert_none_lost(tap, tap.stop(), 2 * FORCED)
    for kind in ("SERVER", "CLIENT"):
        check.assert_one_each(tap.spans(kind), [f"/items/{i}" for i in range(FORCED)], f"{kind} spans")


def test_histogram_counts_every_request(start_server, tracer):
    """`-o none` exports nothing and still knows how many there were: from the per-CPU histograms."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "none")
    report = load.Load(server.port, REQUESTS).wait()
    closing = tap.stop()
    assert report["failed"] == 0 and closing.lost == 0
    rows = [r for r in parse_latencies(tap.stderr) if r.port == server.port]
    # One row for all of a service's workers; a server's time lies within its client's.
    row, = rows
    assert (row.service, row.role, row.status, row.count) == ("nginx", "server", 2, REQUESTS), tap.stderr
    assert 0 < row.p50_ns <= row.p95_ns <= row.p99_ns <= report["max_ns"], (row, report)
    assert row.p50_ns <= report["p50_ns"], (row, report)


def test_histogram_agrees_with_the_client(start_server, tracer):
    """The client's own quantiles: it starts its clock before the send and stops it after the receive, and a bucket is
    a quarter of an octave, within which the value is interpolated."""
    server = start_server("go")
    tap = tracer("--comm", "loadgen", "-o", "none")
    report = load.Load(server.port, FORCED, 4).wait()
    closing = tap.stop()
    row, = [r for r in parse_latencies(tap.stderr) if r.port == server.port]
    assert (row.role, row.count) == ("client", FORCED) and closing.requests == FORCED, tap.stderr
    assert 0.5 * report["p50_ns"] < row.p50_ns < 1.25 * report["p50_ns"], (row, report)
    assert 0.5 * report["p99_ns"] < row.p99_ns < 1.25 * report["p99_ns"], (row, report)


def test_wrk(start_server, tracer):
    """wrk leaves requests on their way when its time is up; nginx's own count is the truth."""
    server = start_server("nginx")
    before = load.nginx_requests(server)
    tap = tracer("-p", server.pid, "-o", "json")
    answered, failed = load.wrk(server.base, "/items/1", seconds=1)
    served = load.nginx_requests(server) - before
    closing = tap.stop()
    assert failed == 0 and answered <= served <= answered + 4
    assert closing.lost == 0
    spans = [s for s in tap.spans("SERVER") if s.path == "/items/1"]
    assert len(spans) == served
    assert len([s for s in spans if "spantap.incomplete" not in s.attributes and s.status == "UNSET"]) >= answered


def test_balance_when_the_tracer_is_held(start_server, tracer):
    """A tracer that gets no processor: its rings fill, and what they refused is counted."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    os.kill(tap.pid, signal.SIGSTOP)
    report = load.Load(server.port, REQUESTS, 64).wait()
    os.kill(tap.pid, signal.SIGCONT)
    assert report["failed"] == 0
    closing = tap.stop()
    assert closing.lost + closing.unseen > 0, "rings that hold everything prove nothing: raise REQUESTS"
    check.assert_balance(closing, REQUESTS)
    assert len(tap.spans()) == closing.spans


def test_nothing_is_lost_at_the_end(start_server, tracer):
    """Ended with full rings: what they hold is many times what the output buffers, and all of it is written."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--ring-size", "16M", "-o", "json")
    os.kill(tap.pid, signal.SIGSTOP)
    assert load.Load(server.port, FORCED // 2).wait()["failed"] == 0
    os.kill(tap.pid, signal.SIGINT)
    os.kill(tap.pid, signal.SIGCONT)
    closing = tap.stop()
    assert (closing.requests, closing.spans, closing.lost) == (FORCED // 2, FORCED // 2, 0), tap.stderr
    assert len(tap.spans()) == FORCED // 2


def test_balance_with_small_rings(start_server, tracer):
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--ring-size", "64K", "-o", "json")
    assert load.Load(server.port, REQUESTS, 64).wait()["failed"] == 0
    closing = tap.stop()
    check.assert_balance(closing, REQUESTS)
    assert len(tap.spans()) == closing.spans


def test_balance_when_a_map_is_full(start_server, tracer):
    """More connections than the tracer has room for."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--max-conns", "8", "-o", "json")
    assert load.Load(server.port, FORCED, 64).wait()["failed"] == 0
    closing = tap.stop()
    assert closing.lost + closing.unseen > 0
    check.assert_balance(closing, FORCED)
    assert len(tap.spans()) == closing.spans


def test_balance_when_an_output_hangs(start_server, tracer):
    """A receiver that never answers: the queue fills, and what it refused is counted."""
    server, silent = start_server("nginx"), receivers.Silent()
    try:
        tap = tracer("-p", server.pid, "-o", f"otlp:{silent.url}", env={
            "OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "500"})
        assert load.Load(server.port, FORCED).wait()["failed"] == 0
        closing = tap.stop(codes=(0, 1))
    finally:
        silent.stop()
    assert closing.spans == 0
    check.assert_balance(closing, FORCED)


def test_balance_when_sampled(start_server, tracer):
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json",
                 env={"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"})
    assert load.Load(server.port, FORCED).wait()["failed"] == 0
    closing = tap.stop()
    assert closing.lost == 0 and closing.requests == FORCED
    check.assert_balance(closing, FORCED)
    # Binomial with 20,000 draws of 0.1: standard deviation 42; six of them never happen by chance.
    assert abs(len(tap.spans()) - FORCED // 10) < 6 * 43


def _sleeps(pid):
    """How often its threads went to sleep by themselves so far."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
               for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))


def test_idle_tracer_wakes(start_server, tracer):
    """Without events it looks after its target once a second and does not poll; yet the next request's span comes by
    itself. How soon is tests/bench/latency.sh's."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json", env={"OTEL_BSP_SCHEDULE_DELAY": "0"})
    for i in range(3):
        load.Load(server.port, 1, 1).wait()
        wait_until(lambda: len(tap.spans()) > i, 10, "the span")
        time.sleep(0.5)     # the short naps behind it are over
        before = _sleeps(tap.pid)
        time.sleep(2)
        assert _sleeps(tap.pid) - before < 20, "it polls"
    assert tap.stop().spans == 3
