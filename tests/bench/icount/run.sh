#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Counts the instructions that a tracer adds to each request.
#
# usage: run.sh [OPTION]...
#   --kernel SERIES   6.18 and 6.12 by default; may be given again
#   --cmd COMMAND     the tracer (spantap -a -o otlp); $SP is the server's process
#   --add FILE        one more file for the guest, found in its PATH; may be given again
#   --no-tracer       the untraced load alone: how well does it repeat?
#   -n N              requests per saturated run (20000)
#   --paced N         requests per paced run (3000; 0: none)
#   --pace-us US      time between their starts (1250: 800 a second)
#   --conns N         connections, used in turn (1)
#   --server NAME     nginx (the default) or lighttpd
#   --runs N          runs of each kind; medians are taken (3)
#   --log             print what the tracer wrote
#   --check           exit 1 when a budget of budgets.txt is exceeded or a span lost
#   --timeout SEC     for one machine (1500)
#
# The guest's whole output is kept in build/tests/bench/icount/SERIES.log.

. "$(dirname "$0")/../../vm/lib.sh"
HERE=$ST_ROOT/tests/bench/icount
BUILD=${ST_BUILD:-$ST_ROOT/build}/tests/bench/icount
KERNELS=()
CMD='spantap -a -o otlp'
FILES=()
N=20000
PACED=3000
PACE=1250
CONNS=1
SERVER=nginx
RUNS=3
LOG=
CHECK=
TIMEOUT=1500
QEMU=

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) KERNELS+=("$2"); shift ;;
		--cmd) CMD=$2; shift ;;
		--add) FILES+=("$2"); shift ;;
		--no-tracer) CMD= ;;
		-n) N=$2; shift ;;
		--paced) PACED=$2; shift ;;
		--pace-us) PACE=$2; shift ;;
		--conns) CONNS=$2; shift ;;
		--server) SERVER=$2; shift ;;
		--runs) RUNS=$2; shift ;;
		--log) LOG=1 ;;
		--check) CHECK=1 ;;
		--timeout) TIMEOUT=$2; shift ;;
		-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		*) st_die 2 "unknown option $1" ;;
		esac
		shift
	done
	[ ${#KERNELS[@]} -gt 0 ] || KERNELS=(6.18 6.12)
}

# tracer_file: the command's program, the built one before an installed one.
tracer_file() {
	local name=${CMD%% *}
	[ -n "$name" ] || return 0
	case $name in
	*/*) FILES+=("$name"); CMD=${name##*/}${CMD#"$name"} ;;
	*)
		if [ -x "$ST_ROOT/build/$name" ]; then
			FILES+=("$ST_ROOT/build/$name")
		elif command -v "$name" >/dev/null; then
			FILES+=("$(command -v "$name")")
		fi ;;
	esac
	[ ${#FILES[@]} -eq 0 ] || ls "${FILES[@]}" >/dev/null || exit 2
}

# The job reaches the guest as a second archive after the image.
job_image() {
	mkdir -p "$TMP/image/job"
	printf '%s\n' "N=$N" "PACED=$PACED" "PACE=$PACE" "CONNS=$CONNS" "RUNS=$RUNS" "SERVER=$SERVER" WARM=2000 \
		SETTLE=3 DRAIN=7 >"$TMP/image/job/settings"
	printf '%s' "$CMD" >"$TMP/image/job/cmd"
	{ cat "$1" && cd "$TMP/image" && find job | cpio -o -H newc --quiet; } >"$TMP/initrd"
}

# boot SERIES: shift=0 makes one instruction one nanosecond, and the guest is
# told that its TSC runs at 1 GHz; a CPU without fancy features, a clock that does
# not start at the host's time and no network keep two boots alike.
boot() {
	local dir
	dir=$(st_kernel_dir "$1")
	timeout --kill-after=5 "$TIMEOUT" qemu-system-x86_64 \
		-machine q35 -accel tcg -cpu Nehalem -smp 1 -m 2048 \
		-icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm \
		-nodefaults -no-user-config -display none -no-reboot -net none -serial stdio \
		-kernel "$dir/vmlinuz" -initrd "$TMP/initrd" \
		-append "console=ttyS0 quiet panic=-1 tsc=reliable clocksource=tsc \
tsc_early_khz=1000000 mitigations=off nokaslr random.trust_cpu=on" \
		</dev/null 2>&1 >"$TMP/console" 9>&- &
	QEMU=$!
	wait "$QEMU"
	QEMU=
}

finish() {
	st_stop "$QEMU"
	rm -rf "$TMP"
}

run_kernel() {
	local log=$BUILD/$1.log
	st_kernel_require "$1"
	boot "$1"
	tr -d '\r' <"$TMP/console" >"$log"
	sed -n -E '/^LOG [^e]/,/^LOG end/d; s/^(BASE|BASEPACED|TRACED|PACED|IDLE|MEM|NOTE) /&/p' "$log" |
		sed "s/^/$1 /" | tee -a "$TMP/lines"
	if [ -n "$LOG" ] || grep -q '^NOTE tracer=' "$log"; then
		sed -n '/^LOG [^e]/,/^LOG end/p' "$log"
	fi
	grep -q '^NOTE end=1' "$log" && return
	st_say "$1: the machine did not finish; its last words:"
	tail -n 20 "$log" >&2
	return 1
}

parse "$@"
st_need qemu-system-x86_64 qemu-system-x86
st_need cpio cpio
tracer_file
st_vm_lock
TMP=$(mktemp -dt spantap-icount.XXXXXX) || exit 1
trap finish EXIT
trap 'exit 143' INT TERM HUP
export SERVER
IMAGE=$("$HERE/image.sh" "$BUILD" "${FILES[@]}") || exit $?
job_image "$IMAGE" || exit 1
FAILED=0
for kernel in "${KERNELS[@]}"; do
	run_kernel "$kernel" || FAILED=1
done
awk -v cmd="$CMD" -v server="$SERVER" -v conns="$CONNS" -v check="$CHECK" \
	-f "$HERE/summary.awk" "$HERE/budgets.txt" "$TMP/lines" || FAILED=1
exit $FAILED
