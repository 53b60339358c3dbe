#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Fetches Debian's cloud kernels, the newest of each series that the archive has.
#
# usage: kernels.sh [--refresh] [SERIES]...      (default: every series of lib.sh)
#
# A series that is there already is left alone unless --refresh is given. Mirrors
# are the machine's own; suites that it does not use (an older and a newer
# Debian) are read through a private apt state, so nothing of the system's
# changes. Prints one line per series; exits 1 when any of them is missing.

. "$(dirname "$0")/lib.sh"

REFRESH=
WANTED=()
APT_DIR=$ST_VM_CACHE/apt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT=(-qq
	-o "Dir::Etc::sourcelist=$APT_DIR/sources.list" -o Dir::Etc::sourceparts=/dev/null
	-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
	-o "Dir::State=$APT_DIR/state" -o "Dir::State::status=$APT_DIR/status"
	-o "Dir::Cache=$APT_DIR/cache" -o APT::Sandbox::User=root
	-o Acquire::Languages=none -o Acquire::Retries=3
	-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false)

# mirror_base CODENAME: where the machine's apt gets that suite from.
mirror_base() {
	apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$1" '$1 == suite { print $2; exit }'
}

# Suites by name, not by age: bullseye has 5.10, bookworm 6.1 and 6.12,
# trixie-backports what is newer.
write_sources() {
	local host main security opts
	host=$(. /etc/os-release && echo "$VERSION_CODENAME")
	main=$(mirror_base "$host")
	security=$(mirror_base "$host-security")
	[ -n "$main" ] || st_die 1 "no apt source for $host: Debian's archive is needed"
	[ -n "$security" ] || st_say "no apt source for $host-security: 5.10 cannot be had"
	# An archived suite's Release file expires; its signature does not.
	opts="[signed-by=$KEYRING check-valid-until=no]"
	{
		for suite in bookworm bookworm-updates trixie-backports; do
			echo "deb $opts $main $suite main"
		done
		for suite in ${security:+bullseye-security bookworm-security}; do
			echo "deb $opts $security $suite main"
		done
	} >"$APT_DIR/sources.list"
}

apt_update() {
	mkdir -p "$APT_DIR"/state/lists/partial "$APT_DIR"/cache/archives/partial
	: >"$APT_DIR/status"
	write_sources
	# One suite that cannot be had costs its own series alone.
	apt-get "${APT[@]}" update || st_say "some package lists could not be read"
}

# newest_image SERIES: the package name with the highest release.
newest_image() {
	local name
	apt-cache "${APT[@]}" pkgnames "linux-image-$1." |
		grep -Ex "linux-image-${1//./\\.}\.[0-9][^ ]*-cloud-amd64" | sort -rV |
		while read -r name; do
			apt-cache "${APT[@]}" show "$name" >/dev/null 2>&1 && echo "$name" && break
		done
}

# needed_packages NAME RELEASE: NAME and those that it depends on which carry the
# same release (since 7.x the image and the modules are packages of their own).
needed_packages() {
	apt-cache "${APT[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$1" |
		sed 's/.*[ |]//' | grep -F -- "$2" | grep -v '[<>]' | sort -u
}

# unpack SERIES NAME: into a folder of its own, renamed when whole.
unpack() {
	local dir=$NEW/kernel root=$NEW/root release=${2#linux-image-} pkg

	rm -rf "${NEW:?}"/*
	mkdir -p "$NEW/deb" "$root" "$dir/modules/lib/modules"
	# shellcheck disable=SC2046
	(cd "$NEW/deb" && apt-get "${APT[@]}" download $(needed_packages "$2" "$release")) || return
	for pkg in "$NEW"/deb/*.deb; do
		dpkg-deb -x "$pkg" "$root" || return
	done
	# 7.x keeps the image and its configuration beside the modules, others in /boot.
	mv "$(find "$root" -type f -name 'vmlinuz*' -print -quit)" "$dir/vmlinuz" &&
		mv "$(find "$root" -type f \( -path "*/boot/config-$release" -o \
			-path "*/modules/$release/config" \) -print -quit)" "$dir/config" &&
		mv "$(find "$root" -type d -path "*/lib/modules/$release" -print -quit)" \
			"$dir/modules/lib/modules/" &&
		depmod -b "$dir/modules" "$release" &&
		echo "$release" >"$dir/release" || return
	rm -rf "$(st_kernel_dir "$1")"
	mv "$dir" "$(st_kernel_dir "$1")"
}

fetch_one() {
	local image
	image=$(newest_image "$1")
	[ -n "$image" ] || { echo "not ok kernel $1 (no such package in the archive)"; return 1; }
	if st_kernel_present "$1" && [ "linux-image-$(cat "$(st_kernel_dir "$1")/release")" = "$image" ]
	then
		echo "ok kernel $1 ${image#linux-image-} (the newest)"
		return
	fi
	unpack "$1" "$image" || { echo "not ok kernel $1 ($image could not be unpacked)"; return 1; }
	echo "ok kernel $1 ${image#linux-image-}"
}

while [ $# -gt 0 ]; do
	case $1 in
	--refresh) REFRESH=1 ;;
	-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	-*) st_die 2 "unknown option $1" ;;
	*) WANTED+=("$1") ;;
	esac
	shift
done
[ ${#WANTED[@]} -gt 0 ] || WANTED=("${ST_VM_SERIES[@]}")

# prepare: once, before the first fetch; another run that fetches is waited for.
prepare() {
	[ -z "$NEW" ] || return
	st_need apt-get apt
	st_need depmod kmod
	mkdir -p "$ST_VM_CACHE"
	exec 8>"$ST_VM_CACHE/fetch.lock"
	flock 8
	NEW=$(mktemp -d "$ST_VM_CACHE/new.XXXXXX") || exit 1
	trap 'rm -rf "$NEW"' EXIT
	trap 'exit 143' INT TERM HUP
	apt_update
}

FAILED=0
NEW=
for series in "${WANTED[@]}"; do
	if [ -z "$REFRESH" ] && st_kernel_present "$series"; then
		echo "ok kernel $series $(cat "$(st_kernel_dir "$series")/release")"
		continue
	fi
	prepare
	fetch_one "$series" || FAILED=1
done
exit $FAILED
