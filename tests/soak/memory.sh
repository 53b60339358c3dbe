#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# memory.sh SECONDS: the tracer of a host where 500 processes and 5,000 connections a second come and go and 1,000
# connections stay. Its memory must stay below its bound and be flat, its BPF maps below theirs, its descriptors
# where they were, and each request must have its two spans: one of the server, one of the client.
set -u
NAME=memory
SECONDS_ALL=${1:?seconds}
. "$(dirname "$0")/lib.sh"

start_receiver() {
	SINK_PORT=$(free_port)
	"$DIR/sink" "$SINK_PORT" /1k.txt >"$DIR/sink.out" 2>&1 &
	started+=($!)
	wait_for 10 listens "$SINK_PORT" || die "the receiver: $(tail -n 1 "$DIR/sink.out")"
}

prepare
compile sink tests/bench/icount/sink.c
start_receiver
start_tracer --port "$PORT" -o "otlp:http://127.0.0.1:$SINK_PORT"
load
stop_tracer
verdicts_of_memory
spans=$(echo "$CLOSING" | sed -n 's/.* \([0-9,]*\) spans.*/\1/p' | tr -d ,)
verdict "nothing is lost" "${LOST:-unknown} lost$UNSEEN, ${spans:-no} spans; $(cat "$DIR/churn.out")" \
	test "${LOST:-x}$UNSEEN" = 0 -a "${spans:-0}" = $((2 * REQUESTS))
incomplete=$(sed -n 's/.* \([0-9,]*\) spans incomplete.*/\1/p' "$DIR/spantap.err" | tail -n 1)
verdict "all spans are whole" "${incomplete:-0} incomplete" test "${incomplete:-0}" = 0
exit $status
