#!/usr/bin/env bash
# The spec: linted, validated, held against a running server, and turned into Go and Java clients.
#   DOORWARD_BIN   the server to test against
# Arguments go to schemathesis, such as: run.sh --seed 7 --max-examples 1000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

CHECKS=$PWD/tests/e2e/spec
SPEC=$PWD/openapi/doorward.json
TARGET=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && realpath "${CARGO_TARGET_DIR:-target}")
TOOLS=$TARGET/e2e-spec
missing=()

want() {
    command -v "$1" >/dev/null || missing+=("$1: $2")
}

want node "20.19 or later"
want npm "comes with node"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    missing+=("python3: 3.11 or later, with venv (Debian: python3-venv)")
[ -x "${DOORWARD_BIN:-}" ] || missing+=("a server: set DOORWARD_BIN to one (make release builds it)")
if [ ${#missing[@]} -gt 0 ]; then
    printf 'e2e: not found: %s\n' "${missing[@]}" >&2
    exit 1
fi
DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
export DOORWARD_BIN PYTHONDONTWRITEBYTECODE=1
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

# The copies of what was asked for are made last: an install that broke off is made again.
install() {
    if ! cmp -s "$CHECKS/requirements.txt" "$TOOLS/venv/requirements.txt"; then
        python3 -m venv --clear "$TOOLS/venv"
        "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            -r "$CHECKS/requirements.txt"
        cp "$CHECKS/requirements.txt" "$TOOLS/venv/"
    fi
    if ! cmp -s "$CHECKS/package-lock.json" "$TOOLS/node/installed.json"; then
        mkdir -p "$TOOLS/node"
        cp "$CHECKS"/{package.json,package-lock.json,.npmrc} "$TOOLS/node/"
        (cd "$TOOLS/node" && npm ci --no-progress --ignore-scripts)
        cp "$CHECKS/package-lock.json" "$TOOLS/node/installed.json"
    fi
}

lint() {
    "$TOOLS/node/node_modules/.bin/redocly" lint --config "$CHECKS/redocly.yaml" \
        --lint-config error --format stylish "$SPEC" </dev/null
    "$TOOLS/venv/bin/openapi-spec-validator" "$SPEC"
}

# schemathesis leaves files where it runs.
fuzz() {
    mkdir -p "$TOOLS/work"
    (cd "$TOOLS/work" && "$TOOLS/venv/bin/python" "$CHECKS/fuzz.py" "$@")
}

# The generator's jar has all that the Java client is compiled against, but for three annotations.
compile_java() {
    local stubs=$TOOLS/java/jakarta/annotation jar name
    rm -rf "$TOOLS/java"
    mkdir -p "$stubs"
    for name in Generated Nonnull Nullable; do
        echo "package jakarta.annotation; public @interface $name {" \
            'String value() default ""; String comments() default ""; }' >"$stubs/$name.java"
    done
    jar=$(find "$TARGET/sdk/tools-java" -name openapi-generator.jar)
    find "$TARGET/sdk/java/src" "$stubs" -name '*.java' -print0 |
        xargs -0 javac --release 11 -nowarn -cp "$jar" -d "$TOOLS/java/classes"
    echo "javac: the Java client compiles"
}

compile_go() {
    (cd "$TARGET/sdk/go" && GOCACHE=$TOOLS/go GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local go vet ./...)
    echo "go: the Go client compiles, and vet finds nothing"
}

install
lint
fuzz "$@"
openapi/sdk/go-java.sh
if command -v javac >/dev/null; then compile_java; else echo "e2e: no javac: the Java client is not compiled"; fi
if command -v go >/dev/null; then compile_go; else echo "e2e: no go: the Go client is not compiled"; fi
