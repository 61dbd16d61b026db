#!/usr/bin/env bash
# Runs the long versions of the proofs and writes docs/PROOF.md: what ran, with seeds, counts,
# times and the machine. Timings are reported here and asserted nowhere.
#
#   make prove                 everything, about half an hour on two cores
#   PROVE_SCALE=10 make prove  a tenth of it
#   bash tests/prove.sh fuzz   one of them; the report keeps what it says of the others
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

seed=${DOORWARD_SEED:-$(date +%s)}
scale=${PROVE_SCALE:-1}
logs=target/prove
report=docs/PROOF.md
order=(protocol model clock linear broken crash faults backup fuzz enumeration hostile reproducible)
only=" ${*:-${order[*]}} "
commit=$(git rev-parse --short HEAD)
git diff --quiet HEAD -- src tests || commit="$commit, changed"
mkdir -p "$logs"
# What was not run on this machine stays in the report as it is.
before=$logs/before.md
cp "$report" "$before" 2>/dev/null || : >"$before"
export DOORWARD_SEED=$seed
# Days of histories want optimised code; the checks of a debug build stay on.
export CARGO_PROFILE_DEV_OPT_LEVEL=2

of() { echo $(($1 / scale > 0 ? $1 / scale : 1)); }

# prove NAME WHAT COMMAND...: runs it, and keeps the lines of its output that carry figures.
prove() {
    local name=$1 what=$2 log="$logs/$1.log" started=$SECONDS verdict=passed took
    shift 2
    [[ $only == *" $name "* ]] || return 0
    printf '== %s: %s\n' "$name" "$what"
    if ! "$@" >"$log" 2>&1; then
        verdict='**FAILED**'
        tail -n 25 "$log"
    fi
    took=$((SECONDS - started))
    printf '   %s: %s in %d s\n' "$name" "$verdict" "$took"
    printf '| %s | %s | %s | %d:%02d | `%s` |\n' "$name" "$what" "$verdict" \
        $((took / 60)) $((took % 60)) "$commit" >"$logs/$name.row"
}

# figures NAME: the lines of its output that carry figures. Of progress the last line is enough; of
# counter-examples that there is one, but for the known limit, whose shortest way is told.
figures() {
    [[ -e $logs/$1.log ]] || grep -q "^### $1\$" "$before" || return 0
    printf '\n### %s\n\n' "$1"
    if [[ ! -e $logs/$1.log ]]; then
        awk -v name="### $1" '/^##/ { told = $0 == name; next } told && (NF || text) { text = 1; print }' "$before" |
            sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
        return
    fi
    printf '```text\n'
    sed -E 's/^test [a-z_:]+ \.\.\. //; s/; [0-9]+ filtered out.*//; s/, after:$/:/
            s/^(one request in) 0 with ways of 0 ms on average/none slower than a second/' "$logs/$1.log" |
        awk '/^[0-9]+ kills/ { kills = $0; next }
             /^test result/ && kills { print kills }
             /^[^ ]/ { told = /^slow requests/ }
             /^    / && !told && !/^    "/ { next }
             { print }' |
        grep -vE '^ *(Compiling|Finished|Running|Executable|Blocking|running)|^$|^ok$|^test .*(ok|seconds)$|^[A-Z][A-Za-z]+: .*(token|constraint|session)|^this much|^and then' |
        cut -c1-500 | fold -s -w 110
    printf '```\n'
}

echo "building"
cargo build --release --locked --quiet || exit 1
# Of one of them only what it needs: it builds that itself.
[ $# -gt 0 ] || cargo test --locked --no-run --quiet || exit 1

memory=${PROVE_TMPDIR:-/dev/shm}

# The longest one has a core to itself.
prove model "the store against a reference model: $(of 50000) histories of 100 steps; 15 wrong models" \
    env PROPTEST_CASES="$(of 50000)" DOORWARD_MODEL_STEPS=100 TMPDIR="$memory" \
    cargo test --locked --test model -- --nocapture &
prove crash "SIGKILL under load, $(of 2000) times, the release binary; 10 ways of tampering" \
    env DOORWARD_KILLS="$(of 2000)" DOORWARD_BIN="$PWD/target/release/doorward" \
    cargo test --locked --test crash -- --nocapture
prove protocol "every state of the protocol over the real \`judge\`: three tabs, a thief; 8 planted flaws" \
    env DOORWARD_PROVE=1 cargo test --locked --test protocol -- --nocapture --test-threads 1
prove linear "$(of 10000) concurrent histories over loopback, checked for linearizability" \
    env DOORWARD_HISTORIES="$(of 10000)" cargo test --locked --test linear -- --nocapture
prove clock "clock steps of a second to a year, over leap days: $(of 4000) random lives" \
    env PROPTEST_CASES="$(of 4000)" TMPDIR="$memory" cargo test --locked --test clock -- --nocapture
prove faults "an I/O error at every operation, $(of 20000) power losses; the control with \`NORMAL\`" \
    env DOORWARD_POWER_LOSSES="$(of 20000)" TMPDIR="$memory" cargo test --locked --test faults -- --nocapture
prove backup "$(of 100) backups of a server under load, each checked, restored and checked again" \
    env DOORWARD_BACKUPS="$(of 100)" cargo test --locked --test cli -- backups_under_load --nocapture
prove fuzz "$(of 200000) inputs for each parser" \
    env DOORWARD_FUZZ_CASES="$(of 200000)" cargo test --locked --test fuzz -- --nocapture
wait
prove enumeration "who has an account, by the time of an answer: $(of 10000) pairs of each kind, in turns" \
    env DOORWARD_PAIRS="$(of 10000)" TMPDIR="$memory" cargo test --locked --test api enumeration -- --nocapture
prove hostile "hostile clients, $(of 20000) honest requests among slow ones, a soak of $(of 300) s, the release binary" \
    env DOORWARD_HONEST="$(of 20000)" DOORWARD_SOAK="$(of 300)" DOORWARD_BIN="$PWD/target/release/doorward" \
    cargo test --locked --test hostile -- --nocapture --test-threads 1
prove reproducible "two release builds of the commit, in two places: the same to the byte" packaging/reproducible.sh
prove broken "the linearizability test against a store that rotates in two transactions: caught" \
    cargo test --locked --features broken-rotation --test linear -- --nocapture

{
    echo '# Proof'
    echo
    echo 'Written by `make prove`, which runs the long versions of the tests that `make test` runs in short.'
    echo 'Each has a control that must fail. A run is repeated with `DOORWARD_SEED`.'
    echo
    echo '| | |'
    echo '|---|---|'
    echo "| date | $(date -u +%Y-%m-%d) |"
    echo "| seed | $seed |"
    echo "| machine | $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r | cut -d- -f1) |"
    echo "| compiler | $(rustc --version | cut -d' ' -f1,2) |"
    echo
    echo '| proof | what ran | result | time (min:s) | commit |'
    echo '|---|---|---|---|---|'
    for name in "${order[@]}"; do cat "$logs/$name.row" 2>/dev/null || grep "^| $name |" "$before"; done
    echo
    echo '## Figures'
    for name in "${order[@]}"; do figures "$name"; done
} >"$report"
echo "wrote $report"
! grep -qs FAILED "$logs"/*.row
