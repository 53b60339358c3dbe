#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Builds the hook probe, and the programs of the smoke test, into the build folder, when they are not
# there or older. Prints the folder that has `hooks` and `hooks.bpf.o`, `calls` and `uring`

. "$(dirname "$0")/lib.sh"
SRC=$ST_ROOT/tests/vm
OUT=${ST_BUILD:-$ST_ROOT/build}/tests/vm

# The newest: Debian 12's own `clang` is not installed where the build brought clang-19.
CLANG=$(command -v clang-19 clang-18 clang-17 clang-16 clang-15 clang | head -n 1)
st_need "${CLANG:-clang}" clang
mkdir -p "$OUT"
if [ ! "$OUT/hooks.bpf.o" -nt "$SRC/hooks.bpf.c" ]; then
	"$CLANG" -target bpf -O2 -g -Wall -Werror -I"/usr/include/$(uname -m)-linux-gnu" \
		-c "$SRC/hooks.bpf.c" -o "$OUT/hooks.bpf.o" || exit 1
fi
if [ ! "$OUT/hooks" -nt "$SRC/hooks.c" ]; then
	"${CC:-cc}" -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Werror "$SRC/hooks.c" -o "$OUT/hooks" -lbpf || exit 1
fi
for app in calls uring; do
	if [ ! "$OUT/$app" -nt "$ST_ROOT/tests/e2e/apps/$app.c" ]; then
		"${CC:-cc}" -O2 -Wall "$ST_ROOT/tests/e2e/apps/$app.c" -o "$OUT/$app" || exit 1
	fi
done
echo "$OUT"
