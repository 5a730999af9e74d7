#!/usr/bin/env bash
# The pure crates build and test without an async runtime and without AWS: nothing they depend on, for
# building or for testing, is called tokio, aws-*, lambda_* or aws_lambda_*; but aws-lc, a library of cryptography
# that only bears the name.
# Nor does the command need AWS: without default features it has none of these.
# That they read no file, clock, environment or network is checked by clippy (each crate's clippy.toml).
set -euo pipefail
cd "$(dirname "$0")/.."

pure=(json-blocks raw-json cloudtrail filter-pattern metric-alarm metric-filters notification alarm-state emf digest-chain)
failed=0
for crate in "${pure[@]}"; do
    # On its own line: a cargo that fails must fail this script.
    tree=$(cargo tree --locked -p "$crate" -e normal,build,dev --prefix none --format '{p}')
    case "$tree" in
        "$crate "*) ;;
        *) printf 'cargo tree says nothing of %s\n' "$crate"; exit 1 ;;
    esac
    impure=$(cut -d' ' -f1 <<<"$tree" | sort -u | grep -vE '^aws-lc-(rs|sys)$' | { grep -E '^(tokio|async-std|aws-.*|lambda_.*|aws_lambda_.*)$' || [ $? = 1 ]; })
    if [ -n "$impure" ]; then
        printf '%s is not pure, it depends on: %s\n' "$crate" "$(echo "$impure" | tr '\n' ' ')"
        failed=1
    fi
    for forbidden in std::time::SystemTime::now std::fs::read std::env::var; do
        if ! grep -q "\"$forbidden\"" "crates/$crate/clippy.toml"; then
            printf '%s/clippy.toml does not disallow %s\n' "$crate" "$forbidden"
            failed=1
        fi
    done
done
# The command scans local files without the AWS SDK.
tree=$(cargo tree --locked -p trailwarden --no-default-features -e normal,build --prefix none --format '{p}')
case "$tree" in
    "trailwarden "*) ;;
    *) printf 'cargo tree says nothing of trailwarden\n'; exit 1 ;;
esac
if grep -vE '^aws-lc-(rs|sys) ' <<<"$tree" | grep -qE '^(tokio|async-std|aws-.*|lambda_.*|aws_lambda_.*) '; then
    printf 'trailwarden without default features depends on AWS or an async runtime\n'
    failed=1
fi
[ "$failed" = 0 ] && printf 'trailwarden --no-default-features, '
[ "$failed" = 0 ] && printf '%s: no async runtime, no AWS\n' "${pure[*]}"
exit "$failed"
