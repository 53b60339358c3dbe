# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Wrong input, and what is not there or goes away: one line that names the thing, and the right exit code."""

import gzip
import os
import re
import signal
import subprocess
import tempfile

import pytest

from harness import check, load, plan
from harness.proc import ROOT, Daemon, find, free_port, part, wait_until
from harness.receivers import Collector
from harness.spantap import parse_closing


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
