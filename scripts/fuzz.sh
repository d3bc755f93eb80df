#!/usr/bin/env bash
# Fuzzes each target for SECONDS_EACH seconds (60), from the committed corpus and what earlier runs found, which stays in
# fuzz/target/corpus. TARGETS='NAME…' for some of them; by default those of storage, learning and tablets, and with
# FUZZ_SERVER=1 also those of the server and of federation, for which most of the server is built anew.
#
# cargo-fuzz is installed with `cargo install --locked cargo-fuzz`; without it this says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

command -v cargo-fuzz >/dev/null ||
  { echo 'MISSING: cargo-fuzz (cargo install --locked cargo-fuzz).' >&2; exit 1; }

targets=${TARGETS:-record segment index snapshot model frame page checkpoint cursor clock}
features=()
if [ -n "${FUZZ_SERVER:-}" ]; then
  features=(--features server)
  targets=${TARGETS:-$targets message sheet event ingest}
fi

# libFuzzer's instrumentation is behind a flag that a stable compiler takes only so. No sanitizer: there is no unsafe code
# in what is fuzzed.
export RUSTC_BOOTSTRAP=1
for target in $targets; do
  grown=target/corpus/$target
  mkdir -p "$grown"
  log=target/$target.log
  echo "fuzz: $target for ${SECONDS_EACH:-60} s"
  cargo fuzz run -s none "${features[@]}" "$target" "$grown" "corpus/$target" -- \
    -max_total_time="${SECONDS_EACH:-60}" -timeout=1 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 >"$log" 2>&1 ||
    { tail -40 "$log" >&2; echo "fuzz: $target FAILED; the input is in fuzz/artifacts/$target" >&2; exit 1; }
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "fuzz: $target: $runs runs, nothing found"
done
