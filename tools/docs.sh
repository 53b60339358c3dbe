#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# docs.sh: holds the documentation against the program and itself. One line each, `ok docs ...` or `not ok docs ...`:
# every option of --help stands in the manual page and the completion, the manual page formats without a warning,
# links lead to files that are there, every source file names its licence, and nothing names a place that only
# one machine has.
set -u
cd "$(dirname "$0")/.." || exit 1

PROGRAM=build/spantap
PAGE=docs/spantap.1
COMPLETION=docs/completion/spantap.bash
failed=0

# result NAME PROBLEMS: the problems, a line each, if any
result() {
	if [ -z "$2" ]; then
		echo "ok docs $1"
	else
		printf '%s\n' "$2" | sed 's/^/# /'
		echo "not ok docs $1 ($(printf '%s\n' "$2" | wc -l))"
		failed=1
	fi
}

options() { "$PROGRAM" --help | grep -oE '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sort -u; }

help_in() {
	local option all
	all=$(options)
	[ "$(printf '%s\n' "$all" | wc -l)" -ge 10 ] || echo "--help of $PROGRAM names too few options"
	for option in $all; do
		sed 's/\\-/-/g' "$1" | grep -qE -- "$option([^a-z-]|\$)" || echo "$option is not in $1"
	done
}

# What the page promises and the program does not know.
page_in_help() {
	sed 's/\\-/-/g' "$PAGE" | sed -n '/^\.SH "WHO"/,/^\.SH COMMANDS/p' | grep -oE '^\.B[RI]? .*' |
		grep -oE -- '--[a-z][a-z-]+' | sort -u | while read -r option; do
		options | grep -qx -- "$option" || [ "$option" = --json ] || echo "$option of $PAGE is not in --help"
	done
}

# Every variable that is read; of OTLP's, the ones for traces are told of by a sentence.
variables() {
	local name all
	all=$(grep -ohE '"OTEL_[A-Z_]+"' user/env.c user/meta/*.c | tr -d '"' | sort -u)
	[ "$(printf '%s\n' "$all" | wc -l)" -ge 20 ] || echo "user/env.c names too few variables"
	for name in $(printf '%s\n' "$all" | grep -v '^OTEL_EXPORTER_OTLP_TRACES_[^E]'); do
		grep -qw -- "$name" "$PAGE" || echo "$name is not in $PAGE"
	done
	grep -ohE '\bOTEL_[A-Z_]+[A-Z]\b' "$PAGE" | sort -u | while read -r name; do
		grep -rq -- "$name" user || echo "$name of $PAGE is read nowhere"
	done
}

formatted() {
	if ! command -v man >/dev/null; then
		echo "man is missing"
		return
	fi
	{ LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$PAGE" >/dev/null; } 2>&1
	bash -n "$COMPLETION" 2>&1
}

# Markdown links to files and to headings of the same file.
links() {
	local file target dir
	for file in $(markdown); do
		dir=$(dirname "$file")
		grep -oE '\]\([^)#:]+(#[^)]*)?\)' "$file" | sed -E 's/^\]\(([^)#]+).*/\1/' | sort -u |
			while read -r target; do
				[ -e "$dir/$target" ] || echo "$file: no $target"
			done
	done
}

sources() { find bpf include user tests tools docs -name "$1" -type f -not -path '*/__pycache__/*'; }
markdown() { echo README.md; sources '*.md'; }

licences() {
	local file
	for file in $(sources '*.[ch]') $(sources '*.py') $(sources '*.sh') Makefile; do
		[ -s "$file" ] || continue
		head -3 "$file" | grep -q SPDX-License-Identifier: || echo "$file names no licence"
	done
}

# Package registries and mirrors are the machine's affair, and so are its folders.
hosts='(proxy|sum)\.golang\.org|pypi\.org|files\.pythonhosted|registry\.npmjs|crates\.io|repo1?\.maven'
hosts="$hosts|(deb|snapshot|security|ftp[.a-z]*)\.debian\.(org|net)|-mirror\.|artifact(ory|registry)"
folders='(^|[ "=:(])/(home|work|root)/[a-z]'

places() {
	grep -rnIE "$hosts" Makefile README.md LICENSE .ci bpf include user tests tools docs \
		--exclude=docs.sh --exclude=go.sum
	grep -rnIE "$folders" Makefile README.md LICENSE .ci bpf include user tools docs --exclude=docs.sh
}

result "options in the manual page" "$(help_in $PAGE)"
result "options in the completion" "$(help_in $COMPLETION)"
result "options of the manual page" "$(page_in_help)"
result "variables in the manual page" "$(variables)"
result "manual page and completion are sound" "$(formatted)"
result "links" "$(links)"
result "licences" "$(licences)"
result "no machine's places" "$(places)"
exit $failed
