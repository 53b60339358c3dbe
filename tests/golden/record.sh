#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# record.sh [EXPRESSION]: runs the end-to-end tests (those that pytest's -k EXPRESSION chooses) and keeps what each
# tracer recorded as a golden case, e2e/TEST.rec.gz. record.sh --truth [CASE...]: the same of ../truth's cases, each a
# small run, truth/CASE.rec.gz. Recordings that are large or hold a path of this host are left
# out. Needs root: it runs in namespaces of its own, where the host has another name, id and place for the sources.
# Afterwards: run.sh --update, and a look at what the spans say.
set -eu
LIMIT_SZ=24576 # packed
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
PLACE=/srv/spantap

# CASE[+WAYS][:REQUESTS]; WAYS: of --propagate
TRUTH=(c_threads c_pairs c_pipelined python_threads asyncio asyncio_pipelined aiohttp go go_pipelined node node_queued
	nginx_keep nginx_held chain:8 header_same cpp_pools:50 python_threads+option go+header)

# The host without its name, id and place of the sources.
hide() {
	hostname host
	echo 0123456789abcdef0123456789abcdef >"$TMP/machine-id"
	mount --bind "$TMP/machine-id" /etc/machine-id
	mkdir -p "$PLACE"
	mount --bind "$ROOT" "$PLACE"
	# Where it is a link, what it leads to has another place.
	if [ -L "$ROOT/.cache" ]; then
		mkdir -p "$PLACE.cache"
		mount --bind "$(realpath "$ROOT/.cache")" "$PLACE.cache"
		export SPANTAP_CACHE=$PLACE.cache/parts
	fi
	cd "$PLACE"
}

tests() {
	.cache/parts/venv/bin/python -m pytest tests/e2e -q -p no:cacheprovider --recordings "$TMP/rec" ${1:+-k "$1"} || true
}

cases() {
	local arg name ways

	for arg; do
		name=${arg%:*}
		[ "$name" != "$arg" ] || arg=:40
		ways=${name#"${name%%+*}"} name=${name%%+*}
		# So few requests may be less than a rung needs to learn from: recall does not matter here.
		timeout 120 tests/truth/run.py "$name" --requests "${arg##*:}" --clients 6 --record "$TMP/rec/$name$ways.rec" \
			${ways:+--propagate "${ways#+}"} || true
	done
}

# keep FOLDER
keep() {
	local rec name
	for rec in "$TMP"/rec/*.rec; do
		[ -e "$rec" ] || continue
		name=$(basename "$rec" .rec | tr -c 'A-Za-z0-9\n' -)
		gzip -n -9 <"$rec" >"$TMP/packed"
		[ "$(stat -c %s "$TMP/packed")" -le $LIMIT_SZ ] || continue
		! grep -aq -e "$ROOT" -e "$(dirname "$(realpath -m "$ROOT/.cache")")" -e "${HOME:-/root}/" -e /home/ "$rec" || continue
		"$ROOT/build/spantap" replay "$rec" -o json 2>/dev/null | grep -q spanId || continue
		cp "$TMP/packed" "$HERE/$1/$name.rec.gz"
		echo "$name"
	done
}

if [ "${1:-}" = --inside ]; then
	TMP=$2
	shift 2
	hide
	"$@"
	exit
fi
what=(tests "$@") folder=e2e
if [ "${1:-}" = --truth ]; then
	shift
	[ $# -gt 0 ] || set -- "${TRUTH[@]}"
	what=(cases "$@") folder=truth
fi
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
mkdir -p "$TMP/rec" "$HERE/$folder"
chmod 755 "$TMP"
unshare --mount --uts "$0" --inside "$TMP" "${what[@]}"
keep "$folder"
