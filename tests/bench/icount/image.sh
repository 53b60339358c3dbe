#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Makes the guest's file system, one initramfs: busybox, the load generator, the
# sink, the server, bpftool and the tracer's files with the libraries that they need.
#
# usage: image.sh OUT_DIR [TRACER_FILE]...       prints the image's path
# environment: SERVER, nginx (the default) or lighttpd

. "$(dirname "$0")/../../vm/lib.sh"
HERE=$ST_ROOT/tests/bench/icount
SERVER=${SERVER:-nginx}
OUT=${1:?usage: image.sh OUT_DIR [TRACER_FILE]...}
shift

# compile NAME: static, so that it needs nothing of the image.
compile() {
	[ "$OUT/$1" -nt "$HERE/$1.c" ] && return
	"${CC:-cc}" -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Werror -static -o "$OUT/$1" "$HERE/$1.c"
}

# add FILE FOLDER: with its libraries, each where the loader looks for it.
add() {
	local library
	mkdir -p "$IMG$2" && cp -L "$1" "$IMG$2/" || return
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$IMG${library%/*}" && cp -Ln "$library" "$IMG$library" || return
	done
}

etc_files() {
	echo 'root:x:0:0:root:/root:/bin/sh' >"$IMG/etc/passwd"
	echo 'root:x:0:' >"$IMG/etc/group"
	echo '127.0.0.1 localhost bench' >"$IMG/etc/hosts"
	echo 'hosts: files' >"$IMG/etc/nsswitch.conf"
	cp "$HERE/$SERVER.conf" "$IMG/etc/$SERVER/"
	head -c 1024 /dev/zero | tr '\0' x >"$IMG/srv/hello.txt"
}

fill() {
	local file
	mkdir -p "$IMG"/{bin,sbin,usr/bin,usr/sbin,"etc/$SERVER",proc,sys,dev,tmp,run,srv,root,t} \
		"$IMG"/var/{log,lib}/"$SERVER" || return
	cp "$(command -v busybox)" "$IMG/bin/busybox" && cp "$HERE/init" "$IMG/init" &&
		chmod 755 "$IMG/init" && etc_files || return
	add "$OUT/load" /bin && add "$OUT/sink" /bin && add "$(command -v "$SERVER")" /usr/sbin || return
	# Without it the maps' memory is not told, all else is.
	file=$(command -v bpftool) && { add "$file" /usr/sbin || return; }
	for file in "$@"; do
		add "$file" /t || return
	done
}

PATH=$PATH:/usr/sbin:/sbin
for tool in busybox:busybox-static "$SERVER:${SERVER/nginx/nginx-light}" cpio:cpio; do
	st_need "${tool%:*}" "${tool#*:}"
done
mkdir -p "$OUT"
IMG=$(mktemp -dt spantap-icount.XXXXXX) || exit 1
trap 'rm -rf "$IMG"' EXIT
compile load && compile sink || st_die 1 "the bench's own programs do not build"
fill "$@" || st_die 1 "the image cannot be filled"
(cd "$IMG" && find . | cpio -o -H newc --quiet) >"$OUT/image" || exit 1
echo "$OUT/image"
