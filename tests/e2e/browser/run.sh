#!/usr/bin/env bash
# Doorward in a real browser: the stories in this folder. Pictures of the pages are left in
# ../output/.
#   DOORWARD_BIN   the server to test; must be set
#   CHROMIUM       use this browser instead of /usr/bin/chromium
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
missing=()

want() {
    command -v "$1" >/dev/null || missing+=("$1: $2")
}

want "$CHROMIUM" "install Debian's packages chromium and fonts-dejavu-core, or set CHROMIUM"
want node "20.11 or later"
want npm "comes with node"
want "${DOORWARD_BIN:-\$DOORWARD_BIN}" "set DOORWARD_BIN to a doorward binary"
if [ ${#missing[@]} -gt 0 ]; then
    printf 'e2e: not found: %s\n' "${missing[@]}" >&2
    exit 1
fi

# npm keeps a copy of the lock file it installed from.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-progress
fi
# One file at a time: the stories are about moments, and machines are small.
exec node --test --test-concurrency=1 --test-timeout=180000 --test-reporter=spec </dev/null
