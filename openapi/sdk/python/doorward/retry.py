"""How long, and how often, a refresh without an answer is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter. All times are in seconds.

    `attempts` counts the first one. `retry_after_cap` bounds what a server's `Retry-After` may ask.
    """

    attempts: int = 5
    base: float = 0.25
    cap: float = 8.0
    retry_after_cap: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")

    def delay(self, attempt: int, retry_after: float | None = None) -> float:
        """The wait after the `attempt`th failure, counted from 1."""
        backoff = min(self.cap, self.base * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        # On top of what the server asked for, or all clients come back at the same moment.
        return backoff + min(self.retry_after_cap, retry_after or 0.0)
