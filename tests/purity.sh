#!/usr/bin/env bash
# The pure crates build and test without an async runtime and without AWS: nothing they depend on, for
# building or for testing, is called tokio, aws-*, lambda_* or aws_lambda_*.
# That they read no file, clock, environment or network is checked by clippy (each crate's clippy.toml).
set -euo pipefail
cd "$(dirname "$0")/.."

pure=(raw-json cloudtrail filter-pattern metric-alarm metric-filters notification)
failed=0
for crate in "${pure[@]}"; do
    impure=$(cargo tree --locked -p "$crate" -e normal,build,dev --prefix none --format '{p}' |
        cut -d' ' -f1 | sort -u | grep -E '^(tokio|async-std|aws-.*|lambda_.*|aws_lambda_.*)$' || true)
    if [ -n "$impure" ]; then
        printf '%s is not pure, it depends on: %s\n' "$crate" "$(echo "$impure" | tr '\n' ' ')"
        failed=1
    fi
    if ! grep -q 'std::time::SystemTime::now' "crates/$crate/clippy.toml"; then
        printf '%s has no clippy.toml that disallows files, clocks and the environment\n' "$crate"
        failed=1
    fi
done
[ "$failed" = 0 ] && printf '%s\n' "${pure[*]}: no async runtime, no AWS"
exit "$failed"
