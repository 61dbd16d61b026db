"""Lost answers, servers that are down, and stores that fail: nobody is signed out by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from doorward import Doorward, Problem
from helpers import EMAIL, ME, PASSWORD, REFRESH, RETRY, FlakyStore, at_once, expire, saved, until
from proxy import FaultProxy, canned, problem
from server import doorward


@dataclass
class Story:
    """Somebody is signed in, through a proxy, and the access token has expired."""

    url: str
    proxy: FaultProxy
    door: Doorward
    store: FlakyStore
    ended: list[str] = field(default_factory=list)

    def still_signed_in(self) -> bool:
        return self.door.signed_in and self.store.tokens is not None and self.ended == []


@contextmanager
def expired() -> Iterator[Story]:
    store = FlakyStore()
    ended: list[str] = []
    with (
        doorward(access_token_ttl="2s") as url,
        FaultProxy(url) as proxy,
        Doorward(proxy.url, store=store, retry=RETRY, on_signed_out=ended.append) as door,
    ):
        door.register(EMAIL, PASSWORD)
        expire(url, saved(store))
        yield Story(url, proxy, door, store, ended)


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_to_a_refresh_is_asked_for_again(times: int) -> None:
    with expired() as story:
        story.proxy.swallow(REFRESH, times)
        assert story.door.get_me().email == EMAIL
        assert story.proxy.count(REFRESH, status=200) == times + 1
        assert story.still_signed_in()


def test_a_lost_answer_to_a_call_is_raised_and_the_next_call_works() -> None:
    with expired() as story:
        story.proxy.swallow(ME)
        with pytest.raises(httpx.TransportError):
            story.door.get_me()
        assert story.door.get_me().email == EMAIL
        assert story.proxy.count(REFRESH) == 1


def test_a_server_that_is_down_is_an_error_and_no_sign_out() -> None:
    with expired() as story:
        before = saved(story.store)
        story.proxy.go_down()
        with pytest.raises(httpx.ConnectError):
            story.door.get_me()
        assert story.still_signed_in()
        assert saved(story.store) == before
        story.proxy.go_up()
        assert story.door.get_me().email == EMAIL
        assert saved(story.store) != before


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (
            problem("503 Service Unavailable", "unavailable", "Retry-After: 3600"),
            503,
            "unavailable",
        ),
        (problem("500 Internal Server Error", "internal_error"), 500, "internal_error"),
        (problem("429 Too Many Requests", "too_many_attempts"), 429, "too_many_attempts"),
        (canned("502 Bad Gateway", "<h1>Bad Gateway</h1>", "text/html"), 502, ""),
    ],
)
def test_a_failing_server_is_asked_a_few_times_and_then_raised(
    answer: bytes, status: int, code: str
) -> None:
    with expired() as story:
        story.proxy.answer(REFRESH, answer, RETRY.attempts)
        with pytest.raises(Problem) as raised:
            story.door.get_me()
        assert (raised.value.status, raised.value.code) == (status, code)
        assert story.proxy.count(REFRESH) == RETRY.attempts
        assert story.still_signed_in()
        assert story.door.get_me().email == EMAIL
        # One time less, and nobody would have noticed.
        expire(story.url, saved(story.store))
        story.proxy.answer(REFRESH, answer, RETRY.attempts - 1)
        assert story.door.get_me().email == EMAIL


@pytest.mark.parametrize("code", ["forbidden", "csrf_failed", "account_disabled"])
def test_other_refusals_are_raised_at_once_and_sign_nobody_out(code: str) -> None:
    with expired() as story:
        story.proxy.answer(REFRESH, problem("403 Forbidden", code))
        with pytest.raises(Problem, match=code):
            story.door.get_me()
        assert story.proxy.count(REFRESH) == 1
        assert story.still_signed_in()
        story.proxy.answer(ME, problem("403 Forbidden", code))
        with pytest.raises(Problem, match=code):
            story.door.get_me()
        assert story.still_signed_in()


def test_a_server_that_never_accepts_a_new_token_is_asked_twice() -> None:
    with expired() as story:
        story.proxy.answer(ME, problem("401 Unauthorized", "access_token_expired"), 2)
        with pytest.raises(Problem, match="access_token_expired"):
            story.door.get_me()
        assert story.proxy.count(ME) == 2
        assert story.still_signed_in()


def test_an_answer_that_is_not_the_servers_is_a_problem_without_a_code() -> None:
    with expired() as story:
        portal = canned("200 OK", "<h1>Pay for the network</h1>", "text/html")
        story.proxy.answer(REFRESH, portal)
        with pytest.raises(Problem) as raised:
            story.door.get_me()
        assert (raised.value.status, raised.value.code) == (200, "")
        story.proxy.answer(ME, portal)
        with pytest.raises(Problem):
            story.door.get_me()
        story.proxy.answer(ME, canned("502 Bad Gateway", "<h1>no</h1>", "text/html"))
        with pytest.raises(Problem, match="502 Bad Gateway"):
            story.door.get_me()
        assert story.still_signed_in()
        assert story.door.get_me().email == EMAIL


def test_retry_after_is_handed_on() -> None:
    with expired() as story:
        busy = problem("503 Service Unavailable", "overloaded", "Retry-After: 7")
        story.proxy.answer(ME, busy)
        with pytest.raises(Problem) as raised:
            story.door.get_me()
        assert raised.value.retry_after == 7.0


def test_those_who_wait_for_a_refresh_share_its_failure() -> None:
    with expired() as story:
        # The last answer is the server's, and is held until all have come: then it is lost.
        unavailable = problem("503 Service Unavailable", "unavailable")
        story.proxy.answer(REFRESH, unavailable, RETRY.attempts - 1)
        story.proxy.answer(ME, problem("401 Unauthorized", "access_token_expired"), 5)
        story.proxy.swallow(REFRESH)
        restarted = Doorward(story.proxy.url, store=story.store, retry=RETRY)
        with restarted, story.proxy.hold(REFRESH):
            calls = at_once(5, restarted.get_me)
            until(lambda: story.proxy.count(ME) == 5, "five refusals")
            until(lambda: story.proxy.count(REFRESH) == RETRY.attempts, "the last try")
        errors = [call.exception() for call in calls]
        assert len(errors) == 5
        assert all(isinstance(error, httpx.TransportError) for error in errors)
        assert story.proxy.count(REFRESH) == RETRY.attempts


def test_a_pair_that_could_not_be_saved_is_not_used() -> None:
    with expired() as story:
        before = saved(story.store)
        story.store.failures = 1
        with pytest.raises(OSError, match="disk is full"):
            story.door.get_me()
        assert story.still_signed_in()
        assert saved(story.store) == before
        assert story.proxy.count(ME) == 0

        assert story.door.get_me().email == EMAIL
        assert story.proxy.count(REFRESH) == 2
        assert saved(story.store) != before
        with Doorward(story.url, store=story.store) as restarted:
            assert restarted.get_me().email == EMAIL


def test_a_program_that_died_before_it_saved_starts_again_with_the_old_pair() -> None:
    with expired() as story:
        story.store.failures = 1
        with pytest.raises(OSError, match="disk is full"):
            story.door.get_me()
        with Doorward(story.url, store=story.store) as restarted:
            assert restarted.get_me().email == EMAIL


def test_a_sign_in_that_could_not_be_saved_is_none() -> None:
    store = FlakyStore()
    with doorward() as url, Doorward(url, store=store) as door:
        store.failures = 1
        with pytest.raises(OSError, match="disk is full"):
            door.register(EMAIL, PASSWORD)
        assert not door.signed_in
        assert door.login(EMAIL, PASSWORD).email == EMAIL
        assert saved(store)
