#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# A 32-bit program for a 64-bit kernel; binutils alone make it.
. "$(dirname "$0")/../lib.sh"

build() {
	cpp -P server.S "$1/server.s" && as --32 -o "$1/server.o" "$1/server.s" &&
		ld -m elf_i386 -o "$1/server" "$1/server.o"
}

part_main i386 server server.S
