#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Does each rung of the ladder work on this kernel? Runs in the guest (or on any
# host) as root: an nginx of its own, 20 requests, 20 SERVER spans.
#
# usage: smoke.sh SPANTAP HOOKS_DIR [RUNG]...
# prints `ok NAME`, `not ok NAME (reason)` or `skip NAME (reason)` for `check`,
# for each rung, and for `uring`, `splice` and `propagate`; what explains a failure goes to stderr.
#
# What the kernel allows is asked of HOOKS_DIR/hooks, not of spantap: a rung that
# spantap refuses although its hooks attach is a failure, not a skip.

SPANTAP=${1:?usage: smoke.sh SPANTAP HOOKS_DIR [RUNG]...}
HOOKS=${2:?usage: smoke.sh SPANTAP HOOKS_DIR [RUNG]...}
shift 2
RUNGS=("$@")
[ ${#RUNGS[@]} -gt 0 ] || RUNGS=(tracepoints fentry kprobe syscalls)
PORT=${ST_SMOKE_PORT:-18380}
URL=http://127.0.0.1:$PORT
TRACER=

declare -A NEEDS=(
	[tracepoints]='tp_tcp_sendmsg tp_send_length tp_recv_length'
	[fentry]='fentry_sendmsg fexit_recvmsg'
	[kprobe]='kprobe_sendmsg kprobe_cleanup'
	[syscalls]='sys_enter sys_exit'
)

finish() {
	[ -z "$TRACER" ] || kill -KILL "$TRACER"
	[ ! -s "$TMP/nginx.pid" ] || kill "$(cat "$TMP/nginx.pid")"
	rm -rf "$TMP"
} 2>/dev/null

start_nginx() {
	cat >"$TMP/nginx.conf" <<-CONF
		user root;
		pid $TMP/nginx.pid;
		error_log $TMP/nginx.err;
		worker_processes 1;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $TMP/body;
			server {
				listen 127.0.0.1:$PORT;
				location / { return 200 "you asked for \$uri\n"; }
				location /told/ { return 200 "told \$http_traceparent\n"; }
			}
		}
	CONF
	nginx -c "$TMP/nginx.conf" 2>"$TMP/nginx.start" || return
	NGINX=$(cat "$TMP/nginx.pid")
}

# ask_old N: one request on the connection that was there before the tracer.
ask_old() {
	local line
	printf 'GET /smoke/%d HTTP/1.1\r\nHost: smoke\r\n\r\n' "$1" >&5
	while read -r -t 20 line <&5; do
		[ "$line" = "you asked for /smoke/$1" ] && return
	done
	return 1
}

# ask FIRST LAST [CURL ARGUMENT]...
ask() {
	local first=$1 last=$2
	shift 2
	curl -sS --max-time 60 "$@" "$URL/smoke/[$first-$last]"
}

# 20 requests: an older connection, a kept one, and one connection each.
requests() {
	local n
	for n in 1 2 3 4 5; do
		ask_old "$n" || return
	done
	ask 6 13 >"$TMP/answers" && ask 14 20 -H 'Connection: close' >>"$TMP/answers" &&
		[ "$(grep -c '^you asked for /smoke/' "$TMP/answers")" = 15 ]
}

# spans FILE: the url.path of each SERVER span (kind 2 in OTLP), sorted.
spans() {
	jq -r '.resourceSpans[]?.scopeSpans[]?.spans[]? | select(.kind == 2)
		| .attributes[]? | select(.key == "url.path") | .value.stringValue' "$1" |
		grep '^/smoke/' | sort -V
}

programs() { bpftool -j prog show 2>/dev/null | jq length; }

# gone N: the kernel frees programs a moment after the last reference.
gone() {
	for _ in {1..50}; do
		[ "$(programs)" -le "$1" ] && return
		sleep 0.1
	done
	return 1
}

# started: true once it says what it uses, false when it ended instead.
started() {
	for _ in {1..300}; do
		grep -q 'hooks' "$TMP/err" && return
		kill -0 "$TRACER" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# stop_tracer: its exit code; 20 s to flush. TERM, as bash has its children ignore INT.
stop_tracer() {
	local rc
	kill -TERM "$TRACER" 2>/dev/null
	for _ in {1..200}; do
		kill -0 "$TRACER" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$TRACER" 2>/dev/null
	wait "$TRACER"
	rc=$?
	TRACER=
	return $rc
}

explain() { sed "s/^/# $1: /" "$TMP/err" | tail -n 40 >&2; }

bad() {
	echo "not ok $1 ($2)"
	explain "$1"
}

# missing RUNG: why this kernel cannot have it; nothing when it can.
missing() {
	local hook
	for hook in ${NEEDS[$1]}; do
		awk -v hook="$hook" '$1 == hook && $3 != "yes" {
			sub(/^[^ ]+ /, ""); sub(/ no /, ": "); print; exit }' "$TMP/hooks"
	done | head -n 1
}

# A rung that this kernel cannot have is refused in one line that names it.
refused() {
	local reason
	reason=$(missing "$1")
	if [ -n "$reason" ] && [ "$(wc -l <"$TMP/err")" = 1 ] && grep -q -e "--rung $1: " "$TMP/err"; then
		echo "ok $1 is refused ($reason)"
	else
		bad "$1" "refused, although its hooks attach: $(tail -n 1 "$TMP/err")"
	fi
}

try_rung() {
	local before seen rc
	before=$(programs)
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	ask_old 0 || { bad "$1" "nginx does not answer"; return; }
	"$SPANTAP" --rung "$1" -p "$NGINX" -o json >"$TMP/out" 2>"$TMP/err" 5>&- &
	TRACER=$!
	started || { stop_tracer; bad "$1" "says nothing for 30 s"; return; }
	if ! kill -0 "$TRACER" 2>/dev/null; then
		stop_tracer
		refused "$1"
		return
	fi
	requests || { stop_tracer; bad "$1" "a traced request failed"; return; }
	exec 5>&-
	stop_tracer
	rc=$?
	[ $rc = 0 ] || { bad "$1" "exit code $rc"; return; }
	spans "$TMP/out" >"$TMP/seen" || { bad "$1" "its output is no JSON"; return; }
	if ! cmp -s "$TMP/seen" <(seq -f '/smoke/%g' 1 20); then
		seen=$(sort -u "$TMP/seen" | wc -l)
		bad "$1" "$(wc -l <"$TMP/seen") SERVER spans for $seen of 20 requests"
		return
	fi
	gone "$before" || { bad "$1" "programs stay loaded"; return; }
	echo "ok $1"
}

try_check() {
	if ! "$SPANTAP" check --json >"$TMP/out" 2>"$TMP/err"; then
		bad check "exit code $?"
	elif ! jq -e 'type == "object"' "$TMP/out" >/dev/null 2>>"$TMP/err"; then
		bad check "its output is no JSON object"
	else
		echo "ok check"
	fi
}

# serve PORT COMMAND...: a server in the background, when it listens; found without connecting.
serve() {
	local at
	at=":$(printf %04X "$1") 00000000:0000 0A "
	shift
	"$@" 2>"$TMP/server.err" &
	SERVER=$!
	for _ in {1..100}; do
		grep -q "$at" /proc/net/tcp && return
		kill -0 $SERVER 2>/dev/null || return
		sleep 0.1
	done
	return 1
}

end_server() {
	kill "$SERVER" 2>/dev/null
	wait "$SERVER" 2>/dev/null
}

# trace WHO...: a tracer by the best hooks of this kernel.
trace() {
	: >"$TMP/err"
	"$SPANTAP" "$@" -o json >"$TMP/out" 2>"$TMP/err" &
	TRACER=$!
	started && kill -0 "$TRACER" 2>/dev/null
}

# Both ends receive by io_uring, one buffer and several.
try_uring() {
	local way failed=
	trace --port $((PORT + 1)) || { stop_tracer; bad uring "does not attach"; return; }
	for way in recv readv; do
		serve $((PORT + 1)) "$HOOKS/uring" $way serve $((PORT + 1))
		"$HOOKS/uring" $way get $((PORT + 1)) /smoke/{1..3}/$way || failed=$?
		end_server
	done
	stop_tracer
	if [ -n "$failed" ]; then
		[ "$failed" = 77 ] && echo 'skip uring (this kernel refuses it)' || bad uring "a request failed"
	elif [ "$(spans "$TMP/out" | sort -u | wc -l)" != 6 ] || ! grep -q ' 12 spans, 0 lost' "$TMP/err"; then
		bad uring "$(grep -o '[0-9]* requests, .* lost' "$TMP/err") for 12 requests"
	else
		echo 'ok uring'
	fi
}

# A proxy that splices both ways: nothing can be read, and all of it is counted, in and out.
try_splice() {
	local origin
	serve $((PORT + 2)) "$HOOKS/calls" read write serve $((PORT + 2))
	origin=$SERVER
	serve $((PORT + 1)) "$HOOKS/calls" - - proxy $((PORT + 1)) $((PORT + 2))
	trace -p $SERVER || { stop_tracer; bad splice "does not attach"; return; }
	"$HOOKS/calls" read write get $((PORT + 1)) /smoke/{1..5} || bad splice "a request failed"
	stop_tracer
	end_server
	kill "$origin"
	if grep -q 'at most 10 more unseen' "$TMP/err"; then
		echo 'ok splice'
	else
		bad splice "$(grep -o '[0-9]* requests, .* lost[^;]*' "$TMP/err") for 10 requests"
	fi
}

# A client's requests tell whose they are, and come to no harm; or this kernel cannot, which is said in a line.
try_propagate() {
	local told
	trace --comm curl --propagate=header,option || {
		stop_tracer
		if [ "$(wc -l <"$TMP/err")" = 1 ] && grep -q '^spantap: --propagate: ' "$TMP/err"; then
			echo "ok propagate is refused ($(sed 's/^spantap: --propagate: //' "$TMP/err"))"
		else
			bad propagate "does not attach"
		fi
		return
	}
	for _ in 1 2 3 4 5; do
		curl -sS --max-time 20 "$URL/told/x"
	done >"$TMP/answers" || { stop_tracer; bad propagate "a request failed"; return; }
	stop_tracer
	told=$(grep -cE '^told 00-[0-9a-f]{32}-[0-9a-f]{16}-01$' "$TMP/answers")
	if [ "$told" = 5 ] && grep -q 'options sent: 5$' "$TMP/err" && grep -q 'options received: 5$' "$TMP/err"; then
		echo "ok propagate$(grep -q FIONREAD "$TMP/err" && echo ' (unread bytes are hidden)')"
	else
		bad propagate "$told of 5 requests had the header; $(grep -o 'options.*' "$TMP/err" | tr '\n' ' ')"
	fi
}

for tool in nginx curl jq bpftool; do
	command -v "$tool" >/dev/null || { echo "skip check ($tool is missing)"; exit 77; }
done
TMP=$(mktemp -dt spantap-smoke.XXXXXX) || exit 1
trap finish EXIT
"$HOOKS/hooks" "$HOOKS/hooks.bpf.o" >"$TMP/hooks" || exit 1
[ ! -x "$SPANTAP" ] || try_check
start_nginx || { cat "$TMP/nginx.start" >&2; exit 1; }
for rung in "${RUNGS[@]}"; do
	if [ -x "$SPANTAP" ]; then
		try_rung "$rung"
	elif [ -n "$(missing "$rung")" ]; then
		echo "skip $rung ($(missing "$rung"))"
	else
		echo "skip $rung (hooks attach; $SPANTAP is not built)"
	fi
done
[ ! -x "$SPANTAP" ] || try_uring
[ ! -x "$SPANTAP" ] || try_splice
[ ! -x "$SPANTAP" ] || try_propagate
