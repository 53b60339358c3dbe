#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# timing.sh SECONDS: the same load while the kernel alone times the requests (`-o none`). Its histograms are far fewer
# than the processes that come and go: the counts by service must be those of the load all the same.
set -u
NAME=timing
SECONDS_ALL=${1:?seconds}
. "$(dirname "$0")/lib.sh"

# timed SERVICE ROLE: its requests in the table
timed() {
	awk -v s="$1" -v r="$2" -v p="$PORT" '$1 == s && $2 == r && $3 == p { gsub(",", "", $5); n += $5 }
		END { print n + 0 }' "$DIR/spantap.err"
}

prepare
start_tracer --port "$PORT" -o none
load
stop_tracer
verdicts_of_memory
verdict "nothing is lost" "${LOST:-unknown} lost" test "${LOST:-x}" = 0
for who in "nginx server" "churn client"; do
	# shellcheck disable=SC2086 # two words
	n=$(timed $who)
	verdict "$who" "$n timed; $(cat "$DIR/churn.out")" test "$n" = "$REQUESTS"
done
# Under which name, or cause of loss, are those that are missing?
[ "$status" = 0 ] || sed 's/^/# /' "$DIR/spantap.err"
exit $status
