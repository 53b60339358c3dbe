# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""spantap list and spantap check against real processes: what people read fits 80 columns, what programs read is JSON."""

import json
import subprocess

import pytest

from harness.proc import find

NOBODY = [find("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]


def _workers(server):
    done = subprocess.run(["pgrep", "-P", str(server.pid)], stdout=subprocess.PIPE, text=True, check=True)
    return [int(pid) for pid in done.stdout.split()]


def _lines(result, code=0):
    assert (result[0], result[2]) == (code, ""), result
    lines = result[1].splitlines()
    assert lines and max(map(len, lines)) <= 80, max(lines, key=len)
    return lines


def test_list(run, start_server):
    """A server's first process says what is seen, its workers whom to name for all of them."""
    server = start_server("nginx")
    rows = {int(line.split()[0]): line for line in _lines(run("list"))[1:] if line.split()[:1] and line.split()[0].isdigit()}
    assert " nginx " in rows[server.pid] and f" {server.port} " in rows[server.pid]
    assert rows[server.pid].endswith("plain HTTP; TLS not yet") or rows[server.pid].endswith("plain HTTP")
    workers = _workers(server)
    assert workers and all(rows[pid].endswith(f"with -p {server.pid}") for pid in workers), rows
    processes = {p["pid"]: p for p in json.loads(run("list", "--json")[1])["processes"]}
    assert processes[server.pid]["service"] == "nginx"
    assert all(processes[pid]["parent_pid"] == server.pid for pid in workers)


@pytest.mark.parametrize("command", ["list", "check"])
def test_one_process(command, run, start_server):
    server = start_server("python")
    text = "\n".join(_lines(run(command, "-p", server.pid)))
    assert f"\n{server.pid}\n  service     " in "\n" + text and f"  listens     127.0.0.1:{server.port}\n" in text
    assert "  runtime     python 3" in text and "  NOT SEEN    " in text
    process, = json.loads(run(command, "-p", server.pid, "--json")[1])["processes"]
    assert process["pid"] == server.pid and process["language"] == "python"
    assert f"127.0.0.1:{server.port}" in process["listens"] and process["not_seen"]


def test_without_rights(run, start_server):
    """What is missing is named, with what would give it."""
    text = "\n".join(_lines(run("check", before=NOBODY), code=1))
    for name in ("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"):
        assert f"CAP_{name}: not held" in text and f"cap_{name.lower()}" in text, text
    told = json.loads(run("check", "--json", before=NOBODY)[1])
    assert told["works"] is False
    assert {f["name"]: f["state"] for f in told["features"]}["cap_bpf"] == "no"
    assert "CAP_SYS_PTRACE" in "\n".join(_lines(run("list", before=NOBODY)))
    assert json.loads(run("list", "--json", before=NOBODY)[1])["not_readable"] > 0
    server = start_server("nginx")
    assert "may not be looked at" in "\n".join(_lines(run("list", "-p", server.pid, before=NOBODY)))


def test_check_of_a_forced_rung(run):
    """It tells of the hooks that would be used, not of the best ones."""
    code, out, _ = run("check", "--rung", "syscalls", "--json")
    hooks = {need["need"]: need["hook"] for need in json.loads(out)["needs"]}
    assert code == 0 and hooks["TCP send"] == hooks["TCP receive"] == "syscalls", hooks
