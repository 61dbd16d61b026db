#!/usr/bin/env bash
# Writes the Go and Java clients to target/sdk/go and target/sdk/java, by openapi-generator. A
# warning is an error. What it is told is in go.yaml and java.yaml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

SOURCE=openapi/sdk
SDK=${CARGO_TARGET_DIR:-target}/sdk
TOOLS=$SDK/tools-java

python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "sdk: not found: python3 3.11 or later, with venv (Debian: python3-venv)" >&2
    exit 1
}

wanted=("$SOURCE/requirements-go-java.txt")
# What is called `java` may be a stub that asks for a real one.
java -version >/dev/null 2>&1 || wanted+=("$SOURCE/requirements-jre.txt")

# The note is written last: an install that broke off is made again.
if ! cat "${wanted[@]}" | cmp -s - "$TOOLS/requirements.txt"; then
    python3 -m venv --clear "$TOOLS"
    "$TOOLS/bin/pip" install --quiet --disable-pip-version-check --no-deps "${wanted[@]/#/-r}"
    cat "${wanted[@]}" >"$TOOLS/requirements.txt"
fi

version=$(python3 -c 'import json; print(json.load(open("openapi/doorward.json"))["info"]["version"])')

generate() {
    local language=$1 out=$SDK/$1 log
    rm -rf "$out"
    mkdir -p "$out"
    if ! log=$("$TOOLS/bin/openapi-generator-cli" generate --input-spec openapi/doorward.json \
        --config "$SOURCE/$language.yaml" --output "$out" \
        --additional-properties "packageVersion=$version,artifactVersion=$version" 2>&1) ||
        grep -qE ' (WARN|ERROR) ' <<<"$log"; then
        grep -vE ' INFO |^#' <<<"$log" >&2
        echo "sdk: openapi-generator failed, or warned, about $language" >&2
        exit 1
    fi
    cp LICENSE LICENSE-MIT LICENSE-APACHE "$out/"
    echo "wrote $out: doorward $version, $(find "$out" -name "*.$language" | wc -l) files of $language"
}

generate go
generate java
