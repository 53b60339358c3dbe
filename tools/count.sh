#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# count.sh: lines of the project by folder, the largest files and functions. Nothing fails: a look for the reader.
set -eu
cd "$(dirname "$0")/.."

echo "  lines  files  folder"
for dir in include bpf user user/lib user/core user/protocols user/meta user/export user/ui user/kern \
	tests/unit tests/fuzz tests/e2e tests/truth tests/vm tests/bench tests/parts tools docs; do
	[ -d "$dir" ] || continue
	depth=9
	[ "$dir" != user ] || depth=1
	find "$dir" -maxdepth $depth -type f \( -name '*.[ch]' -o -name '*.py' -o -name '*.sh' -o -name '*.md' \
		-o -name '*.go' -o -name '*.java' -o -name '*.rs' -o -name '*.js' -o -name '*.cpp' -o -name '*.1' -o -name '*.proto' \) -exec cat {} + |
		wc -l | tr '\n' ' '
	printf '%6s  %s\n' "$(find "$dir" -maxdepth $depth -type f | wc -l)" "$dir"
done | awk '{ printf "%7d %6d  %s\n", $1, $2, $3 }'

echo
echo "largest files (500 lines are a reason to split)"
find include bpf user -name '*.[ch]' -exec wc -l {} + | grep -v total | sort -rn | head -5

echo
echo "longest functions (50 lines are a reason to split)"
find bpf user -name '*.[ch]' -exec awk '
	/^[a-z].*[^;]$/ { name = $0 }
	/^{/ { start = FNR }
	/^}/ && start { print FNR - start, FILENAME ": " name; start = 0 }' {} + | sort -rn | head -5
