#!/usr/bin/env bash
# The Python client against a real server: generates it, checks its types, plays the stories.
#   DOORWARD_BIN   the server to test against
# Arguments go to pytest, such as: run.sh -k cookie
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."

STORIES=tests/e2e/sdk/python
SOURCE=openapi/sdk/python
SDK=${CARGO_TARGET_DIR:-target}/sdk
ENV=$SDK/tests-python

if [ ! -x "${DOORWARD_BIN:-}" ]; then
    echo "sdk: not found: a server; set DOORWARD_BIN to one (make release builds it)" >&2
    exit 1
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

bash "$SOURCE/generate.sh"

# The copy of the requirements is made last: an install that broke off is made again.
if ! cmp -s "$STORIES/requirements.txt" "$ENV/requirements.txt"; then
    python3 -m venv --clear "$ENV"
    "$ENV/bin/pip" install --quiet --no-deps -r "$STORIES/requirements.txt"
    cp "$STORIES/requirements.txt" "$ENV/"
fi
# As a user does it. The build tool is pinned, too.
"$ENV/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall "./$SDK/python" 2>&1 |
    { grep -v 'running pip as the .root. user' >&2 || true; }

"$ENV/bin/ruff" check --quiet --no-cache --config "$STORIES/ruff.toml" "$SOURCE" "$STORIES"
"$ENV/bin/ruff" format --quiet --no-cache --check --config "$STORIES/ruff.toml" "$SOURCE" "$STORIES"
"$ENV/bin/mypy" --strict --cache-dir "$SDK/mypy-python" --no-error-summary \
    "$SOURCE/doorward" "$SOURCE/quickstart.py" "$STORIES"
"$ENV/bin/pytest" -q -p no:cacheprovider "$STORIES" "$@"
