#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What tracing costs a server at full load: wrk against nginx with a 1 KiB file, both cores full, runs with and
# without the tracer in turn, each traced one against its two neighbours, medians. First `-p -o none`, then
# `-p -o otlp` with the CPU of the tracer and of the receiver.
#
# usage: throughput.sh [OPTION]...
#   --pairs N          pairs of runs for each output (25)
#   --seconds N        each run (2)
#   --conns N          wrk's connections (64)
#   --receiver WHICH   sink, which counts spans and nothing else, or otelcol (sink)
#   --output WHICH     none or otlp alone (both)
#   --spantap FILE     the tracer (build/spantap)
#   --check            exit 1 when the median loss with `none` is above 8 %
#
# Needs root, nginx and wrk; 77 without. Ports are free ones of loopback, files are in a folder of its own.
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
PAIRS=25 SECONDS_EACH=2 CONNS=64 RECEIVER=sink OUTPUTS='none otlp' CHECK=
SPANTAP=$ROOT/build/spantap
LOSS_MAX=8
PATH=$PATH:/usr/sbin:/sbin
started=()

die() { echo "throughput: $2" >&2; exit "$1"; }

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--pairs) PAIRS=$2; shift ;;
		--seconds) SECONDS_EACH=$2; shift ;;
		--conns) CONNS=$2; shift ;;
		--receiver) RECEIVER=$2; shift ;;
		--output) OUTPUTS=$2; shift ;;
		--spantap) SPANTAP=$(realpath "$2"); shift ;;
		--check) CHECK=1 ;;
		-h | --help) sed -n '4,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		*) die 2 "unknown option $1" ;;
		esac
		shift
	done
	[ "$(id -u)" = 0 ] || die 77 "skipped: needs root"
	for tool in nginx wrk ss; do
		command -v $tool >/dev/null || die 77 "skipped: $tool is missing (sudo make test-deps)"
	done
	[ -x "$SPANTAP" ] || die 1 "$SPANTAP is not there: make builds it"
}

# Ends what was started here, by its id, and waits for it.
end() {
	[ -n "${1:-}" ] || return 0
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

finish() {
	local pid
	for pid in "${started[@]}"; do
		end "$pid"
	done
	rm -rf "$DIR"
}

free_port() {
	local port
	for port in $(shuf -i 20000-30000 -n 50); do
		[ -n "$(ss -Htln "sport = :$port")" ] || { echo "$port"; return; }
	done
	die 1 "no free port"
}

listening() {
	local _
	for _ in $(seq 100); do
		[ -z "$(ss -Htln "sport = :$1")" ] || return 0
		sleep 0.1
	done
	die 1 "nothing listens at port $1: $(tail -n 3 "$2")"
}

start_nginx() {
	PORT=$(free_port)
	mkdir "$DIR/www"
	head -c 1024 /dev/zero | tr '\0' x >"$DIR/www/1k.txt"
	cat >"$DIR/nginx.conf" <<-END
		daemon off;
		worker_processes auto;
		pid $DIR/nginx.pid;
		error_log $DIR/nginx.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			sendfile on;
			keepalive_requests 1000000000;
			open_file_cache max=16;
			client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy; fastcgi_temp_path $DIR/fastcgi;
			uwsgi_temp_path $DIR/uwsgi; scgi_temp_path $DIR/scgi;
			server { listen 127.0.0.1:$PORT; root $DIR/www; }
		}
	END
	chmod -R a+rX "$DIR"
	nginx -c "$DIR/nginx.conf" >"$DIR/nginx.log" 2>&1 &
	NGINX=$!
	started+=("$NGINX")
	listening "$PORT" "$DIR/nginx.log"
}

start_sink() {
	gcc -O2 -o "$DIR/sink" "$ROOT/tests/bench/icount/sink.c" || die 1 "the sink does not compile"
	"$DIR/sink" "$RECEIVER_PORT" /1k.txt >"$DIR/receiver.log" 2>&1 &
}

start_otelcol() {
	local program
	program=$("$ROOT/tests/parts/otelcol/build.sh") || die 77 "skipped: no collector"
	cat >"$DIR/otelcol.yaml" <<-END
		receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:$RECEIVER_PORT"}}}}
		exporters: {debug: {verbosity: basic}}
		service:
		  telemetry: {metrics: {level: none}}
		  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
	END
	"$program" --config "$DIR/otelcol.yaml" >"$DIR/receiver.log" 2>&1 &
}

start_receiver() {
	RECEIVER_PORT=$(free_port)
	start_"$RECEIVER"
	RECEIVER_PID=$!
	started+=("$RECEIVER_PID")
	listening "$RECEIVER_PORT" "$DIR/receiver.log"
}

# cpu_ticks PID: user and system, in hundredths of a second.
cpu_ticks() { [ -z "$1" ] && echo 0 || awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# After a rest, with and without the tracer: what its start and its end leave to be done is not this row's.
load() {
	sleep 1
	wrk -t2 -c"$CONNS" -d"${SECONDS_EACH}s" "http://127.0.0.1:$PORT/1k.txt" >"$DIR/wrk" || die 1 "wrk failed"
	grep -q 'Socket errors\|Non-2xx' "$DIR/wrk" && die 1 "failed requests: $(cat "$DIR/wrk")"
	awk '/^Requests\/sec/ { print $2 }' "$DIR/wrk"
}

# traced OUTPUT: RATE, and the CPU of tracer and receiver during the load in TRACER_CPU, RECEIVER_CPU (% of a core)
traced() {
	local output=$1 _ before_t before_r receiver=
	[ "$output" != otlp ] || { output=otlp:http://127.0.0.1:$RECEIVER_PORT; receiver=$RECEIVER_PID; }
	"$SPANTAP" -p "$NGINX" -o "$output" >"$DIR/spantap.out" 2>"$DIR/spantap.err" &
	TRACER=$!
	started+=("$TRACER")
	for _ in $(seq 100); do
		grep -q 'hooks:' "$DIR/spantap.err" && break
		kill -0 $TRACER 2>/dev/null || die 1 "the tracer ended: $(cat "$DIR/spantap.err")"
		sleep 0.1
	done
	before_t=$(cpu_ticks $TRACER) before_r=$(cpu_ticks "$receiver")
	RATE=$(load) || exit 1
	TRACER_CPU=$((($(cpu_ticks $TRACER) - before_t) / SECONDS_EACH))
	RECEIVER_CPU=$((($(cpu_ticks "$receiver") - before_r) / SECONDS_EACH))
	kill -INT $TRACER
	wait $TRACER || die 1 "the tracer failed: $(cat "$DIR/spantap.err")"
	unset 'started[-1]'
	LAST=$(tail -n 1 "$DIR/spantap.err")
}

# median COLUMN of stdin
column() { awk -v c="$1" '{ print $c }' | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
extreme() { awk -v c="$1" '{ print $c }' | sort -g | sed -n "$2p"; }

# pairs OUTPUT: one line a traced run: rate of the untraced ones before and behind it (their mean, in which drift of the
# machine cancels), rate with, loss in %, CPU of tracer, CPU of receiver, by how many % the two differ
pairs() {
	local _ before after
	before=$(load) || exit 1
	for _ in $(seq "$PAIRS"); do
		traced "$1"
		after=$(load) || exit 1
		awk -v b="$before" -v a="$after" -v t="$RATE" -v tc="$TRACER_CPU" -v rc="$RECEIVER_CPU" 'BEGIN {
			m = (b + a) / 2
			d = a > b ? a - b : b - a
			printf "%.0f %.0f %.2f %d %d %.2f\n", m, t, 100 * (1 - t / m), tc, rc, 100 * d / m
		}'
		before=$after
	done >"$DIR/pairs"
}

report() {
	local output=$1 loss
	pairs "$output" || exit 1
	loss=$(column 3 <"$DIR/pairs")
	printf 'throughput %-5s %6.0f requests/s untraced, %6.0f traced: loss %.1f %% (pairs %.1f to %.1f)' "$output" \
		"$(column 1 <"$DIR/pairs")" "$(column 2 <"$DIR/pairs")" "$loss" \
		"$(extreme 3 1 <"$DIR/pairs")" "$(extreme 3 '$' <"$DIR/pairs")"
	printf '; tracer %.0f %% of a core' "$(column 4 <"$DIR/pairs")"
	[ "$output" = none ] || printf ', %s %.0f %%' "$RECEIVER" "$(column 5 <"$DIR/pairs")"
	printf '\n  untraced runs differ by %.1f %% from one to the next (median)\n  last run: %s\n' \
		"$(column 6 <"$DIR/pairs")" "$LAST"
	[ "$output" != none ] || awk -v l="$loss" -v m=$LOSS_MAX 'BEGIN { exit !(l > m) }' || return 0
	[ "$output" = none ] || return 0
	echo "  more than $LOSS_MAX %"
	[ -z "$CHECK" ] || exit 1
}

parse "$@"
DIR=$(mktemp -dt spantap-throughput.XXXXXX) || exit 1
trap finish EXIT
trap 'exit 130' INT TERM HUP
start_nginx
[ "$OUTPUTS" = none ] || start_receiver
echo "throughput: $PAIRS pairs of $SECONDS_EACH s, $CONNS connections, $(nproc) processors, $(uname -r)"
for output in $OUTPUTS; do
	report "$output"
done
