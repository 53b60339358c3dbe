# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""OTLP/JSON into spans, with the field names and enumerations of opentelemetry-proto 1.x."""

import dataclasses
import json

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")


@dataclasses.dataclass(frozen=True, repr=False)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str
    attributes: dict
    events: tuple
    links: tuple
    resource: dict
    scope: str
    flags: int = 0
    trace_state: str = ""

    def __repr__(self):
        """Short: a failed comparison shows many of them."""
        shown = {k: v for k, v in self.attributes.items()
                 if k.startswith(("http.re", "error", "spantap", "server.port"))}
        return f"<{self.kind} {self.path} {self.status} {self.duration_ns / 1e6:.3f} ms " \
               f"pid {self.resource.get('process.pid')} {shown}>"

    @property
    def duration_ns(self):
        return self.end_ns - self.start_ns

    @property
    def path(self):
        """The request's path, from whichever attribute this kind of span carries it in."""
        if "url.path" in self.attributes:
            return self.attributes["url.path"]
        full = self.attributes.get("url.full", "")
        return "/" + full.split("://", 1)[-1].partition("/")[2].partition("?")[0]


def value(any_value):
    """A Python value for an AnyValue; 64-bit integers are strings in this encoding."""
    if not any_value:
        return None
    (kind, v), = any_value.items()
    if kind == "intValue":
        return int(v)
    if kind == "arrayValue":
        return [value(item) for item in v.get("values", [])]
    if kind == "kvlistValue":
        return attributes(v.get("values", []))
    return v


def attributes(pairs):
    names = [pair["key"] for pair in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"an attribute stands twice: {sorted(names)}")
    return {pair["key"]: value(pair["value"]) for pair in pairs}


def _enum(names, raw, prefix):
    # The specification wants numbers; a receiver may accept and write names.
    return names[raw] if isinstance(raw, int) else raw.removeprefix(prefix)


def _span(raw, resource, scope):
    status = raw.get("status", {})
    return Span(
        trace_id=raw["traceId"].lower(), span_id=raw["spanId"].lower(),
        parent_id=raw.get("parentSpanId", "").lower(), name=raw["name"],
        kind=_enum(KINDS, raw.get("kind", 0), "SPAN_KIND_"),
        start_ns=int(raw["startTimeUnixNano"]), end_ns=int(raw["endTimeUnixNano"]),
        status=_enum(STATUSES, status.get("code", 0), "STATUS_CODE_"),
        status_message=status.get("message", ""),
        attributes=attributes(raw.get("attributes", [])),
        events=tuple(e["name"] for e in raw.get("events", [])),
        links=tuple(link["spanId"].lower() for link in raw.get("links", [])),
        resource=resource, scope=scope, flags=raw.get("flags", 0), trace_state=raw.get("traceState", ""))


def spans_of(request):
    """The spans of one ExportTraceServiceRequest (a dict)."""
    for resource_spans in request.get("resourceSpans", []):
        resource = attributes(resource_spans.get("resource", {}).get("attributes", []))
        for scope_spans in resource_spans.get("scopeSpans", []):
            scope = scope_spans.get("scope", {}).get("name", "")
            for raw in scope_spans.get("spans", []):
                yield _span(raw, resource, scope)


class LineFile:
    """Spans of a growing file that has one export request a line; reads only what is new and whole."""

    def __init__(self, path):
        self.path, self._offset, self._spans = path, 0, []

    def spans(self):
        with open(self.path, "rb") as f:
            f.seek(self._offset)
            data = f.read()
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            if line.strip():
                self._spans.extend(spans_of(json.loads(line)))
        self._offset += whole
        return self._spans
