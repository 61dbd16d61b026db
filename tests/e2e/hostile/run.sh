#!/usr/bin/env bash
# slowhttptest, from the command line against a real Doorward on loopback: slow heads, slow bodies
# and slow readers, 1,000 at a time where there is room for 128, and its own probe beside them.
# Skipped where it is not installed.
#   DOORWARD_BIN   the server to test
#   SECONDS_EACH   for how long each kind goes on; 10
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if [ ! -x "${DOORWARD_BIN:-}" ]; then
    echo "hostile: not found: a server; set DOORWARD_BIN to one (make release builds it)" >&2
    exit 1
fi
if ! command -v slowhttptest >/dev/null; then
    echo "hostile: skipped: slowhttptest is not installed (Debian's package of that name)"
    exit 0
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    rm -rf "$work"
}
trap stop EXIT

(cd "$work" && ulimit -n 256 && exec "$DOORWARD_BIN" serve --listen 127.0.0.1:0 --data data) \
    >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 100); do
    url=$(sed -n 's/^Doorward is ready on .*listening on \([0-9.:]*\),.*/http:\/\/\1/p' "$work/out")
    [ -z "$url" ] || break
    sleep 0.1
done
[ -n "$url" ] || { cat "$work/log" >&2; exit 1; }

# judge NAME OPTIONS...: its probe must get an answer every time it asks, which the last column tells.
judge() {
    local name=$1
    shift
    (cd "$work" && slowhttptest -c 1000 -r 200 -l "${SECONDS_EACH:-10}" -p 3 -g -o "$name" "$@" >"$name.txt" 2>&1)
    if ! awk -F, 'NR > 1 { all++; if ($NF + 0 > 0) up++ }
                  END { printf "%d of %d probes answered", up, all; exit !(all && up == all) }' \
        "$work/$name.csv"; then
        printf '\n' && tail -n 20 "$work/$name.txt"
        exit 1
    fi
    printf ' (%s)\n' "$name"
}
judge slow-heads -H -i 2 -u "$url/healthz"
judge slow-bodies -B -i 2 -s 8192 -f application/json -u "$url/api/auth/login"
judge slow-readers -X -k 5 -w 1 -y 2 -z 1 -n 2 -u "$url/openapi.json"

if grep panicked "$work/log"; then exit 1; fi
kill "$server"
wait "$server"
server=
