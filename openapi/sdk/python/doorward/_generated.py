"""A generated client that obeys an `httpx.Auth`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx
from doorward_client import AuthenticatedClient


def generated_client(
    base_url: str, auth: httpx.Auth, timeout: float, httpx_args: dict[str, Any] | None
) -> AuthenticatedClient:
    """The generated functions want an `AuthenticatedClient`; its own fixed token goes unused.

    The auth travels in `httpx_args`, so that copies (`with_headers`, `with_timeout`) obey it, too.
    """
    args = {**(httpx_args or {}), "auth": auth}
    headers = {"User-Agent": _user_agent(), **args.pop("headers", {})}
    return AuthenticatedClient(
        base_url=base_url,
        token="",
        prefix="",
        headers=headers,
        timeout=httpx.Timeout(timeout),
        httpx_args=args,
    )


def same_origin(url: httpx.URL, base_url: httpx.URL) -> bool:
    """Whether credentials may be sent there: httpx calls absolute URLs of other servers, too."""
    return (url.scheme, url.host, url.port) == (base_url.scheme, base_url.host, base_url.port)


def _user_agent() -> str:
    try:
        return f"doorward-client/{version('doorward-client')} (Python)"
    except PackageNotFoundError:
        return "doorward-client (Python)"
