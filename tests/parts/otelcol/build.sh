#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# OpenTelemetry Collector: OTLP in over gRPC and HTTP, a JSON file out.
. "$(dirname "$0")/../lib.sh"

build() {
	go_build "$1/otelcol" .
}

part_main otelcol otelcol go.mod go.sum main.go
