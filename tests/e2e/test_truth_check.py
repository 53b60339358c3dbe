# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The checker of tests/truth, with outputs made by hand: what it must find right, and each thing that it must find."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from harness import otlp    # noqa: E402
from truth import check, paths  # noqa: E402

NUMBERS = range(1, 6)
CALLS = 2


def attribute(key, text):
    return {"key": key, "value": {"stringValue": text}}


def make(kind, path, trace, span, parent, start, service, evidence):
    """One span as OTLP/JSON has it."""
    named = attribute("url.path", path) if kind == 2 else attribute("url.full", f"http://127.0.0.1:1{path}")
    return {"traceId": f"{trace:032x}", "spanId": f"{span:016x}", "name": "GET", "kind": kind,
            **({"parentSpanId": f"{parent:016x}"} if parent else {}), "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 100), "service": service,
            "attributes": [named, *([attribute(check.EVIDENCE, evidence)] if parent else [])]}


def perfect():
    """A client's requests 1 to 5 to `app`, each with two calls to `back`, all with the parents that they must have."""
    spans = {}
    for n in NUMBERS:
        spans["in", n] = make(2, paths.inbound("m", n), n, n * 100, 0, n * 1000, "app", "")
        for k, path in enumerate(paths.outbound("m", n, CALLS)):
            out = n * 100 + 10 + k
            spans["out", n, k] = make(3, path, n, out, n * 100, n * 1000 + 10, "app", "thread")
            spans["back", n, k] = make(2, path, n, out + 50, out, n * 1000 + 20, "back", "seq")
    return spans


def report(spans, tmp_path, **more):
    lines = [json.dumps({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", span["service"])]},
        "scopeSpans": [{"scope": {"name": "spantap"}, "spans": [{k: v for k, v in span.items() if k != "service"}]}]}]})
        for span in spans.values()]
    path = tmp_path / "spans.json"
    path.write_text("\n".join(lines) + "\n")
    truth = check.Truth([("m", n) for n in NUMBERS], {"m": CALLS}, {"m"}, **more)
    return check.check(otlp.LineFile(path).spans(), truth)


def test_perfect(tmp_path):
    found = report(perfect(), tmp_path)
    assert (found.right, found.wrong, found.unknown, found.joined) == (10, 0, 0, [10, 0, 0]), found
    assert (found.recall, found.one_trace, found.missing) == (1, 1, 0) and not found.faults, found
    assert found.evidences == "in{none:5} out{thread:10} back{seq:10}"


def test_all_roots(tmp_path):
    spans = perfect()
    for i, span in enumerate(spans.values()):
        span.pop("parentSpanId", None)
        span["traceId"] = f"{i + 1:032x}"
    found = report(spans, tmp_path)
    assert (found.right, found.wrong, found.unknown, found.joined) == (0, 0, 10, [0, 0, 10]), found
    assert (found.recall, found.one_trace) == (0, 0) and not found.faults, found


def moved(spans, child, parent):
    spans[child].update(parentSpanId=spans[parent]["spanId"], traceId=spans[parent]["traceId"])


def another_request(spans):
    moved(spans, ("out", 2, 0), ("in", 1))
    moved(spans, ("back", 2, 0), ("out", 2, 0))


def its_sibling(spans):
    moved(spans, ("out", 2, 1), ("out", 2, 0))


def another_service(spans):
    spans["front"] = spans["in", 2] | {"spanId": f"{0xbeef:016x}", "service": "front"}
    moved(spans, ("out", 2, 0), "front")


def a_client_has_no_cause(spans):
    moved(spans, ("in", 2), ("in", 1))


def background(spans):
    spans["x"] = make(3, "/b/health/x7/0", 2, 9000, 200, 2010, "app", "thread")


@pytest.mark.parametrize("change", (another_request, its_sibling, another_service, a_client_has_no_cause, background))
def test_wrong_client(change, tmp_path):
    spans = perfect()
    change(spans)
    found = report(spans, tmp_path)
    assert found.wrong + found.joined[1] == 1, found
    assert sum("WRONG" in note for note in found.notes) == found.wrong + found.joined[1]


@pytest.mark.parametrize("child,parent", ((("back", 2, 0), ("out", 2, 1)), (("back", 2, 0), ("out", 1, 0)),
                                          (("back", 2, 0), ("in", 2))))
def test_wrong_backend(child, parent, tmp_path):
    spans = perfect()
    moved(spans, child, parent)
    found = report(spans, tmp_path)
    assert found.joined[:2] == [9, 1] and found.wrong == 0, found


def test_a_service_between_without_spans(tmp_path):
    spans = perfect()
    spans["in", 2]["service"] = "front"
    found = report(spans, tmp_path)
    assert (found.right, found.wrong) == (10, 0) and not found.faults, found


def test_background_root_is_right(tmp_path):
    spans = perfect()
    spans["x"] = make(3, "/b/health/x7/0", 99, 9000, 0, 2010, "app", "")
    spans["y"] = make(2, "/b/health/x7/0", 99, 9001, 9000, 2020, "back", "seq")
    found = report(spans, tmp_path)
    assert (found.right, found.wrong, found.unknown, found.joined) == (10, 0, 0, [11, 0, 0]) and not found.faults, found


def early(spans):
    spans["out", 2, 0]["startTimeUnixNano"] = "1999"


def other_trace(spans):
    spans["back", 2, 0]["traceId"] = f"{77:032x}"


def no_such_parent(spans):
    spans["out", 2, 0]["parentSpanId"] = f"{0xdead:016x}"


def twice(spans):
    spans["again"] = spans["out", 2, 0] | {"spanId": f"{0xbeef:016x}"}


def same_id(spans):
    spans["back", 2, 0]["spanId"] = spans["back", 2, 1]["spanId"]


def served_twice(spans):
    spans["again"] = spans["back", 2, 0] | {"spanId": f"{0xbeef:016x}"}


def mixed(spans):
    for key in (("in", 2), ("out", 2, 0), ("out", 2, 1), ("back", 2, 0), ("back", 2, 1)):
        spans[key]["traceId"] = spans["in", 1]["traceId"]


def absent(spans):
    del spans["back", 2, 0]


@pytest.mark.parametrize("change,kind", (
    (early, "starts before its parent"), (other_trace, "not in its parent's trace"), (no_such_parent, "parent is not there"),
    (twice, "more than one span of a request"), (same_id, "same span id"), (served_twice, "one call served twice"),
    (mixed, "two requests in one trace"), (absent, "missing and not reported lost")))
def test_fault(change, kind, tmp_path):
    spans = perfect()
    change(spans)
    found = report(spans, tmp_path)
    assert found.faults.pop(kind) == 1, found
    assert not found.wrong and set(found.faults) <= {"more than one span of a request", "one call served twice"}, found


def test_reported_losses_are_unknown(tmp_path):
    spans = perfect()
    absent(spans)
    del spans["out", 3, 0]
    moved(spans, ("back", 3, 0), ("in", 3))
    spans["back", 3, 0].pop("parentSpanId")
    found = report(spans, tmp_path, lost=2)
    assert (found.missing, found.wrong, found.recall) == (2, 0, 0.9) and not found.faults, found


def test_retries(tmp_path):
    """Two calls under one path: both are the request's, and each is served once."""
    spans = perfect()
    spans["retry"] = spans["out", 2, 0] | {"spanId": f"{0xbeef:016x}"}
    spans["served"] = spans["back", 2, 0] | {"spanId": f"{0xcafe:016x}", "parentSpanId": f"{0xbeef:016x}"}
    found = report(spans, tmp_path, repeats=True)
    assert (found.right, found.joined, found.recall) == (11, [11, 0, 0], 1) and not found.faults, found


@pytest.mark.parametrize("kind", ("unique", "same"))
def test_header(kind, tmp_path):
    """The client's own span is not in the output, and is the parent all the same; no other may be."""
    spans = perfect()
    for n in NUMBERS:
        trace, parent = paths.traceparent(kind, n).split("-")[1:3]
        for key in spans:
            if key[1] == n:
                spans[key]["traceId"] = trace
        spans["in", n]["parentSpanId"] = parent
    found = report(spans, tmp_path, header=kind)
    assert (found.right, found.wrong, found.joined) == (10, 0, [10, 0, 0]) and not found.faults, found
    spans["in", 2]["parentSpanId"] = f"{0xdead:016x}"
    assert report(spans, tmp_path, header=kind).faults == {"parent is not there": 1}


def test_broken_headers_make_no_parent(tmp_path):
    spans = perfect()
    spans["in", 2]["parentSpanId"] = f"{0x5eed:016x}"
    assert report(spans, tmp_path, header="broken").faults == {"parent is not there": 1}


@pytest.mark.parametrize("path,where,cause", (
    ("/one/i7", paths.Where("one", True, 7, ""), None), ("/b/one/i7/0", paths.Where("one", True, 7, "0"), "/one/i7"),
    ("/b/one/i7/0.2", paths.Where("one", True, 7, "0.2"), "/b/one/i7/0"),
    ("/b/h/x7/0", paths.Where("h", False, 7, "0"), None), ("/other", None, None), ("/one/i7/0", None, None)))
def test_paths(path, where, cause):
    assert paths.parse(path) == where
    assert not where or where.path == path and (where.cause.path if where.cause else None) == cause
