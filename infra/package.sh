#!/usr/bin/env bash
# Builds the functions for Lambda, for arm64 (what template.yaml ships) or x86_64, and says how large they are.
#
#   infra/package.sh [arm64|x86_64]
#
# Needs cargo-lambda and zig (pip install cargo-lambda ziglang, with that environment first in PATH) and for arm64
# the target: rustup target add aarch64-unknown-linux-gnu
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

fail() { printf 'package.sh: %s\n' "$*" >&2; exit 2; }

[ $# -le 1 ] || fail "expected one architecture, found: $*"
architecture=${1:-arm64}
case $architecture in
    arm64) flag=--arm64 machine=b700 ;;
    x86_64) flag=--x86-64 machine=3e00 ;;
    *) fail "expected arm64 or x86_64, found \`$architecture\`" ;;
esac
command -v cargo-lambda >/dev/null || fail "cargo-lambda is not in PATH, expected: pip install cargo-lambda ziglang"

# A folder for each architecture: by default the later build would overwrite the earlier one.
folder=target/lambda-$architecture
functions=$(sed -n 's|^ *CodeUri: target/lambda-arm64/\(.*\)/$|\1|p' template.yaml)
[ -n "$functions" ] || fail "expected functions in target/lambda-arm64/ in template.yaml"
packages=()
for function in $functions; do packages+=(--package "$function"); done
cargo lambda build --release --locked "$flag" --lambda-dir "$folder" "${packages[@]}"

printf '\n%-16s %12s %12s\n' function binary zip
for function in $functions; do
    binary=$folder/$function/bootstrap
    [ -x "$binary" ] || fail "expected $binary"
    # The machine is the 16-bit number at offset 18 of an ELF file, the lower byte first.
    found=$(od -An -tx1 -j18 -N2 "$binary" | tr -d ' ')
    [ "$found" = "$machine" ] || fail "$binary is for another machine: expected $machine for $architecture, found $found"
    python3 -c '
import io, os, sys, zipfile
function, binary = sys.argv[1:]
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
    file.write(binary, "bootstrap")
print(f"{function:16} {os.path.getsize(binary) / 1e6:9.1f} MB {len(out.getvalue()) / 1e6:9.1f} MB")' "$function" "$binary"
done

arguments=
if [ "$architecture" = x86_64 ]; then
    template=target/template-x86_64.yaml
    # sam looks for its configuration beside the template.
    arguments=" --template-file $template --config-file $PWD/samconfig.toml"
    sed -f infra/x86_64.sed template.yaml > "$template"
    if grep -n arm64 "$template" >&2; then fail "expected no arm64 in $template"; fi
fi
printf '\nDeploy with: sam deploy --guided%s\n' "$arguments"
