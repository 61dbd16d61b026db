"""Signing in with tokens in bodies, and staying signed in when they expire."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from doorward import Doorward, MemoryStore, Problem, Tokens
from doorward_client import models
from doorward_client.api.auth import get_me
from doorward_client.api.keys import get_keys
from helpers import EMAIL, ME, PASSWORD, REFRESH, at_once, expire, saved, until
from proxy import FaultProxy
from server import doorward


def test_register_login_and_ask_who_that_is() -> None:
    with doorward() as url, Doorward(url) as door, Doorward(url) as phone:
        assert not door.signed_in
        assert door.register(EMAIL, PASSWORD).email == EMAIL
        assert phone.login(EMAIL, PASSWORD) == door.get_me() == phone.get_me()
        assert door.signed_in
        assert {s.device for s in door.list_sessions()} != {""}


def test_generated_functions_work_unchanged() -> None:
    with doorward() as url, Doorward(url) as door:
        door.register(EMAIL, PASSWORD)
        me = get_me.sync(client=door.client)
        assert isinstance(me, models.User)
        assert me == door.get_me()
        hurried = door.client.with_timeout(httpx.Timeout(5.0))
        with hurried:
            assert get_me.sync(client=hurried) == me
        keys = get_keys.sync(client=door.client)
        assert isinstance(keys, models.KeyList)
        assert [key.state.value for key in keys.keys] == ["active"]


def test_a_wrong_password_is_a_problem_and_signs_nobody_out() -> None:
    ended: list[str] = []
    with doorward() as url, Doorward(url, on_signed_out=ended.append) as door:
        door.register(EMAIL, PASSWORD)
        with pytest.raises(Problem) as raised:
            door.login(EMAIL, "not the password")
        assert (raised.value.status, raised.value.code) == (401, "invalid_credentials")
        assert (raised.value.title, raised.value.detail) == ("Unauthorized", "Invalid credentials")
        assert not raised.value.ends_session
        assert door.get_me().email == EMAIL
        assert ended == []


def test_bad_fields_are_named_by_json_pointers() -> None:
    with doorward() as url, Doorward(url) as door:
        with pytest.raises(Problem) as raised:
            door.register("not an address", "short")
        assert (raised.value.status, raised.value.code) == (422, "validation_failed")
        assert [error.field for error in raised.value.errors] == ["/email", "/password"]
        assert all(error.message for error in raised.value.errors)
        assert not door.signed_in


def test_a_taken_address_and_a_stranger() -> None:
    with doorward() as url, Doorward(url) as door, Doorward(url) as stranger:
        door.register(EMAIL, PASSWORD)
        with pytest.raises(Problem, match="email_taken"):
            stranger.register(EMAIL, PASSWORD)
        with pytest.raises(Problem, match="no_token"):
            stranger.get_me()
        with pytest.raises(Problem, match="no_token"):
            stranger.logout_all()
        stranger.logout()


def test_what_is_known_to_have_expired_is_renewed_ahead_of_the_call() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store) as door,
    ):
        door.register(EMAIL, PASSWORD)
        first = saved(store)
        assert door.get_me().email == EMAIL
        assert proxy.count(REFRESH) == 0
        expire(url, first)
        assert door.get_me().email == EMAIL
        assert saved(store) != first
        assert proxy.count(REFRESH) == 1
        assert proxy.count(ME, status=401) == 0


def test_saved_tokens_are_used_until_the_server_calls_them_expired() -> None:
    store = MemoryStore()
    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        with Doorward(url, store=store) as door:
            door.register(EMAIL, PASSWORD)
        first = saved(store)
        with Doorward(proxy.url, store=store) as restarted:
            assert restarted.signed_in
            assert restarted.get_me().email == EMAIL
            assert proxy.count(REFRESH) == 0
            expire(url, first)
            assert restarted.get_me().email == EMAIL
            assert proxy.count(ME, status=401) == 1
            assert proxy.count(REFRESH) == 1
            assert saved(store) != first


def test_twenty_calls_that_fail_at_once_share_one_refresh() -> None:
    ended: list[str] = []
    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        tokens = signed_in_and_expired(url)
        store = MemoryStore(tokens)
        with Doorward(proxy.url, store=store, on_signed_out=ended.append) as door:
            with proxy.hold(REFRESH):
                calls = at_once(20, door.get_me)
                until(lambda: proxy.count(ME, status=401) == 20, "twenty refusals")
                until(lambda: proxy.count(REFRESH) > 0, "a refresh")
            assert {call.result().email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 1
        assert proxy.count(ME) == 40
        assert ended == []


def test_twenty_calls_that_know_of_the_expiry_share_one_refresh() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        calls = at_once(20, door.get_me)
        assert {call.result().email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 1


def test_a_call_is_repeated_with_its_body() -> None:
    transport = StubServer()
    args = {"transport": transport}
    with Doorward("http://x", store=MemoryStore(Tokens("a1", "r1")), httpx_args=args) as door:
        http = door.client.get_httpx_client()
        assert http.post("/api/other", content=iter([b"in ", b"parts"])).is_success
    assert transport.calls == [(b"in parts", "Bearer a1"), (b"in parts", "Bearer a2")]


def test_a_call_of_one_user_is_not_repeated_as_another_user() -> None:
    with doorward(access_token_ttl="2s") as url, FaultProxy(url) as proxy:
        store = MemoryStore(signed_in_and_expired(url))
        with Doorward(url) as bob:
            bob.register("bob@example.com", PASSWORD)
        with Doorward(proxy.url, store=store) as door:
            with proxy.hold(ME):
                (call,) = at_once(1, door.get_me)
                until(lambda: proxy.count(ME, status=401) == 1, "the refusal")
                door.login("bob@example.com", PASSWORD)
            with pytest.raises(Problem, match="access_token_expired"):
                call.result()
            assert door.get_me().email == "bob@example.com"


def test_tokens_do_not_go_to_other_servers() -> None:
    with doorward() as url, Doorward(url) as door, FaultProxy(url) as other:
        door.register(EMAIL, PASSWORD)
        # The same server under another address: it would have let the bearer in.
        answer = door.client.get_httpx_client().get(f"{other.url}/api/auth/me")
        assert answer.json()["code"] == "no_token"


@pytest.mark.parametrize("skew", [-40_000_000.0, 40_000_000.0])
def test_a_wrong_wall_clock_is_harmless(monkeypatch: pytest.MonkeyPatch, skew: float) -> None:
    right: Callable[[], float] = time.time
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store) as door,
    ):
        door.register(EMAIL, PASSWORD)
        monkeypatch.setattr(time, "time", lambda: right() + skew)
        assert door.get_me().email == EMAIL
        assert proxy.count(REFRESH) == 0
        expire(url, saved(store))
        assert door.get_me().email == EMAIL
        assert proxy.count(REFRESH) == 1


def signed_in_and_expired(url: str) -> Tokens:
    store = MemoryStore()
    with Doorward(url, store=store) as door:
        door.register(EMAIL, PASSWORD)
    expire(url, saved(store))
    return saved(store)


class StubServer(httpx.BaseTransport):
    """Doorward guards no call that has a body. Reads it as it comes, as from a socket."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        body = b"".join(request.stream)
        if request.url.path == "/api/auth/refresh":
            return httpx.Response(200, json=REFRESHED)
        self.calls.append((body, request.headers["Authorization"]))
        if len(self.calls) > 1:
            return httpx.Response(200, json={})
        headers = {"Content-Type": "application/problem+json"}
        return httpx.Response(401, text=EXPIRED, headers=headers)


EXPIRED = (
    '{"type":"about:blank","title":"Unauthorized","status":401,'
    '"detail":"Access token expired. Refresh it.","code":"access_token_expired"}'
)
NOW = "2026-01-01T00:00:00.000Z"
REFRESHED = {
    "message": "Access token refreshed",
    "accessTokenExpiresIn": 900,
    "accessToken": "a2",
    "refreshToken": "r2",
    "session": {
        "id": "01890000-0000-7000-8000-000000000000",
        **{"createdAt": NOW, "lastUsedAt": NOW, "expiresAt": NOW},
        **{"ip": "", "userAgent": "", "device": "", "current": True},
    },
}
