# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""nginx in front of PHP-FPM: what it asks by FastCGI is a CLIENT span there and a SERVER span here."""

import collections
import subprocess

import pytest

from harness import check, plan, servers
from harness.proc import find

REQUESTS = 60
WAYS = {"tcp": {}, "tcp kept": {"keep": True}, "unix": {"unix": True}, "unix kept": {"unix": True, "keep": True}}


@pytest.fixture
def php(folder):
    """php(WAY): nginx and PHP-FPM of this test's own."""
    started = []

    def start(way):
        path = folder / "php"
        path.mkdir()
        started.append(servers.php_fpm(path, **WAYS[way]))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def _of(spans, kind, protocol):
    return [s for s in spans if s.kind == kind and s.attributes.get("network.protocol.name") == protocol]


def _assert_fastcgi(spans, kind, requests, server):
    """One span each, with what HTTP's conventions ask for."""
    mine = _of(spans, kind, "fastcgi")
    check.assert_one_each(mine, [r.path for r in requests], f"{kind} spans of FastCGI")
    by_path = {s.path: s for s in mine}
    for request in requests:
        span, route = by_path[request.path], request.path.split("/")[1]
        assert span.name == f"{request.method} /{route}/{{id}}", span
        assert span.attributes["http.request.method"] == request.method, span
        assert span.attributes["http.response.status_code"] == request.status, span
        assert span.attributes["network.protocol.version"] == "1.0", span
        assert "spantap.incomplete" not in span.attributes, span
        assert (span.status == "ERROR") == (request.status >= (500 if kind == "SERVER" else 400)), span
        if kind == "SERVER":
            assert span.attributes["server.port"] == server.port, span
        else:
            assert span.attributes["url.full"] == server.base + request.path, span
        assert span.attributes.get("http.request.body.size", 0) == request.body_sz, span
    return by_path


@pytest.mark.parametrize("way", WAYS)
def test_both_sides(way, php, start_client, tracer):
    server = php(way)
    requests = plan.mixed(REQUESTS, server.lacks)
    tap = tracer("-p", f"{server.pid},{server.daemons[1].pid}", "-o", "json")
    start_client("requests").run(server.base, requests)
    # Where an answer's end was not copied and no close is seen, that is told when the socket is swept.
    tap.wait_spans(3 * REQUESTS, timeout_s=25)
    closing = tap.stop()
    spans = tap.spans()
    asked = _assert_fastcgi(spans, "CLIENT", requests, server)
    served = _assert_fastcgi(spans, "SERVER", requests, server)
    front = {s.path: s for s in spans if s.kind == "SERVER" and s.resource["service.name"] == "nginx"}
    assert len(spans) == 3 * REQUESTS
    assert (closing.requests, closing.spans, closing.lost) == (3 * REQUESTS, 3 * REQUESTS, 0)
    for path, span in asked.items():
        assert front[path].start_ns <= span.start_ns <= served[path].start_ns
        assert served[path].resource["service.name"] == "php-fpm"
        if "tcp" in way:
            assert served[path].parent_id == span.span_id, served[path]
            assert served[path].attributes["spantap.parent.evidence"] == "seq"


@pytest.mark.parametrize("way", WAYS)
def test_attached_in_the_middle(way, php, start_client, tracer):
    """Kept connections are followed from their next request on."""
    server = php(way)
    start_client("curl").run(server.base, plan.same(20))
    requests = plan.same(20) + plan.same(20, "POST", "echo", body_sz=100)
    tap = tracer("-p", server.daemons[1].pid, "-o", "json")
    start_client("curl").run(server.base, requests)
    tap.wait_spans(len(requests), timeout_s=25)
    closing = tap.stop()
    _assert_fastcgi(tap.spans(), "SERVER", requests, server)
    assert (closing.requests, closing.spans, closing.lost) == (len(requests), len(requests), 0)


def test_context_from_the_caller(php, tracer):
    """The caller's headers come as variables: its trace goes on here, and what --capture asks for is there."""
    server = php("unix")
    tap = tracer("-p", server.daemons[1].pid, "-o", "json", "--capture", "header:x-tenant")
    subprocess.run([find("curl"), "-qsS", "-H", f"traceparent: 00-{7:032x}-{9:016x}-01", "-H", "X-Tenant: blue",
                    server.base + "/items/1?secret=1"], check=True, timeout=20, stdout=subprocess.DEVNULL)
    tap.wait_spans(1)
    tap.stop()
    span, = tap.spans()
    assert (span.trace_id, span.parent_id) == (f"{7:032x}", f"{9:016x}")
    assert span.attributes["http.request.header.x-tenant"] == ["blue"]
    assert span.attributes["url.query"] == "secret=REDACTED"
    assert span.attributes["user_agent.original"].startswith("curl/")


@pytest.mark.parametrize("probe", ["http", "fastcgi"])
def test_one_protocol(probe, php, start_client, tracer):
    server = php("tcp kept")
    requests = plan.same(10)
    tap = tracer("-p", f"{server.pid},{server.daemons[1].pid}", "-o", "json", "-e", probe)
    start_client("curl").run(server.base, requests)
    wanted = {"http": {None: 10}, "fastcgi": {"fastcgi": 20}}[probe]
    tap.wait_spans(sum(wanted.values()))
    closing = tap.stop()
    assert collections.Counter(s.attributes.get("network.protocol.name") for s in tap.spans()) == wanted
    assert closing.lost == 0
