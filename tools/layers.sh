#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# layers.sh: who may include whom. Lower never includes higher. One line for each breach, then exit 1.
#
# A row of the table: files (a regular expression of the whole path; the first row that matches counts) and what they
# may include, as it stands in the source, `"..."` or `<...>` (a regular expression too).
#   @pure   the C library without the system: memory, text, numbers, the names of addresses
#   @os     system calls
#   @dir    any header of the same folder
#   @same   headers of the same protocol: the file's name up to the first `_` or `.`
set -eu
cd "$(dirname "$0")/.."

table='
include/spantap/abi\.h     <linux/types\.h> "vmlinux\.h"
include/spantap/.*         "spantap/.*" "lib/.*" @pure
bpf/.*                     "[a-z_]+\.h" "spantap/abi\.h" <bpf/bpf_.*>
user/lib/log\.c            @dir @pure @os
user/lib/clock\.h          @dir @pure @os
user/lib/.*                @dir "spantap/(abi|bytes)\.h" @pure
user/protocols/table\.c    @dir "spantap/protocol\.h" @pure
user/protocols/grpc.*      @same "protocols/http2.*" "spantap/(protocol|span|bytes|keys|carrier)\.h" "lib/.*" @pure
user/protocols/http2.*     @same "protocols/hpack.*" "spantap/(protocol|span|bytes|keys|carrier)\.h" "lib/.*" @pure
user/protocols/http1.*     @same "protocols/http_span\.h" "spantap/(protocol|span|bytes|keys|carrier)\.h" "lib/.*" @pure
user/protocols/fastcgi.*   @same "protocols/http_span\.h" "spantap/(protocol|span|bytes|keys|carrier)\.h" "lib/.*" @pure
user/protocols/.*          @same "spantap/(protocol|span|bytes|keys|carrier)\.h" "lib/.*" @pure
user/core/.*               @dir "spantap/.*" "lib/.*" @pure <zlib\.h>
user/ui/.*                 @dir "spantap/(span|keys|bytes)\.h" "lib/.*" @pure @os
user/store/.*              @dir "spantap/(span|keys|bytes)\.h" "lib/.*" @pure @os
user/meta/.*               @dir "spantap/(span|keys|bytes|config|abi)\.h" "lib/.*" @pure @os <zlib\.h> <elf\.h>
user/export/.*             @dir "spantap/(span|exporter|keys|bytes)\.h" "lib/.*" "ui/.*" "[a-z_]+\.pb-c\.h" @pure @os <zlib\.h> <curl/.*>
user/kern/.*               @dir "spantap/(abi|bytes)\.h" "lib/.*" "[a-z]+\.skel\.h" @pure @os <bpf/.*> <linux/.*> <(gelf|libelf|elf|capstone/capstone)\.h> <malloc\.h>
user/[^/]*                 "[a-z_]+\.h" "(spantap|lib|core|protocols|export|meta|store|ui|kern)/.*" @pure @os <(getopt|fnmatch|linux/.*)\.h>
'

pure='<(assert|ctype|emmintrin|endian|errno|inttypes|limits|math|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|sys/types|sys/socket|netinet/in|arpa/inet)\.h>'
os='<(dirent|fcntl|glob|grp|netdb|poll|pthread|pwd|sched|signal|spawn|termios|time|unistd|sys/[a-z]+)\.h>'

find include bpf user -name '*.[ch]' -exec grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]*[">]' {} + |
	sed 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*/ /' |
	PURE=$pure OS=$os TABLE=$table awk '
	BEGIN {
		rows = split(ENVIRON["TABLE"], line, "\n")
		for (i = 1; i <= rows; i++) {
			words = split(line[i], word, " ")
			if (!words)
				continue
			path[++cnt] = "^" word[1] "$"
			for (j = 2; j <= words; j++)
				may[cnt, j - 1] = word[j]
			mays[cnt] = words - 1
		}
	}
	function allowed(file, inc, row,    i, dir, own, rule) {
		dir = file; sub(/^user\//, "", dir); own = dir
		sub(/[^\/]*$/, "", dir)
		own = substr(own, length(dir) + 1); sub(/[_.].*/, "", own)
		for (i = 1; i <= mays[row]; i++) {
			rule = may[row, i]
			if (rule == "@pure") rule = ENVIRON["PURE"]
			else if (rule == "@os") rule = ENVIRON["OS"]
			else if (rule == "@dir") rule = "\"" dir ".*\""
			else if (rule == "@same") rule = "\"" dir own "[_.].*\""
			if (inc ~ ("^" rule "$"))
				return 1
		}
		return 0
	}
	{
		for (row = 1; row <= cnt && $1 !~ path[row]; row++)
			;
		seen++
		if (row > cnt)
			bad = bad "\nlayers: " $1 ": no row of tools/layers.sh names this folder"
		else if (!allowed($1, $2, row))
			bad = bad "\nlayers: " $1 " must not include " $2
	}
	END {
		# A table that nothing is held against would pass for ever.
		if (seen < 100)
			bad = bad "\nlayers: only " seen " includes were found"
		if (bad != "") {
			print substr(bad, 2) > "/dev/stderr"
			exit 1
		}
	}'
