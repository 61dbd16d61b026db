"""What a call wears: a bearer token, or cookies and the CSRF token."""

from __future__ import annotations

import httpx
from doorward_client.public import PUBLIC_PATHS

from .tokens import Tokens

# The server's public URL decides which of them it uses; the stricter one wins.
CSRF_COOKIES = ("__Host-csrfToken", "__Secure-csrfToken", "csrfToken")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def dress(request: httpx.Request, tokens: Tokens | None, cookies: httpx.Cookies | None) -> None:
    """Replaces the credentials of a request, which may be one that is sent again.

    With `cookies`, the jar's are sent, and unsafe methods carry `X-CSRF-Token`.
    """
    undress(request)
    if cookies is not None:
        # The request was built before the call waited for a refresh: its cookies may be old.
        request.headers.pop("Cookie", None)
        cookies.set_cookie_header(request)
        csrf = _csrf_token(request.headers.get("Cookie", ""))
        if csrf is not None and request.method not in SAFE_METHODS:
            request.headers["X-CSRF-Token"] = csrf
    elif tokens is not None:
        request.headers["Authorization"] = f"Bearer {tokens.access_token}"


def is_public(request: httpx.Request) -> bool:
    """Whether anybody may make this call. The base URL may have a path of its own."""
    return request.url.path.endswith(PUBLIC_PATHS)


def undress(request: httpx.Request) -> None:
    """Takes a bearer token off a request."""
    request.headers.pop("Authorization", None)


def _csrf_token(cookie_header: str) -> str | None:
    pairs = (pair.strip().partition("=") for pair in cookie_header.split(";"))
    sent = {name: value for name, _, value in pairs}
    return next((sent[name] for name in CSRF_COOKIES if name in sent), None)
