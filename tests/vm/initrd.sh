#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Makes a series' initramfs: busybox, the guest's first process, and the modules
# that reach the host's files. Built again when one of these is newer.
#
# usage: initrd.sh SERIES        prints the path

. "$(dirname "$0")/lib.sh"
MODULES='virtio_pci virtio_console virtiofs overlay'

# module_files ROOT RELEASE: in loading order, each once; built-in ones are not files.
module_files() {
	local module
	for module in $MODULES; do
		modprobe -d "$1" -S "$2" --show-depends "$module" || return
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
	return "${PIPESTATUS[0]}"
}

copy_modules() {
	local path n=0 name files
	files=$(module_files "$1" "$2") || return
	for path in $files; do
		name=$(printf "%02d-%s" "$n" "$(basename "$path")")
		n=$((n + 1))
		case $path in
		*.xz) xz -dc "$path" >"$3/${name%.xz}" ;;
		*.zst) zstd -dcq "$path" >"$3/${name%.zst}" ;;
		*) cp "$path" "$3/$name" ;;
		esac || return
	done
}

build() {
	mkdir -p "$TMP"/{bin,proc,sys,dev,etc,modules} &&
		cp "$(command -v busybox)" "$TMP/bin/busybox" &&
		cp "$HERE/init" "$TMP/init" && chmod 755 "$TMP/init" &&
		copy_modules "$DIR/modules" "$(cat "$DIR/release")" "$TMP/modules" &&
		(cd "$TMP" && find . | cpio -o -H newc --quiet) >"$IMAGE.new" &&
		mv "$IMAGE.new" "$IMAGE"
}

HERE=$ST_ROOT/tests/vm
DIR=$(st_kernel_dir "${1:?usage: initrd.sh SERIES}")
IMAGE=$DIR/initrd.img
if [ ! "$IMAGE" -nt "$HERE/init" ] || [ ! "$IMAGE" -nt "$0" ] || [ ! "$IMAGE" -nt "$DIR/release" ]
then
	TMP=$(mktemp -d) || exit 1
	trap 'rm -rf "$TMP"' EXIT
	build || st_die 1 "no initramfs for $1"
fi
echo "$IMAGE"
