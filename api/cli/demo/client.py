"""The demo as a client of the service: many decisions in flight, then their orders in one batch.

Where it stands: requests of the replay in, parsed answers out, over `connection.py`.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

from api.cli.demo.connection import LOST, Connection, encode_request


class DemoError(Exception):
    """The demo cannot go on; the message carries what the service said about it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make. `body` is encoded as JSON; None sends none."""

    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the parsed body and the time from sending to having it whole."""

    status: int
    body: Any
    latency_s: float


class Client:
    """Kept-alive connections to one server; `open` makes them, `close` ends them."""

    def __init__(self, host: str, connections: Sequence[Connection]) -> None:
        self._host = host
        self._connections = connections

    @classmethod
    async def open(cls, host: str, port: int, n_connections: int) -> Self:
        """Connect.

        Raises:
            DemoError: The server does not accept connections.
        """
        loop = asyncio.get_running_loop()
        try:
            made = [
                await loop.create_connection(Connection, host, port) for _ in range(n_connections)
            ]
        except OSError as error:
            raise DemoError(f"http://{host}:{port} does not answer: {error}") from error
        return cls(f"{host}:{port}", [connection for _, connection in made])

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request; returns the parsed body of its answer.

        Raises:
            DemoError: The service refused it; the message is the problem's own text.
        """
        return (await self.call_all([Call(method, path, body)]))[0].body

    async def call_all(self, calls: Sequence[Call]) -> list[Answer]:
        """Requests with as many in flight as there are connections; answers in their order.

        Raises:
            DemoError: The service refused one of them.
        """
        answers = await self._exchange([self._encode(call) for call in calls])
        for call, answer in zip(calls, answers, strict=True):
            if not 200 <= answer.status < 300:
                raise DemoError(_problem(call, answer))
        return answers

    def _encode(self, call: Call) -> bytes:
        body = b"" if call.body is None else json.dumps(call.body).encode()
        return encode_request(self._host, call.method, call.path, body)

    async def _exchange(self, requests: Sequence[bytes]) -> list[Answer]:
        done = asyncio.get_running_loop().create_future()
        answers: dict[int, Answer] = {}
        waiting = iter(enumerate(requests))

        def start(connection: Connection) -> None:
            index, request = next(waiting, (-1, b""))
            if index < 0:
                return
            sent = perf_counter()

            def answered(status: int, body: bytes) -> None:
                answers[index] = Answer(status, _parsed(body), perf_counter() - sent)
                if len(answers) == len(requests) and not done.done():
                    done.set_result(None)
                start(connection)

            connection.send(request, answered)

        chosen = self._connections[: len(requests)]
        # Those that were not used come first the next time: the service lets idle ones go.
        self._connections = [*self._connections[len(chosen) :], *chosen]
        for connection in chosen:
            start(connection)
        if requests:
            await done
        return [answers[index] for index in range(len(requests))]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _problem(call: Call, answer: Answer) -> str:
    what = f"{call.method} {call.path}"
    if answer.status == LOST:
        return f"{what}: no answer from the service: {answer.body}"
    if isinstance(answer.body, dict):
        told = [answer.body.get("title"), answer.body.get("detail")]
        text = ": ".join(str(part) for part in told if part) or json.dumps(answer.body)
        faults = answer.body.get("errors")
        return f"{what}: {answer.status} {text}" + (f" {json.dumps(faults)}" if faults else "")
    return f"{what}: {answer.status} {answer.body}"
