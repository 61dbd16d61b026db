"""What asks for the password again: changing it, deleting the account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import httpx
import pytest
from doorward import Doorward, MemoryStore, Problem
from doorward_client.api.account import verify_email
from doorward_client.api.keys import get_keys
from doorward_client.models import KeyList, OneTimeToken
from helpers import (
    CHANGE,
    EMAIL,
    ME,
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

NEW = "staple, upright and shiny"
DELETE = "POST /api/auth/delete-account"

Delivery = Literal["body", "cookie"]
both = pytest.mark.parametrize("delivery", ["body", "cookie"])


def any_door(url: str, delivery: Delivery, hook: Callable[[str], None] | None = None) -> Doorward:
    return Doorward(url, delivery=delivery, retry=RETRY, on_signed_out=hook)


@both
def test_a_change_signs_out_of_all_devices_but_this(delivery: Delivery) -> None:
    ended: list[str] = []
    phone_ended: list[str] = []
    with (
        doorward() as url,
        any_door(url, delivery, ended.append) as door,
        any_door(url, delivery, phone_ended.append) as phone,
    ):
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        (before,) = [session.id for session in door.list_sessions() if session.current]
        door.change_password(PASSWORD, NEW)
        (session,) = door.list_sessions()
        assert session.current
        assert session.id != before
        # The CSRF token is that of the new session, too.
        door.change_password(NEW, PASSWORD)
        door.change_password(PASSWORD, NEW)
        with pytest.raises(Problem, match="session_expired"):
            phone.get_me()
        assert (ended, phone_ended) == ([], ["session_expired"])
        with pytest.raises(Problem, match="invalid_credentials"):
            phone.login(EMAIL, PASSWORD)
        assert phone.login(EMAIL, NEW).email == EMAIL


@both
def test_twenty_calls_around_a_change_sign_nobody_out(delivery: Delivery) -> None:
    ended: list[str] = []
    with (
        doorward() as url,
        FaultProxy(url) as proxy,
        any_door(proxy.url, delivery, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        with proxy.hold(CHANGE):
            (change,) = at_once(1, lambda: door.change_password(PASSWORD, NEW))
            until(lambda: proxy.count(CHANGE, status=200) == 1, "the change")
            calls = at_once(20, door.get_me)
            until(lambda: proxy.count(ME, status=401) == 20, "twenty refusals")
        change.result()
        assert {call.result().email for call in calls} == {EMAIL}
        # And without being held up.
        calls = at_once(20, door.get_me)
        door.change_password(NEW, PASSWORD)
        assert {call.result().email for call in calls} == {EMAIL}
        assert proxy.count(REFRESH) == 0
        assert ended == []
        assert door.signed_in


@both
def test_a_wrong_password_is_a_problem_and_changes_nothing(delivery: Delivery) -> None:
    ended: list[str] = []
    with doorward() as url, any_door(url, delivery, ended.append) as door:
        door.register(EMAIL, PASSWORD)
        with pytest.raises(Problem) as raised:
            door.change_password("not the password", NEW)
        assert (raised.value.status, raised.value.code) == (403, "wrong_password")
        assert not raised.value.ends_session
        with pytest.raises(Problem, match="wrong_password"):
            door.delete_account("not the password")
        with pytest.raises(Problem) as raised:
            door.change_password(PASSWORD, "short")
        assert [error.field for error in raised.value.errors] == ["/newPassword"]
        assert door.get_me().email == EMAIL
        assert door.login(EMAIL, PASSWORD).email == EMAIL
        assert ended == []


def test_the_new_pair_is_saved_and_the_old_one_worth_nothing() -> None:
    store = MemoryStore()
    with doorward(access_token_ttl="2s") as url:
        with Doorward(url, store=store) as door:
            door.register(EMAIL, PASSWORD)
            before = saved(store)
            door.change_password(PASSWORD, NEW)
            assert me_code(url, before) == "session_expired"
            expire(url, saved(store))
            assert door.get_me().email == EMAIL
        with Doorward(url, store=store) as restarted:
            assert restarted.get_me().email == EMAIL


def test_an_expired_token_is_renewed_for_a_change() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        door.change_password(PASSWORD, NEW)
        assert (proxy.count(REFRESH), proxy.count(CHANGE)) == (1, 1)
        # The age of a saved pair is unknown: the server has to say that it has expired.
        expire(url, saved(store))
        with Doorward(proxy.url, store=store) as restarted:
            restarted.change_password(NEW, PASSWORD)
            assert (proxy.count(REFRESH), proxy.count(CHANGE)) == (2, 3)
            expire(url, saved(store))
        with Doorward(proxy.url, store=store) as restarted:
            restarted.delete_account(PASSWORD)
            assert (proxy.count(REFRESH), proxy.count(DELETE)) == (3, 2)


def test_a_new_pair_that_could_not_be_saved_is_not_used() -> None:
    store = FlakyStore()
    ended: list[str] = []
    with doorward() as url, Doorward(url, store=store, on_signed_out=ended.append) as door:
        door.register(EMAIL, PASSWORD)
        before = saved(store)
        store.failures = 1
        with pytest.raises(OSError, match="disk is full"):
            door.change_password(PASSWORD, NEW)
        assert saved(store) == before
        # The password was changed, and the session that was kept has ended.
        with pytest.raises(Problem, match="session_expired"):
            door.get_me()
        assert ended == ["session_expired"]
        assert door.login(EMAIL, NEW).email == EMAIL


@both
def test_a_change_without_an_answer_may_have_ended_the_session(delivery: Delivery) -> None:
    ended: list[str] = []
    with (
        doorward() as url,
        FaultProxy(url) as proxy,
        any_door(proxy.url, delivery, ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        proxy.answer(CHANGE, problem("503 Service Unavailable", "unavailable"))
        with pytest.raises(Problem, match="unavailable"):
            door.change_password(PASSWORD, NEW)
        assert door.get_me().email == EMAIL
        proxy.swallow(CHANGE)
        with pytest.raises(httpx.TransportError):
            door.change_password(PASSWORD, NEW)
        assert ended == []
        with pytest.raises(Problem, match="session_expired"):
            door.change_password(PASSWORD, NEW)
        assert ended == ["session_expired"]
        assert door.login(EMAIL, NEW).email == EMAIL


@both
def test_a_deleted_account_signs_out_and_says_nothing(delivery: Delivery) -> None:
    ended: list[str] = []
    phone_ended: list[str] = []
    with (
        doorward() as url,
        any_door(url, delivery, ended.append) as door,
        any_door(url, delivery, phone_ended.append) as phone,
    ):
        door.register(EMAIL, PASSWORD)
        phone.login(EMAIL, PASSWORD)
        door.delete_account(PASSWORD)
        assert not door.signed_in
        with pytest.raises(Problem, match="no_token"):
            door.get_me()
        with pytest.raises(Problem) as raised:
            phone.get_me()
        # Of a user who is gone, the refresh cookie is what is refused.
        code = {"body": "session_expired", "cookie": "invalid_refresh_token"}[delivery]
        assert raised.value.code == code
        assert (ended, phone_ended) == ([], [code])
        with pytest.raises(Problem, match="invalid_credentials"):
            door.login(EMAIL, PASSWORD)
        with pytest.raises(Problem, match="no_token"):
            door.change_password(PASSWORD, NEW)


def test_a_deletion_that_was_not_answered_keeps_the_tokens_and_one_that_was_drops_them() -> None:
    store = MemoryStore()
    with doorward() as url, FaultProxy(url) as proxy, Doorward(proxy.url, store=store) as door:
        door.register(EMAIL, PASSWORD)
        proxy.answer(DELETE, problem("503 Service Unavailable", "unavailable"))
        with pytest.raises(Problem, match="unavailable"):
            door.delete_account(PASSWORD)
        assert door.get_me().email == EMAIL
        door.delete_account(PASSWORD)
        assert store.tokens is None


@both
def test_a_sign_in_that_is_not_remembered_lasts_a_day(delivery: Delivery) -> None:
    def life(door: Doorward) -> timedelta:
        (session,) = [session for session in door.list_sessions() if session.current]
        return session.expires_at - session.created_at

    def outlive_the_window(door: Doorward) -> set[bool]:
        jar = door.client.get_httpx_client().cookies.jar
        return {cookie.expires is not None for cookie in jar}

    day = timedelta(days=1)
    with doorward() as url, any_door(url, delivery) as door:
        door.register(EMAIL, PASSWORD, remember=False)
        assert life(door) <= day
        assert outlive_the_window(door) <= {False}
        door.login(EMAIL, PASSWORD)
        assert life(door) > day
        assert outlive_the_window(door) <= {True}
        door.login(EMAIL, PASSWORD, remember=False)
        assert life(door) <= day
        assert outlive_the_window(door) <= {False}


@both
def test_an_address_that_must_be_verified_first_signs_nobody_in(delivery: Delivery) -> None:
    ended: list[str] = []
    with (
        doorward(require_verified_email="true") as url,
        any_door(url, delivery, ended.append) as door,
    ):
        assert door.register(EMAIL, PASSWORD).email == EMAIL
        assert not door.signed_in
        with pytest.raises(Problem) as raised:
            door.login(EMAIL, PASSWORD)
        assert (raised.value.status, raised.value.code) == (403, "email_not_verified")
        assert not door.signed_in
        assert ended == []


def test_what_anybody_may_call_does_not_wait_for_a_refresh() -> None:
    store = MemoryStore()
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store, retry=RETRY) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        assert isinstance(get_keys.sync(client=door.client), KeyList)
        with pytest.raises(Problem) as raised:
            verify_email.sync(client=door.client, body=OneTimeToken(token="no such link"))
        assert not raised.value.ends_session
        assert proxy.count(REFRESH) == 0
        assert door.get_me().email == EMAIL
        assert proxy.count(REFRESH) == 1
