"""What a server says when it says no, as one exception."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from doorward_client.models import FieldError
from doorward_client.models import Problem as ProblemBody

T = TypeVar("T")

# The only answers after which a client is signed out. A 503 is the server's own fault and passes.
SIGNED_OUT = frozenset(
    {
        (401, "session_expired"),
        (403, "invalid_refresh_token"),
        (403, "refresh_token_reused"),
    }
)


class Problem(Exception):
    """An answer that is not what was asked for (RFC 9457). Go by `code`, which is stable.

    `code` is empty when the answer is not Doorward's, such as a proxy's HTML. `errors` names the
    fields of a `validation_failed`, as JSON Pointers. `retry_after` is in seconds, or None.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        title: str = "",
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        # What is needed to make it again: an exception may be copied to another process.
        super().__init__(status, code)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.code or self.title}: {self.detail}"

    @property
    def ends_session(self) -> bool:
        """Whether the client is signed out by this."""
        return (self.status, self.code) in SIGNED_OUT

    @property
    def is_access_token_expired(self) -> bool:
        """Whether a refresh helps."""
        return self.status == 401 and self.code == "access_token_expired"

    @property
    def is_passing(self) -> bool:
        """Whether the same request may work later."""
        return self.status >= 500 or self.status == 429

    @classmethod
    def from_response(cls, response: httpx.Response) -> Problem:
        """Reads an answer that has been received. Never raises, never quotes a foreign body."""
        retry_after = _retry_after(response.headers)
        try:
            if _media_type(response) != "application/problem+json":
                raise ValueError
            body = ProblemBody.from_dict(response.json())
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(
                response.status_code,
                "",
                title=response.reason_phrase,
                detail=f"not an answer of Doorward's ({_media_type(response) or 'no body'})",
                retry_after=retry_after,
            )
        return cls(
            response.status_code,
            body.code,
            title=body.title,
            detail=body.detail,
            errors=tuple(body.errors or ()),
            retry_after=retry_after,
        )


def decode(response: httpx.Response, parse: Callable[[Any], T]) -> T:
    """What a successful answer holds. Raises `Problem` for any other."""
    if response.is_success:
        try:
            return parse(response.json())
        except (ValueError, KeyError, TypeError, AttributeError):
            # A captive portal says 200, too. What the parser says could quote a token.
            pass
    raise Problem.from_response(response)


def _media_type(response: httpx.Response) -> str:
    media_type: str = response.headers.get("Content-Type", "").partition(";")[0]
    return media_type.strip().lower()


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds. A date counts from the answer's own `Date`: the clock here may be wrong."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())
