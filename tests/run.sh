#!/usr/bin/env bash
# All checks and tests, as continuous integration runs them. Needs a Rust toolchain, a C compiler and
# Python 3; what else is needed is installed by rustup (rustfmt, clippy) and Cargo (libraries).
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# The emulator of AWS, and what reads the template as CloudFormation does, in a virtual environment of their own.
requirements=(tests/harness/requirements.txt tests/deployment/requirements.txt)
if ! cat "${requirements[@]}" | cmp --silent - .venv/installed; then
    step 'installing the emulator of AWS and the checks of the template'
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${requirements[@]/#/--requirement=}"
    cat "${requirements[@]}" > .venv/installed
fi

step 'formatting'
cargo fmt --all --check

step 'the pure crates are pure'
bash tests/purity.sh

step 'lints'
cargo clippy --workspace --all-targets --locked -- -D warnings

# The functions first: tests run them as processes.
step 'the functions'
cargo build --workspace --bins --locked

step 'tests'
cargo test --workspace --locked

# Beside the real AWS CLI, for those who have it and the servers it needs.
if [ -n "${TRAILWARDEN_DIGEST_PARITY:-}" ]; then
    step 'validate-logs beside the AWS CLI'
    python3 "$TRAILWARDEN_DIGEST_PARITY" --seed 7 backfill chain-restart digest-deleted-run junk-key-hides \
        log-access-denied log-modified -- "${CARGO_TARGET_DIR:-target}/debug/trailwarden" validate-logs
fi

# Built without AWS it knows all its commands, and says which it cannot run.
step 'the command without AWS'
cargo test --locked -p trailwarden --no-default-features --test commands

# Further cases that are not part of the repository, for those who have them.
if [ -n "${TRAILWARDEN_CONFORMANCE:-}" ]; then
    step 'further filter pattern cases'
    cargo test --locked -p conformance --test filter_pattern_conformance -- --ignored --nocapture
fi
if [ -n "${TRAILWARDEN_REAL_LOG_FILES:-}" ]; then
    step 'real log files with known answers'
    cargo test --locked -p trailwarden --test real_log_files -- --ignored
fi

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet

step 'the tests that the built-in filters and the sample filters carry'
cargo run --quiet --locked -p trailwarden -- filters test
cargo run --quiet --locked -p trailwarden -- filters test samples/filters.yaml

step 'the samples are what their generator makes'
python3 samples/make_samples.py --check

step 'the costs are what their sheet calculates'
python3 infra/costs.py --check

printf '\nAll checks passed.\n'
