# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What spans must say about requests whose plan and results are known."""

import collections
import os
import pathlib
import re

# A server's span ends when its last send returns, which on a busy machine is after the client has read the
# bytes; a preempted sender is late by a scheduler's slice or two.
SLACK_S = 0.025


def tree_pids(pid):
    """This process and its descendants, now."""
    children = collections.defaultdict(list)
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue    # ended meanwhile
        children[int(fields[1])].append(int(stat.parent.name))
    pids, todo = set(), [pid]
    while todo:
        one = todo.pop()
        pids.add(one)
        todo += children[one]
    return pids


def on_port(spans, kind, port):
    return [s for s in spans if s.kind == kind and s.attributes.get("server.port") == port]


def _stolen_ms():
    """By processor: how long the hypervisor ran others in its place (proc(5), /proc/stat)."""
    tick_ms = 1000 / os.sysconf("SC_CLK_TCK")
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    return [int(line.split()[8]) * tick_ms for line in lines if re.match(r"cpu\d", line)]


class FullSpeed:
    """From here to `assert_none_lost` the machine is kept as busy as it can be: nothing may be lost all the same. A
    failure says how long a hypervisor kept a processor meanwhile: what was not run cannot read."""

    def __init__(self):
        self._before = _stolen_ms()

    def assert_none_lost(self, tap, closing, wanted):
        stolen = max(after - before for before, after in zip(self._before, _stolen_ms()))
        assert (closing.requests, closing.spans, closing.lost) == (wanted, wanted, 0), \
            f"{closing}; {stolen:.0f} ms stolen\n{tap.stderr}"


def assert_one_each(spans, paths, what):
    """Every path has exactly one span, and no span is of another path."""
    counts = collections.Counter(s.path for s in spans)
    missing = [p for p in paths if p not in counts]
    twice = {p: n for p, n in counts.items() if n > 1}
    foreign = sorted(set(counts) - set(paths))
    assert not (missing or twice or foreign), \
        f"{what}: {len(missing)} missing {missing[:10]}, {len(twice)} more than once {dict(list(twice.items())[:10])}, " \
        f"{len(foreign)} of no request {foreign[:10]}"


def _assert_error(span, is_error):
    """Status and error.type by the HTTP conventions: the status code as a string, and no status otherwise."""
    if is_error:
        assert span.status == "ERROR", span
        assert span.attributes.get("error.type") == str(span.attributes["http.response.status_code"]), span
    else:
        assert span.status == "UNSET" and "error.type" not in span.attributes, span


def _assert_common(span, request, result, port):
    attributes = span.attributes
    assert attributes["http.request.method"] == request.method, span
    assert attributes["http.response.status_code"] == request.status, span
    assert attributes["server.port"] == port, span
    assert span.scope == "spantap", span
    assert span.resource.get("service.name"), span
    assert span.start_ns <= span.end_ns, span
    assert span.duration_ns <= (result["seconds"] + SLACK_S) * 1e9, (span, result)
    assert "spantap.incomplete" not in attributes, span


def assert_spans(spans, kind, plan, results, server):
    """Exactly one span of this kind per request of the plan, with what the conventions ask for."""
    mine = on_port(spans, kind, server.port)
    assert_one_each(mine, [r.path for r in plan], f"{kind} spans of {server.name}")
    by_path = {s.path: s for s in mine}
    for request, result in zip(plan, results):
        span = by_path[request.path]
        _assert_common(span, request, result, server.port)
        if kind == "SERVER":
            route = request.path.split("/")[1]
            assert span.name == f"{request.method} /{route}/{{id}}", span
            assert span.attributes["url.scheme"] == "http", span
            _assert_error(span, request.status >= 500)
        else:
            assert span.attributes["url.full"] == server.base + request.path, span
            assert request.path.split("/")[2] not in span.name, span
            _assert_error(span, request.status >= 400)


def assert_balance(closing, requests):
    """Requests made = spans exported + spans left out + losses counted; what could only be bounded lies between."""
    accounted = closing.spans + closing.left_out + closing.lost
    assert accounted <= requests <= accounted + closing.unseen, closing
