#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What it costs the traced application that its tasks, goroutines and pools are followed, a row for each runtime: processor
# time of the application a request, untraced and traced in turns, hooks and user probes together; and with
# --propagate=header,option. On by default for what `spantap list -p PID` names.
#
# usage: runtimes.sh [OPTION]...
#   --runs N           rounds (3)
#   --spantap FILE     the tracer (build/spantap)
#
# Needs root and the test parts; 77 without.
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
RUNS=3
SPANTAP=$ROOT/build/spantap
PYTHON=${SPANTAP_CACHE:-$ROOT/.cache/parts}/venv/bin/python

while [ $# -gt 0 ]; do
	case $1 in
	--runs) RUNS=$2; shift ;;
	--spantap) SPANTAP=$(realpath "$2"); shift ;;
	-h | --help) sed -n '4,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "runtimes: unknown option $1" >&2; exit 2 ;;
	esac
	shift
done
[ "$(id -u)" = 0 ] || { echo "runtimes: skipped: needs root" >&2; exit 77; }
[ -x "$PYTHON" ] || { echo "runtimes: skipped: no test parts (sudo make test-deps)" >&2; exit 77; }
[ -x "$SPANTAP" ] || { echo "runtimes: $SPANTAP is not there: make builds it" >&2; exit 1; }
exec "$PYTHON" -B "$ROOT/tests/bench/runtimes.py" "$SPANTAP" "$RUNS"
