#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# format.sh [--check] [FILE]...: the C files (default: all of the project) by .clang-format; --check changes
# nothing and exits 1 when a file differs.
set -eu
cd "$(dirname "$0")/.."

mode=-i
[ "${1:-}" != --check ] || { mode='--dry-run -Werror'; shift; }

# Versions of clang-format disagree about details: one is the rule.
tool=$(command -v clang-format-19 || command -v clang-format) || {
	echo "format: clang-format-19 is missing; 'sudo make test-deps' installs it" >&2
	exit 1
}
case $("$tool" --version) in
*'version 19.'*) ;;
*) echo "format: $tool is not version 19, which says how the files look" >&2; exit 1 ;;
esac

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	find bpf include user tests tools -name '*.[ch]'
fi | xargs -n 40 "$tool" $mode
