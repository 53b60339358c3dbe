# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Requests that fail are spans that say so; wrong input gets one line that names the thing, and the right code."""

import errno
import gzip
import os
import re
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import check, load, plan
from harness.proc import APPS, ROOT, Daemon, find, free_port, listens, part, wait_until
from harness.raw import Raw, path
from harness.receivers import Collector
from harness.spantap import parse_closing

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


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("server_name", ["go", "python", "node"])
def test_client_leaves(server_name, how, fresh_server, tracer):
    """In the middle of an answer. Python's server does not notice a mere end of the client's bytes, and what it
    goes on to send is answered by a reset: its span ends then, or with the reset at once."""
    if (server_name, how) == ("python", "closed"):
        pytest.skip("a client that has only ended its own direction may still read (RFC 9293, 3.6)")
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


def _dead_pid():
    gone = subprocess.Popen(["true"])
    gone.wait()
    return gone.pid


def _assert_said(result, code, *words):
    """One line on stderr, which names the thing; nothing on stdout."""
    got, out, err = result
    lines = [line for line in err.splitlines() if line.strip()]
    assert got == code and out == "" and len(lines) == 1, result
    assert lines[0].startswith("spantap: "), result
    assert all(word.lower() in lines[0].lower() for word in words), (words, lines)


def test_no_such_pid(run):
    pid = _dead_pid()
    _assert_said(run("-p", pid, "-o", "json"), 1, str(pid))


def test_pid_that_ends_while_attaching(run):
    """Or before, or just after: which of them luck decides, and none is told in more than a line."""
    for delay in ("0.001", "0.01", "0.03", "0.1"):
        short = subprocess.Popen(["sleep", delay])
        code, out, err = run("-p", short.pid, "-o", "none")
        short.wait()
        lines = err.splitlines()
        assert (code == 1 and len(lines) == 1) or (code == 0 and "have ended" in err), err
        assert f"-p {short.pid}: " in err or "have ended" in err, err


def test_worker_alone(start_server, tracer):
    """Who names one of a server's workers sees a part of its requests, and is told whom to name for all."""
    server = start_server("nginx")
    worker = subprocess.run(["pgrep", "-P", str(server.pid)], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.split()[0]
    tap = tracer("-p", worker, "-o", "json")
    assert f"spantap: -p {worker} is a child of process {server.pid}, " in tap.stderr
    tap.stop()
    tap = tracer("-p", f"{worker},{server.pid}", "-o", "json")
    assert "is a child of" not in tap.stderr
    tap.stop()


WRONG_USAGE = [
    (["-p", "seven"], ["seven"]),
    (["-p", "-1"], ["-1"]),
    (["-p", "1", "-o", "nosuch"], ["nosuch"]),
    (["-p", "1", "-o", "zipkin:not a url"], ["not a url"]),
    (["-p", "1", "-e", "nosuch"], ["nosuch"]),
    (["-p", "1", "--sample", "2"], ["2"]),
    (["-p", "1", "-t", "soon"], ["soon"]),
    (["-p", "1", "--rung", "nosuch"], ["nosuch"]),
    (["-a", "--port", "70000"], ["70000"]),
    (["-p", "1", "--filter", "status ="], ["filter"]),
    (["--nosuch"], ["nosuch"]),
    (["nosuch"], ["nosuch"]),
    (["replay"], ["replay"]),
]


@pytest.mark.parametrize("args, words", WRONG_USAGE, ids=" ".join)
def test_wrong_usage(args, words, run):
    _assert_said(run(*args), 2, *words)


def test_without_root(run):
    """It says which capabilities it wants, for those who would rather grant them."""
    nobody = [find("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    _assert_said(run("-a", "-o", "none", before=nobody), 1, "CAP_BPF", "CAP_PERFMON")


HIDES_BTF = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"']


def test_without_btf(run):
    _assert_said(run("-a", "-o", "none", before=HIDES_BTF), 1, "/sys/kernel/btf/vmlinux", "not there",
                 "CONFIG_DEBUG_INFO_BTF")
    code, out, err = run("check", before=HIDES_BTF)
    assert (code, err) == (1, "") and "Tracing does not work here" in out and "CONFIG_DEBUG_INFO_BTF" in out, out
    assert out.count("type information") == 1, out


def test_capabilities_alone(run):
    """Those that docs/permissions.md names, for a user who has no others."""
    names = ("bpf", "perfmon", "sys_ptrace", "dac_read_search")
    held = ["--bounding-set=" + ",".join(["-all", *(f"+{n}" for n in names)])]
    held += [f"--{which}=" + ",".join(f"+{n}" for n in names) for which in ("inh-caps", "ambient-caps")]
    nobody = [find("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *held]
    code, out, err = run("check", before=nobody)
    assert (code, err) == (0, "") and "Tracing works here." in out, (out, err)
    code, out, err = run("-a", "-o", "none", "--duration", "100ms", before=nobody)
    assert code == 0 and "0 lost" in err, err


def test_command_that_is_not_there(run):
    """127 is what shells give for it, and env, nice and the like (POSIX, 2.8.2 of the shell's chapter)."""
    code, out, err = run("-o", "json", "--", "/nonexistent/program")
    assert (code, out) == (127, "")
    assert "spantap: /nonexistent/program: No such file or directory\n" in err


@pytest.mark.parametrize("content", [b"", b"not a recording at all\n", bytes(4096)], ids=["empty", "text", "zeros"])
def test_no_recording(content, run, folder):
    broken = folder / "broken.rec"
    broken.write_bytes(content)
    _assert_said(run("replay", broken), 1, str(broken))


def test_broken_recording(run, start_server, start_client, tracer, folder):
    """The place is named, and what stands before it is replayed."""
    server, kept = start_server("nginx"), folder / "kept.rec"
    tap = tracer("-p", server.pid, "-o", "json", "--record", kept)
    start_client("curl").run(server.base, plan.mixed(20))
    assert len(tap.wait_spans(20)) == 20
    tap.stop()
    content = bytearray(kept.read_bytes())
    content[-20] ^= 1
    broken = folder / "broken.rec"
    broken.write_bytes(content)
    code, _, err = run("replay", broken, "-o", "none")
    place = re.match(rf"spantap: replay {broken}: broken at byte (\d+); ", err)
    assert code == 1 and place and 0 < int(place[1]) < len(content), err


@pytest.mark.parametrize("where", ["/tmp", "/dev/null"])
def test_recording_that_is_no_file(where, run):
    _assert_said(run("replay", where), 1, where, "not a file")


def test_replay_to_a_file_that_cannot_be_written(run):
    """That is no broken recording."""
    golden = ROOT / "tests" / "golden" / "nginx.rec.gz"
    with tempfile.NamedTemporaryFile(suffix=".rec") as unpacked:
        unpacked.write(gzip.decompress(golden.read_bytes()))
        unpacked.flush()
        _assert_said(run("replay", unpacked.name, "-o", "file:/nonexistent/spans"), 1, "/nonexistent/spans",
                     "No such file")


def test_recording_that_is_not_there(run, folder):
    _assert_said(run("replay", folder / "none.rec"), 1, "none.rec", "No such file")


def test_file_that_cannot_be_written(run, start_server):
    server = start_server("nginx")
    _assert_said(run("-p", server.pid, "-o", "file:/nonexistent/spans"), 1, "/nonexistent/spans")


MALFORMED = [
    # (variable, value, what is said to be used instead)
    ("OTEL_BSP_SCHEDULE_DELAY", "banana", "5000"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "-1", "30000"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "2048"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1.5", "512"),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "x", "no limit"),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "x", "128"),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1 2", "no limit"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1", "128"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "x", "128"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "x", "128"),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "x", "128"),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "99999999999", "128"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector", "the default"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "not a url", "the default"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "udp", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "udp", "http/protobuf"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "none"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zip", "none"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "maybe", "false"),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "2", "false"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "10000"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s", "10000"),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://host:99999/", "the default"),
    ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "x", "10000"),
    ("OTEL_TRACES_SAMPLER", "nosuch", "parentbased_always_on"),
    ("OTEL_RESOURCE_ATTRIBUTES", "novalue", "leaving all of it out"),
    ("OTEL_SDK_DISABLED", "perhaps", "false"),
    ("OTEL_LOG_LEVEL", "loud", "info"),
]


@pytest.mark.parametrize("name, value, instead", MALFORMED, ids=[m[0] for m in MALFORMED])
def test_malformed_environment(name, value, instead, run, folder):
    """One warning that names the variable, the value and what is used instead; the rest goes on."""
    code, out, err = run("replay", folder / "none.rec", env={name: value})
    warnings = [line for line in err.splitlines() if name in line]
    assert len(warnings) == 1 and warnings[0].startswith(f"spantap: {name}={value}: "), err
    assert instead in warnings[0] and code == 1 and "none.rec" in err, err


def test_malformed_environment_of_outputs(start_server, start_client, tracer):
    """What only an output understands; and all of the above at once: spans come all the same."""
    server = start_server("nginx")
    env = {name: value for name, value, _ in MALFORMED}
    tap = tracer("-p", server.pid, "-o", "json", "-o", "otlp",
                 env={**env, "OTEL_EXPORTER_OTLP_HEADERS": "novalue,a b=c", "OTEL_TRACES_SAMPLER": "traceidratio",
                      "OTEL_TRACES_SAMPLER_ARG": "7"})
    requests = plan.mixed(10)
    results = start_client("curl").run(server.base, requests)
    tap.wait_spans(10)
    tap.stop(codes=(0, 1))
    for words in ("OTEL_TRACES_SAMPLER_ARG=7: ", "'novalue' of OTEL_EXPORTER_OTLP_HEADERS",
                  "'a b' of OTEL_EXPORTER_OTLP_HEADERS"):
        assert tap.stderr.count(words) == 1, tap.stderr
    check.assert_spans(tap.spans(), "SERVER", requests, results, server)


def test_unknown_exporter_of_the_environment(run, folder):
    code, _, err = run("replay", folder / "none.rec", env={"OTEL_TRACES_EXPORTER": "nosuch,none"})
    assert code == 1 and "OTEL_TRACES_EXPORTER: unknown exporter nosuch; leaving it out\n" in err, err


def test_collector_that_is_not_there(start_server, start_client, tracer):
    """Tracing goes on, spans wait, and then are counted as lost."""
    server, url = start_server("nginx"), f"http://127.0.0.1:{free_port()}"
    tap = tracer("-p", server.pid, "-o", f"otlp:{url}")
    start_client("curl").run(server.base, plan.mixed(20))
    wait_until(lambda: url.rpartition(":")[2] in tap.stderr.partition("hooks:")[2].partition("\n")[2], 10,
               "a word about the collector")
    closing = tap.stop(codes=(0, 1))
    assert (closing.requests, closing.spans, closing.lost) == (20, 0, 20)


def test_other_outputs_do_not_wait(start_server, start_client, tracer):
    """For a collector that is not there: the queue for it is full, and the other output shows all at once."""
    server, url = start_server("nginx"), f"http://127.0.0.1:{free_port()}"
    tap = tracer("-p", server.pid, "-o", f"otlp:{url}", "-o", "json",
                 env={"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"})
    start_client("curl").run(server.base, plan.mixed(300))
    assert len(tap.wait_spans(300, timeout_s=3)) == 300, tap.stderr
    os.kill(tap.pid, signal.SIGUSR1)
    wait_until(lambda: re.search(r"^spantap: 300 requests,", tap.stderr, re.M), 5, "the report")
    closing = tap.stop(codes=(0, 1))
    assert (closing.requests, closing.lost) == (300, 300)
    assert tap.stderr.count("does not take spans") == 1, tap.stderr


def test_collector_that_comes_later(start_server, start_client, tracer, folder):
    """The spans have waited for it."""
    server, inner = start_server("nginx"), folder / "collector"
    inner.mkdir()
    collector = Collector(inner)
    collector.stop()
    tap = tracer("-p", server.pid, "-o", f"otlp:{collector.url()}", "-o", "json")
    start_client("curl").run(server.base, plan.mixed(20))
    sent = tap.wait_spans(20)
    collector.start()
    try:
        assert len(collector.spans([s.span_id for s in sent], 20)) == 20
        assert tap.stop().lost == 0
    finally:
        collector.stop()


@pytest.fixture
def tiny_disk(folder):
    """A file system of 64 KiB."""
    where = folder / "tiny"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", where], check=True, timeout=10)
    yield where
    subprocess.run(["umount", "-l", where], check=True, timeout=10)


def test_full_disk(tiny_disk, start_server, tracer):
    server = start_server("nginx")
    target = tiny_disk / "spans.json"
    tap = tracer("-p", server.pid, "-o", f"file:{target}")
    assert load.Load(server.port, 2000).wait()["failed"] == 0
    closing = tap.stop(codes=(0, 1))
    assert closing.lost > 0
    check.assert_balance(closing, 2000)
    said = [line for line in tap.stderr.splitlines() if "No space left" in line]
    assert said and all(str(target) in line for line in said) and len(said) < 10, tap.stderr


def test_full_disk_for_the_recording(tiny_disk, start_server, tracer):
    """Tracing goes on without it."""
    server = start_server("nginx")
    target = tiny_disk / "kept.rec"
    tap = tracer("-p", server.pid, "-o", "json", "--record", target)
    assert load.Load(server.port, 2000).wait()["failed"] == 0
    closing = tap.stop()
    assert (closing.spans, closing.lost) == (2000, 0)
    said = [line for line in tap.stderr.splitlines() if str(target) in line]
    assert "No space left" in said[0] and "not written" in said[-1] and len(said) == 2, tap.stderr


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


@pytest.mark.parametrize("calls", [[], ["socketcall"]], ids=["plain", "socketcall"])
def test_program_of_32_bits(calls, folder, tracer):
    """What it receives is not known to the tracepoints: that is said, and each request is counted."""
    log = folder / "server.log"
    daemon = Daemon([part("i386"), *calls], log, lambda: log.read_text().strip())
    port = int(log.read_text())
    tap = tracer("-p", daemon.pid, "-o", "json")
    for _ in range(5):
        subprocess.run([find("curl"), "-qs", f"http://127.0.0.1:{port}/"], check=True, stdout=subprocess.DEVNULL,
                       timeout=10)
    if "hooks: syscalls" not in tap.stderr:
        wait_until(lambda: _requests_so_far(tap) == 5, 10, "five requests")
    closing = tap.stop()
    daemon.stop()
    if "hooks: tracepoints" in tap.stderr:
        assert tap.stderr.count("a 32-bit program") == 1, tap.stderr
        assert (closing.requests, closing.spans, closing.lost) == (5, 0, 5)
    elif "hooks: syscalls" in tap.stderr:
        assert "a 32-bit program" in tap.stderr and "not counted" in tap.stderr
    else:
        assert (closing.requests, closing.spans, closing.lost) == (5, 5, 0)


def _requests_so_far(tap):
    """By the last report; another one is asked for."""
    os.kill(tap.pid, signal.SIGUSR1)
    return parse_closing(tap.stderr).requests if " requests, " in tap.stderr else None


def _listening(port):
    """Without connecting, as listens() does: a connection would stay in the queue."""
    done = subprocess.run([find("ss"), "-Hltn", f"( sport = :{port} )"], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=10)
    return done.stdout.strip()
