#!/usr/bin/env bash
# Lets systemd judge doorward.service: its syntax, then its sandbox; and the syntax of the backup's units.
#
# `systemd-analyze verify` insists that the binary of ExecStart= exists, which it need not
# on a build machine, so a copy of the unit that starts /bin/true instead is verified.
set -euo pipefail

unit=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/doorward.service
# Exposure in tenths, 0 (sealed) to 100 (open): a hardening line that gets lost shows here.
max_exposure=20

if ! command -v systemd-analyze >/dev/null; then
    echo "unit-check: SKIPPED, systemd-analyze is not installed"
    exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy=$scratch/doorward.service
sed 's|^ExecStart=/usr/local/bin/doorward |ExecStart=/bin/true |' "$unit" >"$copy"
if ! grep -q '^ExecStart=/bin/true ' "$copy"; then
    echo "unit-check: ExecStart= of $unit does not start /usr/local/bin/doorward" >&2
    exit 1
fi

# An unknown or misspelt directive is only a warning to systemd. It is an error here.
status=0
verdict=$(systemd-analyze verify --man=no "$copy" 2>&1) || status=$?
complaints=$(grep -F doorward.service <<<"$verdict" || true)
if [[ $status -ne 0 || -n $complaints ]]; then
    printf '%s\n' "unit-check: systemd-analyze verify complains:" "${complaints:-$verdict}" >&2
    exit 1
fi

backup=$(dirname "$unit")/doorward-backup
cp "$backup.service" "$backup.timer" "$scratch"
verdict=$(systemd-analyze verify --man=no "$scratch"/doorward-backup.{service,timer} 2>&1) || status=$?
complaints=$(grep -F doorward-backup <<<"$verdict" || true)
if [[ $status -ne 0 || -n $complaints ]]; then
    printf '%s\n' "unit-check: systemd-analyze verify complains:" "${complaints:-$verdict}" >&2
    exit 1
fi

if ! score=$(systemd-analyze security --no-pager --offline=true --threshold="$max_exposure" "$copy" 2>&1); then
    printf '%s\n' "$score" "unit-check: the sandbox is weaker than $max_exposure (see the last line)" >&2
    exit 1
fi
echo "unit-check: verified, exposure $(grep -o '[0-9.]* OK' <<<"$score" | tail -n 1)"
