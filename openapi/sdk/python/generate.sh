#!/usr/bin/env bash
# Writes the Python client to target/sdk/python: a package that pip installs by path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

SOURCE=openapi/sdk/python
SDK=${CARGO_TARGET_DIR:-target}/sdk
OUT=$SDK/python
TOOLS=$SDK/tools-python

python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "sdk: not found: python3 3.11 or later, with venv (Debian: python3-venv)" >&2
    exit 1
}

# The copy of the requirements is made last: an install that broke off is made again.
if ! cmp -s "$SOURCE/requirements.txt" "$TOOLS/requirements.txt"; then
    python3 -m venv --clear "$TOOLS"
    "$TOOLS/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$SOURCE/requirements.txt"
    cp "$SOURCE/requirements.txt" "$TOOLS/"
fi

rm -rf "$OUT"
mkdir -p "$OUT"
# The generator looks for ruff on the path, and is quiet only about success.
if ! log=$(PATH=$(realpath "$TOOLS/bin"):$PATH openapi-python-client generate \
    --path openapi/doorward.json --config "$SOURCE/generator.yaml" --meta none \
    --output-path "$OUT/doorward_client" --fail-on-warning 2>&1); then
    echo "$log" >&2
    exit 1
fi
touch "$OUT/doorward_client/py.typed" # left out with --meta none
python3 - >"$OUT/doorward_client/public.py" <<'PYTHON'
import json

paths = json.load(open("openapi/doorward.json"))["paths"].items()
public = tuple(path for path, item in paths if all(o["security"] == [] for o in item.values()))
print(f'"""What anybody may call."""\n\nPUBLIC_PATHS = {public}')
PYTHON
cp -r "$SOURCE/doorward" "$SOURCE/README.md" "$SOURCE/quickstart.py" LICENSE LICENSE-MIT LICENSE-APACHE "$OUT/"
find "$OUT" \( -name __pycache__ -o -name .ruff_cache \) -prune -exec rm -rf {} +
version=$(python3 -c 'import json; print(json.load(open("openapi/doorward.json"))["info"]["version"])')
sed "s/^version = .*/version = \"$version\"/" "$SOURCE/pyproject.toml" >"$OUT/pyproject.toml"
echo "wrote $OUT: doorward-client $version, $(find "$OUT" -name '*.py' | wc -l) modules"
