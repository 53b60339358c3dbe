#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# tools/layers.sh lets the project pass, and each of these through to nobody.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -dt spantap-layers.XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cp -r bpf include user tools "$dir"
status=0

# refused FILE INCLUDE
refused() {
	local file=$dir/$1 said
	cp "$file" "$dir/kept"
	echo "#include $2" >>"$file"
	said=$("$dir/tools/layers.sh" 2>&1) && said="was let through"
	cp "$dir/kept" "$file"
	if [ "$said" = "layers: $1 must not include $2" ]; then
		echo "ok layers $1 $2"
	else
		echo "not ok layers $1 $2 (${said:-nothing was said})"
		status=1
	fi
}

if "$dir/tools/layers.sh"; then
	echo "ok layers as it is"
else
	echo "not ok layers as it is"
	status=1
fi
refused include/spantap/abi.h '"spantap/bytes.h"'
refused user/lib/units.c '"core/core.h"'
refused user/lib/buf.h '"spantap/span.h"'
refused user/protocols/http1.c '"core/core.h"'
refused user/protocols/http1.c '"protocols/other.h"'
refused user/core/conn.c '"kern/tracer.h"'
refused user/core/conn.c '"export/export.h"'
refused user/core/conn.c '<bpf/libbpf.h>'
refused user/core/conn.c '<unistd.h>'
refused user/core/conn.c '"protocols/http1.h"'
refused user/export/otlp.c '"core/core.h"'
refused user/export/otlp.c '"pipeline.h"'
refused user/meta/host.c '"kern/procs.h"'
refused user/kern/tracer.c '"core/core.h"'
refused user/ui/term.c '"export/export.h"'
refused user/trace.c '<bpf/libbpf.h>'
refused user/trace.c '"direct.skel.h"'
refused bpf/state.h '"lib/log.h"'
refused bpf/state.h '<stdio.h>'
exit $status
