"""Litestream beside a running server: what it replicates comes back, and old tokens do not."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from doorward import LIMIT, Doorward, doorward, until

README = Path(__file__).parents[3].joinpath("README.md").read_text()
LITESTREAM = Path(sys.executable).with_name("litestream")
PASSWORD = "correct horse battery"
# Tokens that name another server would be refused for that alone.
PUBLIC_URL = "http://127.0.0.1:8080"
# More than the 2 MiB of log after which Doorward moves it into the database, by several times.
ROTATIONS = 1500


def ask(
    server: Doorward, path: str, body: object = None, token: str = ""
) -> tuple[int, dict[str, str]]:
    """Status and body of an answer."""
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/api/auth/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"}
        | ({"Authorization": f"Bearer {token}"} if token else {}),
    )
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def sign(server: Doorward, how: str, who: str) -> dict[str, str]:
    body = {"email": f"{who}@example.com", "password": PASSWORD, "delivery": "body"}
    status, tokens = ask(server, how, body)
    assert status in (200, 201), tokens
    return tokens


def rotate(server: Doorward, tokens: dict[str, str], times: int) -> list[dict[str, str]]:
    issued = [tokens]
    for _ in range(times):
        status, tokens = ask(server, "refresh", {"refreshToken": issued[-1]["refreshToken"]})
        assert status == 200, tokens
        issued.append(tokens)
    return issued


def count(database: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as sql:
        (number,) = sql.execute(query).fetchone()
    assert isinstance(number, int)
    return number


def paste(server: Doorward, block: int, replica: Path) -> tuple[str, dict[str, str]]:
    """One of README's blocks on Litestream, for `replica`, and the environment to run it in."""
    _, *blocks = README.split("<!-- litestream -->\n```sh\n")
    text, _ = blocks[block].split("```", 1)
    assert "file:///var/backups/doorward" in text
    programs = f"{LITESTREAM.parent}:{Path(server.command[0]).parent}"
    environment = server.environment | {"PATH": f"{programs}:{os.environ['PATH']}"}
    return text.replace("file:///var/backups/doorward", replica.as_uri()), environment


@contextmanager
def replicating(server: Doorward, replica: Path) -> Iterator[None]:
    """While Litestream runs as README says."""
    text, environment = paste(server, 0, replica)
    with (server.place / "litestream.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {text}"],
            cwd=server.place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: list(replica.rglob("*.ltx")), "the replica begins")
        yield
    finally:
        process.terminate()
        process.wait(LIMIT)


def bring_back(replica: Path, to: Path) -> Path:
    """What `litestream restore` makes of the replica."""
    to.unlink(missing_ok=True)
    subprocess.run(
        [LITESTREAM, "restore", "-o", to, replica.as_uri()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return to


def knows(replica: Path, scratch: Path, who: str) -> bool:
    copy = bring_back(replica, scratch)
    return count(copy, f"SELECT count(*) FROM users WHERE email = '{who}@example.com'") == 1  # noqa: S608


def test_a_replica_of_a_running_server_comes_back_and_old_tokens_do_not(tmp_path: Path) -> None:
    replica, scratch = tmp_path / "replica", tmp_path / "scratch.db"
    with doorward(public_url=PUBLIC_URL, throttle="false", log_level="warn") as server:
        ana = sign(server, "register", "ana")
        with replicating(server, replica):
            until(lambda: knows(replica, scratch, "ana"), "the replica knows Ana")
            issued = rotate(server, ana, ROTATIONS)
            sign(server, "register", "zoe")
            # Doorward's own ways to look at the database and copy it go on beside Litestream.
            server.run("check")
            server.run("backup", str(tmp_path / "backup.db"))
            until(lambda: knows(replica, scratch, "zoe"), "the replica knows Zoe", 60)
            issued += rotate(server, issued[-1], 3)
            server.kill()
        # The machine is lost; the keys are kept elsewhere.
        shutil.copytree(server.data / "keys", tmp_path / "keys")
        shutil.rmtree(server.data)
        text, environment = paste(server, 1, replica)
        done = subprocess.run(
            ["/bin/sh", "-ec", text],
            cwd=server.place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done
        assert "2 users restored from copy.db to data/doorward.db\n" in done.stdout, done
        copy = server.place / "copy.db"
        assert count(copy, "SELECT max(generation) FROM sessions") > ROTATIONS
        server.run("check", "--unsealed", str(copy))
        shutil.copytree(tmp_path / "keys", server.data / "keys")

        server.start()
        for tokens in issued:
            status, problem = ask(server, "me", token=tokens["accessToken"])
            assert (status, problem["code"]) == (401, "session_expired")
        for tokens in issued[:: len(issued) // 50] + issued[-5:]:
            status, problem = ask(server, "refresh", {"refreshToken": tokens["refreshToken"]})
            assert (status, problem["code"]) == (403, "invalid_refresh_token")
        for who in ("ana", "zoe"):
            tokens = sign(server, "login", who)
            assert ask(server, "me", token=tokens["accessToken"])[0] == 200
        database = server.data / "doorward.db"
        accused = "SELECT count(*) FROM audit WHERE event LIKE 'refresh_token_%'"
        assert count(database, accused) == 0
        assert count(database, "SELECT count(*) FROM outbox") == 0
        assert not list((server.data / "mail").glob("*"))

        # It is replicated anew, and Litestream keeps nobody from stopping the server.
        with replicating(server, tmp_path / "next"):
            until(lambda: knows(tmp_path / "next", scratch, "zoe"), "the new replica knows Zoe")
            server.stop()
            refused = server.refusal("restore", str(tmp_path / "backup.db"), code=1)
            assert "is in use: stop every program" in refused, refused
        server.run("restore", str(tmp_path / "backup.db"))
