"""Where tokens are kept between two runs of a program.

A new pair is saved before it is used. A store that raises keeps the client on the old pair, and
the next call tries again: the server gives out the same successor once more.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from .tokens import Tokens


class Store(Protocol):
    """Keeps one pair of tokens. It is called with a lock held: it must not call the client."""

    def load(self) -> Tokens | None:
        """The saved pair, or None. Called once, when the client is made."""

    def save(self, tokens: Tokens | None) -> None:
        """Keeps the pair in place of the old one; None means signed out."""


class AsyncStore(Protocol):
    """A `Store` whose `save` may be a coroutine. Every `Store` is one, too."""

    def load(self) -> Tokens | None:
        """The saved pair, or None. Called once, when the client is made."""

    def save(self, tokens: Tokens | None) -> Awaitable[None] | None:
        """Keeps the pair in place of the old one; None means signed out."""


class MemoryStore:
    """Keeps the pair in memory, and is a way to start with a pair from elsewhere."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.tokens = tokens

    def load(self) -> Tokens | None:
        return self.tokens

    def save(self, tokens: Tokens | None) -> None:
        self.tokens = tokens


class FileStore:
    """Keeps the pair in a JSON file that only its owner may read.

    One running client per file: two that refresh on their own look like a thief and an owner.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> Tokens | None:
        """The saved pair, or None without a file. Raises `ValueError` if the file is not one."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return Tokens.from_dict(json.loads(text))
        except ValueError:
            # What the parser says could quote the file.
            raise ValueError(f"{self._path} does not hold a pair of tokens") from None

    def save(self, tokens: Tokens | None) -> None:
        """Replaces the file as a whole, or removes it. Raises `OSError`."""
        if tokens is None:
            self._path.unlink(missing_ok=True)
        else:
            self._replace(json.dumps(tokens.to_dict()))
        self._sync_folder()

    def _replace(self, text: str) -> None:
        # The new file has mode 0600 from its first moment, and takes the old one's name only
        # when it is complete on the disk: a crash leaves the one or the other.
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _sync_folder(self) -> None:
        # Elsewhere than on POSIX a folder cannot be opened, and need not be.
        if os.name == "posix":
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
