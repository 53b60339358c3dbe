# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The tracer under test: started, attached, listened to, ended; and a look at what it left in the kernel."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from .otlp import LineFile
from .proc import end_with_parent, find, wait_until

ATTACH_TIMEOUT_S = 15
# What a receiver waits for is not at issue in most tests; the default of 5 s would only make them slow.
FAST_BATCHES = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@dataclasses.dataclass(frozen=True)
class Closing:
    """The tracer's last word: `spantap: 1,204 requests, 1,204 spans, 0 lost; ...`, and with `-o none`
    `spantap: 1,204 requests timed, 0 lost; ...`."""
    requests: int
    spans: int
    lost: int
    left_out: int   # by sampling and by --filter
    unseen: int     # an upper bound for losses that could not be resolved to single requests
    line: str


def parse_closing(stderr):
    found = None
    for line in stderr.splitlines():
        if re.match(r"spantap: [\d,]+ requests?(, [\d,]+ spans?| timed),", line):
            found = line
    if not found:
        raise AssertionError(f"no closing line on stderr: {stderr[-3000:]!r}")

    def number(pattern):
        m = re.search(pattern, found)
        return int(m[1].replace(",", "")) if m else None

    lost = number(r"([\d,]+) lost")
    if lost is None:
        raise AssertionError(f"closing line does not say what was lost: {found}")
    return Closing(requests=number(r"([\d,]+) requests?"), spans=number(r"([\d,]+) spans?") or 0, lost=lost,
                   left_out=number(r"([\d,]+) left out") or 0,
                   unseen=number(r"at most ([\d,]+) more unseen") or 0, line=found)


@dataclasses.dataclass(frozen=True)
class Latency:
    """A row of the latency table that `-o none` prints at its end."""
    service: str
    role: str
    port: int
    status: int     # its first digit
    count: int
    p50_ns: float
    p95_ns: float
    p99_ns: float


_UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def parse_latencies(stderr):
    """The table's rows; its head and every row fit 80 columns."""
    rows = []
    for line in stderr.splitlines():
        m = re.fullmatch(r"(.{20}) (client|server) +(\d+)  (\d)xx +([\d,]+)" + r" +([\d.]+) (ns|us|ms|s)" * 3, line)
        assert not m or len(line) <= 80, line
        if m:
            times = [float(m[i]) * _UNITS[m[i + 1]] for i in (6, 8, 10)]
            rows.append(Latency(m[1].strip(), m[2], int(m[3]), int(m[4]), int(m[5].replace(",", "")), *times))
    return rows


class Spantap:
    """A running tracer.

    Spans come from its standard output, which must be json (`-o json`), kept in a file so that no pipe can
    slow it down. `attached` returns once it has said which hooks it uses."""

    def __init__(self, binary, args, folder, env=None):
        folder = pathlib.Path(folder)
        number = sum(1 for _ in folder.glob("spantap-*.out"))
        self.out_path = folder / f"spantap-{number}.out"
        self.err_path = folder / f"spantap-{number}.err"
        self.started = time.monotonic()
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                [str(binary), *map(str, args)], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **FAST_BATCHES, **(env or {})}, preexec_fn=end_with_parent)
        self.pid = self.popen.pid
        self._file = LineFile(self.out_path)

    @property
    def stderr(self):
        return self.err_path.read_text(errors="replace")

    def _has_attached(self):
        if re.search(r"^spantap:.*\bhooks:", self.stderr, re.M):
            return True
        if self.popen.poll() is not None:
            raise AssertionError(f"spantap ended with {self.popen.returncode} before it attached:\n{self.stderr}")
        return False

    def attached(self):
        wait_until(self._has_attached, ATTACH_TIMEOUT_S, "spantap attaches")
        return self

    def spans(self, kind=None):
        return [s for s in self._file.spans() if kind in (None, s.kind)]

    def wait_spans(self, count, kind=None, timeout_s=10):
        """Spans, once there are at least `count`; for fewer, the test says which ones are missing."""
        try:
            wait_until(lambda: len(self.spans(kind)) >= count, timeout_s, f"{count} spans")
        except TimeoutError:
            pass
        return self.spans(kind)

    def wait_output(self, size, timeout_s=10):
        """Until that many bytes are on its standard output: cheap, beside a load that needs the processors."""
        wait_until(lambda: self.out_path.stat().st_size >= size, timeout_s, f"{size} bytes from spantap")

    def stop(self, codes=(0,), timeout_s=15):
        """Ends it as Ctrl-C does and returns its closing line; what it wrote stays readable."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        code = self.wait(timeout_s)
        if code not in codes:
            raise AssertionError(f"spantap ended with {code}:\n{self.stderr[-3000:]}")
        return parse_closing(self.stderr)

    def wait(self, timeout_s=15):
        """Exit code of a tracer that ends by itself."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"spantap did not end within {timeout_s} s:\n{self.stderr[-3000:]}") from None

    def kill(self):
        if self.popen.poll() is None:
            # A stopped process takes a kill as well.
            self.popen.kill()
        self.popen.wait(10)


def kernel_objects():
    """{(type, id): [pids that hold it, name]} of all BPF programs, links and maps on this host."""
    objects = {}
    for kind in ("prog", "link", "map"):
        done = subprocess.run([find("bpftool"), "-j", kind], stdout=subprocess.PIPE, check=True, timeout=30)
        for entry in json.loads(done.stdout or b"[]"):
            pids = [p["pid"] for p in entry.get("pids", [])]
            objects[kind, entry["id"]] = (pids, entry.get("name") or entry.get("type"))
    return objects


def left_over(before, our_pids):
    """What is in the kernel now and was not `before`, and is held by one of ours or by nobody; what other
    processes of this host load meanwhile is theirs."""
    return {key: (pids, name) for key, (pids, name) in kernel_objects().items()
            if key not in before and (not pids or set(pids) & set(our_pids))}


def assert_nothing_left(before, our_pids):
    # Links and programs are freed after a grace period of the kernel, not within the process's exit.
    left = {}

    def gone():
        left.clear()
        left.update(left_over(before, our_pids))
        return not left

    try:
        wait_until(gone, 5, "BPF objects go")
    except TimeoutError:
        raise AssertionError(f"left in the kernel: {left}") from None
