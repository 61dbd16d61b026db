"""A server of the checks' own: on a free port, with a data directory that is thrown away."""

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager

READY = re.compile(r"Doorward is ready on (http://127\.0\.0\.1:\d+) ")
STOP_LIMIT = 15

# Cheap hashing, no throttle. Access tokens are short-lived, so that renewing them is met too. In
# the grace a refresh token that was overtaken twice is 503, which is right, but what a check for
# 5xx trips over: without a grace it is 403.
SETTINGS = {
    "DOORWARD_THROTTLE": "false",
    "DOORWARD_ARGON2_MEMORY_KIB": "8",
    "DOORWARD_ARGON2_ITERATIONS": "1",
    "DOORWARD_ACCESS_TOKEN_TTL": "3s",
    "DOORWARD_REFRESH_GRACE": "0s",
    "DOORWARD_LOG_LEVEL": "error",
}


@contextmanager
def doorward():
    """Starts the binary DOORWARD_BIN and yields its URL, and a function that runs the command line
    on its data. SIGTERM must end it with exit code 0."""
    with tempfile.TemporaryDirectory(prefix="doorward-spec-") as data:
        command = [os.environ["DOORWARD_BIN"], "serve", "--data", data, "--listen", "127.0.0.1:0"]
        environment = {"PATH": os.environ["PATH"], **SETTINGS}

        def shell(*arguments):
            binary = os.environ["DOORWARD_BIN"]
            command = [binary, *arguments, "--data", data]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, text=True) as server:
            try:
                line = server.stdout.readline()
                ready = READY.match(line)
                if not ready:
                    raise RuntimeError(f"the server did not start; it said: {line!r}")
                yield ready.group(1), shell
            finally:
                server.terminate()
                try:
                    code = server.wait(STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    server.kill()
                    raise
            if code != 0:
                raise RuntimeError(f"the server answered SIGTERM with {code}")
