#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# fuzz.sh [--keep] SECONDS FUZZER...: each for so long over its kept corpus, tests/fuzz/corpus/NAME, two at a time;
# SECONDS 0: endless, in rounds of 5 minutes. One line each, `ok fuzz NAME ...` or `not ok ...`, the latter
# with the output and the input's path. New inputs go to build/fuzz/corpus/NAME; without --keep they are
# dropped first, so that a run depends on the project alone.
set -u
cd "$(dirname "$0")/.." || exit 1

JOBS=2
keep=
[ "${1:-}" != --keep ] || { keep=1; shift; }
seconds=${1:?seconds}
shift
[ $# -gt 0 ] || { echo "not ok fuzz (no fuzzer was built)"; exit 1; }

# one SECONDS FUZZER
one() {
	local name=${2##*/fuzz_} found log kept
	found=build/fuzz/corpus/$name log=build/fuzz/$name.log kept=tests/fuzz/corpus/$name
	[ -n "$keep" ] || rm -rf "$found"
	mkdir -p "$found" "build/fuzz/crash/$name"
	if [ ! -d "$kept" ]; then
		echo "not ok fuzz $name (no kept corpus: $kept)"
		return 1
	fi
	if "$2" -max_total_time="$1" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crash/$name/" "$found" "$kept" >"$log" 2>&1; then
		echo "ok fuzz $name ($(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
			"$(ls "$found" | wc -l) new inputs)"
	else
		sed 's/^/# /' "$log" | tail -n 60
		echo "not ok fuzz $name (build/fuzz/crash/$name)"
		return 1
	fi
}

# all SECONDS FUZZER...
all() {
	local time=$1 status=0 fuzzer
	shift
	for fuzzer in "$@"; do
		while [ "$(jobs -pr | wc -l)" -ge $JOBS ]; do
			wait -n || status=1
		done
		one "$time" "$fuzzer" &
	done
	while [ -n "$(jobs -p)" ]; do
		wait -n || status=1
		jobs >/dev/null
	done
	return $status
}

trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM HUP
if [ "$seconds" -gt 0 ]; then
	all "$seconds" "$@"
	exit
fi
while all 300 "$@"; do
	:
done
exit 1
