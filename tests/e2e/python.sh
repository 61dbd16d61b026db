# Sourced by the suites in Python: judges and runs the stories of SUITE in an environment of its own.
#   python_suite SUITE [ARGS OF PYTEST...]     with DOORWARD_BIN, the server to test
python_suite() {
    local suite=$1 stories=tests/e2e/$1 env=${CARGO_TARGET_DIR:-target}/e2e/$1
    shift
    if [ ! -x "${DOORWARD_BIN:-}" ]; then
        echo "$suite: not found: a server; set DOORWARD_BIN to one (make release builds it)" >&2
        return 1
    fi
    DOORWARD_BIN=$(realpath "$DOORWARD_BIN")
    export DOORWARD_BIN PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

    # The copy of the requirements is made last: an install that broke off is made again.
    if ! cmp -s "$stories/requirements.txt" "$env/requirements.txt"; then
        python3 -m venv --clear "$env"
        "$env/bin/pip" install --quiet --no-deps -r "$stories/requirements.txt"
        cp "$stories/requirements.txt" "$env/"
    fi

    "$env/bin/ruff" check --quiet --no-cache --config "$stories/ruff.toml" "$stories"
    "$env/bin/ruff" format --quiet --no-cache --check --config "$stories/ruff.toml" "$stories"
    # Litestream's stories start the server as those of mail do.
    MYPYPATH=tests/e2e/mail "$env/bin/mypy" --strict --cache-dir "$env/mypy" --no-error-summary "$stories"
    "$env/bin/pytest" -q -p no:cacheprovider "$stories" "$@"
}
