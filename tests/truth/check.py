#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Which spans have the parent that they must have: paths say the truth (paths.py), the tracer is not asked.

As a program, `check.py FILE [HEADER]` (OTLP JSON, one export request a line) checks the parents alone: it knows nothing
of what was sent but the clients' traceparent (HEADER: unique, same, broken), so nothing is missing and recall is of the
spans that are there. Exit code 1 when something is wrong."""

import collections
import dataclasses
import pathlib
import sys

if __name__ == "__main__":
    sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[1] / "e2e")]

from harness import otlp
from truth import paths

EVIDENCE = "spantap.parent.evidence"
SHOWN = 4


@dataclasses.dataclass
class Truth:
    """What was sent. `requests`: (mode, number) that were answered, sent after the attach; `calls`: by mode, how many
    outbound requests each makes, or their names; `counted`: the modes whose calls count for recall."""
    requests: list = None
    calls: dict = dataclasses.field(default_factory=dict)
    counted: set = dataclasses.field(default_factory=set)
    repeats: bool = False   # a call may be sent more than once under its path: retries
    header: str = None      # which traceparent the clients send (paths.traceparent)
    lost: int = 0           # what the tracer itself says it lost


@dataclasses.dataclass
class Report:
    right: int = 0
    wrong: int = 0
    unknown: int = 0
    outbound: int = 0       # CLIENT spans that count for recall, were all there and known
    recalled: int = 0
    joined: list = dataclasses.field(default_factory=lambda: [0, 0, 0])     # right, wrong, unknown of backends
    missing: int = 0
    whole: int = 0          # requests whose spans are all there, in one trace
    requests: int = 0
    # By role: "in", a client's requests where they come in; "out", the calls; "back", those where they come in.
    evidence: dict = dataclasses.field(default_factory=lambda: {role: collections.Counter() for role in ("in", "out", "back")})
    faults: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    notes: list = dataclasses.field(default_factory=list)

    @property
    def recall(self):
        return self.recalled / self.outbound if self.outbound else 1.0

    @property
    def evidences(self):
        """`in{none:9} out{thread:8 none:1} back{seq:9}`"""
        return " ".join(f"{role}{{{' '.join(f'{name}:{count}' for name, count in sorted(counts.items()))}}}"
                        for role, counts in self.evidence.items())

    @property
    def one_trace(self):
        return self.whole / self.requests if self.requests else 1.0

    def note(self, what, *spans):
        self.notes.append(what + "".join("\n      " + describe(s) for s in spans))

    def fault(self, kind, *spans):
        self.faults[kind] += 1
        if self.faults[kind] <= SHOWN:
            self.note(kind, *spans)


def describe(span):
    if span is None:
        return "(none)"
    return f"{span.kind} {span.path} {span.start_ns}+{span.duration_ns} span {span.span_id} parent {span.parent_id or '-'} " \
           f"trace {span.trace_id} {service(span)}/{span.resource.get('process.pid')} {span.attributes.get(EVIDENCE, '-')}"


def service(span):
    return span.resource.get("service.name")


class Checker:
    """One output. Every rule below is a method that adds what it found to the report."""

    def __init__(self, spans, truth):
        self.truth, self.report = truth, Report()
        self.spans = [(s, w) for s in spans if (w := paths.parse(s.path))]
        self.by_id = {}
        for span in spans:
            if span.span_id in self.by_id:
                self.report.fault("same span id", span, self.by_id[span.span_id])
            self.by_id[span.span_id] = span
        self.found = collections.defaultdict(list)
        for span, where in self.spans:
            self.found[span.kind, where.path].append(span)

    def run(self):
        self.heads = {(m, n): h for m, n in self.truth.requests or () if (h := paths.traceparent(self.truth.header, n))}
        verdicts = {id(span): self.verdict(span, where) for span, where in self.spans}
        self.count_expected(verdicts)
        self.duplicates()
        self.traces()
        return self.report

    # ---- one span ----

    def verdict(self, span, where):
        """right, wrong, unknown, or None for a span that rightly is a root."""
        role = "out" if span.kind == "CLIENT" else "back" if where.call else "in"
        self.report.evidence[role][self.evidence(span)] += 1
        parent = self.by_id.get(span.parent_id)
        if span.parent_id and not parent:
            return self.remote(span, where)
        if parent:
            self.family(span, parent)
        return (self.client if span.kind == "CLIENT" else self.server)(span, where, parent)

    def evidence(self, span):
        if EVIDENCE in span.attributes:
            return span.attributes[EVIDENCE]
        return "unsaid" if span.parent_id else "none"

    def family(self, span, parent):
        if span.start_ns < parent.start_ns:
            self.report.fault("starts before its parent", span, parent)
        if span.trace_id != parent.trace_id:
            self.report.fault("not in its parent's trace", span, parent)

    def remote(self, span, where):
        """A parent that is not in the output: the client's, by its header, or nobody's."""
        kind = self.truth.header
        sent = paths.traceparent(kind, where.number) if kind in ("unique", "same") and where.caused else None
        if sent and (span.trace_id, span.parent_id) == tuple(sent.split("-")[1:3]):
            return None if not where.call else self.unknown(span)
        self.report.fault("parent is not there", span)
        return self.unknown(span)

    def client(self, span, where, parent):
        if not parent:
            return self.unknown(span) if where.caused else None
        cause = where.cause if where.call else where    # a proxy may pass the path on as it is
        good = cause and parent.kind == "SERVER" and parent.path == cause.path and self.nearest(span, parent)
        return self.judged(span, parent, good)

    def nearest(self, span, parent):
        """Where a service in between speaks what has no spans, as FastCGI, the one in front of it is the nearest."""
        own = [s for s in self.found["SERVER", parent.path] if service(s) == service(span)]
        return parent in own or not own

    def server(self, span, where, parent):
        clients = [c for c in self.found["CLIENT", where.path] if c is not span]
        if not parent:
            return self.unknown(span) if clients else None
        return self.judged(span, parent, parent.kind == "CLIENT" and parent.path == where.path)

    def judged(self, span, parent, good):
        self.tally(span, 0 if good else 1)
        if good:
            return "right"
        if self.report.wrong + self.report.joined[1] <= SHOWN:
            cause = paths.parse(span.path).cause
            true = next(iter(self.found["SERVER", cause.path]), None) if cause else None
            self.report.note("WRONG: the span, the parent it has, the one it should have", span, parent, true)
        return "wrong"

    def unknown(self, span):
        self.tally(span, 2)
        return "unknown"

    def tally(self, span, column):
        if span.kind == "CLIENT":
            name = ("right", "wrong", "unknown")[column]
            setattr(self.report, name, getattr(self.report, name) + 1)
        else:
            self.report.joined[column] += 1

    # ---- all of them ----

    def count_expected(self, verdicts):
        """Which of the spans that there must be are there; recall is of the calls that count."""
        report = self.report
        if self.truth.requests is None:
            report.recalled, report.outbound = report.right, report.right + report.wrong + report.unknown
            return
        for mode, number in self.truth.requests:
            calls = paths.outbound(mode, number, self.truth.calls.get(mode, 0))
            clients = [self.found["CLIENT", path] for path in calls]
            servers = [self.found["SERVER", path] for path in [paths.inbound(mode, number), *calls]]
            absent = sum(not s for s in clients + servers)
            report.missing += absent
            self.whole(clients + servers, absent)
            if mode in self.truth.counted:
                report.outbound += len(calls)
                report.recalled += sum(bool(s) and all(verdicts[id(x)] == "right" for x in s) for s in clients)
        if report.missing > self.truth.lost:
            report.faults["missing and not reported lost"] = report.missing - self.truth.lost

    def whole(self, groups, absent):
        self.report.requests += 1
        self.report.whole += not absent and len({s.trace_id for group in groups for s in group}) == 1

    def duplicates(self):
        for (kind, path), spans in self.found.items():
            by_service = collections.Counter(service(s) for s in spans)
            if any(n > 1 for n in by_service.values()) and not (self.truth.repeats and path.startswith("/b/")):
                self.report.fault("more than one span of a request", *spans)
        served = collections.defaultdict(list)
        for span, _ in self.spans:
            if span.kind == "SERVER" and span.parent_id in self.by_id:
                served[span.parent_id].append(span)
        for spans in served.values():
            if len(spans) > 1:
                self.report.fault("one call served twice", *spans)

    def traces(self):
        """No trace may hold two requests, whatever the parents in it are."""
        if self.truth.header == "same":
            return
        mixed = collections.defaultdict(dict)
        for span, where in self.spans:
            mixed[span.trace_id].setdefault(where._replace(call="") if where.caused else where, span)
        for firsts in mixed.values():
            if len(firsts) > 1:
                self.report.fault("two requests in one trace", *list(firsts.values())[:2])


def check(spans, truth=None):
    """The Report about these spans (harness.otlp.Span)."""
    return Checker(list(spans), truth or Truth()).run()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    report = check(otlp.LineFile(sys.argv[1]).spans(), Truth(header=sys.argv[2] if len(sys.argv) == 3 else None))
    print("\n".join(report.notes))
    print(f"right {report.right} WRONG {report.wrong} unknown {report.unknown} recall {report.recall:.3f} "
          f"backend {'/'.join(map(str, report.joined))} {report.evidences} faults {dict(report.faults)}")
    sys.exit(1 if report.wrong or report.joined[1] or report.faults else 0)


if __name__ == "__main__":
    main()
