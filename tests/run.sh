#!/usr/bin/env bash
# All checks and tests, as continuous integration runs them. Needs a Rust toolchain (with rustfmt and
# clippy), a C compiler and Python 3; everything else comes through Cargo.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step 'formatting'
cargo fmt --all --check

step 'the pure crates are pure'
bash tests/purity.sh

step 'lints'
cargo clippy --workspace --all-targets --locked -- -D warnings

step 'tests'
cargo test --workspace --locked

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet

step 'the tests that the built-in filters and the sample filters carry'
cargo run --quiet --locked -p trailwarden -- filters test
cargo run --quiet --locked -p trailwarden -- filters test samples/filters.yaml

step 'the samples are what their generator makes'
python3 samples/make_samples.py --check

printf '\nAll checks passed.\n'
