#!/usr/bin/env bash
# The TypeScript client against a real server, in Node and in Chromium: generates and packs the
# client, installs it as a user would, checks every type, plays the stories.
#   DOORWARD_BIN   the server to test; must be set
#   CHROMIUM       use this browser instead of /usr/bin/chromium
# Arguments are names of stories (default: all), such as "renewal".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."

export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
missing=()

want() {
    command -v "$1" >/dev/null || missing+=("$1: $2")
}

want node "20.11 or later"
want npm "comes with node"
want "$CHROMIUM" "install Debian's packages chromium and fonts-dejavu-core, or set CHROMIUM"
want "${DOORWARD_BIN:-\$DOORWARD_BIN}" "set DOORWARD_BIN to a doorward binary"
if [ ${#missing[@]} -gt 0 ]; then
    printf 'e2e: not found: %s\n' "${missing[@]}" >&2
    exit 1
fi
DOORWARD_BIN=$(realpath "$(command -v "$DOORWARD_BIN")")
export DOORWARD_BIN

openapi/sdk/typescript/generate.sh
here=tests/e2e/sdk/typescript
sdk=$(realpath "${CARGO_TARGET_DIR:-target}/sdk/typescript")
work=$sdk-e2e

mkdir -p "$work"
if [ ! -d "$work/node_modules" ] ||
    ! cmp -s "$here/package-lock.json" "$work/package-lock.json"; then
    rm -rf "$work/node_modules"
    cp "$here"/{package.json,package-lock.json,.npmrc} "$work"
    (cd "$work" && npm ci --no-progress --silent)
fi
rm -rf "$work"/{src,dist,*.tgz}
cp -R "$here"/{tsconfig.json,src} "$work"
cp openapi/sdk/typescript/quickstart.ts "$work/src"

cd "$work"
# Packed, so that what is tested is what a user gets.
package=$(npm pack --silent "$sdk")
npm install --no-save --no-package-lock --no-progress --silent "./$package"
node_modules/.bin/tsc
# One file at a time: the stories are about moments, and machines are small.
if [ $# -eq 0 ]; then
    set -- dist/*.test.js
else
    set -- "${@/#/dist/}"
    set -- "${@/%/.test.js}"
fi
exec node --test --test-concurrency=1 --test-timeout=120000 --test-reporter=spec "$@" </dev/null
