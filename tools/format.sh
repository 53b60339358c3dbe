#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# format.sh [--check] [FILE]...: the C files (default: all of the project) by .clang-format; --check changes
# nothing and exits 1 when a file differs.
set -eu
cd "$(dirname "$0")/.."

check=
[ "${1:-}" != --check ] || { check=1; shift; }

# Versions of clang-format disagree about details: one is the rule.
tool=$(command -v clang-format-19 || command -v clang-format) || {
	echo "format: clang-format-19 is missing; 'sudo make test-deps' installs it" >&2
	exit 1
}
case $("$tool" --version) in
*'version 19.'*) ;;
*) echo "format: $tool is not version 19, which says how the files look" >&2; exit 1 ;;
esac

files() {
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		find bpf include user tests tools -name '*.[ch]'
	fi
}

if [ -z "$check" ]; then
	files "$@" | xargs "$tool" -i
	exit
fi
wrong=$(files "$@" | xargs "$tool" --dry-run 2>&1 | sed -n 's/^\([^: ]*\):[0-9]*:[0-9]*: \(warning\|error\).*/\1/p' | sort | uniq -c)
[ -n "$wrong" ] || exit 0
echo "places that differ from .clang-format; 'make format' writes them:"
echo "$wrong"
exit 1
