# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""One run: backend, application, tracer, load, verdict."""

import dataclasses
import pathlib
import time

from harness import proc
from harness.otlp import LineFile

from . import check, load
from .start import Bed

SETTLE_S = 0.5      # calls that a handler makes after its answer, and pings (start.py), end within
BEFORE_ATTACH = 100


@dataclasses.dataclass
class Result:
    case: object
    attach: str
    requests: int
    report: check.Report
    lost: int
    closing: str

    @property
    def failures(self):
        report, case, found = self.report, self.case, []
        if report.wrong or report.joined[1]:
            found.append(f"{report.wrong} + {report.joined[1]} WRONG")
        found += [f"{count} {kind}" for kind, count in report.faults.items()]
        if case.minimum is not None and report.recall < case.minimum:
            found.append(f"recall {report.recall:.3f} < {case.minimum}")
        if case.one_trace is not None and report.one_trace < case.one_trace:
            found.append(f"one trace for {report.one_trace:.3f} of the requests < {case.one_trace}")
        return found

    @property
    def line(self):
        report = self.report
        faults = "".join(f" {kind}:{count}" for kind, count in report.faults.items())
        return f"{self.case.name:<18} {self.attach:<6} {self.requests:>6} {report.outbound:>6} {report.right:>6} " \
               f"{report.wrong:>6} {report.unknown:>6} {report.recall:>7.3f} {self.lost:>5} " \
               f"{'/'.join(map(str, report.joined)):>12} {report.one_trace:>5.2f} {report.evidences}{faults}"


HEAD = f"{'case':<18} {'attach':<6} {'reqs':>6} {'outb':>6} {'right':>6} {'WRONG':>6} {'unkn':>6} {'recall':>7} {'lost':>5} " \
       f"{'backend r/W/u':>12} 1trace evidence"


class Taps:
    """The tracers of a run: one; or, `apart`, two that know nothing of each other, as on two hosts. Services that call
    each other are each other's neighbours in the list of them, so that every other one belongs to the same."""

    def __init__(self, tracer, folder, pids, extra, apart):
        hosts = [host for host in (pids[0::2], pids[1::2]) if host] if apart else [pids]
        self.taps = [tracer("-p", ",".join(map(str, host)), "-o", f"file:{folder}/spans{k}.json", *extra)
                     for k, host in enumerate(hosts)]

    def stop(self):
        """How many requests they lost, and their last lines."""
        ends = [tap.stop() for tap in self.taps]
        return sum(end.lost + end.unseen for end in ends), "; ".join(end.line for end in ends)


def run(case, tracer, folder, attach="before", requests=None, clients=24, extra=(), apart=False, netns=None):
    """The Result. `tracer(*ARGS)` starts an attached harness.spantap.Spantap, which this stops; the case's own
    processes are ended in any case. netns (harness.netns): where the backend runs."""
    folder = pathlib.Path(folder)
    requests = requests or case.requests
    with Bed(folder, case, netns) as bed:
        if attach == "before":
            taps = Taps(tracer, folder, bed.pids, extra, apart)
            attached_ns = time.time_ns()
            clients = _load(case, bed, requests, clients)
        else:
            clients = _load(case, bed, None, clients)
            proc.wait_until(lambda: len(clients.sent) >= BEFORE_ATTACH, 60, "the load runs")
            taps = Taps(tracer, folder, bed.pids, extra, apart)
            attached_ns = time.time_ns()
            clients.more(requests)
        sent = clients.wait(case.seconds)
        time.sleep(SETTLE_S)
        lost, closing = taps.stop()
    after = [(s.mode, s.number) for s in sent if s.start_ns > attached_ns and not s.left]
    truth = check.Truth(after, {m: mode.calls for m, mode in case.modes.items()},
                        {m for m, mode in case.modes.items() if mode.counted}, case.repeats, case.header, lost)
    spans = [span for file in sorted(folder.glob("spans*.json*")) for span in LineFile(file).spans()]    # old ones, too
    return Result(case, attach, len(after), check.check(spans, truth), lost, closing)


def _load(case, bed, requests, clients):
    return load.Load(bed.port, case.modes, requests or 0, clients, case.header, case.pipeline, case.leave,
                     endless=requests is None)
