#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# bench.sh PROGRAM...: each program (a bench of the core), then each tests/bench/*.sh. What cannot run here says why.
# Exits 1 when one failed.
set -u
cd "$(dirname "$0")/.." || exit 1

status=0
for bench in "$@" tests/bench/*.sh; do
	[ -x "$bench" ] || continue
	echo "== ${bench##*/}"
	"$bench"
	case $? in
	0 | 77) ;;
	*) echo "$bench failed" >&2; status=1 ;;
	esac
done
exit $status
