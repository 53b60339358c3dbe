# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# For the soaks, which source it and set SECONDS_ALL: a server, a load of processes and connections that come and go,
# samples of the tracer's memory while it lasts, and what is concluded from them. Each prints one `ok`, `not ok` or
# `skip` line a verdict and ends with $status.
#
# Resident memory counts without the rings: their pages are mapped twice, and are maps.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SPANTAP=${SPANTAP:-$ROOT/build/spantap}
RSS_MAX_KB=$((20 * 1024))
GROWTH_MAX_KB=512
MAPS_MAX_MIB=16
KEPT=1000
PATH=$PATH:/usr/sbin:/sbin
NAME=${NAME:?the name of the soak}
started=()
status=0

skip() { echo "skip soak $NAME ($1)"; exit 77; }
die() { echo "not ok soak $NAME ($1)"; exit 1; }

# verdict NAME DETAIL COMMAND [ARG]...
verdict() {
	local name=$1 detail=$2
	shift 2
	if "$@"; then
		echo "ok soak $NAME: $name ($detail)"
	else
		echo "not ok soak $NAME: $name ($detail)"
		status=1
	fi
}

finish() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$DIR"
}

free_port() {
	local port
	for port in $(shuf -i 20000-30000 -n 50); do
		[ -n "$(ss -Htln "sport = :$port")" ] || { echo "$port"; return; }
	done
}

# wait_for SECONDS COMMAND [ARG]...
wait_for() {
	local _ limit=$1
	shift
	for _ in $(seq $((limit * 10))); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

listens() { [ -n "$(ss -Htln "sport = :$1")" ]; }

start_server() {
	PORT=$(free_port)
	mkdir "$DIR/www"
	head -c 1024 /dev/zero | tr '\0' x >"$DIR/www/1k.txt"
	cat >"$DIR/nginx.conf" <<-END
		daemon off;
		worker_processes 1;
		pid $DIR/nginx.pid;
		error_log $DIR/nginx.log;
		events { worker_connections 8192; }
		http {
			access_log off;
			keepalive_timeout 3600;
			keepalive_requests 1000000000;
			client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy; fastcgi_temp_path $DIR/fastcgi;
			uwsgi_temp_path $DIR/uwsgi; scgi_temp_path $DIR/scgi;
			server { listen 127.0.0.1:$PORT backlog=4096; root $DIR/www; }
		}
	END
	chmod -R a+rX "$DIR"
	nginx -c "$DIR/nginx.conf" >"$DIR/nginx.out" 2>&1 &
	started+=($!)
	wait_for 10 listens "$PORT" || die "nginx: $(tail -n 1 "$DIR/nginx.out")"
}

# compile PROGRAM SOURCE
compile() { gcc -O2 -o "$DIR/$1" "$ROOT/$2" || die "$2 does not compile"; }

prepare() {
	local tool
	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in nginx ss gcc; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	DIR=$(mktemp -dt spantap-soak.XXXXXX) || exit 1
	trap finish EXIT
	trap 'exit 130' INT TERM HUP
	compile churn tests/soak/churn.c
	start_server
}

# start_tracer [ARG]...
start_tracer() {
	"$SPANTAP" "$@" >"$DIR/spantap.out" 2>"$DIR/spantap.err" &
	TRACER=$!
	started+=("$TRACER")
	wait_for 10 grep -q 'hooks:' "$DIR/spantap.err" || die "the tracer: $(tail -n 1 "$DIR/spantap.err")"
}

# Resident KiB without the maps' pages; how many descriptors.
sample() {
	local rss fds
	rss=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { map = /bpf-map|bpf_map/ } /^Rss:/ && !map { kb += $2 } END { print kb + 0 }' \
		"/proc/$TRACER/smaps")
	fds=$(find "/proc/$TRACER/fd" -type l 2>/dev/null | wc -l)
	echo "$rss $fds"
}

# While that process lasts.
watch() {
	while kill -0 "$1" 2>/dev/null; do
		sample >>"$DIR/samples"
		sleep 1
	done
}

# most COLUMN FROM TO: the largest of these parts (in percent) of the samples
most() {
	awk -v c="$1" -v from="$2" -v to="$3" '{ v[NR] = $c } END {
		for (i = 1; i <= NR; i++)
			if (i > NR * from / 100 && i <= NR * to / 100 && v[i] > m) m = v[i]
		print m + 0
	}' "$DIR/samples"
}

# 500 processes and 5,000 connections a second, to their end; REQUESTS: how many were made.
load() {
	local churn
	"$DIR/churn" "$PORT" "$SECONDS_ALL" 500 5000 $KEPT >"$DIR/churn.out" 2>&1 &
	churn=$!
	started+=("$churn")
	watch "$churn"
	wait "$churn" || die "the load failed: $(cat "$DIR/churn.out")"
	REQUESTS=$(sed -n 's/.*requests=\([0-9]*\).*/\1/p' "$DIR/churn.out")
}

# Ends the tracer; CLOSING: its last words, LOST: and what it lost, UNSEEN: what it may have.
stop_tracer() {
	kill -INT "$TRACER"
	wait "$TRACER" || die "the tracer failed: $(tail -n 3 "$DIR/spantap.err")"
	CLOSING=$(grep 'tracer .* maps ' "$DIR/spantap.err" | tail -n 1)
	UNSEEN=$(echo "$CLOSING" | grep -o ' (at most .* unseen)')
	LOST=$(echo "$CLOSING" | sed -n 's/.* \([0-9,]*\) lost.*/\1/p')
}

verdicts_of_memory() {
	local first second peak maps
	first=$(most 1 20 60) second=$(most 1 60 100) peak=$(most 1 0 100)
	maps=$(echo "$CLOSING" | sed -n 's/.*maps \([0-9.]*\) MiB.*/\1/p')
	verdict "memory is bounded" "$peak KiB at most, $((peak - second)) less at the end" \
		test "$peak" -gt 0 -a "$peak" -le $RSS_MAX_KB
	verdict "memory is flat" "$first KiB, later $second KiB, over $SECONDS_ALL s" \
		test "$second" -le $((first + GROWTH_MAX_KB))
	verdict "descriptors are flat" "$(most 2 20 60), later $(most 2 60 100)" \
		test "$(most 2 60 100)" -le $(($(most 2 20 60) + 2))
	verdict "maps are bounded" "${maps:-unknown} MiB" \
		awk -v m="${maps:-999}" -v max=$MAPS_MAX_MIB 'BEGIN { exit !(m + 0 <= max) }'
}
