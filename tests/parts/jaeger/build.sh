#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Jaeger all-in-one: OTLP in, its query API out. The module only pins versions; the replacement stands for a
# module whose newer versions have moved to another name.
. "$(dirname "$0")/../lib.sh"

build() {
	go_build "$1/jaeger" github.com/jaegertracing/jaeger/cmd/all-in-one
}

part_main jaeger jaeger go.mod go.sum
