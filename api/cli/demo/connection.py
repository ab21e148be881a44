"""A lean HTTP/1.1 client: kept-alive connections that carry one request at a time each.

Where it stands: below the replay (`client.py`) and below the load generator of `benchmarks/`. It
reads answers that state their length, which is what the service sends, and nothing else.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

Answered = Callable[[int, bytes], None]
"""Called with the status and the body of an answer; status 0 if the connection was lost."""

T = TypeVar("T")

LOST = 0
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


class ProtocolError(Exception):
    """The server sent what this client cannot read."""


class Connection(asyncio.Protocol):
    """One connection. `send` may be called again as soon as the answer has come.

    Args:
        on_lost: Called once when the connection is gone.
    """

    def __init__(self, on_lost: Callable[[], None] | None = None) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._answered: Answered | None = None
        self._received = bytearray()
        self._answer_ends = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits; called by the event loop."""
        self._transport = None
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(LOST, str(exc or "the server closed the connection").encode())
        if self._on_lost is not None:
            self._on_lost()

    def send(self, request: bytes, answered: Answered) -> None:
        """Send one encoded request.

        Args:
            request: See `encode_request`.
            answered: Called once, from the event loop.
        """
        if self._transport is None:
            answered(LOST, b"the connection is closed")
            return
        self._answered = answered
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection after what was written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole; called by the event loop."""
        received = self._received
        received += data
        if not self._answer_ends:
            head_ends = received.find(_END_OF_HEAD)
            if head_ends < 0:
                return
            self._answer_ends = head_ends + len(_END_OF_HEAD) + _body_length(received, head_ends)
        if len(received) >= self._answer_ends:
            self._finish()

    def _finish(self) -> None:
        answer = bytes(self._received[: self._answer_ends])
        del self._received[: self._answer_ends]
        self._answer_ends = 0
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(int(answer[9:12]), answer[answer.index(_END_OF_HEAD) + len(_END_OF_HEAD) :])


def encode_request(host: str, method: str, path: str, body: bytes = b"") -> bytes:
    """The bytes of one request with a JSON body (or none)."""
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def run_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on uvloop where it exists: it halves the client's own share of the time."""
    if sys.platform == "win32":
        return asyncio.run(coroutine)
    import uvloop  # noqa: PLC0415 - not there on Windows

    return uvloop.run(coroutine)


def _body_length(received: bytearray, head_ends: int) -> int:
    head = bytes(received[: head_ends + 2]).lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ProtocolError(f"an answer without a content-length: {head[:80]!r}")
    at += len(_LENGTH)
    return int(head[at : head.index(b"\r\n", at)])
