"""Hours of traffic in minutes: whether memory, file descriptors and latency stay what they are.

Where it stands: a part of `benchmarks.service`. Of ten requests seven ask for a decision, one
rewards an earlier one, two report an event; visitors come back. Readings are taken at even
distances.
"""

import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from api.cli.demo.connection import Connection, encode_request, run_loop
from benchmarks.http_workload import N_VISITORS, make_requests
from benchmarks.service.served import Served, served

N_CONNECTIONS = 32
N_READINGS = 20
WARM_UP = 4
"""Readings that are not judged: caches fill, policies are met for the first time."""
OK = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """At one moment.

    Args:
        n_requests: Answered until then.
        memory_mb: Resident.
        n_descriptors: Open files.
        p99_ms: Since the reading before.
        per_second: Likewise.
    """

    n_requests: int
    memory_mb: float
    n_descriptors: int
    p99_ms: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Soak:
    """What came of it.

    Args:
        readings: In order, without those of the warm-up.
        n_failures: Answers that were none.
    """

    readings: Sequence[Reading]
    n_failures: int

    def ratio(self, name: str) -> float:
        """Mean of the last quarter of the readings over that of the first."""
        values = [getattr(one, name) for one in self.readings]
        quarter = max(1, len(values) // 4)
        return float(np.mean(values[-quarter:]) / np.mean(values[:quarter]))


def measure(n_requests: int) -> Soak:
    """Send so many requests."""
    folder = tempfile.TemporaryDirectory(prefix="segue-bench-")
    with folder as name, served(Path(name)) as server:
        return run_loop(_Traffic(server, n_requests).run())


class _Traffic:
    """Requests on kept connections, each sent when the one before it was answered."""

    def __init__(self, server: Served, n_requests: int) -> None:
        self._server = server
        self._n_requests = n_requests
        self._decisions = make_requests(server.port)
        self._chance = random.Random(0)
        self._earlier: list[str] = []
        self._n_sent = self._n_answered = self._n_failures = 0
        self._latencies: list[float] = []
        self._readings: list[Reading] = []
        self._since = 0.0
        self._working = N_CONNECTIONS

    async def run(self) -> Soak:
        """Send them all."""
        loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = loop.create_future()
        self._since = perf_counter()
        for _ in range(N_CONNECTIONS):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._server.port)
            self._send(connection)
        await self._done
        return Soak(self._readings[WARM_UP:], self._n_failures)

    def _send(self, connection: Connection) -> None:
        sent, request = perf_counter(), self._next()

        def answered(status: int, body: bytes) -> None:
            self._latencies.append(perf_counter() - sent)
            self._keep(status, body)
            if status and self._n_sent < self._n_requests:
                self._send(connection)
                return
            connection.close()
            self._working -= 1
            if not self._working:
                self._done.set_result(None)

        connection.send(request, answered)

    def _next(self) -> bytes:
        self._n_sent += 1
        turn = self._n_sent % 10
        if turn == 0 and self._earlier:
            decision_id = self._earlier.pop()
            reward = {"decision_id": decision_id, "reward_id": decision_id, "value": 1.0}
            return self._encoded("/v1/rewards", reward)
        if turn in (1, 2):
            visitor = f"visitor-{self._chance.randrange(N_VISITORS)}"
            event = {"userId": visitor, "messageId": f"m{self._n_sent}", "event": "Product Viewed"}
            return self._encoded("/v1/track", {**event, "properties": {"product_id": "p1"}})
        return self._decisions[self._n_sent % len(self._decisions)]

    def _encoded(self, path: str, body: object) -> bytes:
        host = f"127.0.0.1:{self._server.port}"
        return encode_request(host, "POST", path, json.dumps(body).encode())

    def _keep(self, status: int, body: bytes) -> None:
        self._n_answered += 1
        if status != OK:
            self._n_failures += 1
        elif body.startswith(b'{"decision_id":"') and len(self._earlier) < N_CONNECTIONS:
            self._earlier.append(body[16:48].decode())
        if self._n_answered % max(1, self._n_requests // N_READINGS) == 0:
            self._read()

    def _read(self) -> None:
        now = perf_counter()
        self._readings.append(
            Reading(
                self._n_answered,
                self._server.memory_mb,
                self._server.n_descriptors,
                float(np.percentile(self._latencies, 99)) * 1000,
                len(self._latencies) / (now - self._since),
            )
        )
        self._latencies.clear()
        self._since = now
