#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# check.sh [--fast] [PART]...: runs the tests, part by part, and ends with `N passed, N failed, N skipped`.
# --fast: only what needs no server, no machine and no root. Every part's output is kept in build/check/PART.log,
# that of a failed one is printed. A part that crashes, hangs, or has run nothing counts as a failure. Exits 1
# when something failed.
set -u
cd "$(dirname "$0")/.." || exit 1

# The builds below are their own masters: the slots of the make above are not open to them.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
LOGS=build/check
FUZZ_S=20
FAST='build clang layers format scripts docs install unit asan fuzz golden'
FULL="$FAST parts e2e soak machines kernels"
passed=0 failed=0 skipped=0
child=

make() { command make --no-print-directory "$@"; }

# ---- the parts: run_NAME runs one; its rule (else `whole`) says how its output is counted ----

run_build() { make all unit; }
run_clang() { make all CC="$(basename "$(command -v clang-19 || command -v clang)")" B=build/clang; }
run_layers() { tools/layers.sh; }
run_format() { tools/format.sh --check; }
run_docs() { tools/docs.sh; }
run_scripts() {
	command -v shellcheck >/dev/null || { echo "shellcheck is missing"; return 77; }
	git ls-files -co --exclude-standard 2>/dev/null | grep -E '^(tools|tests)/' | while read -r file; do
		[ -f "$file" ] && head -1 "$file" | grep -qE '^#!/bin/(ba)?sh' && echo "$file"
	done | xargs shellcheck -S warning -x -P SCRIPTDIR
}
run_install() { each tests/install/*.sh; }
run_unit() { make unit && each build/tests/unit/test_*; }
run_asan() {
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
	make asan && each build/asan/tests/unit/test_*
}
run_fuzz() { make fuzzers && tools/fuzz.sh $FUZZ_S build/tests/fuzz/fuzz_*; }
run_golden() { tests/golden/run.sh; }
run_parts() { tools/install-test-deps.sh; }
run_e2e() {
	"${SPANTAP_CACHE:-.cache/parts}/venv/bin/python" -m pytest tests/e2e --tb=short --durations=10 -q
}
run_soak() { tools/soak.sh 30; }
run_machines() { tools/parts-vm.sh; }
run_kernels() { tests/vm/matrix; }

declare -A rule=([docs]=lines [install]=lines [fuzz]=lines [golden]=lines [soak]=lines [kernels]=lines
	[unit]=cmocka [asan]=cmocka [e2e]=pytest)

# Minutes until a part counts as hanging: several times what it takes.
declare -A limit=([e2e]=40 [kernels]=25 [parts]=35 [machines]=10)
LIMIT=15

# each PROGRAM...: one after the other; one that ends badly without a word of its own is said.
each() {
	local program status worst=0
	for program in "$@"; do
		[ -f "$program" ] && [ -x "$program" ] || continue
		case $program in *.d | *.o) continue ;; esac
		echo "# $program"
		"$program"
		status=$?
		[ $status = 0 ] || { echo "# $program ended with $status"; worst=1; }
	done
	return $worst
}

# ---- counting: `PASSED FAILED SKIPPED` of a log ----

count_whole() {
	case $2 in
	0) echo 1 0 0 ;;
	77) echo 0 0 1 ;;
	*) echo 0 1 0 ;;
	esac
}

count_lines() {
	awk '
	/^skip / || /^ok .*# SKIP/ { skip++; next }
	/^ok / { ok++ }
	/^not ok / { no++ }
	END { print ok + 0, no + 0, skip + 0 }' "$1"
}

# A program that ends with neither all passed nor a failed test has crashed: that is one more failure.
count_cmocka() {
	awk '
	function ended() { if (open && !told) no++ }
	/^# build\/.*ended with/ { if (!told) no++; open = 0; next }
	/^# build\// { if (open && !summed) no++; open = 1; told = summed = 0 }
	/^\[  PASSED  \] [0-9]+ test/ { ok += $4; summed = 1 }
	/^\[  FAILED  \] [0-9]+ test/ { no += $4; told = 1 }
	/^\[  SKIPPED \] [0-9]+ test/ { skip += $4 }
	END { if (open && !summed) no++; print ok + 0, no + 0, skip + 0 }' "$1"
}

count_pytest() {
	tail -n 1 "$1" | awk '{
		for (i = 2; i <= NF; i++) {
			if ($i ~ /^(passed|xpassed)/) ok += $(i - 1)
			if ($i ~ /^(failed|error|errors)/) no += $(i - 1)
			if ($i ~ /^(skipped|xfailed)/) skip += $(i - 1)
		}
		print ok + 0, no + 0, skip + 0
	}'
}

# ---- the run ----

part() {
	local name=$1 log=$LOGS/$1.log minutes=${limit[$1]:-$LIMIT} status start ok no skip verdict
	start=$(date +%s%N)
	timeout --foreground -k 20 $((minutes * 60)) "$0" --run "$name" >"$log" 2>&1 &
	child=$!
	wait $child
	status=$?
	child=
	read -r ok no skip < <("count_${rule[$name]:-whole}" "$log" $status)
	# A whole part that cannot run here.
	[ $status != 77 ] || [ $((ok + no + skip)) != 0 ] || skip=1
	[ $status = 124 ] && echo "# $name was ended after $minutes minutes" >>"$log"
	# What says nothing has not passed.
	if [ $no = 0 ] && { [ $status != 0 ] && [ $status != 77 ] || [ $((ok + skip)) = 0 ]; }; then
		no=1
	fi
	passed=$((passed + ok)) failed=$((failed + no)) skipped=$((skipped + skip))
	verdict=ok
	[ $no = 0 ] || verdict=FAILED
	printf '%-7s %-9s %5d passed %4d failed %4d skipped %9s\n' $verdict "$name" "$ok" "$no" "$skip" \
		"$(awk -v ns=$(($(date +%s%N) - start)) 'BEGIN { printf "%.1f s", ns / 1e9 }')"
	[ $no = 0 ] || show "$log"
	grep -E '^skip |^ok .*# SKIP' "$log"
}

# Without the tests that passed; of a long log the lines of failures, which give the reasons, and its end.
show() {
	echo "---- $1"
	grep -vE '^\[ (RUN     |      OK)|^ok ' "$1" >"$1.short"
	[ "$(wc -l <"$1.short")" -le 120 ] ||
		grep -nE '^not ok|FAILED|ERROR|Error|error:|SUMMARY|ended with' "$1.short" | cut -c1-500 | head -40
	tail -n 120 "$1.short" | cut -c1-500
	rm -f "$1.short"
	echo "----"
}

stop() {
	[ -z "$child" ] || kill "$child" 2>/dev/null
	exit 130
}

if [ "${1:-}" = --run ]; then
	"run_$2"
	exit
fi
parts=$FULL
[ "${1:-}" != --fast ] || { parts=$FAST; shift; }
[ $# = 0 ] || parts=$*
for name in $parts; do
	declare -F "run_$name" >/dev/null || { echo "check: no part $name; there are $FULL" >&2; exit 2; }
done
mkdir -p $LOGS
trap stop INT TERM HUP
for name in $parts; do
	[ "$name" != golden ] || [ -x tests/golden/run.sh ] || continue
	part "$name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
