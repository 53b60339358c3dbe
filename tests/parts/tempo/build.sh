#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Grafana Tempo: OTLP in, its query API out. The last version that the module proxy has under Tempo's own
# module path; the replacements are its own. Its golang.org/x/net reaches into package syscall in a way that newer
# linkers refuse unless told not to check.
. "$(dirname "$0")/../lib.sh"

build() {
	GO_LDFLAGS=-checklinkname=0 go_build "$1/tempo" .
}

part_main tempo tempo go.mod go.sum main.go
