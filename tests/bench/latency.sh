#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# How soon spans come: from the start of `spantap -p` to the first one, and from a request's end to its span when the
# tracer had nothing to do for a second.
#
# usage: latency.sh [OPTION]...
#   --runs N           of each (9)
#   --spantap FILE     the tracer (build/spantap)
#   --check            exit 1 when a median is above its bound
#
# Needs root and the test parts; 77 without.
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
RUNS=9 CHECK=-
SPANTAP=$ROOT/build/spantap
PYTHON=${SPANTAP_CACHE:-$ROOT/.cache/parts}/venv/bin/python

while [ $# -gt 0 ]; do
	case $1 in
	--runs) RUNS=$2; shift ;;
	--spantap) SPANTAP=$(realpath "$2"); shift ;;
	--check) CHECK=--check ;;
	-h | --help) sed -n '4,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "latency: unknown option $1" >&2; exit 2 ;;
	esac
	shift
done
[ "$(id -u)" = 0 ] || { echo "latency: skipped: needs root" >&2; exit 77; }
[ -x "$PYTHON" ] || { echo "latency: skipped: no test parts (sudo make test-deps)" >&2; exit 77; }
[ -x "$SPANTAP" ] || { echo "latency: $SPANTAP is not there: make builds it" >&2; exit 1; }
exec "$PYTHON" -B "$ROOT/tests/bench/latency.py" "$SPANTAP" "$RUNS" $CHECK
