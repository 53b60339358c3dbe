# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Shared by the scripts of tests/vm and tests/bench/icount; sourced, not run.
# Sets ST_ROOT (the checkout), ST_VM_CACHE (kernels and what is built from them).

ST_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ST_VM_CACHE=${SPANTAP_CACHE:-$ST_ROOT/.cache}/vm
ST_VM_SERIES=(5.10 6.1 6.12 6.18 7.2)

st_say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
st_die() { st_say "$2"; exit "$1"; }

# A test that cannot run here says why and is counted as skipped.
st_skip() { st_die 77 "skipped: $*"; }

# st_need COMMAND PACKAGE: a missing tool is named with the package that has it.
st_need() {
	command -v "$1" >/dev/null || st_skip "$1 is missing (apt-get install $2)"
}

# Kernels are kept per series; `release` is written last, so it marks a whole one.
st_kernel_dir() { printf '%s/%s\n' "$ST_VM_CACHE" "$1"; }
st_kernel_present() { [ -s "$(st_kernel_dir "$1")/release" ]; }

# st_kernel_require SERIES: fetches it when absent; skips when that fails.
st_kernel_require() {
	st_kernel_present "$1" && return
	"$ST_ROOT/tests/vm/kernels.sh" "$1" >&2 || st_skip "no kernel of series $1"
}

# One machine at a time: two of them on two cores turn time-outs into failures.
# The lock is dropped when the caller ends; children must not inherit fd 9.
st_vm_lock() {
	mkdir -p "$ST_VM_CACHE"
	exec 9>"$ST_VM_CACHE/lock"
	flock -w "${1:-1800}" 9 || st_die 125 "another machine has been running for too long"
}

# st_stop PID: ends a child and waits for it, so that no process outlives us.
st_stop() {
	[ -n "$1" ] || return 0
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}
