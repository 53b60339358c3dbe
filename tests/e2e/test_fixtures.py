# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The servers, clients, receivers and the generator without any tracer: what the other tests stand on."""

import gzip
import json
import os
import subprocess
import time
import urllib.request

import pytest

from harness import clients, load, otlp, plan, protobuf, receivers, servers, spantap
from harness.proc import find


@pytest.mark.parametrize("client_name", clients.ALL)
@pytest.mark.parametrize("server_name", servers.ALL)
def test_every_client_gets_every_route(server_name, client_name, start_server, start_client):
    server = start_server(server_name)
    requests = plan.mixed(len(plan.MIX), server.lacks)
    results = start_client(client_name).run(server.base, requests)
    assert [(r["path"], r.get("status"), r.get("error")) for r in results] == \
        [(r.path, r.status, None) for r in requests]
    sizes = {r["path"].split("/")[1]: r["body_sz"] for r, q in zip(results, requests) if q.method != "HEAD"}
    assert sizes["big"] == servers.BIG_SZ
    assert sizes["empty"] == sizes["same"] == 0


def test_responses_are_chunked(start_server):
    """The route is there for its framing, which no client's result shows."""
    for name in servers.ALL:
        with urllib.request.urlopen(start_server(name).base + "/chunked/1", timeout=5) as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked", name
            assert "Content-Length" not in answer.headers, name


def test_generator_counts_exactly(start_server, folder):
    server = start_server("nginx")
    before = load.nginx_requests(server)
    report = load.Load(server.port, 20000, times=folder / "times").wait()
    assert report["requests"] == 20000 and report["failed"] == 0
    assert report["body_sz"] == 20000 * 1024
    assert load.nginx_requests(server) - before == 20000
    times = load.read_times(folder / "times")
    assert set(times) == set(range(20000))
    assert 0 < min(times.values()) and max(times.values()) == report["max_ns"]


def test_wrk_counts(start_server):
    server = start_server("nginx")
    before = load.nginx_requests(server)
    answered, failed = load.wrk(server.base, "/items/wrk", seconds=1, conns=4)
    served = load.nginx_requests(server) - before
    # wrk leaves at its time's end; what was on the way then, nginx has served and wrk has not counted.
    assert failed == 0 and answered <= served <= answered + 4


def _ids():
    return os.urandom(16).hex(), os.urandom(8).hex()


def _json_request(trace_id, span_id, service):
    now = time.time_ns()
    span = {"traceId": trace_id, "spanId": span_id, "name": "proof", "kind": 2, "startTimeUnixNano": str(now),
            "endTimeUnixNano": str(now + 1000), "attributes": [{"key": "n", "value": {"intValue": "7"}}]}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def _curl(folder, url, body, content_type, *extra):
    """(status, the answer's headers and trailers) of a POST."""
    (folder / "body").write_bytes(body)
    done = subprocess.run(
        [find("curl"), "-qsS", "-D", folder / "headers", "-o", folder / "answer", "-w", "%{http_code}", "-H",
         f"Content-Type: {content_type}", "--data-binary", f"@{folder / 'body'}", *map(str, extra), url],
        stdout=subprocess.PIPE, check=True, text=True, timeout=20)
    return int(done.stdout), (folder / "headers").read_text().lower()


def _tls(collector, security):
    certificates = collector.certificates
    args = [] if security == "plain" else ["--cacert", certificates.ca]
    if security == "mtls":
        args += ["--cert", certificates.client[0], "--key", certificates.client[1]]
    return args


@pytest.mark.parametrize("security", receivers.Collector.SECURITY)
@pytest.mark.parametrize("encoding", ["json", "json+gzip", "protobuf", "grpc"])
def test_collector_takes(encoding, security, collector, folder):
    trace_id, span_id = _ids()
    extra = _tls(collector, security)
    if encoding.startswith("json"):
        body, content_type = json.dumps(_json_request(trace_id, span_id, "shop")).encode(), "application/json"
        if encoding.endswith("gzip"):
            body, extra = gzip.compress(body), [*extra, "-H", "Content-Encoding: gzip"]
        url = collector.url(security, "http") + "/v1/traces"
    else:
        body = protobuf.export_request(trace_id, span_id, "shop", "proof", 1000, 2000)
        content_type, url = "application/x-protobuf", collector.url(security, "http") + "/v1/traces"
    if encoding == "grpc":
        body, content_type = protobuf.grpc_frame(body), "application/grpc"
        extra += ["--http2" if extra else "--http2-prior-knowledge", "-H", "TE: trailers"]
        url = collector.url(security, "grpc") + "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    status, headers = _curl(folder, url, body, content_type, *extra)
    assert status == 200
    assert encoding != "grpc" or "grpc-status: 0" in headers
    span = collector.spans([span_id])[span_id]
    assert (span.trace_id, span.name, span.resource) == (trace_id, "proof", {"service.name": "shop"})


def test_collector_refuses_without_certificate(collector, folder):
    with pytest.raises(subprocess.CalledProcessError):
        _curl(folder, collector.url("mtls") + "/v1/traces", b"{}", "application/json",
              *_tls(collector, "tls"))


def test_jaeger_gives_a_trace_back(jaeger, folder):
    trace_id, span_id = _ids()
    body = json.dumps(_json_request(trace_id, span_id, "shop")).encode()
    assert _curl(folder, jaeger.url("http") + "/v1/traces", body, "application/json")[0] == 200
    trace = jaeger.trace(trace_id, 1)
    assert [s["spanID"] for s in trace["spans"]] == [span_id]
    assert "shop" in jaeger.services()


def test_tempo_gives_a_trace_back(tempo, folder):
    """In protobuf: this Tempo's JSON still has the names from before OTLP 1.0."""
    trace_id, span_id = _ids()
    body = protobuf.export_request(trace_id, span_id, "shop", "proof", 1000, 2000)
    assert _curl(folder, tempo.url("http") + "/v1/traces", body, "application/x-protobuf")[0] == 200
    span = tempo.trace(trace_id, 1)[span_id]
    assert (span.name, span.kind, span.duration_ns, span.resource) == \
        ("proof", "SERVER", 1000, {"service.name": "shop"})


def test_zipkin_gives_a_trace_back(zipkin, folder):
    trace_id, span_id = _ids()
    span = {"traceId": trace_id, "id": span_id, "name": "proof", "timestamp": time.time_ns() // 1000,
            "duration": 5, "kind": "SERVER", "localEndpoint": {"serviceName": "shop"}}
    assert _curl(folder, zipkin.url, json.dumps([span]).encode(), "application/json")[0] == 202
    assert [s["id"] for s in zipkin.trace(trace_id, 1)] == [span_id]


def test_otlp_json_is_read(folder):
    trace_id, span_id = _ids()
    lines = folder / "lines"
    text = json.dumps(_json_request(trace_id, span_id, "shop")) + "\n"
    lines.write_text(text + text[:40])
    reader = otlp.LineFile(lines)
    assert [(s.span_id, s.kind, s.attributes, s.duration_ns) for s in reader.spans()] == \
        [(span_id, "SERVER", {"n": 7}, 1000)]
    with open(lines, "a") as f:
        f.write(text[40:])
    assert len(reader.spans()) == 2


@pytest.mark.parametrize("line, expected", [
    ("spantap: 1,204 requests, 1,204 spans, 0 lost; tracer 0.4 % of a core, 9 MiB", (1204, 1204, 0, 0, 0)),
    ("spantap: 1 request, 1 span, 0 lost; tracer 0.0 % of a core, 9 MiB", (1, 1, 0, 0, 0)),
    ("spantap: 1,000 requests timed, 0 lost; tracer 9.5 % of a core", (1000, 0, 0, 0, 0)),
    ("spantap: 10 requests, 7 spans, 1 left out, 2 lost (at most 3 more unseen); tracer", (10, 7, 2, 1, 3)),
])
def test_closing_line_is_read(line, expected):
    closing = spantap.parse_closing("spantap: nginx (4711), hooks: tracepoints\n" + line + "\n")
    assert (closing.requests, closing.spans, closing.lost, closing.left_out, closing.unseen) == expected


def test_missing_closing_line_is_said():
    with pytest.raises(AssertionError, match="no closing line"):
        spantap.parse_closing("spantap: nginx (4711), hooks: tracepoints\n")
