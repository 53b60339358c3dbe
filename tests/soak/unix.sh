#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# unix.sh SECONDS: 5,000 Unix connections a second come and go, whose end no event tells: many times the slots that there
# are. A third of the time each with spans, with the timing alone, and with the hooks of last resort.
set -u
NAME=unix
SECONDS_ALL=${1:?seconds}
. "$(dirname "$0")/lib.sh"

# round TITLE OUTPUT [ARG]...: both ends of each connection are counted, and nothing is lost.
round() {
	local title=$1 seen requests
	shift
	start_tracer --comm pairs "$@"
	"$DIR/pairs" $(((SECONDS_ALL + 2) / 3)) 5000 >"$DIR/pairs.out" || die "the load failed: $(cat "$DIR/pairs.out")"
	stop_tracer
	requests=$(sed -n 's/.*requests=\([0-9]*\).*/\1/p' "$DIR/pairs.out")
	seen=$(echo "$CLOSING" | sed -n 's/.* \([0-9,]*\) \(spans\|requests timed\).*/\1/p' | tr -d ,)
	verdict "$title" "${seen:-none} of $((2 * requests)), ${LOST:-unknown} lost$UNSEEN" \
		test "${seen:-0}" = $((2 * requests)) -a "${LOST:-x}" = 0
}

prepare
compile pairs tests/soak/pairs.c
round "spans" -o file:"$DIR/spans.json"
rm -f "$DIR"/spans.json*
round "timing" -o none
round "last resort" -o file:"$DIR/spans.json" --rung syscalls
exit $status
