"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Literal
from uuid import UUID

import httpx
from doorward_client import AuthenticatedClient
from doorward_client.models import Session, SessionList, User

from ._dress import undress
from ._generated import generated_client, same_origin
from ._manager import TokenManager
from .problem import decode
from .retry import Retry
from .stores import AsyncStore, MemoryStore
from .tokens import Tokens


class AsyncDoorward:
    """`Doorward` for asyncio. The tasks of one event loop may share it.

    Every method raises `Problem` when the server says no, and httpx's `TransportError` when it does
    not answer. Only a problem with `ends_session` signs the client out.
    """

    def __init__(
        self,
        base_url: str,
        *,
        store: AsyncStore | None = None,
        delivery: Literal["body", "cookie"] = "body",
        on_signed_out: Callable[[str], Awaitable[None] | None] | None = None,
        retry: Retry | None = None,
        timeout: float = 10.0,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """As for `Doorward`; the store's `save` and `on_signed_out` may be coroutine functions."""
        if delivery == "cookie" and store is not None:
            raise ValueError("a store holds tokens; with cookies there are none to hold")
        store = store or MemoryStore()
        port = _AsyncPort(store, on_signed_out)
        manager = TokenManager(
            port, store.load(), by_cookie=delivery == "cookie", retry=retry or Retry()
        )
        auth = _AsyncAuth(manager, httpx.URL(base_url))
        self.client: AuthenticatedClient = generated_client(base_url, auth, timeout, httpx_args)
        """For the generated functions, such as `get_keys.asyncio(client=door.client)`."""
        self._http = port.http = self.client.get_async_httpx_client()
        self._manager = manager

    @property
    def signed_in(self) -> bool:
        """Whether there is something to make calls with. The server is not asked."""
        return self._manager.held is not None

    async def register(self, email: str, password: str, *, remember: bool = True) -> User:
        """Makes an account and signs in. Problems: `email_taken`, `validation_failed`.

        Nobody is signed in where the server wants the address verified first.
        """
        return await self._manager.register(email, password, remember)

    async def login(self, email: str, password: str, *, remember: bool = True) -> User:
        """Signs in, in place of whoever is. Problems: `invalid_credentials`, `account_disabled`.

        Without `remember` the session ends after a day at the latest, and its cookies are those of
        a browser's window. Problem where addresses are verified: `email_not_verified`.
        """
        return await self._manager.login(email, password, remember)

    async def logout(self) -> None:
        """Signs out of this device. When it raises, the client is still signed in."""
        await self._manager.sign_out()

    async def logout_all(self) -> None:
        """Signs out of all the user's devices. When it raises, the client is still signed in."""
        await self._manager.sign_out_everywhere()

    async def change_password(self, current: str, new: str) -> None:
        """Changes the password, and signs out of all devices but this. Problem: `wrong_password`.

        Without an answer, or when the store raises, it may have been changed: sign in again then.
        """
        await self._manager.change_password(current, new)

    async def delete_account(self, password: str) -> None:
        """Deletes the account for good. Problem: `wrong_password`."""
        await self._manager.delete_account(password)

    async def get_me(self) -> User:
        """The signed-in user."""
        return decode(await self._http.get("/api/auth/me"), User.from_dict)

    async def list_sessions(self) -> list[Session]:
        """The user's live sessions, the most recently used first."""
        return decode(await self._http.get("/api/auth/sessions"), SessionList.from_dict).sessions

    async def revoke_session(self, session_id: UUID) -> None:
        """Signs one device out. Problem: `not_found`."""
        await self._http.delete(f"/api/auth/sessions/{session_id}")

    async def aclose(self) -> None:
        """Closes the connections. Nobody is signed out."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncDoorward:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class _AsyncAuth(httpx.Auth):
    """Runs the rules around each call of the httpx client that it is given to."""

    def __init__(self, manager: TokenManager, base_url: httpx.URL) -> None:
        self._manager = manager
        self._base_url = base_url

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not same_origin(request.url, self._base_url):
            undress(request)
            yield request
            return
        await request.aread()  # so that it can be sent twice
        held = await self._manager.prepare(request)
        response = yield request
        is_repeat = False
        while again := await self._settle(held, response, is_repeat=is_repeat):
            held, is_repeat = again, True
            self._manager.dress(request, held)
            response = yield request

    async def _settle(self, held: Any, response: httpx.Response, *, is_repeat: bool) -> Any:
        if not response.is_success:
            await response.aread()
        return await self._manager.settle(held, response, is_repeat=is_repeat)


class _AsyncPort:
    http: httpx.AsyncClient

    def __init__(
        self,
        store: AsyncStore,
        on_signed_out: Callable[[str], Awaitable[None] | None] | None,
    ) -> None:
        self.lock = asyncio.Lock()
        self._store = store
        self._on_signed_out = on_signed_out

    async def send(self, request: httpx.Request) -> httpx.Response:
        return await self.http.send(request, auth=None)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def save(self, tokens: Tokens | None) -> None:
        await _finish(self._store.save(tokens))

    async def signed_out(self, code: str) -> None:
        if self._on_signed_out is not None:
            await _finish(self._on_signed_out(code))


async def _finish(answer: Awaitable[None] | None) -> None:
    if inspect.isawaitable(answer):
        await answer
