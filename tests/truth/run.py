#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Runs cases (cases.py) and prints a line for each; exit code 1 when a parent is wrong or too few were found.

    run.py [CASE...] [--attach before|during|both] [--requests N] [--clients N] [--repeat N] [--spantap FILE]
           [--keep DIR] [--record FILE] [--python FILE] [--propagate WAYS] [--list]

CASE may be a glob (`python*`); without any, all run. --keep DIR: what each run wrote, spans.json first of all, stays
in DIR/CASE-ATTACH; the last one's where runs are repeated. --record FILE: the tracer's raw records, of the last run; of two tracers with
-0 and -1 in its name.
--propagate WAYS: two tracers that know nothing of each other, each with every other service, and --propagate=WAYS.
--python FILE: the interpreter of the apps written in Python; aiohttp and fastapi need their packages in it."""

import argparse
import fnmatch
import pathlib
import shutil
import sys
import tempfile
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[1] / "e2e")]
sys.dont_write_bytecode = True

from harness import proc, spantap
from truth import bed, start
from truth.cases import CASES


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", default=["*"])
    parser.add_argument("--attach", choices=("before", "during", "both"), default="before")
    parser.add_argument("--requests", type=int)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--python", type=pathlib.Path)
    parser.add_argument("--spantap", type=pathlib.Path, default=proc.ROOT / "build" / "spantap")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--record", type=pathlib.Path)
    parser.add_argument("--propagate")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(argv)
    for pattern in options.case:
        if not any(fnmatch.fnmatch(case.name, pattern) for case in CASES):
            parser.error(f"no case {pattern}; --list names them")
    return options


def run_one(case, attach, options, folder):
    """Whether it passed."""
    taps = []

    def tracer(*args):
        if options.record:
            file = options.record.resolve()
            args += ("--record", file.with_stem(f"{file.stem}-{len(taps)}") if options.propagate else file)
        taps.append(spantap.Spantap(options.spantap.resolve(), args, folder))
        return taps[-1].attached()

    extra = [f"--propagate={options.propagate}"] if options.propagate else []
    try:
        result = bed.run(case, tracer, folder, attach, options.requests, options.clients, extra,
                         apart=bool(options.propagate))
    except Exception:
        print(f"{case.name:<18} {attach:<6} FAILED\n{traceback.format_exc()}", flush=True)
        return False
    finally:
        for tap in taps:
            tap.kill()
    print(result.line)
    for note in result.report.notes:
        print("   ", note)
    if result.failures:
        print(f"    FAILED: {'; '.join(result.failures)}", flush=True)
    return not result.failures


def main(argv):
    options = parse(argv)
    chosen = [case for case in CASES if any(fnmatch.fnmatch(case.name, p) for p in options.case)]
    if options.list:
        print("\n".join(f"{c.name:<20} {c.minimum or '-':<5} {' '.join(c.modes)}" for c in chosen))
        return 0
    start.PYTHON = options.python
    print(bed.HEAD, flush=True)
    attaches = ("before", "during") if options.attach == "both" else (options.attach,)
    runs = [(case, attach) for case in chosen for attach in attaches] * options.repeat
    passed = sum(run_in_folder(case, attach, options) for case, attach in runs)
    print(f"{passed} passed, {len(runs) - passed} failed")
    return 0 if passed == len(runs) else 1


def run_in_folder(case, attach, options):
    # Servers that run as another user read it.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spantap-truth-"))
    folder.chmod(0o755)
    try:
        return run_one(case, attach, options, folder)
    finally:
        if options.keep:
            kept = options.keep / f"{case.name}-{attach}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock"))
        shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
