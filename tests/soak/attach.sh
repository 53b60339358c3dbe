#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# attach.sh SECONDS: tracers that begin and end, one after the other, in the middle of the load. Connections that are
# made while the hooks are being attached, and requests that are open then, must not be taken for losses.
set -u
NAME=attach
SECONDS_ALL=${1:?seconds}
. "$(dirname "$0")/lib.sh"

prepare
"$DIR/churn" "$PORT" "$SECONDS_ALL" 500 5000 $KEPT >"$DIR/churn.out" 2>&1 &
CHURN=$!
started+=("$CHURN")
rounds=0 lost=0 idle=0
while kill -0 $CHURN 2>/dev/null; do
	start_tracer --port "$PORT" -o file:"$DIR/spans.json"
	sleep 0.3
	kill -0 $CHURN 2>/dev/null || idle=-1
	stop_tracer
	rm -f "$DIR"/spans.json*
	rounds=$((rounds + 1))
	[ "${LOST:-x}$UNSEEN" = 0 ] || { lost=$((lost + 1)); echo "# $CLOSING"; }
	[ "$(echo "$CLOSING" | sed -n 's/.* \([0-9,]*\) spans.*/\1/p' | tr -d ,)" -gt 0 ] || idle=$((idle + 1))
done
wait $CHURN || die "the load failed: $(cat "$DIR/churn.out")"
verdict "nothing is lost" "in $lost of $rounds tracers" test $lost = 0 -a $rounds -gt 1
verdict "each sees the load" "but $((idle > 0 ? idle : 0)) of $rounds" test $idle -le 0
exit $status
