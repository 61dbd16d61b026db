"""The pair of tokens that a client without a cookie jar holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tokens:
    """An access token and the refresh token that came with it. Both are secrets."""

    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        # Whoever logs a pair by accident must not log a way to sign in.
        return "Tokens(redacted)"

    def to_dict(self) -> dict[str, str]:
        """The pair as JSON is to hold it, under the names that the API uses."""
        return {"accessToken": self.access_token, "refreshToken": self.refresh_token}

    @classmethod
    def from_dict(cls, saved: Any) -> Tokens:
        """Reads what `to_dict` made. Raises `ValueError`, without the value, for anything else."""
        if isinstance(saved, dict):
            access, refresh = saved.get("accessToken"), saved.get("refreshToken")
            if isinstance(access, str) and isinstance(refresh, str):
                return cls(access, refresh)
        raise ValueError("not a pair of tokens")
