#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# losses.sh SECONDS: the same load, small rings, and a tracer that is held ever again: records are refused by the
# thousands, of connections as a whole too, and still spans and losses are the requests of both sides, to the one.
set -u
NAME=losses
SECONDS_ALL=${1:?seconds}
. "$(dirname "$0")/lib.sh"

number() { echo "$CLOSING" | sed -n "s/.* \([0-9,]*\) $1.*/\1/p" | tr -d ,; }

prepare
start_tracer --port "$PORT" -o file:"$DIR/spans.json" --ring-size 65536
"$DIR/churn" "$PORT" "$SECONDS_ALL" 500 5000 $KEPT >"$DIR/churn.out" 2>&1 &
CHURN=$!
started+=("$CHURN")
while kill -0 $CHURN 2>/dev/null; do
	sleep 0.4
	kill -STOP "$TRACER"
	sleep 0.1
	kill -CONT "$TRACER"
done
wait $CHURN || die "the load failed: $(cat "$DIR/churn.out")"
stop_tracer
REQUESTS=$(sed -n 's/.*requests=\([0-9]*\).*/\1/p' "$DIR/churn.out")
spans=$(number spans)
verdict "the balance closes" "$spans spans and $(number lost) lost of $((2 * REQUESTS))$UNSEEN" \
	test $((spans + $(number lost))) = $((2 * REQUESTS)) -a "$(number lost)" -gt 0
exit $status
