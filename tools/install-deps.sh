#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# install-deps.sh [--tests]: brings a Debian (12 and later) what building and running need; with --tests also
# what the tests of the source need (the servers and machines of the others: install-test-deps.sh, parts-vm.sh).
# What is there is left alone, and the network is asked for nothing then.
set -eu

build="gcc libc6-dev pkg-config libbpf-dev bpftool libelf-dev libcapstone-dev zlib1g-dev libcurl4-openssl-dev
	libprotobuf-c-dev protobuf-c-compiler libcap-dev ca-certificates"
tests="libcmocka-dev clang-format-19 libclang-rt-19-dev man-db python3 shellcheck"

say() {
	echo "install-deps: $*" >&2
}

installed() {
	dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^ii'
}

# Any clang from 15 on knows what the BPF side needs; the newest known one is installed.
clang_there() {
	for name in clang-19 clang-18 clang-17 clang-16 clang-15; do
		! command -v $name >/dev/null || return 0
	done
	command -v clang >/dev/null && [ "$(clang -dumpversion | cut -d. -f1)" -ge 15 ]
}

missing() {
	for package in $wanted; do
		installed "$package" || echo "$package"
	done
}

# Packages that only some releases have, each with what stands in for it.
chosen() {
	for package in "$@"; do
		if apt-cache show "$package" >/dev/null 2>&1; then
			echo "$package"
		else
			echo "$package" | sed 's/-19//'
		fi
	done
}

install() {
	if [ "$(id -u)" != 0 ]; then
		say "missing:" "$@"
		say "run 'sudo make deps' (with the tests: 'sudo make test-deps')"
		exit 1
	fi
	say "installing:" "$@"
	export DEBIAN_FRONTEND=noninteractive
	# Package lists of a fresh machine are empty, those of an old one name files that are gone.
	apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update -qq
	# shellcheck disable=SC2046 # one package a word
	apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install -y -qq --no-install-recommends \
		$(chosen "$@") >&2
}

wanted=$build
if [ "${1:-}" = --tests ]; then
	wanted="$wanted $tests clang-19"
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	say "this is no Debian; what is needed is called there:" $wanted clang-19
	exit 0
fi
clang_there || wanted="$wanted clang-19"
needed=$(missing)
# shellcheck disable=SC2086 # one package a word
[ -z "$needed" ] || install $needed
