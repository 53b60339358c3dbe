#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Go's net/http, as a server and as a client.
. "$(dirname "$0")/../lib.sh"

build() {
	go_build "$1/gohttp" .
}

part_main gohttp gohttp go.mod main.go server.go client.go
