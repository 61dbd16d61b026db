#!/usr/bin/env bash
# Litestream replicates the database of a running server to a directory, and brings it back.
#   DOORWARD_BIN   the server to test
# Arguments go to pytest, such as: run.sh -k replica -s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

STORIES=tests/e2e/litestream
ENV=${CARGO_TARGET_DIR:-target}/e2e/litestream

if [ ! -x "${DOORWARD_BIN:-}" ]; then
    echo "litestream: not found: a server; set DOORWARD_BIN to one (make release builds it)" >&2
    exit 1
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The copy of the requirements is made last: an install that broke off is made again.
if ! cmp -s "$STORIES/requirements.txt" "$ENV/requirements.txt"; then
    python3 -m venv --clear "$ENV"
    "$ENV/bin/pip" install --quiet --no-deps -r "$STORIES/requirements.txt"
    cp "$STORIES/requirements.txt" "$ENV/"
fi

"$ENV/bin/ruff" check --quiet --no-cache --config "$STORIES/ruff.toml" "$STORIES"
"$ENV/bin/ruff" format --quiet --no-cache --check --config "$STORIES/ruff.toml" "$STORIES"
MYPYPATH=tests/e2e/mail "$ENV/bin/mypy" --strict --cache-dir "$ENV/mypy" --no-error-summary "$STORIES"
"$ENV/bin/pytest" -q -p no:cacheprovider "$STORIES" "$@"
