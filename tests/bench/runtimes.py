# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the user probes of each runtime cost; see runtimes.sh. Processor time of the traced application a request, in turns:
untraced, traced with the probes of its runtime, and with --propagate as well."""

import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]

from harness import spantap  # noqa: E402
from truth import cases, load, start  # noqa: E402

ROWS = (("threads", "python_threads"), ("goroutine", "go"), ("task", "asyncio"), ("task", "fastapi"), ("task", "python_pool"),
        ("task", "node"), ("pool", "java_pools"), ("pool", "cpp_pools"))
REQUESTS = 1000
CLIENTS = 8
HERTZ = os.sysconf("SC_CLK_TCK")


def used_us(pids):
    """Processor time of processes and the children that they waited for."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks * 1e6 / HERTZ


def family(pid):
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def round_us(case, bed, pids):
    before = used_us(pids)
    load.Load(bed.port, case.modes, REQUESTS, CLIENTS, case.header, 1, False).wait(60)
    time.sleep(0.05)
    return (used_us(pids) - before) / REQUESTS


def measure(case, binary, rounds, folder):
    """Medians: untraced, traced, traced and propagating."""
    ways = {"untraced": None, "traced": [], "propagating": ["--propagate=header,option"]}
    found = {way: [] for way in ways}
    with start.Bed(folder, case) as bed:
        pids = family(bed.daemons[-1].pid)
        round_us(case, bed, pids)
        for _ in range(rounds):
            for way, options in ways.items():
                tap = None
                if options is not None:
                    tap = spantap.Spantap(binary, ["-p", bed.daemons[-1].pid, "-o", "none", "--record", "/dev/null", *options],
                                          folder).attached()
                    load.Load(bed.port, case.modes, 100, CLIENTS, case.header, 1, False).wait(60)
                found[way].append(round_us(case, bed, pids))
                if tap:
                    tap.stop()
    return [statistics.median(found[way]) for way in ways]


def main():
    binary, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    print(f"{'us of processor a request':<28}{'untraced':>10}{'traced':>10}{'more':>8}{'propagating':>13}{'more':>8}")
    for evidence, name in ROWS:
        with tempfile.TemporaryDirectory(prefix="spantap-bench-") as folder:
            plain, traced, told = measure(cases.BY_NAME[name], binary, rounds, pathlib.Path(folder))
        print(f"{name + ' (' + evidence + ')':<28}{plain:>10.0f}{traced:>10.0f}{traced / plain - 1:>8.1%}{told:>13.0f}"
              f"{told / plain - 1:>8.1%}", flush=True)


main()
