#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# vmlinux.sh [BTF]: writes vmlinux/ARCH/vmlinux.h from a kernel's type information (default: the running kernel's;
# a vmlinux file with a .BTF section will do) and says which kernel it was. Programs find their fields
# by name when they are loaded, so one file serves all kernels; take the newest, which knows most types.
set -eu
cd "$(dirname "$0")/.."

btf=${1:-/sys/kernel/btf/vmlinux}
arch=$(uname -m | sed 's/aarch64/arm64/')
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
mkdir -p "vmlinux/$arch"
"$bpftool" btf dump file "$btf" format c >"vmlinux/$arch/vmlinux.h.new"
mv "vmlinux/$arch/vmlinux.h.new" "vmlinux/$arch/vmlinux.h"
[ $# -gt 0 ] || uname -r
echo "vmlinux/$arch/vmlinux.h: write into vmlinux/README.md where it came from"
