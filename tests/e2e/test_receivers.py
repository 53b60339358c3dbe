# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The same spans arrive everywhere: what `-o json` prints is what each real receiver got."""

import collections

import pytest

from harness import check, plan, receivers
from harness.otlp import LineFile

REQUESTS = 34


@pytest.fixture
def traced(tracer, start_server, start_client):
    """traced(OUTPUT, env): spans of some requests, after the tracer has delivered them and ended."""
    def run(output, env=None):
        server, client = start_server("nginx_proxy"), start_client("requests")
        tap = tracer("-p", f"{server.pid},{client.pid}", "-o", "json", "-o", output, env=env)
        requests = plan.mixed(REQUESTS, server.lacks)
        results = client.run(server.base, requests)
        tap.wait_spans(3 * REQUESTS)
        closing = tap.stop()
        check.assert_spans(tap.spans(), "SERVER", requests, results, server)
        assert closing.lost == 0, closing
        assert len(tap.spans()) == 3 * REQUESTS
        return tap.spans()
    return run


def _tls_env(collector, security):
    certificates = collector.certificates
    env = {} if security == "plain" else {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.ca)}
    if security == "mtls":
        env |= {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificates.client[0]),
                "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates.client[1])}
    return env


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("security", receivers.Collector.SECURITY)
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_collector(protocol, security, compression, collector, traced):
    env = {"OTEL_EXPORTER_OTLP_COMPRESSION": compression, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
           **_tls_env(collector, security)}
    word = "grpc" if protocol == "grpc" else "otlp"
    sent = traced(f"{word}:{collector.url(security, 'grpc' if word == 'grpc' else 'http')}", env)
    assert collector.spans(s.span_id for s in sent) == {s.span_id: s for s in sent}


def test_endpoint_from_the_environment(collector, traced):
    sent = traced("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url(),
                           "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b"})
    assert set(collector.spans(s.span_id for s in sent)) == {s.span_id for s in sent}


def test_file(traced, folder):
    sent = traced(f"file:{folder / 'spans.json'}")
    assert {s.span_id: s for s in LineFile(folder / "spans.json").spans()} == {s.span_id: s for s in sent}


def _by_trace(spans):
    traces = collections.defaultdict(dict)
    for span in spans:
        traces[span.trace_id][span.span_id] = span
    return traces


def _assert_jaeger_span(got, trace, span):
    tags = {t["key"]: t["value"] for t in got["tags"]}
    assert got["operationName"] == span.name
    assert tags["span.kind"] == span.kind.lower()
    assert {k: tags[k] for k in span.attributes if not isinstance(span.attributes[k], list)} == \
        {k: v for k, v in span.attributes.items() if not isinstance(v, list)}
    assert abs(got["startTime"] - span.start_ns // 1000) <= 1
    assert abs(got["duration"] - span.duration_ns // 1000) <= 1
    assert trace["processes"][got["processID"]]["serviceName"] == span.resource["service.name"]
    assert (tags.get("error") is True) == (span.status == "ERROR")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_jaeger(protocol, jaeger, traced):
    sent = traced(f"{'otlp' if protocol == 'http' else 'grpc'}:{jaeger.url(protocol)}")
    for trace_id, spans in _by_trace(sent).items():
        trace = jaeger.trace(trace_id, len(spans))
        assert {s["spanID"] for s in trace.get("spans", [])} == set(spans)
        for got in trace["spans"]:
            _assert_jaeger_span(got, trace, spans[got["spanID"]])
    assert {s.resource["service.name"] for s in sent} <= set(jaeger.services())


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tempo(protocol, tempo, traced):
    sent = traced(f"{'otlp' if protocol == 'http' else 'grpc'}:{tempo.url(protocol)}")
    for trace_id, spans in _by_trace(sent).items():
        got = tempo.trace(trace_id, len(spans))
        assert got.keys() == spans.keys()
        for span_id, span in spans.items():
            assert (got[span_id].name, got[span_id].kind, got[span_id].attributes, got[span_id].resource) == \
                (span.name, span.kind, span.attributes, span.resource)
            assert (got[span_id].start_ns, got[span_id].end_ns) == (span.start_ns, span.end_ns)


def _assert_zipkin_span(got, span):
    assert got["name"] == span.name.lower()     # Zipkin lowers names
    assert got["kind"] == span.kind
    assert got["localEndpoint"]["serviceName"] == span.resource["service.name"].lower()
    assert abs(got["timestamp"] - span.start_ns // 1000) <= 1
    # Zipkin has no duration of nought: a shorter one is rounded up to 1 us.
    assert abs(got["duration"] - max(span.duration_ns // 1000, 1)) <= 1
    assert got["tags"]["http.request.method"] == span.attributes["http.request.method"]
    assert got["tags"]["http.response.status_code"] == str(span.attributes["http.response.status_code"])
    assert ("error" in got["tags"]) == (span.status == "ERROR")


def test_zipkin(zipkin, traced):
    sent = traced(f"zipkin:{zipkin.url}")
    for trace_id, spans in _by_trace(sent).items():
        got = {s["id"]: s for s in zipkin.trace(trace_id, len(spans))}
        assert set(got) == set(spans)
        for span_id, span in spans.items():
            _assert_zipkin_span(got[span_id], span)


def test_one_slow_output_holds_no_other(collector, tracer, start_server, start_client):
    """Beside an output that never answers, the others get everything, and the tracer still ends in time."""
    server, silent = start_server("nginx"), receivers.Silent()
    try:
        tap = tracer("-p", server.pid, "-o", f"otlp:{silent.url}", "-o", f"otlp:{collector.url()}", "-o", "json")
        start_client("curl").run(server.base, plan.mixed(REQUESTS))
        sent = tap.wait_spans(REQUESTS)
        assert len(sent) == REQUESTS
        assert len(collector.spans(s.span_id for s in sent)) == REQUESTS
        tap.stop(codes=(0, 1))
        assert str(silent.url) in tap.stderr, "nothing said about what was not delivered"
    finally:
        silent.stop()
