#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Installs what the virtual-machine tests and the instruction bench need: Debian
# packages first, then the kernels (into the ignored cache folder).
#
# usage: parts-vm.sh [SERIES]...                 (default: every series)

set -u
HERE=$(cd "$(dirname "$0")" && pwd)

# command (or file) that shows that a package is there, and the package
PARTS='
qemu-system-x86_64 qemu-system-x86
/usr/lib/qemu/virtiofsd qemu-system-common
busybox busybox-static
cpio cpio
depmod kmod
bpftool bpftool
curl curl
jq jq
nginx nginx-light
xz xz-utils
zstd zstd
'

missing=()
while read -r probe package; do
	[ -n "$probe" ] || continue
	PATH=$PATH:/usr/sbin:/sbin command -v "$probe" >/dev/null || missing+=("$package")
done <<<"$PARTS"

if [ ${#missing[@]} -gt 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get -o DPkg::Lock::Timeout=300 update -qq
	apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
		"${missing[@]}" || exit 1
fi
exec "$HERE/../tests/vm/kernels.sh" "$@"
