"""The same with a cookie jar: the server renews silently, or the client is told to."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from doorward import Doorward, MemoryStore, Problem
from doorward_client import models
from doorward_client.api.auth import logout_all
from helpers import EMAIL, ME, PASSWORD, REFRESH, RETRY, at_once, until
from proxy import FaultProxy, problem
from server import doorward


def cookie_door(url: str, on_signed_out: Callable[[str], None] | None = None) -> Doorward:
    return Doorward(url, delivery="cookie", retry=RETRY, on_signed_out=on_signed_out)


def cookie(door: Doorward, name: str) -> str | None:
    """Read as it is sent: httpx's own jar never says that a cookie has expired."""
    http = door.client.get_httpx_client()
    pairs = http.build_request("GET", "/").headers.get("Cookie", "").split("; ")
    return dict(pair.split("=", 1) for pair in pairs if pair).get(name)


def expire_cookie(door: Doorward) -> None:
    until(lambda: cookie(door, "token") is None, "the access cookie to expire")


def test_tokens_are_in_the_jar_and_unsafe_methods_carry_the_csrf_token() -> None:
    with doorward() as url, cookie_door(url) as door, cookie_door(url) as phone:
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        assert door.get_me().email == EMAIL
        (lost,) = [session.id for session in door.list_sessions() if not session.current]
        door.revoke_session(lost)
        with pytest.raises(Problem, match="session_expired"):
            phone.get_me()
        # By a generated function, too.
        assert isinstance(logout_all.sync(client=door.client), models.Message)


def test_logout_and_logout_all() -> None:
    ended: list[str] = []
    with doorward() as url, cookie_door(url) as door, cookie_door(url, ended.append) as phone:
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        door.logout()
        assert not door.signed_in
        assert cookie(door, "refreshToken") is None
        with pytest.raises(Problem, match="no_token"):
            door.get_me()
        assert phone.get_me().email == EMAIL
        door.login(EMAIL, PASSWORD)
        door.logout_all()
        assert not door.signed_in
        with pytest.raises(Problem, match="session_expired"):
            phone.get_me()
        assert ended == ["session_expired"]
        assert cookie(phone, "refreshToken") is None


def test_the_server_renews_silently_for_twenty_calls_at_once() -> None:
    ended: list[str] = []
    with (
        doorward(access_token_ttl="1s") as url,
        FaultProxy(url) as proxy,
        cookie_door(proxy.url, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        for _ in range(2):
            before = cookie(door, "refreshToken")
            expire_cookie(door)
            calls = at_once(20, door.get_me)
            assert {call.result().email for call in calls} == {EMAIL}
            assert cookie(door, "refreshToken") != before
        assert proxy.count(REFRESH) == 0
        assert ended == []


def test_a_lost_silent_renewal_is_given_out_again() -> None:
    with (
        doorward(access_token_ttl="1s") as url,
        FaultProxy(url) as proxy,
        cookie_door(proxy.url) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire_cookie(door)
        proxy.swallow(ME)
        with pytest.raises(httpx.TransportError):
            door.get_me()
        assert door.get_me().email == EMAIL


def test_without_auto_refresh_twenty_calls_share_one_refresh() -> None:
    ended: list[str] = []
    with (
        doorward(access_token_ttl="2s", auto_refresh="false") as url,
        FaultProxy(url) as proxy,
        cookie_door(proxy.url, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire_cookie(door)
        proxy.swallow(REFRESH)
        with proxy.hold(REFRESH):
            calls = at_once(20, door.get_me)
            until(lambda: proxy.count(ME, status=401) == 20, "twenty refusals")
            until(lambda: proxy.count(REFRESH) == 2, "the second try")
        assert {call.result().email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 2
        assert ended == []
        # An unsafe call is repeated with its CSRF token.
        expire_cookie(door)
        (session,) = [session.id for session in door.list_sessions()]
        expire_cookie(door)
        door.revoke_session(session)


def test_without_auto_refresh_a_failing_server_signs_nobody_out() -> None:
    ended: list[str] = []
    with (
        doorward(access_token_ttl="1s", auto_refresh="false") as url,
        FaultProxy(url) as proxy,
        cookie_door(proxy.url, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire_cookie(door)
        unavailable = problem("503 Service Unavailable", "unavailable")
        proxy.answer(REFRESH, unavailable, RETRY.attempts)
        with pytest.raises(Problem, match="unavailable"):
            door.get_me()
        proxy.go_down()
        with pytest.raises(httpx.ConnectError):
            door.get_me()
        proxy.go_up()
        assert door.signed_in
        assert door.get_me().email == EMAIL
        assert ended == []


def test_a_replayed_refresh_cookie_ends_the_session_and_says_so_once() -> None:
    ended: list[str] = []
    with (
        doorward(access_token_ttl="1s", refresh_grace="0s") as url,
        cookie_door(url, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        stolen = cookie(door, "refreshToken")
        expire_cookie(door)
        door.get_me()
        thief = {"Cookie": f"refreshToken={stolen}"}
        refused = httpx.post(f"{url}/api/auth/refresh", headers=thief)
        assert refused.json()["code"] == "refresh_token_reused"
        for call in at_once(5, door.get_me):
            assert isinstance(call.exception(), Problem)
        assert ended == ["session_expired"]
        assert not door.signed_in


@pytest.mark.parametrize("skew", [-40_000_000.0, 40_000_000.0])
def test_a_wall_clock_that_was_always_wrong_is_harmless(
    monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    right: Callable[[], float] = time.time
    monkeypatch.setattr(time, "time", lambda: right() + skew)
    with doorward(access_token_ttl="1s") as url, cookie_door(url) as door:
        door.register(EMAIL, PASSWORD)
        assert door.get_me().email == EMAIL
        expire_cookie(door)
        assert door.get_me().email == EMAIL


@pytest.mark.parametrize("prefix", ["", "__Host-", "__Secure-"])
def test_the_csrf_cookie_is_found_under_each_of_its_names(prefix: str) -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.headers.get("X-CSRF-Token")))
        cookies = f"{prefix}csrfToken=value=1; Path=/; Secure"
        return httpx.Response(204, headers={"Set-Cookie": cookies})

    args = {"transport": httpx.MockTransport(answer)}
    with Doorward("https://auth.example.com", delivery="cookie", httpx_args=args) as door:
        http = door.client.get_httpx_client()
        for method in ("GET", "GET", "POST", "PUT", "PATCH", "DELETE"):
            http.request(method, "/anything")
    assert [token for _, token in seen] == [None, None, *["value=1"] * 4]


def test_a_store_makes_no_sense_with_cookies() -> None:
    with pytest.raises(ValueError, match="store"):
        Doorward("http://x", delivery="cookie", store=MemoryStore())
