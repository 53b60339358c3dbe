#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Replays each recording, NAME.rec.gz (in e2e/ those of end-to-end tests, in truth/ those of ../truth's cases, made by
# record.sh), twice: both must give the same bytes, and those of NAME.json.gz (but for spantap's own version). In truth/
# every parent must be right as well, whatever was there before. Broken recordings must say where. No root
# needed.
#
# run.sh            one line a check, then `N passed, N failed, N skipped`
# run.sh --update   writes what the replays give now: look at the difference before it is committed
set -u
cd "$(dirname "$0")" || exit 1

SPANTAP=${SPANTAP:-../../build/spantap}
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
passed=0 failed=0 skipped=0

# The environment of whoever runs this must not show.
unset "${!OTEL_@}"

ok() {
	echo "ok golden $1"
	passed=$((passed + 1))
}

not_ok() {
	echo "not ok golden $1"
	failed=$((failed + 1))
}

# replay FILE: its spans, one a line
replay() {
	"$SPANTAP" replay "$1" -o json 2>"$TMP/err" |
		sed 's/"scope":{"name":"spantap","version":"[^"]*"}/"scope":{"name":"spantap","version":"-"}/g'
	return "${PIPESTATUS[0]}"
}

# same NAME: a replay and a second one
same() {
	gzip -dc "$1.rec.gz" >"$TMP/rec"
	if ! replay "$TMP/rec" >"$TMP/1" || ! replay "$TMP/rec" >"$TMP/2"; then
		sed 's/^/# /' "$TMP/err"
		not_ok "$1 (the replay failed)"
		return 1
	fi
	cmp -s "$TMP/1" "$TMP/2" && return
	not_ok "$1 (two replays differ)"
	return 1
}

# check NAME: against what is kept
check() {
	same "$1" || return
	if gzip -dc "$1.json.gz" | cmp -s - "$TMP/1"; then
		ok "$1 ($(wc -l <"$TMP/1") spans)"
	else
		gzip -dc "$1.json.gz" | diff - "$TMP/1" | head -n 4 | cut -c 1-2000 | sed 's/^/# /'
		not_ok "$1 (not what it gave before)"
	fi
}

# truth NAME: the verdict on the spans that check left; NAME-0 and NAME-1 are of two tracers and judged together
truth() {
	local header=

	case $1 in
	*-0)
		cp "$TMP/1" "$TMP/first"
		return
		;;
	*-1) cat "$TMP/first" >>"$TMP/1" ;;
	esac

	[[ $1 != truth/header-* ]] || header=${1#truth/header-}
	if ../truth/check.py "$TMP/1" ${header:+"$header"} >"$TMP/verdict" 2>&1; then
		ok "$1: no parent is wrong ($(sed -n '$s/ evidence.*//; $s/ in{.*//p' "$TMP/verdict"))"
	else
		head -n 12 "$TMP/verdict" | cut -c 1-1000 | sed 's/^/# /'
		not_ok "$1: a parent is wrong"
	fi
}

# broken WHAT EXPECTED-EXIT PATTERN: $TMP/rec as it is now
broken() {
	local code=0

	replay "$TMP/rec" >"$TMP/1" || code=$?
	if [ $code -eq "$2" ] && grep -q "$3" "$TMP/err"; then
		ok "$1"
	else
		sed 's/^/# /' "$TMP/err"
		not_ok "$1"
	fi
}

if [ "${1:-}" = --update ]; then
	for rec in *.rec.gz e2e/*.rec.gz truth/*.rec.gz; do
		name=${rec%.rec.gz}
		same "$name" && gzip -n -9 <"$TMP/1" >"$name.json.gz" && echo "$name: $(wc -l <"$TMP/1") spans"
	done
	exit
fi

if [ ! -x "$SPANTAP" ]; then
	echo "ok golden # SKIP $SPANTAP is not built"
	skipped=1
else
	for rec in *.rec.gz e2e/*.rec.gz truth/*.rec.gz; do
		check "${rec%.rec.gz}"
		[[ $rec != truth/* ]] || truth "${rec%.rec.gz}"
	done
	gzip -dc node.rec.gz >"$TMP/whole"
	head -c 60000 "$TMP/whole" >"$TMP/rec"
	broken "a cut recording is read up to the cut" 0 'cut at byte [0-9]'
	{ head -c 30000 "$TMP/whole"; printf 'X'; tail -c +30002 "$TMP/whole"; } >"$TMP/rec"
	broken "a changed byte is noticed and its block named" 1 'broken at byte [0-9]'
	echo 'GIF89a' >"$TMP/rec"
	broken "another file is no recording" 1 'not a recording'
	: >"$TMP/rec"
	broken "an empty file is no recording" 1 'not a recording'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
