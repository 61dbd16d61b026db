#!/usr/bin/env bash
# Litestream replicates the database of a running server to a directory, and brings it back.
#   DOORWARD_BIN   the server to test
# Arguments go to pytest, such as: run.sh -k replica -s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

source tests/e2e/python.sh
python_suite litestream "$@"
