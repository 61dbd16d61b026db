#!/usr/bin/env bash
# Doorward as its users meet it: builds the server once, then runs the suites against it.
#   tests/e2e/run.sh [SUITE …]   default: all of them, in the order below
#   DOORWARD_BIN                 test this binary instead of building one
#   CHROMIUM                     use this browser instead of /usr/bin/chromium
# Each suite installs what it needs under target/, from pinned files, and says what it cannot find.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null

SUITES=(spec mail litestream browser sdk/python sdk/typescript sdk/rust hostile)

# Debian's packages, only where that is ours to do.
get() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    echo "e2e: installing Debian's $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        echo "e2e: apt-get could not install $*" >&2
}

[ -n "${CHROMIUM:-}" ] || [ -e /usr/bin/chromium ] || get chromium fonts-dejavu-core
python3 -c 'import venv, ensurepip' 2>/dev/null || get python3-venv
command -v slowhttptest >/dev/null || get slowhttptest

if [ -z "${DOORWARD_BIN:-}" ]; then
    command -v cargo >/dev/null || {
        echo "e2e: not found: cargo: it builds the server; or set DOORWARD_BIN to one" >&2
        exit 1
    }
    cargo build --release --locked
    DOORWARD_BIN=${CARGO_TARGET_DIR:-target}/release/doorward
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN

[ $# -gt 0 ] || set -- "${SUITES[@]}"
passed=()
for suite; do
    printf '\n== e2e: %s\n' "$suite"
    SECONDS=0
    "tests/e2e/$suite/run.sh"
    passed+=("$(printf '%-16s %4d s' "$suite" "$SECONDS")")
done
printf '\ne2e: passed\n'
printf '  %s\n' "${passed[@]}"
