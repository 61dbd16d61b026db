"""The rules of staying signed in, once, for blocking and for asyncio programs.

They are coroutines over a `Port`: see there how a blocking program runs them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from doorward_client.models import (
    Credentials,
    CurrentPassword,
    Delivery,
    PasswordChange,
    Refreshed,
    RefreshToken,
    Registered,
    SignedIn,
    User,
)
from doorward_client.types import UNSET, Unset

from ._dress import dress, is_public
from ._port import Port
from .problem import Problem, decode
from .retry import Retry
from .tokens import Tokens

Answer = SignedIn | Registered | Refreshed


@dataclass(frozen=True, eq=False)
class Held:
    """What calls are made with. A refresh replaces it, so that identity tells old from new."""

    sign_in: int
    """Which sign-in it comes from: a call of one user must not be repeated as another."""
    tokens: Tokens | None
    """None when the cookie jar has them."""
    deadline: float | None
    """When it has expired for certain, on the monotonic clock. None when the age is unknown."""

    def is_expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


class TokenManager:
    """Holds what calls are made with, and renews it. `port.lock` guards every change."""

    def __init__(self, port: Port, tokens: Tokens | None, *, by_cookie: bool, retry: Retry) -> None:
        self.held = None if tokens is None else Held(0, tokens, None)
        self._port = port
        self._by_cookie = by_cookie
        self._retry = retry
        self._sign_ins = 0
        self._refreshes = 0
        self._failure: Exception | None = None
        self._ended_by: str | None = None

    async def prepare(self, request: httpx.Request) -> Held | None:
        """Dresses a call, after a refresh if what is held is known to have expired."""
        # Nor must what anybody may call fail because a refresh does.
        held = None if is_public(request) else self.held
        if held is not None and held.is_expired():
            held = await self._renew(held)
        self.dress(request, held)
        return held

    def dress(self, request: httpx.Request, held: Held | None) -> None:
        """Puts what is held on a call, in place of what it carried."""
        tokens = None if held is None else held.tokens
        dress(request, tokens, self._port.http.cookies if self._by_cookie else None)

    async def settle(
        self, held: Held | None, response: httpx.Response, *, is_repeat: bool
    ) -> Held | None:
        """Judges the answer to a call that carried `held`. Raises `Problem` for a bad one.

        Returns what the call is to be repeated with, or None when the answer stands.
        """
        if response.is_success:
            return None
        problem = Problem.from_response(response)
        if held is None:
            raise problem
        if problem.is_access_token_expired or problem.ends_session:
            # Whoever failed with what has been replaced meanwhile only takes the newer one.
            current = self.held
            if current is held and problem.ends_session:
                current = await self._end_held(held, problem)
            elif current is held and not is_repeat:
                current = await self._renew(held)
            if current is not None and current is not held and current.sign_in == held.sign_in:
                return current
        raise problem

    async def register(self, email: str, password: str, remember: bool) -> User:
        path = "/api/auth/register"
        return await self._sign_in(path, email, password, remember, Registered.from_dict)

    async def login(self, email: str, password: str, remember: bool) -> User:
        path = "/api/auth/login"
        return await self._sign_in(path, email, password, remember, SignedIn.from_dict)

    async def change_password(self, current: str, new: str) -> None:
        """Takes over the session that the server starts in place of all that there were."""
        async with self._exclusive():
            asked_at = time.monotonic()
            body = PasswordChange(current_password=current, new_password=new)
            response = await self._post_as_held("/api/auth/password", body.to_dict())
            answer = decode(response, SignedIn.from_dict)
            if self.held is not None:
                # It is the same user: calls that failed with the old pair are repeated.
                await self._keep(self._new_held(self.held.sign_in, answer, asked_at, response))

    async def delete_account(self, password: str) -> None:
        async with self._exclusive():
            body = CurrentPassword(password=password)
            await self._post_as_held("/api/auth/delete-account", body.to_dict())
            await self._drop()

    async def sign_out(self) -> None:
        """Ends the session. A refresh in flight comes first; a later one finds nothing to renew."""
        async with self._exclusive():
            if self.held is None:
                return
            tokens = self.held.tokens
            body = RefreshToken(tokens.refresh_token) if tokens else RefreshToken()
            response = await self._post("/api/auth/logout", body.to_dict())
            if not response.is_success:
                raise Problem.from_response(response)
            await self._drop()

    async def sign_out_everywhere(self) -> None:
        """Ends all of the user's sessions. Raises `Problem` when nobody is signed in."""
        async with self._exclusive():
            await self._post_as_held("/api/auth/logout-all", None)
            await self._drop()

    async def _sign_in(
        self,
        path: str,
        email: str,
        password: str,
        remember: bool,
        parse: Callable[[Any], SignedIn | Registered],
    ) -> User:
        credentials = Credentials(
            email=email,
            password=password,
            delivery=Delivery.COOKIE if self._by_cookie else Delivery.BODY,
            remember=UNSET if remember else False,
        )
        async with self._exclusive():
            asked_at = time.monotonic()
            response = await self._post(path, credentials.to_dict())
            answer = decode(response, parse)
            # A server that wants a verified address registers without signing in.
            if not isinstance(answer.session, Unset):
                self._sign_ins += 1
                await self._keep(self._new_held(self._sign_ins, answer, asked_at, response))
            return answer.user

    async def _renew(self, stale: Held) -> Held | None:
        """Replaces what has expired, once for all who ask meanwhile. None: signed out meanwhile."""
        ended_before = self._refreshes
        async with self._exclusive():
            if self.held is not None and self.held is not stale:
                return self.held
            if self._failure is not None and self._refreshes > ended_before:
                # It failed while this caller waited for it. Twenty who wait are not twenty tries.
                raise self._failure
            return None if self.held is None else await self._refresh(self.held)

    async def _refresh(self, held: Held) -> Held:
        self._failure = None
        try:
            renewed = await self._trade(held)
            await self._keep(renewed)
            return renewed
        except Exception as error:
            self._failure = error
            if isinstance(error, Problem) and error.ends_session:
                await self._end(error)
            raise
        finally:
            self._refreshes += 1

    async def _trade(self, held: Held) -> Held:
        """Asks until there is an answer, with the same token: the server allows that."""
        body = RefreshToken(held.tokens.refresh_token).to_dict() if held.tokens else None
        attempt = 0
        while True:
            attempt += 1
            asked_at = time.monotonic()
            error: Exception
            retry_after = None
            try:
                response = await self._post("/api/auth/refresh", body)
                refreshed = decode(response, Refreshed.from_dict)
                return self._new_held(held.sign_in, refreshed, asked_at, response)
            except httpx.RequestError as lost:
                error = lost
            except Problem as problem:
                if not problem.is_passing:
                    raise
                error, retry_after = problem, problem.retry_after
            if attempt >= self._retry.attempts:
                raise error
            await self._port.sleep(self._retry.delay(attempt, retry_after))

    def _new_held(
        self, sign_in: int, answer: Answer, asked_at: float, response: httpx.Response
    ) -> Held:
        if self._by_cookie:
            # The server may renew cookies silently: only it knows how old they are.
            return Held(sign_in, None, None)
        access, refresh = answer.access_token, answer.refresh_token
        expires_in = answer.access_token_expires_in
        if isinstance(access, Unset) or isinstance(refresh, Unset) or isinstance(expires_in, Unset):
            raise Problem.from_response(response)
        return Held(sign_in, Tokens(access, refresh), asked_at + expires_in)

    async def _keep(self, held: Held) -> None:
        # Saved first: a pair in use that is lost with the process cannot be asked for again.
        if held.tokens is not None:
            await self._port.save(held.tokens)
        self.held = held

    async def _drop(self) -> None:
        self.held = None
        if self._by_cookie:
            self._port.http.cookies = httpx.Cookies()
        else:
            await self._port.save(None)

    async def _end(self, problem: Problem) -> None:
        """Drops what the server has ended. The hook is told when the lock is free again."""
        self._ended_by = problem.code
        try:
            await self._drop()
        except Exception as failure:
            raise problem from failure

    async def _end_held(self, held: Held, problem: Problem) -> Held | None:
        """Ends the sign-in, unless what is held has been replaced meanwhile: then returns that."""
        async with self._exclusive():
            if self.held is held:
                await self._end(problem)
            return self.held

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        """One at a time. The signed-out hook is called after, so that it may sign in again."""
        code = None
        try:
            async with self._port.lock:
                try:
                    yield
                finally:
                    code, self._ended_by = self._ended_by, None
        finally:
            if code is not None:
                await self._port.signed_out(code)

    async def _post(self, path: str, body: dict[str, Any] | None) -> httpx.Response:
        return await self._port.send(self._port.http.build_request("POST", path, json=body))

    async def _post_as_held(self, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """A call by whoever has the lock, renewed and judged as any other. Raises `Problem`."""
        held = self.held
        if held is not None and held.is_expired():
            held = await self._refresh(held)
        may_renew = held is not None
        while True:
            request = self._port.http.build_request("POST", path, json=body)
            self.dress(request, held)
            response = await self._port.send(request)
            if response.is_success:
                return response
            problem = Problem.from_response(response)
            if held is not None and problem.ends_session:
                await self._end(problem)
            if held is None or not may_renew or not problem.is_access_token_expired:
                raise problem
            held, may_renew = await self._refresh(held), False
