#!/usr/bin/env bash
# Holds the dependencies to deny.toml (licences, bans, sources) and writes what the binary is made of
# to target/dist/doorward.cdx.json, a software bill of materials (CycloneDX 1.5).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
tools=$target/supply-chain
cyclonedx=0.5.9
wanted="$(cat packaging/requirements.txt) cargo-cyclonedx==$cyclonedx"

# The note is written last: an install that broke off is made again.
if [[ $(cat "$tools/installed" 2>/dev/null) != "$wanted" ]]; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps -r packaging/requirements.txt
    cargo install --quiet --locked --root "$tools" --version "$cyclonedx" cargo-cyclonedx
    printf '%s' "$wanted" >"$tools/installed"
fi

cargo fetch --locked --quiet
"$tools/bin/cargo-deny" --offline --locked check --hide-inclusion-graph bans licenses sources

# The time of the commit, so that the same commit gives the same document.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
sbom=$target/dist/doorward.cdx.json
mkdir -p "$target/dist"
trap 'rm -f ./*.cdx-new.json benches/load/*.cdx-new.json examples/offline/*.cdx-new.json tests/vfs/*.cdx-new.json' EXIT
"$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --override-filename doorward.cdx-new
# Where it was built is nobody's business, and not the same everywhere.
sed "s|file://$PWD|file:///doorward|g" doorward.cdx-new.json >"$sbom"

python3 - "$sbom" <<'PYTHON'
"""Every package that goes into the binary must be in the document."""
import json, subprocess, sys

tree = ["cargo", "tree", "--locked", "--package", "doorward", "--edges", "normal,build", "--prefix", "none"]
lines = subprocess.run(tree, check=True, capture_output=True, text=True).stdout.splitlines()
wanted = {tuple(line.split()[:2]) for line in lines if line and not line.startswith("doorward v")}
with open(sys.argv[1], encoding="utf-8") as file:
    listed = {(part["name"], f"v{part['version']}") for part in json.load(file)["components"]}
if missing := sorted(wanted - listed):
    sys.exit(f"supply-chain: not in the bill of materials: {missing}")
print(f"supply-chain: {len(listed)} packages in {sys.argv[1]}")
PYTHON
