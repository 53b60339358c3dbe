# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A recording gives the spans that were seen live, the same bytes each time, to anybody."""

import os
import re

import pytest

from harness import load, plan
from harness.otlp import LineFile
from harness.proc import find


# How a message names a place in a file.
PLACE = r"(offset|at byte) \d+"


@pytest.fixture
def recorded(tracer, start_server, start_client, folder, session_dir):
    """(recording, spans seen live) of mixed requests, through a proxy that makes requests itself."""
    server, client = start_server("nginx_proxy"), start_client("curl")
    # In a folder that another user can read.
    recording = session_dir / f"{folder.name}.rec"
    tap = tracer("-p", f"{server.pid},{client.pid}", "--record", recording, "-o", "json")
    client.run(server.base, plan.mixed(40, server.lacks))
    tap.wait_spans(120)
    tap.stop()
    assert len(tap.spans()) == 120
    return recording, tap.spans()


def _spans(text, folder):
    path = folder / f"replayed-{len(os.listdir(folder))}"
    path.write_text(text)
    return LineFile(path).spans()


def test_replay_gives_the_same_spans(recorded, run, folder):
    recording, live = recorded
    code, out, _ = run("replay", recording, "-o", "json")
    assert code == 0
    assert {s.span_id: s for s in _spans(out, folder)} == {s.span_id: s for s in live}


def test_replay_is_the_same_each_time(recorded, run):
    """Without root too, and whatever the environment of the one who replays."""
    recording, _ = recorded
    first = run("replay", recording, "-o", "json")
    assert first[0] == 0 and first[1]
    recording.chmod(0o644)
    nobody = [find("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    for before, env in ((), None), (nobody, None), ((), {"TZ": "Pacific/Apia", "LANG": "C"}):
        assert run("replay", recording, "-o", "json", before=before, env=env)[:2] == first[:2]


def test_truncated_recording(recorded, run, folder):
    """What a crash leaves is read up to its last whole block: fewer spans, and a word that it ended early."""
    recording, live = recorded
    data = recording.read_bytes()
    (folder / "cut.rec").write_bytes(data[:len(data) - 7])
    _, out, err = run("replay", folder / "cut.rec", "-o", "json")
    ids = {s.span_id for s in _spans(out, folder)}
    assert ids <= {s.span_id for s in live}
    assert str(folder / "cut.rec") in err and re.search(PLACE, err), err


def test_damaged_recording(recorded, run, folder):
    """One changed bit anywhere is found, and its place is named."""
    recording, _ = recorded
    data = bytearray(recording.read_bytes())
    for where in (len(data) // 3, len(data) // 2, len(data) - 20):
        damaged = bytearray(data)
        damaged[where] ^= 0x10
        (folder / "damaged.rec").write_bytes(damaged)
        code, _, err = run("replay", folder / "damaged.rec", "-o", "json")
        lines = [line for line in err.splitlines() if re.search(PLACE, line)]
        assert code == 1 and len(lines) == 1 and str(folder / "damaged.rec") in lines[0], err


def test_recording_of_a_load(tracer, run, start_server, folder):
    """At full speed the recording has what the live run had."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--record", folder / "load.rec", "-o", "none")
    assert load.Load(server.port, 20_000).wait()["failed"] == 0
    assert tap.stop().lost == 0
    code, out, _ = run("replay", folder / "load.rec", "-o", "json")
    assert code == 0
    assert sorted(s.path for s in _spans(out, folder)) == sorted(f"/items/{i}" for i in range(20_000))


def test_killed_recorder(tracer, run, start_server, folder):
    """kill -9 in the middle of a load leaves a recording that can be read."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "--record", folder / "killed.rec", "-o", "json")
    load_run = load.Load(server.port, 100_000)
    tap.wait_output(1_000_000)
    tap.kill()
    assert load_run.wait()["failed"] == 0
    _, out, _ = run("replay", folder / "killed.rec", "-o", "json")
    paths = [s.path for s in _spans(out, folder)]
    assert len(set(paths)) == len(paths) and len(paths) > 100
