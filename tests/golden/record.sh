#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# record.sh [EXPRESSION]: runs the end-to-end tests (those that pytest's -k EXPRESSION chooses) and keeps what each
# tracer recorded as a golden case, e2e/TEST.rec.gz. Recordings that are large or hold a path of this host are left
# out. Needs root: it runs in namespaces of its own, where the host has another name, id and place for the sources.
# Afterwards: run.sh --update, and a look at what the spans say.
set -eu
LIMIT_SZ=24576 # packed
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
PLACE=/srv/spantap

inside() {
	hostname host
	echo 0123456789abcdef0123456789abcdef >"$TMP/machine-id"
	mount --bind "$TMP/machine-id" /etc/machine-id
	mkdir -p "$PLACE"
	mount --bind "$ROOT" "$PLACE"
	cd "$PLACE"
	.cache/parts/venv/bin/python -m pytest tests/e2e -q -p no:cacheprovider --recordings "$TMP/rec" ${1:+-k "$1"} || true
}

keep() {
	local rec name
	for rec in "$TMP"/rec/*.rec; do
		name=$(basename "$rec" .rec | tr -c 'A-Za-z0-9\n' -)
		gzip -n -9 <"$rec" >"$TMP/packed"
		[ "$(stat -c %s "$TMP/packed")" -le $LIMIT_SZ ] || continue
		! grep -aq -e "$ROOT" -e "${HOME:-/root}/" -e /home/ "$rec" || continue
		"$ROOT/build/spantap" replay "$rec" -o json 2>/dev/null | grep -q spanId || continue
		cp "$TMP/packed" "$HERE/e2e/$name.rec.gz"
		echo "$name"
	done
}

if [ "${1:-}" = --inside ]; then
	TMP=$2
	shift 2
	inside "$@"
	exit
fi
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
mkdir -p "$TMP/rec" "$HERE/e2e"
chmod 755 "$TMP"
unshare --mount --uts "$0" --inside "$TMP" "$@"
keep
