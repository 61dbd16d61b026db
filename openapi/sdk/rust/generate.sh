#!/usr/bin/env bash
# Writes the Rust client to target/sdk/rust: the companion in doorward-client/, and what is
# generated from openapi/doorward.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

command -v cargo >/dev/null || { echo "sdk/rust: not found: cargo (Rust 1.89 or newer)" >&2; exit 1; }

source=openapi/sdk/rust
sdk=$(mkdir -p "${CARGO_TARGET_DIR:-target}/sdk" && cd "${CARGO_TARGET_DIR:-target}/sdk" && pwd)
export CARGO_TARGET_DIR=$sdk/build-rust

package=$sdk/rust
draft=$(mktemp -d "$sdk/rust.XXXXXX")
trap 'rm -rf "$draft"' EXIT

# Times are kept, so that cargo builds again only what has changed.
cp -Rp $source/doorward-client/. "$draft"
cargo run --quiet --locked --manifest-path $source/generator/Cargo.toml -- openapi/doorward.json \
    >"$draft/src/generated.rs"
if cmp -s "$draft/src/generated.rs" "$package/src/generated.rs"; then
    cp -p "$package/src/generated.rs" "$draft/src/generated.rs"
fi
rm -rf "$package"
chmod 755 "$draft"
mv "$draft" "$package"

operations=$(grep -c 'operation_id: "' "$package/src/generated.rs")
echo "sdk/rust: wrote doorward-client ($operations operations) to $package"
