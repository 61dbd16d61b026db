#!/usr/bin/env bash
# The Rust client against a real server: generates it, lints it, plays the stories in tests/.
#   DOORWARD_BIN   the server under test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."

missing() { echo "sdk/rust: not found: $1" >&2; exit 1; }
command -v cargo >/dev/null || missing "cargo (Rust 1.89 or newer)"
[ -n "${DOORWARD_BIN:-}" ] || missing "the server; set DOORWARD_BIN to its binary"
[ -x "$DOORWARD_BIN" ] || missing "$DOORWARD_BIN"
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN

openapi/sdk/rust/generate.sh
sdk=$(cd "${CARGO_TARGET_DIR:-target}/sdk" && pwd)
export CARGO_TARGET_DIR=$sdk/build-rust

# A copy beside the generated package, because target/ may be anywhere.
stories=$sdk/rust-stories
rm -rf "$stories"
mkdir "$stories"
cp -Rp tests/e2e/sdk/rust/{Cargo.lock,clippy.toml,src,tests} "$stories"
sed 's|"../../../../target/sdk/rust|"../rust|' tests/e2e/sdk/rust/Cargo.toml >"$stories/Cargo.toml"

if cargo clippy --version >/dev/null 2>&1; then
    cargo clippy --quiet --locked --all-targets --manifest-path "$sdk/rust/Cargo.toml" -- -D warnings
    cargo clippy --quiet --locked --all-targets --manifest-path "$stories/Cargo.toml" -- -D warnings
else
    echo "sdk/rust: cargo clippy is not installed, so nothing is linted" >&2
fi
cargo test --quiet --locked --manifest-path "$sdk/rust/Cargo.toml"
exec cargo test --quiet --locked --manifest-path "$stories/Cargo.toml"
