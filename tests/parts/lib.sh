# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Shared by the build.sh of each part: a part is built once per content of its inputs, in a cache folder that
# git ignores, and its path is printed. Sourced, never run.

set -eu

parts_dir=$(cd "$(dirname "$0")/.." && pwd)
root_dir=$(cd "$parts_dir/../.." && pwd)
cache_dir=${SPANTAP_CACHE:-$root_dir/.cache/parts}

# The cache ignores itself, wherever SPANTAP_CACHE puts it.
mkdir -p "$cache_dir"
[ -e "$cache_dir/.gitignore" ] || echo '*' >"$cache_dir/.gitignore"

say() {
	echo "parts: $*" >&2
}

die() {
	say "$@"
	exit 1
}

# part_key FILE... : a short hash of the files' names and contents.
part_key() {
	for file in "$@"; do
		[ -r "$file" ] || die "$file: not readable"
	done
	sha256sum "$@" | sha256sum | cut -c1-16
}

# part_main NAME RESULT FILE... : prints the path of RESULT inside this part's cache entry, after calling
# `build DIR` to fill DIR when no entry for these FILEs exists. A half-built entry is never seen: it is
# renamed into place when it is whole. One builder at a time: a second one waits for the first.
part_main() {
	name=$1 result=$2
	shift 2
	cd "$parts_dir/$name"
	if [ -n "${PART_BUILD_INTO:-}" ]; then
		build "$PART_BUILD_INTO"
		return
	fi
	entry=$cache_dir/$name-$(part_key build.sh "$@")
	if [ ! -e "$entry/$result" ]; then
		exec 9>"$cache_dir/.lock"
		flock 9
		[ -e "$entry/$result" ] || part_build
	fi
	echo "$entry/$result"
}

part_build() {
	started=$(date +%s)
	say "building $name"
	rm -rf "$entry" "$entry.new"
	mkdir -p "$entry.new"
	# `set -e` is off inside a command that `||` follows, so build runs in a shell of its own.
	status=0
	build_shell "$entry.new" >"$cache_dir/$name.log" 2>&1 9>&- || status=$?
	[ $status = 0 ] || {
		tail -n 30 "$cache_dir/$name.log" >&2
		die "$name: build failed, the whole log is in $cache_dir/$name.log"
	}
	[ -e "$entry.new/$result" ] || die "$name: the build made no $result"
	mv "$entry.new" "$entry"
	say "built $name in $(($(date +%s) - started)) s"
}

# The part's script once more, this time to do the work: it sources this file, defines build, and calls part_main.
build_shell() {
	PART_BUILD_INTO=$1 bash "$parts_dir/$name/build.sh"
}

# go_tool : the path of a Go compiler that is new enough (1.24), PATH's or the test environment's own.
go_tool() {
	for go in "$(command -v go || true)" "$cache_dir/venv/bin/go"; do
		[ -x "$go" ] && go_new_enough "$go" && echo "$go" && return
	done
	die "no Go 1.24 or later; run tools/install-test-deps.sh"
}

go_new_enough() {
	minor=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	[ "${minor:-0}" -ge 24 ]
}

# go_build OUT PACKAGE : from the part's own folder, which is copied so that nothing is written into it.
# One package at a time and niced: these builds share small machines with other work.
go_build() {
	src=$(mktemp -d)
	cp -R . "$src"
	status=0
	(cd "$src" && GOFLAGS="-mod=mod -buildvcs=false" GOTOOLCHAIN=local CGO_ENABLED=0 \
		nice -n 10 "$(go_tool)" build -p 1 -trimpath -ldflags "-s -w ${GO_LDFLAGS:-}" -o "$1" "$2") || status=$?
	rm -rf "$src"
	return $status
}

# maven DIR GOAL... : in a copy of the part's folder DIR.
maven() {
	nice -n 10 mvn -q -B -f "$1/pom.xml" "${@:2}"
}
