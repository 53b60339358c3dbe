#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Zipkin's own server, ready-made as one executable jar.
. "$(dirname "$0")/../lib.sh"

build() {
	cp pom.xml "$1/"
	maven "$1" dependency:copy
}

part_main zipkin zipkin.jar pom.xml
