# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""An application with OpenTelemetry's own SDK between traced ones: one trace, in which nothing stands twice."""

import json
import pathlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from harness import otlp, proc    # noqa: E402
from truth import start    # noqa: E402
from test_propagate import ask    # noqa: E402

COUNT = 40


@pytest.fixture
def chain(folder):
    """Traced threads, then the application with the SDK, then a traced backend: their processes, and where to ask."""
    front, middle, back = proc.free_port(), proc.free_port(), proc.free_port()
    backend = proc.Daemon([start.compiled("backend.c", "-pthread"), back, 1000, 20000], folder / "backend.log",
                          lambda: proc.answers(back, "/b/ready/x0/0"))
    sdk = proc.Daemon([proc.VENV / "python", proc.APPS / "sdk_server.py", middle, back, folder / "sdk.json"], folder / "sdk.log",
                      lambda: proc.answers(middle, "/b/one/i0/0"))
    app = proc.Daemon([sys.executable, start.APPS / "threads.py", front, middle], folder / "app.log",
                      lambda: proc.answers(front, "/none/i0"))
    (folder / "sdk.json").write_text("")
    yield [app.pid, sdk.pid, backend.pid], front
    for one in (app, sdk, backend):
        one.stop()


def path_of(span):
    return re.search(r"/i(\d+)", span.path)[1]


@pytest.mark.parametrize("options", ([], ["--propagate=header,option"]), ids=("plain", "propagated"))
def test_one_trace(chain, tracer, folder, options):
    pids, front = chain
    tap = tracer("-p", ",".join(map(str, pids)), "-o", f"file:{folder}/spans.json", *options)
    for number in range(3):     # until threads are known for what they do, where that counts
        ask(front, f"/one/i{number}", {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ask(front, f"/one/i{number}", {}), range(100, 100 + COUNT)))
    proc.wait_until(lambda: (folder / "sdk.json").read_text().count("\n") >= 2 * (COUNT + 3), 10, "the SDK's spans")
    tap.stop()
    own = [json.loads(line) for line in (folder / "sdk.json").read_text().splitlines()]
    spans = [s for file in folder.glob("spans.json*") for s in otlp.LineFile(file).spans()]
    for number in range(100, 100 + COUNT):
        theirs = [s for s in own if f"/i{number}/" in s["name"]]
        ours = [s for s in spans if path_of(s) == str(number)]
        assert sorted((s.kind for s in ours)) == ["CLIENT"] * 2 + ["SERVER"] * 3, number
        assert len({s.trace_id for s in ours} | {s["trace"] for s in theirs}) == 1, number
        # The call is below the SDK's own span for it, and what it asks is below the call.
        [call] = [s for s in theirs if s["kind"] == "CLIENT"]
        [below] = [s for s in ours if s.kind == "CLIENT" and s.parent_id == call["span"]]
        [last] = [s for s in ours if s.kind == "SERVER" and s.parent_id == below.span_id]
        assert len({s.parent_id for s in ours if s.kind == "SERVER"}) == 3, "no two answers to one call"
