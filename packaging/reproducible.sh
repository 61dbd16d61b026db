#!/usr/bin/env bash
# Builds the committed state twice, in two places, and fails unless the two binaries are the same to
# the byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=$(git rev-parse HEAD)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for place in one another/place; do
    git clone --quiet --no-hardlinks . "$scratch/$place"
    git -C "$scratch/$place" checkout --quiet "$commit"
    echo "reproducible: building in $place"
    (cd "$scratch/$place" && CARGO_TARGET_DIR="$scratch/$place/target" cargo build --release --locked --quiet)
done

one=$scratch/one/target/release/doorward
if ! cmp "$one" "$scratch/another/place/target/release/doorward"; then
    echo "reproducible: two builds of $commit differ" >&2
    exit 1
fi
echo "reproducible: $commit gives $(sha256sum "$one" | cut -d' ' -f1) twice, $(stat -c %s "$one") bytes"
