# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""--propagate: requests that cross hosts, which are two network namespaces and two tracers that know nothing of each
other; and what goes over the wire is what was sent, but for the header that was asked for."""

import http.client
import itertools
import pathlib
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from harness import otlp, proc    # noqa: E402
from harness.netns import Netns    # noqa: E402
from truth import bed, cases, start    # noqa: E402

HEADER = re.compile(rb"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-01\r\n")


@pytest.fixture
def netns():
    with Netns() as one:
        yield one


# ---- parents ----

@pytest.mark.limit(120)
@pytest.mark.parametrize("name", ("c_threads", "python_threads", "go", "go_stripped"))
def test_option_across_namespaces(name, netns, tracer, folder):
    result = bed.run(cases.BY_NAME[name], tracer, folder, "before", 1000, extra=["--propagate=option"], apart=True,
                     netns=netns)
    print(result.line)
    assert not result.failures, "\n".join([result.line, *result.failures, *result.report.notes])
    assert result.report.joined[0] / sum(result.report.joined) >= 0.99, result.line
    assert re.search(r"back{(none:\d+ )?option:\d+}|back{option:\d+( none:\d+)?}", result.report.evidences), result.line


@pytest.mark.limit(120)
@pytest.mark.parametrize("name", ("c_threads", "python_threads", "go"))
def test_header_across_namespaces(name, netns, tracer, folder):
    """Connections are fresh but for Go's: where a kernel hides unread bytes, the first request of each has the header."""
    case = cases.without(cases.BY_NAME[name], "keep")
    result = bed.run(case, tracer, folder, "before", 1000, extra=["--propagate=header"], apart=True, netns=netns)
    print(result.line)
    assert not result.failures, "\n".join([result.line, *result.failures, *result.report.notes])
    assert result.report.joined[0] / sum(result.report.joined) >= 0.99, result.line
    assert re.search(r"back{(none:\d+ )?header:\d+}|back{header:\d+( none:\d+)?}", result.report.evidences), result.line


@pytest.mark.limit(120)
@pytest.mark.parametrize("ways", ("header", "option", "header,option"))
def test_both_ends_on_one_host(ways, tracer, folder):
    """What is put into a request is not counted as the caller's bytes: the sequence numbers still meet."""
    result = bed.run(cases.BY_NAME["python_threads"], tracer, folder, "before", 300, extra=[f"--propagate={ways}"])
    assert not result.failures, "\n".join([result.line, *result.failures, *result.report.notes])
    assert "back{seq:300}" in result.report.evidences, result.line


# ---- what is carried on ----

TRACE = "0af7651916cd43dd8448eb211c80319c"


def ask(port, path, fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=fields)
    assert connection.getresponse().read()
    connection.close()


@pytest.fixture
def middle(tracer, folder):
    """Python threads between this test and a server that keeps what comes: (port, fields -> what the call had)."""
    (folder / "came").mkdir()
    front, back = proc.free_port(), proc.free_port()
    server = proc.Daemon([sys.executable, proc.APPS / "wire_server.py", "127.0.0.1", back, folder / "came"], folder / "server.log",
                         lambda: proc.listens(back))
    app = proc.Daemon([sys.executable, start.APPS / "threads.py", front, back], folder / "app.log",
                      lambda: proc.answers(front, "/none/i0"))
    numbers = itertools.count(1)

    def make(*options, env=None):
        tap = tracer("-p", app.pid, "-o", f"file:{folder}/spans.json", *options, env=env)

        def call(**fields):
            number = next(numbers)
            ask(front, f"/one/i{number}", fields)
            file = folder / "came" / str(number)
            proc.wait_until(lambda: file.exists() and file.read_bytes().endswith(b"\r\n\r\n"), 10, "the call comes")
            head = file.read_bytes().decode().split("\r\n")[1:-2]
            return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}

        for _ in range(3):  # until the program's threads are known for what they do
            call()
        return call, tap

    yield make
    app.stop()
    server.stop()


def test_header_goes_on(middle, folder):
    """The trace that a request came with, its state and its baggage go on with the call."""
    call, tap = middle("--propagate=header")
    got = call(traceparent=f"00-{TRACE}-b7ad6b7169203331-01", tracestate="vendor=1,other=2", baggage="user=7")
    assert got["traceparent"].split("-")[1] == TRACE and got["traceparent"].endswith("-01")
    assert got["tracestate"] == "vendor=1,other=2" and got["baggage"] == "user=7"
    got = call(traceparent=f"00-{TRACE}-b7ad6b7169203331-00")
    assert got["traceparent"].endswith("-00") and "tracestate" not in got and "baggage" not in got
    got = call()
    assert got["traceparent"].split("-")[1] != TRACE
    got = call(b3=f"{TRACE}-b7ad6b7169203331-1")
    assert got.get("traceparent", "-").split("-")[1] != TRACE  # in a format that is not read as the call leaves
    tap.stop()
    spans = {s.span_id: s for file in folder.glob("spans.json*") for s in otlp.LineFile(file).spans()}
    [client] = [s for s in spans.values() if s.kind == "CLIENT" and s.trace_id == TRACE and s.flags & 1]
    assert client.trace_state == "vendor=1,other=2" and spans[client.parent_id].kind == "SERVER"


@pytest.mark.parametrize("names, field, value", (
    ("b3", "b3", r"[0-9a-f]{32}-[0-9a-f]{16}-1"), ("jaeger", "uber-trace-id", r"[0-9a-f]{32}:[0-9a-f]{16}:0:1"),
    ("tracecontext,xray", "x-amzn-trace-id", r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1")))
def test_formats(middle, names, field, value):
    call, _ = middle("--propagate=header", env={"OTEL_PROPAGATORS": names})
    got = call()
    assert re.fullmatch(value, got[field]) and ("traceparent" in got) == ("tracecontext" in names)


# ---- bytes ----

class Wire:
    """A client on this side, which a tracer follows, and a server on the other."""

    def __init__(self, netns, tracer, folder, *options, tls=False, old=False):
        self.folder = folder
        for side in ("sent", "came"):
            (folder / side).mkdir()
        port = proc.free_port()
        argv = [sys.executable, proc.APPS / "wire_server.py", netns.far, port, folder / "came", *(certificate(folder) if tls else [])]
        self.server = proc.Daemon([*netns.within, *argv], folder / "server.log", lambda: proc.listens(port, netns.far))
        self.first = 0 if tls else 1    # who asked whether it listens was the first
        self.client = subprocess.Popen([sys.executable, proc.APPS / "wire_client.py", netns.far, str(port), folder / "sent"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                       preexec_fn=proc.end_with_parent)
        self.tls, self.count = tls, 0
        self.tap = tracer("-p", self.client.pid, "-o", f"file:{folder}/spans.json", *options)
        self.far = tracer("-p", self.server.pid, "-o", f"file:{folder}/far.json", *options)

    def play(self, scenario):
        """(what the client said, what it sent, what came)."""
        self.client.stdin.write(f"{scenario}{' tls' if self.tls else ''}\n")
        said = self.client.stdout.readline().strip()
        sent = (self.folder / "sent" / str(self.count)).read_bytes()
        came_file = self.folder / "came" / str(self.first + self.count)
        wanted = len(HEADER.sub(b"", sent))

        def has_come():
            return came_file.exists() and len(HEADER.sub(b"", came_file.read_bytes())) >= wanted

        proc.wait_until(has_come, 10, f"{scenario} ({said}): all of it comes")
        self.count += 1
        return said, sent, came_file.read_bytes()

    def counts(self):
        """What the two tracers counted, by their words."""
        found = {}
        for tap in (self.far, self.tap):
            tap.stop()
            found |= {m[1]: int(m[2].replace(",", "")) for m in re.finditer(r"^spantap:   (.*): ([\d,]+)$", tap.stderr, re.M)
                      if (m[1] == "options received") == (tap is self.far)}
        return found

    def stop(self):
        self.client.stdin.close()
        self.client.wait(10)
        self.server.stop()


def certificate(folder):
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run([proc.find("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "1", "-subj", "/CN=a"], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def wire(netns, tracer, folder):
    made = []

    def make(*options, **more):
        made.append(Wire(netns, tracer, folder, *options, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


# How many headers each scenario has at least and at most: where a kernel hides unread bytes, the first request alone.
SCENARIOS = {
    "one": (1, 1), "kept": (1, 5), "idle": (1, 5), "body": (1, 1), "body_apart": (1, 1), "gathered": (1, 1), "lines": (1, 1),
    "torn": (1, 1), "split": (0, 0), "split_method": (0, 0), "pipelined": (1, 1), "lookalike": (1, 1), "lookalike_plain": (1, 1),
    "chunked": (1, 1), "own": (0, 0), "own_later": (0, 0), "own_b3": (0, 0), "long_head": (0, 0), "big": (1, 1),
    "sendfile": (1, 1), "more": (0, 0), "zerocopy": (0, 1), "half_closed": (1, 1), "download": (1, 1), "small": (1, 20),
}


def inserted(sent, came):
    """How many headers came that were not sent; all else must be the same, and each must stand behind a request line."""
    found = [m for m in HEADER.finditer(came) if m[0] not in sent]
    rest = came
    for m in reversed(found):
        line = came[:m.start()].rsplit(b"\r\n", 2)[-2]
        assert re.fullmatch(rb"[A-Z]+ \S+ HTTP/1\.[01]", line), line
        rest = rest[:m.start()] + rest[m.end():]
    assert rest == sent
    assert len({m[2] for m in found}) == len(found), "each has a span of its own"
    return len(found)


@pytest.mark.limit(180)
def test_bytes_with_header(wire):
    w = wire("--propagate=header,option")
    for scenario, (least, most) in SCENARIOS.items():
        said, sent, came = w.play(scenario)
        assert not said.startswith("failed"), (scenario, said)
        assert least <= inserted(sent, came) <= most, scenario
    counts = w.counts()
    assert counts["headers inserted"] >= sum(least for least, _ in SCENARIOS.values())


@pytest.mark.limit(180)
def test_bytes_with_option(wire, netns):
    w = wire("--propagate=option")
    for scenario in SCENARIOS:
        said, sent, came = w.play(scenario)
        assert not said.startswith("failed"), (scenario, said)
        assert came == sent, scenario
    assert netns.counter("IpFragCreates") == 0 and netns.counter("IpReasmReqds") == 0
    counts = w.counts()
    assert counts["options sent"] == counts["options received"] >= len(SCENARIOS)


def test_tls(wire):
    """The option needs no plain text."""
    w = wire("--propagate=header,option", tls=True)
    for scenario in ("one", "kept", "body", "big", "download"):
        said, sent, came = w.play(scenario)
        assert said == "done" and came == sent, scenario
    counts = w.counts()
    assert counts["options sent"] == counts["options received"] >= 5
    assert "headers inserted" not in counts


def test_tracers_are_killed(wire):
    """... in the middle of a connection: it goes on as if they had never been."""
    w = wire("--propagate=header,option")
    w.play("one")
    w.client.stdin.write("idle\n")
    time.sleep(0.3)
    w.tap.kill()
    w.far.kill()
    assert w.client.stdout.readline().strip() == "done"
    w.count += 1
    said, sent, came = w.play("kept")
    assert said == "done" and came == sent


def test_unread_bytes_are_told(wire):
    """FIONREAD, by which nginx and Java read."""
    w = wire("--propagate=header")
    told, there = w.play("unread")[0].split()
    assert told == there == "5048" or told == there


NGINX = """
daemon off; error_log stderr; pid nginx.pid;
events {{ }}
http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream back {{ server 127.0.0.1:{back}; keepalive 4; }}
  server {{ listen 127.0.0.1:{front};
    location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering}; }} }} }}
"""


@pytest.mark.parametrize("buffering", ("on", "off"))
def test_nginx_passes_all_on(tracer, folder, buffering):
    """It reads as many bytes as FIONREAD told it, and waits when there are none."""
    (folder / "came").mkdir()
    front, back = proc.free_port(), proc.free_port()
    (folder / "nginx.conf").write_text(NGINX.format(front=front, back=back, buffering=buffering))
    server = proc.Daemon([sys.executable, proc.APPS / "wire_server.py", "127.0.0.1", back, folder / "came"], folder / "server.log",
                         lambda: proc.listens(back))
    nginx = proc.Daemon([proc.find("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"], folder / "nginx.log",
                        lambda: proc.listens(front))
    try:
        tap = tracer("-p", nginx.pid, "-o", f"file:{folder}/spans.json", "--propagate=header")
        for _ in range(5):
            connection = http.client.HTTPConnection("127.0.0.1", front, timeout=10)
            connection.request("GET", "/big/3000000")
            assert len(connection.getresponse().read()) == 3000000
            connection.close()
        tap.stop()
        assert "headers inserted" in tap.stderr
    finally:
        nginx.stop()
        server.stop()


def test_one_segment_a_request(wire):
    """A request that went in two pieces would wait for the ACK of the first (Nagle)."""
    w = wire("--propagate=header,option")
    assert float(w.play("small")[0]) == 1


@pytest.mark.limit(120)
def test_losses(wire, netns):
    """Lost segments are sent again with their option; beside SACK blocks there is no room for it."""
    w = wire("--propagate=option")
    netns.lose()
    for _ in range(3):
        said, sent, came = w.play("both_ways")
        assert said == "done" and came == sent
    counts = w.counts()
    assert counts["options received"] <= counts["options sent"]
    assert counts["options sent"] + counts.get("options left out (no room in the segment)", 0) >= 3


@pytest.mark.parametrize("rules, told", (("!10.0.0.0/8", False), ("10.0.0.0/8", True), ("127.0.0.1,[::1]", False),
                                         ("!:1,10.0.0.0/8:0", None)))
def test_destinations(wire, run, rules, told):
    if told is None:
        code, _, err = run("--propagate=option", f"--propagate-to={rules}", "--duration", "1ms")
        assert code == 2 and "no destination" in err
        return
    w = wire("--propagate=header,option", f"--propagate-to={rules}")
    _, sent, came = w.play("one")
    assert inserted(sent, came) == told
    counts = w.counts()
    assert ("options sent" in counts) == told
    assert ("connections that must not (--propagate-to)" in counts) != told
