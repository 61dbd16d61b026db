"""A TCP proxy that loses, delays and forges answers, and counts what passes.

It forwards bytes, and understands as much of HTTP/1.1 as is needed to tell requests apart.
A fault is ordered for a request line such as `POST /api/auth/refresh`.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

SWALLOW = b""


@dataclass
class Exchange:
    """A request that arrived, and the status of the server's answer. 0: it was not asked."""

    request: str
    status: int = 0


class FaultProxy:
    """Listens on a port of its own until the block is left."""

    def __init__(self, upstream_url: str) -> None:
        self._upstream = ("127.0.0.1", int(upstream_url.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address: tuple[str, int] = self._listener.getsockname()
        self._faults: dict[str, deque[bytes]] = {}
        self._gates: dict[str, threading.Event] = {}
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []
        self.url = f"http://127.0.0.1:{self._address[1]}"

    def __enter__(self) -> FaultProxy:
        self._accept()
        return self

    def __exit__(self, *raised: object) -> None:
        for gate in self._gates.values():
            gate.set()
        self.go_down()

    def swallow(self, request: str, times: int = 1) -> None:
        """The server gets the next such request; its answer is lost and the connection closed."""
        self.answer(request, SWALLOW, times)

    def answer(self, request: str, raw: bytes, times: int = 1) -> None:
        """The next such request is answered with these bytes, and the server not asked."""
        self._faults.setdefault(request, deque()).extend([raw] * times)

    @contextmanager
    def hold(self, request: str) -> Iterator[None]:
        """Keeps back the server's answers to such requests until the block is left."""
        gate = self._gates[request] = threading.Event()
        try:
            yield
        finally:
            del self._gates[request]
            gate.set()

    def count(self, request: str, status: int | None = None) -> int:
        """How many such requests have arrived, or were answered so by the server."""
        seen = Counter(e.request for e in list(self.exchanges) if status in (None, e.status))
        return seen[request]

    def go_down(self) -> None:
        """Refuses connections, and breaks those that there are."""
        # A thread in accept() keeps a closed socket alive: shutdown wakes it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def go_up(self) -> None:
        """Listens again, on the same port."""
        self._listener = socket.create_server(self._address)
        self._accept()

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with self._lock:
            self._connections.add(client)
        try:
            with suppress(OSError), client, socket.create_connection(self._upstream) as server:
                while self._exchange(client, client.makefile("rb"), server):
                    pass
        finally:
            with self._lock:
                self._connections.discard(client)

    def _exchange(self, client: socket.socket, reader: BinaryIO, server: socket.socket) -> bool:
        asked = read_message(reader)
        if not asked:
            return False
        exchange = Exchange(" ".join(asked.decode("latin-1").split(" ", 2)[:2]))
        with self._lock:
            self.exchanges.append(exchange)
            faults = self._faults.get(exchange.request)
            fault = faults.popleft() if faults else None
        if fault:
            client.sendall(fault)
            return False
        server.sendall(asked)
        answer = read_message(server.makefile("rb"))
        exchange.status = int(answer.split(b" ", 2)[1])
        if fault == SWALLOW:
            return False
        if gate := self._gates.get(exchange.request):
            gate.wait()
        client.sendall(answer)
        return True


def read_message(reader: BinaryIO) -> bytes:
    """A head and its body. Doorward and httpx say how long a body is."""
    head = b""
    length = 0
    while line := reader.readline():
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            return head + reader.read(length)
    return b""


def canned(status: str, body: str, media_type: str, *headers: str) -> bytes:
    """An answer for `answer`: `canned("502 Bad Gateway", "<p>no</p>", "text/html")`."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body.encode())}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", body]).encode()


def problem(status: str, code: str, *headers: str) -> bytes:
    """A problem document in the form of the server's."""
    number, _, title = status.partition(" ")
    body = (
        f'{{"type":"about:blank","title":"{title}","status":{number},'
        f'"detail":"made up by the proxy","code":"{code}"}}'
    )
    return canned(status, body, "application/problem+json", *headers)
