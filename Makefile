# The few things one does here. A fresh machine needs the Rust toolchain and make; `make test` installs the rest itself
# where it may, and otherwise says what is missing.
#
#   make demo     builds, fills a demo depot, serves it, prints the address and a token
#   make test     everything that is tested; RAILFLEET_FAULTS=all for the long forms of the fault tests
#   make lint     formatting, lints, known advisories, the rules for dependencies
#   make bench    the table of docs/benchmarks.md; BENCH='NAME…' for some of its questions
#   make validate the plan's targets on the release binary with a past of a million events, and every bar, as one table with
#                 margins; the same as JSON in out/validate.json. VALIDATE=plan for the plan's alone, ten minutes of them with 1,000 users
#   make soak     an hour of a steady mixed load on the server: memory, open files and threads in out/soak.svg. SOAK=N for N seconds
#   make fuzz     each decoder by cargo-fuzz for SECONDS_EACH (60) seconds; FUZZ_SERVER=1 for those of the server too
#   make bench-crdt   the CRDTs beside automerge, loro, yrs and crdts; ROUNDS=N for more or fewer turns

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

.PHONY: demo test test-crates test-web test-system lint bench validate soak fuzz bench-crdt

demo:
	cargo run --release -p railfleet-server --bin railfleet -- demo $(DEMO)

# The programs are built together with the tests, so that both share one build of every dependency.
test:
	./scripts/setup-tests.sh
	./scripts/setup-engines.sh
	./scripts/setup-schemathesis.sh
	cargo build --workspace --bins --tests
	$(MAKE) --jobs=2 --output-sync=line test-web test-system

test-crates:
	RAILFLEET_BIN=$(TARGET)/debug/railfleet cargo test --workspace --lib --bins

test-web: test-crates
	RAILFLEET_BIN=$(TARGET)/debug/railfleet ./scripts/test-web.sh

# Mostly waits for servers and brokers, so the crates' own tests and the browser's fit beside it; behind it is what takes a build.
test-system:
	RAILFLEET_BIN=$(TARGET)/debug/railfleet cargo test --workspace --test '*'
	cargo test --workspace --doc
	RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR=$(TARGET)/loom cargo test -p storage --lib durable::

lint:
	cargo fmt --all --check
	cargo fmt --manifest-path crdt-parity/Cargo.toml --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	./scripts/lint-advisories.sh
	python3 scripts/lint-dependencies.py

bench:
	./benches/setup.sh
	cargo run --release -p railfleet-benches -- $(BENCH)

validate:
	./benches/setup.sh
	cargo run --release -p railfleet-benches -- --json out/validate.json $(VALIDATE)

soak:
	cargo build --workspace --bins --tests
	RAILFLEET_BIN=$(TARGET)/debug/railfleet RAILFLEET_SOAK_SECONDS=$(or $(SOAK),3600) cargo test --workspace --test e2e soak::under

fuzz:
	./scripts/fuzz.sh

# A workspace of its own, with a target folder of its own: its peers are in no lock and no build of the product.
bench-crdt:
	cargo build --release --manifest-path crdt-parity/Cargo.toml
	crdt-parity/target/release/crdt-parity --rounds $(or $(ROUNDS),7) --out out
