"""Stores, waits and problems by themselves, and secrets that must not be printed."""

from __future__ import annotations

import logging
import pickle
import stat
from pathlib import Path

import httpx
import pytest
from doorward import Doorward, FileStore, MemoryStore, Problem, Retry, Tokens
from helpers import EMAIL, PASSWORD, saved
from server import doorward

PAIR = Tokens("an access secret", "a refresh secret")


def test_a_file_store_keeps_the_pair_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    store = FileStore(path)
    assert store.load() is None
    store.save(Tokens("old", "old"))
    path.chmod(0o644)
    store.save(PAIR)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileStore(path).load() == PAIR
    store.save(None)
    store.save(None)
    assert store.load() is None
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    store = FileStore(tmp_path / "tokens.json")
    store.save(PAIR)
    for step in ("os.fsync", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(step, refuse)
            with pytest.raises(OSError, match="no"):
                store.save(Tokens("new", "new"))
        assert store.load() == PAIR
        assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"accessToken": "a secret"', '{"accessToken": "a"}'])
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"tokens\.json") as raised:
        FileStore(path).load()
    assert "secret" not in str(raised.value)


def test_tokens_survive_a_restart_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    with doorward() as url:
        with Doorward(url, store=FileStore(path)) as door:
            door.register(EMAIL, PASSWORD)
        with Doorward(url, store=FileStore(path)) as restarted:
            assert restarted.get_me().email == EMAIL
            restarted.logout()
        assert not path.exists()


def test_secrets_are_not_printed(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    with doorward() as url, Doorward(url, store=store) as door, caplog.at_level(logging.INFO):
        door.register(EMAIL, PASSWORD)
        tokens = saved(store)
        with pytest.raises(Problem) as raised:
            door.login(EMAIL, "not the password")
        printed = [
            *(repr(thing) for thing in (tokens, store, door, door.client, raised.value)),
            *(str(thing) for thing in (tokens, store, door, door.client, raised.value)),
            repr(door.__dict__),
            repr(door._manager.held),
            caplog.text,
        ]
    for secret in (tokens.access_token, tokens.refresh_token, PASSWORD):
        assert not any(secret in text for text in printed)


def test_backoff_grows_is_jittered_and_has_a_cap() -> None:
    retry = Retry(base=1.0, cap=8.0, retry_after_cap=30.0)
    for attempt, most in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)]:
        delays = [retry.delay(attempt) for _ in range(100)]
        assert most / 2 <= min(delays) < max(delays) <= most
    assert 7.5 <= retry.delay(1, retry_after=7.0) <= 8.0
    assert 30.5 <= retry.delay(1, retry_after=3600.0) <= 31.0
    with pytest.raises(ValueError, match="attempts"):
        Retry(attempts=0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
            },
            30.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, None),
    ],
)
def test_retry_after_is_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert Problem.from_response(httpx.Response(503, headers=headers)).retry_after == seconds


def test_a_code_counts_only_in_a_problem_document_and_with_its_status() -> None:
    body = {"type": "about:blank", "title": "", "detail": "", "code": "session_expired"}
    document = {"Content-Type": "application/problem+json; charset=utf-8"}

    def ends(status: int, headers: dict[str, str]) -> bool:
        answer = httpx.Response(status, json={**body, "status": status}, headers=headers)
        return Problem.from_response(answer).ends_session

    assert ends(401, document)
    assert not ends(503, document)
    assert not ends(401, {"Content-Type": "application/json"})


def test_a_problem_may_go_to_another_process() -> None:
    problem = Problem(503, "unavailable", detail="later", retry_after=1.0)
    copy: Problem = pickle.loads(pickle.dumps(problem))  # noqa: S301
    assert (copy.status, copy.code, copy.retry_after) == (503, "unavailable", 1.0)
    assert str(copy) == str(problem) == "503 unavailable: later"
