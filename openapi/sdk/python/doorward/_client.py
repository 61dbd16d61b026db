"""The client for blocking programs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Literal
from uuid import UUID

import httpx
from doorward_client import AuthenticatedClient
from doorward_client.models import Session, SessionList, User

from ._dress import undress
from ._generated import generated_client, same_origin
from ._manager import TokenManager
from ._port import run
from .problem import decode
from .retry import Retry
from .stores import MemoryStore, Store
from .tokens import Tokens


class Doorward:
    """A user's connection to a Doorward server. Threads may share it.

    Every method raises `Problem` when the server says no, and httpx's `TransportError` when it does
    not answer. Only a problem with `ends_session` signs the client out.
    """

    def __init__(
        self,
        base_url: str,
        *,
        store: Store | None = None,
        delivery: Literal["body", "cookie"] = "body",
        on_signed_out: Callable[[str], None] | None = None,
        retry: Retry | None = None,
        timeout: float = 10.0,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Starts with the tokens of the `store`, without asking the server.

        With `delivery="cookie"` the tokens are in the client's cookie jar, and a store has no use.
        `on_signed_out` is called with the code once the server has ended the session, but not for
        `logout` and the like. `timeout` is in seconds, for each request. `httpx_args` go to
        `httpx.Client`.
        """
        if delivery == "cookie" and store is not None:
            raise ValueError("a store holds tokens; with cookies there are none to hold")
        store = store or MemoryStore()
        port = _BlockingPort(store, on_signed_out)
        manager = TokenManager(
            port, store.load(), by_cookie=delivery == "cookie", retry=retry or Retry()
        )
        auth = _BlockingAuth(manager, httpx.URL(base_url))
        self.client: AuthenticatedClient = generated_client(base_url, auth, timeout, httpx_args)
        """For the generated functions, such as `get_keys.sync(client=door.client)`."""
        self._http = port.http = self.client.get_httpx_client()
        self._manager = manager

    @property
    def signed_in(self) -> bool:
        """Whether there is something to make calls with. The server is not asked."""
        return self._manager.held is not None

    def register(self, email: str, password: str, *, remember: bool = True) -> User:
        """Makes an account and signs in. Problems: `email_taken`, `validation_failed`.

        Nobody is signed in where the server wants the address verified first.
        """
        return run(self._manager.register(email, password, remember))

    def login(self, email: str, password: str, *, remember: bool = True) -> User:
        """Signs in, in place of whoever is. Problems: `invalid_credentials`, `account_disabled`.

        Without `remember` the session ends after a day at the latest, and its cookies are those of
        a browser's window. Problem where addresses are verified: `email_not_verified`.
        """
        return run(self._manager.login(email, password, remember))

    def logout(self) -> None:
        """Signs out of this device. When it raises, the client is still signed in."""
        run(self._manager.sign_out())

    def logout_all(self) -> None:
        """Signs out of all the user's devices. When it raises, the client is still signed in."""
        run(self._manager.sign_out_everywhere())

    def change_password(self, current: str, new: str) -> None:
        """Changes the password, and signs out of all devices but this. Problem: `wrong_password`.

        Without an answer, or when the store raises, it may have been changed: sign in again then.
        """
        run(self._manager.change_password(current, new))

    def delete_account(self, password: str) -> None:
        """Deletes the account for good. Problem: `wrong_password`."""
        run(self._manager.delete_account(password))

    def get_me(self) -> User:
        """The signed-in user."""
        return decode(self._http.get("/api/auth/me"), User.from_dict)

    def list_sessions(self) -> list[Session]:
        """The user's live sessions, the most recently used first."""
        return decode(self._http.get("/api/auth/sessions"), SessionList.from_dict).sessions

    def revoke_session(self, session_id: UUID) -> None:
        """Signs one device out. Problem: `not_found`."""
        self._http.delete(f"/api/auth/sessions/{session_id}")

    def close(self) -> None:
        """Closes the connections. Nobody is signed out."""
        self._http.close()

    def __enter__(self) -> Doorward:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _BlockingAuth(httpx.Auth):
    """Runs the rules around each call of the httpx client that it is given to."""

    def __init__(self, manager: TokenManager, base_url: httpx.URL) -> None:
        self._manager = manager
        self._base_url = base_url

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        if not same_origin(request.url, self._base_url):
            undress(request)
            yield request
            return
        request.read()  # so that it can be sent twice
        held = run(self._manager.prepare(request))
        response = yield request
        is_repeat = False
        while again := run(self._settle(held, response, is_repeat=is_repeat)):
            held, is_repeat = again, True
            self._manager.dress(request, held)
            response = yield request

    async def _settle(self, held: Any, response: httpx.Response, *, is_repeat: bool) -> Any:
        if not response.is_success:
            response.read()
        return await self._manager.settle(held, response, is_repeat=is_repeat)


class _BlockingLock:
    """A `threading.Lock` in the shape that the rules are written for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *raised: object) -> None:
        self._lock.release()


class _BlockingPort:
    http: httpx.Client

    def __init__(self, store: Store, on_signed_out: Callable[[str], None] | None) -> None:
        self.lock = _BlockingLock()
        self._store = store
        self._on_signed_out = on_signed_out

    async def send(self, request: httpx.Request) -> httpx.Response:
        return self.http.send(request, auth=None)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 (only the shape is async)

    async def save(self, tokens: Tokens | None) -> None:
        self._store.save(tokens)

    async def signed_out(self, code: str) -> None:
        if self._on_signed_out is not None:
            self._on_signed_out(code)
