"""Mail, from `doorward mail test` to a mail server or a file."""

from __future__ import annotations

import email
import email.policy
import stat
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
from doorward import Doorward, doorward, until
from post import PASSWORD, USER, Authority, Given, Office, free_port, office

ANA = "ana@example.com"
BEN = "ben@example.com"
LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
AUTH = {"auth_required": True, "auth_require_tls": True}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.fixture
def plain() -> Iterator[tuple[Doorward, Office]]:
    with office() as post, doorward(smtp_url=f"smtp://127.0.0.1:{post.port}") as server:
        yield server, post


def first(post: Office, seconds: float = 15.0) -> Given:
    until(lambda: post.letters, "a letter arrives", seconds)
    return post.letters[0]


def test_without_a_mail_server_letters_are_files() -> None:
    with doorward() as server:
        server.post(ANA)
        server.is_empty()
        (file,) = (server.data / "mail").iterdir()
        assert file.suffix == ".eml"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        assert message["to"] == ANA
        assert message["from"] == "Doorward <no-reply@localhost>"
        assert 'doorward_mail_total{outcome="delivered"} 1' in server.metrics()


def test_a_letter_arrives_whole(plain: tuple[Doorward, Office]) -> None:
    server, post = plain
    server.post("Ana@Example.com")
    given = first(post)
    assert (given.sender, given.recipients) == ("no-reply@localhost", [ANA])
    assert given.hello == "localhost"
    head = given.message
    assert (head["subject"], head["auto-submitted"]) == ("A test mail", "auto-generated")
    assert head["message-id"].endswith("@localhost>")
    assert head["date"].datetime.utcoffset().total_seconds() == 0
    for kind in ("plain", "html"):
        assert "trying whether its mail arrives" in given.part(kind)
    server.is_empty()


def test_over_starttls_with_a_password(authority: Authority, ca_file: Path) -> None:
    with office(tls_context=authority.context(), require_starttls=True, **AUTH) as post:
        url = f"smtp://{LOGIN}@localhost:{post.port}?tls=required"
        settings = {"smtp_url": url, "smtp_ca_file": ca_file, "mail_from": "Ü <a@b.example>"}
        with doorward(log_level="trace", **settings) as server:
            server.post(ANA)
            given = first(post)
            assert given.over_tls
            assert post.logins == [(USER, PASSWORD, True)]
            assert (given.sender, given.message["from"]) == ("a@b.example", "Ü <a@b.example>")
            shown = server.run("config") + server.run("config", "--json") + server.log
            assert PASSWORD not in shown
            assert quote(PASSWORD, safe="") not in shown


def test_over_tls_from_the_beginning(authority: Authority, ca_file: Path) -> None:
    # aiosmtpd does not see that such a connection is encrypted.
    options = {"auth_required": True, "auth_require_tls": False}
    with office(ssl_context=authority.context(), **options) as post:
        url = f"smtps://{LOGIN}@127.0.0.1:{post.port}"
        with doorward(smtp_url=url, smtp_ca_file=ca_file) as server:
            server.post(ANA)
            assert first(post).recipients == [ANA]
            assert [login[:2] for login in post.logins] == [(USER, PASSWORD)]
            server.is_empty()


def test_nothing_is_said_to_a_server_that_is_not_trusted(authority: Authority) -> None:
    with office(tls_context=authority.context(), require_starttls=True, **AUTH) as post:
        url = f"smtp://{LOGIN}@localhost:{post.port}?tls=required"
        with doorward(smtp_url=url) as server:
            server.post(ANA)
            failed = server.fails()
            assert failed["state"] == "waiting"
            assert "UnknownIssuer" in str(failed["reason"])
            assert (post.letters, post.logins) == ([], [])


def test_nothing_is_said_to_a_server_under_another_name(tmp_path: Path) -> None:
    authority = Authority("other.example.com")
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem)
    with office(tls_context=authority.context(), require_starttls=True, **AUTH) as post:
        url = f"smtp://{LOGIN}@localhost:{post.port}?tls=required"
        with doorward(smtp_url=url, smtp_ca_file=ca_file) as server:
            server.post(ANA)
            failed = server.fails()
            assert "not valid for name" in str(failed["reason"])
            assert (post.letters, post.logins) == ([], [])


def test_nothing_is_said_to_a_server_without_starttls() -> None:
    with office() as post:
        url = f"smtp://{LOGIN}@localhost:{post.port}?tls=required"
        with doorward(smtp_url=url) as server:
            server.post(ANA)
            failed = server.fails()
            assert "STARTTLS" in str(failed["reason"])
            assert (post.letters, post.logins) == ([], [])


def test_a_server_that_was_down_gets_everything_in_order() -> None:
    port = free_port()
    with doorward(smtp_url=f"smtp://127.0.0.1:{port}") as server:
        for _ in range(3):
            server.post(ANA)
        failed = server.fails()
        assert (failed["state"], len(server.outbox())) == ("waiting", 3)
        assert "refused" in str(failed["reason"])
        ids = [mail["id"] for mail in server.outbox()]
        with office(port) as post:
            # By itself: the first wait is a minute at most.
            until(lambda: len(post.letters) == 3, "all arrive", 75)
            numbers = [
                int(str(g.message["message-id"]).split("-")[1].split("@")[0]) for g in post.letters
            ]
            assert numbers == ids
            server.is_empty()


def test_an_operator_need_not_wait_for_the_next_try() -> None:
    port = free_port()
    with doorward(smtp_url=f"smtp://127.0.0.1:{port}") as server:
        server.post(ANA)
        server.fails()
        with office(port) as post:
            assert server.run("mail", "retry", "--all") == "1 mail to be tried again\n"
            assert first(post).recipients == [ANA]
            server.is_empty()


def test_a_new_mail_takes_the_older_one_along() -> None:
    port = free_port()
    with doorward(smtp_url=f"smtp://127.0.0.1:{port}") as server:
        server.post(ANA)
        server.fails()
        with office(port) as post:
            server.post(ANA)
            until(lambda: len(post.letters) == 2, "both arrive")


def test_what_is_refused_for_good_is_given_up_and_shown(plain: tuple[Doorward, Office]) -> None:
    server, post = plain
    post.recipient = "550 5.1.1 no such user"
    server.post(ANA)
    server.post(BEN)
    dead = until(
        lambda: [mail for mail in server.outbox() if mail["state"] == "dead"][1:], "both are dead"
    )[0]
    assert (dead["to"], dead["attempts"]) == (BEN, 1)
    assert dead["reason"] == "permanent error (550): 5.1.1 no such user"
    assert "no such user" in server.run("mail", "list")
    assert 'doorward_mail_total{outcome="given_up"} 2' in server.metrics()
    until(lambda: "doorward_mail_dead 2" in server.metrics(), "they are counted", 20)
    assert "a mail is given up" in server.log
    assert ANA not in server.log

    assert server.run("mail", "drop", str(dead["id"])) == f"mail {dead['id']} is dropped\n"
    post.recipient = None
    assert server.run("mail", "retry", "--dead") == "1 mail to be tried again\n"
    assert first(post).recipients == [ANA]
    server.is_empty()
    assert len(post.letters) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("450 4.2.1 come back later", "waiting"),
        ("452 4.3.1 the disk is full", "waiting"),
        ("554 5.7.1 we do not like it", "dead"),
    ],
)
def test_what_is_said_of_the_letter_decides(
    plain: tuple[Doorward, Office], answer: str, state: str
) -> None:
    server, post = plain
    post.verdict = answer
    server.post(ANA)
    failed = server.fails()
    assert (failed["state"], str(failed["reason"])[-12:]) == (state, answer[-12:])


def test_a_wrong_password_is_no_fault_of_the_letter(authority: Authority, ca_file: Path) -> None:
    with office(tls_context=authority.context(), require_starttls=True, **AUTH) as post:
        url = f"smtp://{quote(USER, safe='')}:wrong@localhost:{post.port}?tls=required"
        with doorward(smtp_url=url, smtp_ca_file=ca_file) as server:
            server.post(ANA)
            failed = server.fails()
            assert (failed["state"], post.letters) == ("waiting", [])
            assert "535" in str(failed["reason"])


def test_a_password_that_is_asked_for_is_no_fault_of_the_letter() -> None:
    with (
        office(auth_required=True, auth_require_tls=False) as post,
        doorward(smtp_url=f"smtp://127.0.0.1:{post.port}") as server,
    ):
        server.post(ANA)
        failed = server.fails()
        assert failed["state"] == "waiting"
        assert "530" in str(failed["reason"])


def test_an_address_outside_ascii_needs_a_server_that_knows_it() -> None:
    address = "añ@example.com"
    with (
        office(enable_SMTPUTF8=True) as post,
        doorward(smtp_url=f"smtp://127.0.0.1:{post.port}") as server,
    ):
        server.post(address)
        assert first(post).recipients == [address]
    with (
        office(enable_SMTPUTF8=False) as post,
        doorward(smtp_url=f"smtp://127.0.0.1:{post.port}") as server,
    ):
        server.post(address)
        failed = server.fails()
        assert failed["state"] == "dead"
        assert "SMTPUTF8" in str(failed["reason"])


def test_a_stop_waits_for_the_letter_under_way(plain: tuple[Doorward, Office]) -> None:
    server, post = plain
    post.pause = 1.5
    server.post(ANA)
    first(post)
    server.stop()
    assert server.outbox() == []
    assert len(post.letters) == 1


def test_a_stop_does_not_wait_for_ever() -> None:
    with office() as post, doorward(smtp_url=f"smtp://127.0.0.1:{post.port}") as server:
        post.pause = 12
        server.post(ANA)
        first(post)
        server.stop()
        assert len(server.outbox()) == 1


def test_a_crash_before_the_answer_sends_the_same_letter_again(
    plain: tuple[Doorward, Office],
) -> None:
    server, post = plain
    post.pause = 1.5
    server.post(ANA)
    first(post)
    server.kill()
    post.pause = 0.0
    server.start()
    until(lambda: len(post.letters) == 2, "it comes again")
    one, two = (letter.message for letter in post.letters)
    assert one["message-id"] == two["message-id"]
    assert one.as_bytes() == two.as_bytes()
    server.is_empty()


def test_mail_that_cannot_be_sent_as_configured_is_refused_at_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    server = Doorward(tmp_path)
    for settings, words in [
        ({"smtp_url": "smtp://ana:hunter2@mail.example.com"}, "tls=required"),
        ({"smtp_url": "mail.example.com:25"}, "smtps://USER:PASSWORD@HOST:PORT"),
        ({"smtp_url": "smtps://mail.example.com", "smtp_ca_file": "gone.pem"}, "cannot read gone"),
        ({"smtp_url": "smtps://mail.example.com", "smtp_ca_file": str(empty)}, "no certificate in"),
        ({"mail_from": "nobody"}, "NAME <ADDRESS>"),
        ({"mail_link_base": "http://www.example.com"}, "https"),
    ]:
        server.settings = settings
        refusal = server.refusal("serve", "--listen", "127.0.0.1:0")
        assert words in refusal
        assert "hunter2" not in refusal
