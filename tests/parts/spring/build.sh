#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# A Spring Boot application as one executable jar.
. "$(dirname "$0")/../lib.sh"

build() {
	cp -R pom.xml src "$1/"
	maven "$1" -DskipTests package
	mv "$1/target/shop.jar" "$1/shop.jar"
	rm -rf "$1/target" "$1/src"
}

part_main spring shop.jar pom.xml src/main/java/spantap/test/Shop.java src/main/java/spantap/test/Truth.java
