#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# soak.sh SECONDS [FUZZER]...: the long runs, so long each: every tests/soak/*.sh, then the fuzzers over their kept
# corpus. Lines `ok`, `not ok`, `skip`; exits 1 when one is not ok.
set -u
cd "$(dirname "$0")/.." || exit 1

seconds=${1:?seconds}
shift
status=0
for soak in tests/soak/*.sh; do
	[ -x "$soak" ] || continue # what they share
	"$soak" "$seconds"
	case $? in
	0 | 77) ;;
	*) status=1 ;;
	esac
done
if [ $# -gt 0 ]; then
	tools/fuzz.sh --keep "$seconds" "$@" || status=1
fi
exit $status
