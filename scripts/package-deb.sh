#!/usr/bin/env bash
# Builds target/debian/railfleet_*.deb: the release binary, its manual pages and completions, the unit, the documents.
# Needs cargo-deb (`cargo install --locked cargo-deb`).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked -p railfleet-server --bin railfleet
railfleet=${CARGO_TARGET_DIR:-target}/release/railfleet
place=target/package
rm -rf "$place"
mkdir -p "$place"
"$railfleet" man "$place"
gzip -9n "$place"/*.1
"$railfleet" completions bash >"$place/railfleet.bash"
"$railfleet" completions zsh >"$place/_railfleet"
"$railfleet" completions fish >"$place/railfleet.fish"
exec cargo deb --no-build --locked -p railfleet-server "$@"
