"""The same rules for asyncio: what differs is how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Literal

import httpx
import pytest
from doorward import AsyncDoorward, Doorward, MemoryStore, Problem, Tokens
from doorward_client import models
from doorward_client.api.auth import get_me
from helpers import CHANGE, EMAIL, LOGOUT, ME, PASSWORD, REFRESH, RETRY, expire, saved, until
from proxy import FaultProxy, problem
from server import doorward


class SlowStore(MemoryStore):
    """Saves as a coroutine does."""

    failures = 0

    async def save(self, tokens: Tokens | None) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        if self.failures > 0:
            self.failures -= 1
            raise OSError("the disk is full")
        self.tokens = tokens


def expired_tokens(url: str) -> Tokens:
    store = MemoryStore()
    with Doorward(url, store=store) as door:
        door.register(EMAIL, PASSWORD)
    expire(url, saved(store))
    return saved(store)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 300))  # long enough never to matter, unless it hangs


async def reached(proxy: FaultProxy, request: str, count: int, status: int | None = None) -> None:
    def enough() -> bool:
        return proxy.count(request, status) >= count

    await asyncio.to_thread(until, enough, f"{count} times {request}")


@pytest.mark.parametrize("delivery", ["body", "cookie"])
def test_from_register_to_logout(delivery: Literal["body", "cookie"]) -> None:
    async def story(url: str) -> None:
        async with (
            AsyncDoorward(url, delivery=delivery) as door,
            AsyncDoorward(url, delivery=delivery) as phone,
        ):
            assert (await door.register(EMAIL, PASSWORD)).email == EMAIL
            await phone.login(EMAIL, PASSWORD)
            assert isinstance(await get_me.asyncio(client=door.client), models.User)
            (lost,) = [s.id for s in await door.list_sessions() if not s.current]
            await door.revoke_session(lost)
            with pytest.raises(Problem, match="session_expired"):
                await phone.get_me()
            with pytest.raises(Problem, match="invalid_credentials"):
                await phone.login(EMAIL, "not the password")
            await door.logout()
            assert not door.signed_in
            await phone.login(EMAIL, PASSWORD)
            await phone.logout_all()
            assert not phone.signed_in

    with doorward() as url:
        play(story(url))


def test_twenty_tasks_share_one_refresh_whose_first_answer_is_lost() -> None:
    ended: list[str] = []

    async def story(url: str, proxy: FaultProxy) -> None:
        store = SlowStore(expired_tokens(url))
        async with AsyncDoorward(
            proxy.url, store=store, retry=RETRY, on_signed_out=ended.append
        ) as door:
            proxy.swallow(REFRESH)
            with proxy.hold(REFRESH):
                calls = [asyncio.create_task(door.get_me()) for _ in range(20)]
                await reached(proxy, ME, 20, status=401)
                await reached(proxy, REFRESH, 2)
            assert {(await call).email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 2
        assert ended == []

    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        play(story(url, proxy))


def test_without_auto_refresh_twenty_tasks_share_one_refresh_by_cookie() -> None:
    async def story(proxy: FaultProxy) -> None:
        async with AsyncDoorward(proxy.url, delivery="cookie") as door:
            await door.register(EMAIL, PASSWORD)
            http = door.client.get_async_httpx_client()

            def expired() -> bool:
                # Read as it is sent: httpx's own jar never says that a cookie has expired.
                sent = http.build_request("GET", "/").headers.get("Cookie", "")
                return not sent.startswith("token=") and "; token=" not in sent

            await asyncio.to_thread(until, expired, "the access cookie to expire")
            with proxy.hold(REFRESH):
                calls = [asyncio.create_task(door.get_me()) for _ in range(20)]
                await reached(proxy, ME, 20, status=401)
            assert {(await call).email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 1

    settings = {"access_token_ttl": "2s", "auto_refresh": "false"}
    with doorward(**settings) as url, FaultProxy(url) as proxy:
        play(story(proxy))


def test_a_task_that_is_cancelled_while_it_refreshes_spoils_nothing() -> None:
    async def story(url: str, proxy: FaultProxy) -> None:
        store = MemoryStore(expired_tokens(url))
        async with AsyncDoorward(proxy.url, store=store) as door:
            with proxy.hold(REFRESH):
                first, second = (asyncio.create_task(door.get_me()) for _ in range(2))
                await reached(proxy, ME, 2, status=401)
                await reached(proxy, REFRESH, 1, status=200)
                for task in (first, second):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            assert door.signed_in
            assert (await door.get_me()).email == EMAIL

    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        play(story(url, proxy))


def test_failures_are_raised_and_sign_nobody_out() -> None:
    async def story(url: str, proxy: FaultProxy) -> None:
        before = expired_tokens(url)
        store = SlowStore(before)
        async with AsyncDoorward(proxy.url, store=store, retry=RETRY) as door:
            unavailable = problem("503 Service Unavailable", "unavailable")
            proxy.answer(REFRESH, unavailable, RETRY.attempts)
            with pytest.raises(Problem, match="unavailable"):
                await door.get_me()
            proxy.go_down()
            with pytest.raises(httpx.ConnectError):
                await door.get_me()
            with pytest.raises(httpx.ConnectError):
                await door.logout()
            proxy.go_up()
            store.failures = 1
            with pytest.raises(OSError, match="disk is full"):
                await door.get_me()
            assert door.signed_in
            assert saved(store) == before
            assert (await door.get_me()).email == EMAIL
            assert saved(store) != before

    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        play(story(url, proxy))


def test_an_ended_session_is_told_once_to_a_hook_that_may_be_a_coroutine() -> None:
    ended: list[str] = []

    async def tell(code: str) -> None:
        await asyncio.sleep(0)
        ended.append(code)

    async def story(url: str) -> None:
        async with AsyncDoorward(url, on_signed_out=tell) as door, AsyncDoorward(url) as other:
            await door.register(EMAIL, PASSWORD)
            await other.login(EMAIL, PASSWORD)
            await other.logout_all()
            calls = await asyncio.gather(*[door.get_me() for _ in range(5)], return_exceptions=True)
            assert all(isinstance(call, Problem) for call in calls)
            assert ended == ["session_expired"]
            assert not door.signed_in

    with doorward() as url:
        play(story(url))


def test_a_logout_waits_for_the_refresh_in_flight() -> None:
    async def story(url: str, proxy: FaultProxy) -> None:
        store = MemoryStore(expired_tokens(url))
        async with AsyncDoorward(proxy.url, store=store) as door:
            with proxy.hold(REFRESH):
                call = asyncio.create_task(door.get_me())
                await reached(proxy, REFRESH, 1, status=200)
                logout = asyncio.create_task(door.logout())
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(logout), 0.3)
                assert proxy.count(LOGOUT) == 0
            await logout
            await asyncio.wait([call])
            call.exception()
            assert not door.signed_in
            assert store.tokens is None

    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        play(story(url, proxy))


@pytest.mark.parametrize("delivery", ["body", "cookie"])
def test_twenty_tasks_around_a_change_sign_nobody_out(delivery: Literal["body", "cookie"]) -> None:
    ended: list[str] = []
    new = "staple, upright and shiny"

    async def story(proxy: FaultProxy) -> None:
        async with AsyncDoorward(proxy.url, delivery=delivery, on_signed_out=ended.append) as door:
            await door.register(EMAIL, PASSWORD)
            with proxy.hold(CHANGE):
                change = asyncio.create_task(door.change_password(PASSWORD, new))
                await reached(proxy, CHANGE, 1, status=200)
                calls = [asyncio.create_task(door.get_me()) for _ in range(20)]
                await reached(proxy, ME, 20, status=401)
            await change
            assert {(await call).email for call in calls} == {EMAIL}
            with pytest.raises(Problem, match="wrong_password"):
                await door.delete_account(PASSWORD)
            await door.delete_account(new)
            assert not door.signed_in
            await door.register(EMAIL, PASSWORD, remember=False)
            await door.login(EMAIL, PASSWORD, remember=False)
        assert ended == []

    with doorward() as url, FaultProxy(url) as proxy:
        play(story(proxy))
