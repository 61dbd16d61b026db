"""The ways in which a session ends, and who is told."""

from __future__ import annotations

import uuid

import httpx
import pytest
from doorward import Doorward, MemoryStore, Problem
from helpers import (
    EMAIL,
    LOGOUT,
    PASSWORD,
    REFRESH,
    RETRY,
    FlakyStore,
    at_once,
    expire,
    me_code,
    saved,
    until,
)
from proxy import FaultProxy, problem
from server import doorward


def test_a_replayed_refresh_token_ends_all_sessions_and_says_so_once() -> None:
    store = MemoryStore()
    ended: list[str] = []
    thief_ended: list[str] = []
    with (
        doorward(access_token_ttl="2s", refresh_grace="1s") as url,
        Doorward(url, store=store, on_signed_out=ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        stolen = saved(store)
        expire(url, stolen)
        door.get_me()

        def replay() -> Problem | None:
            # Within the grace this is a race, which the server forgives.
            loot = MemoryStore(stolen)
            with Doorward(url, store=loot, on_signed_out=thief_ended.append) as thief:
                try:
                    thief.get_me()
                except Problem as refused:
                    assert not thief.signed_in
                    assert loot.tokens is None
                    return refused
                return None

        refused = until(replay, "the end of the grace")
        assert (refused.status, refused.code) == (403, "refresh_token_reused")
        assert thief_ended == ["refresh_token_reused"]

        errors = [call.exception() for call in at_once(5, door.get_me)]
        assert all(isinstance(error, Problem) for error in errors)
        # Which code depends on whether its access token has expired meanwhile.
        assert ended in (["session_expired"], ["invalid_refresh_token"])
        assert not door.signed_in
        assert store.tokens is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 Unauthorized", "session_expired"),
        ("403 Forbidden", "invalid_refresh_token"),
        ("403 Forbidden", "refresh_token_reused"),
    ],
)
def test_each_code_that_means_it_signs_out_on_a_refresh(status: str, code: str) -> None:
    store = MemoryStore()
    ended: list[str] = []
    with (
        doorward(access_token_ttl="1s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store, on_signed_out=ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        proxy.answer(REFRESH, problem(status, code))
        with pytest.raises(Problem, match=code) as raised:
            door.get_me()
        assert raised.value.ends_session
        assert ended == [code]
        assert store.tokens is None
        with pytest.raises(Problem, match="no_token"):
            door.get_me()
        assert ended == [code]


def test_the_hook_may_sign_in_again() -> None:
    with doorward() as url, Doorward(url) as other:
        codes: list[str] = []

        def again(code: str) -> None:
            codes.append(code)
            door.login(EMAIL, PASSWORD)

        with Doorward(url, on_signed_out=again) as door:
            door.register(EMAIL, PASSWORD)
            other.login(EMAIL, PASSWORD)
            other.logout_all()
            with pytest.raises(Problem, match="session_expired"):
                door.get_me()
            assert codes == ["session_expired"]
            assert door.get_me().email == EMAIL


def test_a_store_that_cannot_forget_does_not_keep_anybody_signed_in() -> None:
    store = FlakyStore()
    ended: list[str] = []
    with doorward() as url, Doorward(url, store=store, on_signed_out=ended.append) as door:
        door.register(EMAIL, PASSWORD)
        with Doorward(url) as other:
            other.login(EMAIL, PASSWORD)
            other.logout_all()
        store.failures = 1
        with pytest.raises(Problem, match="session_expired") as raised:
            door.get_me()
        assert isinstance(raised.value.__cause__, OSError)
        assert not door.signed_in
        assert ended == ["session_expired"]


def test_logout_ends_the_session_and_tells_the_store_alone() -> None:
    store = MemoryStore()
    ended: list[str] = []
    with doorward() as url, Doorward(url, store=store, on_signed_out=ended.append) as door:
        door.register(EMAIL, PASSWORD)
        tokens = saved(store)
        door.logout()
        assert not door.signed_in
        assert store.tokens is None
        assert me_code(url, tokens) == "session_expired"
        assert ended == []
        door.logout()


def test_logout_works_with_an_expired_access_token() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="1s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store) as door,
    ):
        door.register(EMAIL, PASSWORD)
        tokens = saved(store)
        expire(url, tokens)
        door.logout()
        assert proxy.count(REFRESH) == 0
        assert me_code(url, tokens) == "session_expired"


def test_a_logout_that_failed_leaves_the_client_signed_in() -> None:
    store = MemoryStore()
    with doorward() as url, FaultProxy(url) as proxy, Doorward(proxy.url, store=store) as door:
        door.register(EMAIL, PASSWORD)
        proxy.go_down()
        with pytest.raises(httpx.ConnectError):
            door.logout()
        proxy.go_up()
        proxy.answer(LOGOUT, problem("503 Service Unavailable", "unavailable"))
        with pytest.raises(Problem, match="unavailable"):
            door.logout()
        assert door.signed_in
        assert door.get_me().email == EMAIL
        door.logout()
        assert store.tokens is None


def test_a_logout_waits_for_the_refresh_in_flight() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store, retry=RETRY) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        with proxy.hold(REFRESH):
            (call,) = at_once(1, door.get_me)
            until(lambda: proxy.count(REFRESH, status=200) == 1, "the refresh")
            (logout,) = at_once(1, door.logout)
            with pytest.raises(AssertionError):
                until(lambda: proxy.count(LOGOUT), "an early logout", tries=25)
        logout.result()
        call.exception()  # The call may have got through before the logout, or not.
        assert not door.signed_in
        assert store.tokens is None


def test_logout_all_ends_the_other_clients_session_too() -> None:
    store = MemoryStore()
    ended: list[str] = []
    with (
        doorward(access_token_ttl="2s") as url,
        Doorward(url, store=store) as door,
        Doorward(url, on_signed_out=ended.append) as phone,
    ):
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        # A saved pair of unknown age: the server says that it has expired, and it is renewed.
        expire(url, saved(store))
        with Doorward(url, store=store) as restarted:
            restarted.logout_all()
            assert not restarted.signed_in
        assert store.tokens is None
        with pytest.raises(Problem) as raised:
            phone.get_me()
        # The phone's own token has expired meanwhile: its refresh is what is refused.
        assert raised.value.ends_session
        assert ended == [raised.value.code]


def test_the_other_client_of_a_logout_all_hears_session_expired() -> None:
    ended: list[str] = []
    with doorward() as url, Doorward(url) as door, Doorward(url) as phone:
        door.register(EMAIL, PASSWORD)
        with Doorward(url, on_signed_out=ended.append) as tablet:
            tablet.login(EMAIL, PASSWORD)
            phone.login(EMAIL, PASSWORD)
            phone.logout_all()
            with pytest.raises(Problem, match="session_expired"):
                tablet.get_me()
            with pytest.raises(Problem, match="session_expired"):
                door.logout_all()
            assert ended == ["session_expired"]
            assert not door.signed_in


def test_a_session_is_revoked_and_cannot_be_again() -> None:
    with doorward() as url, Doorward(url) as door, Doorward(url) as phone:
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        (lost,) = [session.id for session in door.list_sessions() if not session.current]
        door.revoke_session(lost)
        assert [session.current for session in door.list_sessions()] == [True]
        with pytest.raises(Problem, match="session_expired"):
            phone.get_me()
        for unknown in (lost, uuid.uuid4()):
            with pytest.raises(Problem) as raised:
                door.revoke_session(unknown)
            assert (raised.value.status, raised.value.code) == (404, "not_found")
        assert door.signed_in
