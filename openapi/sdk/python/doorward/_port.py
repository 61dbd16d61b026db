"""What the rules of staying signed in need from outside: a lock, a connection, a store.

The asyncio port suspends. The blocking one never does, so that `run` drives the same coroutine to
its end in one step.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast

import httpx

from .tokens import Tokens

T = TypeVar("T")


class Port(Protocol):
    """The rules call nothing but this."""

    @property
    def lock(self) -> AbstractAsyncContextManager[Any]: ...
    @property
    def http(self) -> httpx.Client | httpx.AsyncClient: ...

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Sends as it is, without the rules, and receives the whole answer."""

    async def sleep(self, seconds: float) -> None: ...
    async def save(self, tokens: Tokens | None) -> None: ...
    async def signed_out(self, code: str) -> None: ...


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never suspends, as those over a blocking port."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    coroutine.close()
    raise RuntimeError("a blocking port must not suspend")
