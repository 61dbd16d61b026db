"""A Doorward of the test's own: a server on a free port, and the command line beside it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

LIMIT = 15.0
READY = re.compile(r"Doorward is ready on \S+ \(listening on (127\.0\.0\.1:\d+), ")


class Doorward:
    """A data directory, and a server on it while one runs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.settings: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, "serve", "--listen", "127.0.0.1:0"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = ready_url(self.process)

    def stop(self) -> None:
        """Ends it as an operator does, to which the answer must be exit code 0."""
        code = self.end(signal.SIGTERM)
        assert code == 0, f"the server answered SIGTERM with {code}; its log:\n{self.log}"

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process = None

    def run(self, *words: str) -> str:
        """What a command says on standard output."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def refusal(self, *words: str, code: int = 2) -> str:
        """What a command says that is refused, for its configuration unless `code` is another."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == code, f"{words}: {done}"
        return done.stderr

    def post(self, to: str) -> None:
        self.run("mail", "test", to)

    def outbox(self) -> list[dict[str, object]]:
        mails = json.loads(self.run("mail", "list", "--json"))
        assert isinstance(mails, list)
        return mails

    def fails(self, attempts: int = 1) -> dict[str, object]:
        """The first mail of the outbox, once it has failed that often."""

        def failed() -> dict[str, object] | None:
            mail = self.outbox()[0]
            return mail if mail["attempts"] == attempts else None

        return until(failed, "the mail fails")

    def is_empty(self) -> None:
        until(lambda: not self.outbox(), "the outbox is empty")

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=LIMIT) as answer:  # noqa: S310
            text = answer.read().decode()
        assert isinstance(text, str)
        return text

    @property
    def command(self) -> list[str]:
        return [os.environ["DOORWARD_BIN"], "--data", str(self.data)]

    @property
    def environment(self) -> dict[str, str]:
        variables = {f"DOORWARD_{key.upper()}": value for key, value in self.settings.items()}
        return {"PATH": os.environ["PATH"], **variables}

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def log_file(self) -> Path:
        return self.place / "log"

    @property
    def log(self) -> str:
        return self.log_file.read_text()


@contextmanager
def doorward(**settings: object) -> Iterator[Doorward]:
    """A running server. `settings` are configuration keys."""
    with tempfile.TemporaryDirectory(prefix="doorward-mail-") as place:
        server = Doorward(Path(place))
        server.settings = {key: str(value) for key, value in settings.items()}
        server.start()
        try:
            yield server
        except BaseException:
            print(server.log)
            if server.process is not None:
                server.kill()
            raise
        if server.process is not None:
            server.stop()


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
    return f"http://{ready[1]}"


def drain(stdout: IO[str], lines: queue.Queue[str]) -> None:
    for line in stdout:
        lines.put(line)
    lines.put("(nothing more)")
    stdout.close()


def until(ask: Callable[[], T | None], what: str, seconds: float = LIMIT) -> T:
    """Asks until the answer is truthy, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not in {seconds} s: {what}")
