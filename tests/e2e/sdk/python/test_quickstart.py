"""The program that the README shows does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from doorward import Doorward, FileStore
from server import doorward

PROGRAM = Path(__file__).resolve().parents[4] / "openapi/sdk/python/quickstart.py"
PASSWORD = "correct horse battery"


def run(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # By text: beside its file it would find the companion's sources, not the installed package.
    return subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.read_text(), url],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_quickstart(tmp_path: Path) -> None:
    said = "signed in as ana@example.com\nsession on doorward-client (this one)\nsigned out\n"
    with doorward() as url:
        # Registers, then signs in, then goes on with saved tokens.
        for _ in range(2):
            done = run(url, tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
            assert list(tmp_path.iterdir()) == []
        with Doorward(url, store=FileStore(tmp_path / "doorward-tokens.json")) as door:
            door.login("ana@example.com", PASSWORD)
        assert run(url, tmp_path).stdout == said

        with Doorward(url, store=FileStore(tmp_path / "doorward-tokens.json")) as door:
            door.login("ana@example.com", PASSWORD)
        with Doorward(url) as door:
            door.login("ana@example.com", PASSWORD)
            door.logout_all()
        done = run(url, tmp_path)
        assert done.returncode == 1
        assert done.stdout == "ended: session_expired\n"
        assert done.stderr.startswith("refused: session_expired: ")

    done = run(url, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"no answer from {url}: ")
