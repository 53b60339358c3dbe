#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# The Go application of tests/truth: `app` is stripped, `app-plain` has its symbols, `app-pie` is stripped and PIE.
. "$(dirname "$0")/../lib.sh"

source_dir=../../truth/apps/go

go_build_here() {
	GOFLAGS="-buildvcs=false" GOTOOLCHAIN=local CGO_ENABLED=0 nice -n 10 "$(go_tool)" build -p 1 "$@" .
}

build() {
	cd "$source_dir"
	go_build_here -o "$1/app-plain"
	go_build_here -buildmode pie -ldflags '-s -w' -o "$1/app-pie"
	go_build_here -ldflags '-s -w' -o "$1/app"
}

part_main truthgo app "$source_dir/go.mod" "$source_dir/main.go"
