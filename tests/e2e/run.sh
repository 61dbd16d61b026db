#!/usr/bin/env bash
# Doorward in a real browser: gets what is missing, then plays the stories in browser/.
#   DOORWARD_BIN   test this binary instead of building one
#   CHROMIUM       use this browser instead of /usr/bin/chromium
# Pictures of the pages are left in output/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
missing=()

want() {
    command -v "$1" >/dev/null || missing+=("$1: $2")
}

# Only Debian's own, and only where that is ours to do.
get_chromium() {
    [ "$CHROMIUM" = /usr/bin/chromium ] && [ ! -e "$CHROMIUM" ] || return 0
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    echo "e2e: installing Debian's chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
        echo "e2e: apt-get could not install chromium" >&2
}

get_chromium
want "$CHROMIUM" "install Debian's packages chromium and fonts-dejavu-core, or set CHROMIUM"
want node "20.10 or later"
want npm "comes with node"
[ -n "${DOORWARD_BIN:-}" ] || want cargo "builds the server, or set DOORWARD_BIN to one"
if [ ${#missing[@]} -gt 0 ]; then
    printf 'e2e: not found: %s\n' "${missing[@]}" >&2
    exit 1
fi

if [ -z "${DOORWARD_BIN:-}" ]; then
    cargo build --release --locked
    DOORWARD_BIN=${CARGO_TARGET_DIR:-target}/release/doorward
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN

cd tests/e2e/browser
# npm keeps a copy of the lock file it installed from.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-progress
fi
# One file at a time: the stories are about moments, and machines are small.
exec node --test --test-concurrency=1 --test-reporter=spec
