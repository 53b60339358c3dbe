# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""How soon spans come; see latency.sh."""

import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import load, proc, servers, spantap  # noqa: E402

NOW = {"OTEL_BSP_SCHEDULE_DELAY": "0"}
FIRST_MAX_MS = 300
IDLE_MAX_MS = 10


def first_span_ms(binary, server, folder):
    """From the program's start to a span on its output: a client that never stops asking is there all the time."""
    asking = subprocess.Popen(
        ["sh", "-c", f"while :; do {proc.find('curl')} -qs -o /dev/null {server.base}/items/1; done"],
        start_new_session=True)
    tap = spantap.Spantap(binary, ["-p", server.pid, "-o", "json"], folder, NOW)
    try:
        while not tap.out_path.stat().st_size:
            if time.monotonic() - tap.started > 10:
                raise TimeoutError(tap.stderr)
            time.sleep(0.001)
        return 1000 * (time.monotonic() - tap.started)
    finally:
        os.killpg(asking.pid, signal.SIGKILL)
        asking.wait(5)
        tap.stop()


def _late_ms(server, tap):
    size = tap.out_path.stat().st_size
    client = load.Load(server.port, 1, 1)
    while tap.out_path.stat().st_size == size:
        time.sleep(0.0005)
    seen_ns = time.time_ns()
    client.wait()
    return (seen_ns - tap.spans()[-1].end_ns) / 1e6


def idle_ms(binary, server, folder, runs):
    """After a second without an event: from a request's end to its span, as somebody sees it who looks all the time."""
    tap = spantap.Spantap(binary, ["-p", server.pid, "-o", "json"], folder, NOW).attached()
    late = []
    try:
        for _ in range(runs):
            time.sleep(1)
            late.append(_late_ms(server, tap))
    finally:
        tap.stop()
    return late


def row(what, values, bound):
    print(f"{what}: median {statistics.median(values):.1f} ms, {min(values):.1f} to {max(values):.1f} ms of "
          f"{len(values)} runs; at most {bound} ms")
    return statistics.median(values) <= bound


def main(binary, runs, check):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spantap-latency-"))
    folder.chmod(0o755)
    server = None
    try:
        server = servers.ALL["nginx"](folder)
        good = row("time to first span", [first_span_ms(binary, server, folder) for _ in range(runs)], FIRST_MAX_MS)
        good &= row("span of an idle tracer", idle_ms(binary, server, folder, runs), IDLE_MAX_MS)
        return 0 if good or not check else 1
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "--check"))
