"""What the stories share."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import httpx
from doorward import MemoryStore, Retry, Tokens

T = TypeVar("T")

EMAIL = "ana@example.com"
PASSWORD = "correct horse battery staple"
ME = "GET /api/auth/me"
REFRESH = "POST /api/auth/refresh"
LOGOUT = "POST /api/auth/logout"
CHANGE = "POST /api/auth/password"

# As by default, but impatient.
RETRY = Retry(attempts=3, base=0.01, cap=0.05, retry_after_cap=0.05)


class FlakyStore(MemoryStore):
    """Fails to save as often as told."""

    failures = 0

    def save(self, tokens: Tokens | None) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise OSError("the disk is full")
        super().save(tokens)


def until(ask: Callable[[], T | None], what: str, tries: int = 500) -> T:
    """Asks every 20 ms until the answer is truthy, and returns it.

    It counts how often it asked, and not the time: a machine that stalls is not a failure.
    """
    for _ in range(tries):
        if answer := ask():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"asked {tries} times for {what}")


def saved(store: MemoryStore) -> Tokens:
    """The pair in a store, which must have one."""
    assert store.tokens is not None
    return store.tokens


def expire(url: str, tokens: Tokens) -> None:
    """Waits until the server itself calls the access token expired."""
    until(lambda: me_code(url, tokens) == "access_token_expired", "the access token to expire")


def me_code(url: str, tokens: Tokens) -> str:
    """The `code` of the answer to a plain getMe, or "" for a good one."""
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    answer = httpx.get(f"{url}/api/auth/me", headers=headers)
    return "" if answer.is_success else str(answer.json()["code"])


def at_once(count: int, call: Callable[[], T]) -> list[Future[T]]:
    """Starts the same call in so many threads, at the same moment."""
    barrier = Barrier(count)

    def together() -> T:
        barrier.wait()
        return call()

    pool = ThreadPoolExecutor(count)
    calls = [pool.submit(together) for _ in range(count)]
    pool.shutdown(wait=False)
    return calls
