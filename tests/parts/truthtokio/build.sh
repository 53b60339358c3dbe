#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# The tokio application of tests/truth. There is no lock file, which would name a registry: cargo chooses what fits the
# oldest compiler that Cargo.toml names, where it knows how to.
. "$(dirname "$0")/../lib.sh"

build() {
	cp -R Cargo.toml src "$1/"
	(cd "$1" && CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback nice -n 10 cargo build -q --release -j 1)
	mv "$1/target/release/tasks" "$1/tasks"
	rm -rf "$1/target" "$1/src"
}

part_main truthtokio tasks Cargo.toml src/main.rs src/http.rs
