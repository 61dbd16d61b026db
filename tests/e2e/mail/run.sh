#!/usr/bin/env bash
# Mail, from the command line through a real Doorward to real SMTP servers on loopback.
#   DOORWARD_BIN   the server to test
# Arguments go to pytest, such as: run.sh -k starttls
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

source tests/e2e/python.sh
python_suite mail "$@"
