"""The load generator against a server that does next to nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import cast

from api.cli.demo.connection import encode_request
from benchmarks.load import Load, closed_loop, open_loop

Drive = Callable[[int], Coroutine[None, None, Load]]


class TrivialServer(asyncio.Protocol):
    """Answers with the body that it was sent, in two pieces; every so many times with a 503."""

    def __init__(self, seen: Counter[bytes], fail_every: int) -> None:
        self._seen = seen
        self._fail_every = fail_every

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        body = data.partition(b"\r\n\r\n")[2]
        self._seen[body] += 1
        failing = self._fail_every and self._seen.total() % self._fail_every == 0
        status = b"503 No" if failing else b"200 OK"
        answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        self._transport.write(answer[:30])
        asyncio.get_running_loop().call_soon(self._transport.write, answer[30:])


def drive_trivial_server(drive: Drive, fail_every: int = 0) -> tuple[Load, Counter[bytes]]:
    """Run a generator against that server; returns its load and what the server saw."""
    seen: Counter[bytes] = Counter()

    async def run() -> Load:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: TrivialServer(seen, fail_every), "127.0.0.1", 0)
        async with server:
            return await drive(server.sockets[0].getsockname()[1])

    return asyncio.run(run()), seen


def requests(n: int) -> list[bytes]:
    return [encode_request("test", "POST", "/", b"body %d" % number) for number in range(n)]


def test_the_closed_loop_counts_every_request_once() -> None:
    load, seen = drive_trivial_server(lambda port: closed_loop(port, requests(7), 4, seconds=0.1))
    assert Counter(load.bodies) == seen
    assert len(load.latencies_s) == len(load.bodies) > 7
    assert not load.failures
    assert load.per_second > 0
    assert load.latency_ms(50) <= load.latency_ms(99)


def test_the_open_loop_sends_what_the_rate_asks_for() -> None:
    load, seen = drive_trivial_server(
        lambda port: open_loop(port, requests(3), 4, 500, seconds=0.1)
    )
    assert seen.total() == len(load.bodies) == 50
    assert Counter(load.bodies) == seen


def test_what_fails_is_kept_apart() -> None:
    load, seen = drive_trivial_server(
        lambda port: open_loop(port, requests(1), 2, 500, seconds=0.1), fail_every=5
    )
    assert len(load.failures) == 10
    assert {status for status, _ in load.failures} == {503}
    assert seen.total() == 50
