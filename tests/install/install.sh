#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# make install puts three files where they are found, make uninstall leaves none.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -dt spantap-install.XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0

# verdict NAME COMMAND [ARG]...
verdict() {
	local name=$1
	shift
	if "$@"; then
		echo "ok install $name"
	else
		echo "not ok install $name"
		status=1
	fi
}

files() { (cd "$dir" && find . -type f -printf '%m %P\n' | sort -k2); }

same_files() {
	diff <(files) - <<-END
		755 opt/x/bin/spantap
		644 opt/x/share/bash-completion/completions/spantap
		644 opt/x/share/man/man1/spantap.1
	END
}

runs() { [ "$("$dir/opt/x/bin/spantap" --version)" = "$(build/spantap --version)" ]; }

manual() {
	MANPATH=$dir/opt/x/share/man man -w spantap | grep -qx "$dir/opt/x/share/man/man1/spantap.1"
}

completes() {
	bash -c '
		source "$1" && COMP_WORDS=(spantap --dur) COMP_CWORD=1 && _spantap &&
		[ "${COMPREPLY[*]}" = --duration ]' - "$dir/opt/x/share/bash-completion/completions/spantap"
}

gone() { [ -z "$(files)" ]; }

verdict "make install" make -s install DESTDIR="$dir" prefix=/opt/x
verdict "files and modes" same_files
verdict "the program runs" runs
verdict "man finds its page" manual
verdict "bash completes" completes
verdict "make uninstall" make -s uninstall DESTDIR="$dir" prefix=/opt/x
verdict "nothing is left" gone
exit $status
