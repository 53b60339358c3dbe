#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# The load generator that counts exactly.
. "$(dirname "$0")/../lib.sh"

build() {
	cc -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror \
		-o "$1/loadgen" loadgen.c
}

part_main loadgen loadgen loadgen.c
