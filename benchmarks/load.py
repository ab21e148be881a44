"""Load on an HTTP server: as much as it takes, or so many requests a second.

Where it stands: `benchmarks.http` points it at a server; it sends requests that were encoded
beforehand, one at a time on each connection, and keeps what came back.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter

import numpy as np

from api.cli.demo.connection import Connection

OK = 200


@dataclass(slots=True)
class Load:
    """What came of a run.

    Args:
        seconds: From the first request to the last answer.
        latencies_s: Of each request that was answered 200.
        bodies: The bodies of those answers.
        failures: Status and body of every other answer; status 0 is a lost connection.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    failures: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return len(self.bodies) / self.seconds

    def latency_ms(self, percentile: float) -> float:
        """A percentile of the latencies, in milliseconds."""
        return float(np.percentile(self.latencies_s, percentile)) * 1000

    def add(self, other: "Load") -> None:
        """Take another run's answers in."""
        self.seconds += other.seconds
        self.latencies_s += other.latencies_s
        self.bodies += other.bodies
        self.failures += other.failures

    def keep(self, status: int, body: bytes, latency_s: float) -> None:
        """Record one answer."""
        if status == OK:
            self.latencies_s.append(latency_s)
            self.bodies.append(body)
        else:
            self.failures.append((status, body))


async def closed_loop(
    port: int, requests: Sequence[bytes], n_connections: int, seconds: float
) -> Load:
    """As many requests as the server takes: each connection sends as soon as it has an answer.

    Args:
        port: Port of the loopback interface.
        requests: Encoded requests, sent in turn again and again.
        n_connections: How many are in flight.
        seconds: How long new ones are sent; the last answers are waited for.
    """
    load = Load()
    source = cycle(requests)
    connections = await _connect(port, n_connections)
    working = len(connections)
    done = asyncio.get_running_loop().create_future()
    start = perf_counter()
    deadline = start + seconds

    def send(connection: Connection) -> None:
        sent = perf_counter()

        def answered(status: int, body: bytes) -> None:
            nonlocal working
            now = perf_counter()
            load.keep(status, body, now - sent)
            if status and now < deadline:
                send(connection)
                return
            working -= 1
            if not working:
                done.set_result(None)

        connection.send(next(source), answered)

    for connection in connections:
        send(connection)
    await done
    load.seconds = perf_counter() - start
    _close(connections)
    return load


async def open_loop(
    port: int, requests: Sequence[bytes], n_connections: int, per_second: float, seconds: float
) -> Load:
    """A fixed number of requests a second, whether or not the server keeps up.

    A request is due at a time that does not depend on the server; its latency counts from then,
    waiting for a free connection included, so a stall shows in every request it delays. The
    generator polls instead of sleeping: it needs a core of its own.

    Args:
        port: Port of the loopback interface.
        requests: Encoded requests, sent in turn again and again.
        n_connections: How many can be in flight.
        per_second: Requests a second, evenly spaced.
        seconds: For how long.
    """
    load = Load()
    source = cycle(requests)
    connections = await _connect(port, n_connections)
    free = deque(connections)
    n_requests = round(per_second * seconds)
    start = perf_counter()
    n_sent = 0
    while len(load.bodies) + len(load.failures) < n_requests:
        while free and n_sent < n_requests and perf_counter() >= start + n_sent / per_second:
            connection = free.popleft()
            due = start + n_sent / per_second
            connection.send(next(source), _when_answered(load, due, connection, free))
            n_sent += 1
        await asyncio.sleep(0)
    load.seconds = perf_counter() - start
    _close(connections)
    return load


def _when_answered(
    load: Load, due: float, connection: Connection, free: deque[Connection]
) -> Callable[[int, bytes], None]:
    def answered(status: int, body: bytes) -> None:
        load.keep(status, body, perf_counter() - due)
        free.append(connection)

    return answered


async def _connect(port: int, n_connections: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(n_connections)
    ]
    return [connection for _, connection in made]


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()
