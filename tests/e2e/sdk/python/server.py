"""A Doorward server of the test's own, on a free port, with a new data directory."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

LIMIT = 15.0
READY = re.compile(r"Doorward is ready on (http://127\.0\.0\.1:\d+) ")


@contextmanager
def doorward(**settings: object) -> Iterator[str]:
    """Runs a server and gives its URL. `settings` are configuration keys.

    At the end it gets SIGTERM, to which the answer must be exit code 0.
    """
    with (
        tempfile.TemporaryDirectory(prefix="doorward-sdk-") as data,
        tempfile.TemporaryFile("w+") as log,
    ):
        process = subprocess.Popen(
            [os.environ["DOORWARD_BIN"], "serve", "--data", data, "--listen", "127.0.0.1:0"],
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield ready_url(process)
        finally:
            code = stop(process)
        log.seek(0)
        assert code == 0, f"the server answered SIGTERM with {code}; its log:\n{log.read()}"


def environment(settings: dict[str, object]) -> dict[str, str]:
    """Cheap hashing and no throttle, unless the test says otherwise."""
    cheap = {"throttle": "false", "argon2_memory_kib": 8, "argon2_iterations": 1}
    variables = {f"DOORWARD_{key.upper()}": str(value) for key, value in (cheap | settings).items()}
    return {"PATH": os.environ["PATH"], **variables}


def ready_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=drain, args=(process.stdout, lines), daemon=True).start()
    try:
        line = lines.get(timeout=LIMIT)
    except queue.Empty:
        raise AssertionError("the server was never ready") from None
    ready = READY.match(line)
    assert ready, f"it said: {line!r}"
    return ready[1]


def drain(stdout: IO[str], lines: queue.Queue[str]) -> None:
    for line in stdout:
        lines.put(line)
    lines.put("(nothing more)")
    stdout.close()


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
