"""A mail server on loopback, and what it was given."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER = "door@example.com"
PASSWORD = "p/w: %&?#"


@dataclass
class Given:
    """A letter as it arrived."""

    message: EmailMessage
    sender: str
    recipients: list[str]
    over_tls: bool
    hello: str

    def part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert isinstance(part, EmailMessage)
        text = part.get_content()
        assert isinstance(text, str)
        return text


@dataclass
class Office:
    """What a server does, and what it was given."""

    letters: list[Given] = field(default_factory=list)
    # What was tried as user and password, and over what.
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    # Answers to RCPT and to the end of DATA, in place of 250.
    recipient: str | None = None
    verdict: str | None = None
    # Seconds for which a letter is held before the answer.
    pause: float = 0.0
    port: int = 0

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if self.recipient:
            return self.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if self.verdict:
            return self.verdict
        message = email.message_from_bytes(content, policy=email.policy.SMTPUTF8)
        assert isinstance(message, EmailMessage)
        given = Given(
            message,
            envelope.mail_from or "",
            list(envelope.rcpt_tos),
            session.ssl is not None,
            session.host_name or "",
        )
        self.letters.append(given)
        await asyncio.sleep(self.pause)
        return "250 OK"

    def authenticate(
        self, _: SMTP, session: Session, __: Envelope, ___: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user, password = data.login.decode(), data.password.decode()
        self.logins.append((user, password, session.ssl is not None))
        return AuthResult(success=(user, password) == (USER, PASSWORD), handled=False)


class Authority:
    """Signs the certificates of our servers. Nobody else has heard of it."""

    def __init__(self, *names: str) -> None:
        self.ca = trustme.CA()
        self.certificate = self.ca.issue_cert(*names)

    @property
    def pem(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        return context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextmanager
def office(port: int = 0, **options: Any) -> Iterator[Office]:
    """A running server; `options` are those of aiosmtpd."""
    post = Office(port=port or free_port())
    if options.get("auth_required"):
        options["authenticator"] = post.authenticate
    controller = Controller(post, hostname="127.0.0.1", port=post.port, **options)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
