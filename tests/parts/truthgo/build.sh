#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# The Go application of tests/truth: stripped as `app`, with its symbols as `app-plain`.
. "$(dirname "$0")/../lib.sh"

source_dir=../../truth/apps/go

build() {
	cd "$source_dir"
	GOFLAGS="-buildvcs=false" GOTOOLCHAIN=local CGO_ENABLED=0 nice -n 10 "$(go_tool)" build -p 1 -o "$1/app-plain" .
	go_build "$1/app" .
}

part_main truthgo app "$source_dir/go.mod" "$source_dir/main.go"
