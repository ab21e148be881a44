"""Events: through Segment's batch route with profiles folded, and into the store alone.

Where it stands: a part of `benchmarks.service`.
"""

import asyncio
import contextlib
import json
import random
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from api.cli.demo.client import Client, DemoError
from api.cli.demo.connection import encode_request, run_loop
from api.storage.base import EventRow
from api.storage.sqlite import SQLiteStore
from benchmarks.load import closed_loop
from benchmarks.service.served import Served, served

A_BATCH = 100
N_VISITORS = 2_000
N_CONNECTIONS = 8
STORE_IN_FLIGHT = 64
NAMES = ("Product Viewed", "Product Viewed", "Product List Viewed", "Product Added")


@dataclass(frozen=True, slots=True)
class Events:
    """What was measured.

    Args:
        per_second: Accepted through the batch route.
        per_core_second: The same by the processor time that the server took for them.
        store_per_second: Rows into the store alone.
        store_per_core_second: The same by processor time.
        n_accepted: Altogether.
        n_refused: Batches that were refused, to be sent again.
        n_lost: Accepted but not in the log, or not in the profiles.
    """

    per_second: float
    per_core_second: float
    store_per_second: float
    store_per_core_second: float
    n_accepted: int
    n_refused: int
    n_lost: int


def measure(seconds: float) -> Events:
    """Both measurements, each of so many seconds."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
        with served(Path(name)) as server:
            batches = make_batches(server.port, round(300 * seconds))
            before = server.cpu_seconds
            load = run_loop(closed_loop(server.port, batches, N_CONNECTIONS, seconds))
            cpu_seconds = server.cpu_seconds - before
            folded = run_loop(_folded(server.port))
        accepted = sum(json.loads(body)["accepted"] for body in load.bodies)
        lost = max(0, accepted - _logged(server)) + max(0, accepted - folded)
        store = asyncio.run(store_rows(Path(name) / "alone.db", seconds))
    rates = (accepted / load.seconds, accepted / cpu_seconds, *store)
    return Events(*rates, accepted, len(load.failures), lost)


def make_batches(port: int, n_batches: int) -> list[bytes]:
    """Encoded requests of a hundred tracking messages each, no message twice."""
    numbers = random.Random(0)
    return [
        encode_request(
            f"127.0.0.1:{port}", "POST", "/v1/batch",
            json.dumps({"batch": [_message(batch, i, numbers) for i in range(A_BATCH)]}).encode(),
        )
        for batch in range(n_batches)
    ]  # fmt: skip


def _message(batch: int, number: int, numbers: random.Random) -> dict[str, object]:
    return {
        "type": "track",
        "event": numbers.choice(NAMES),
        "anonymousId": f"visitor-{numbers.randrange(N_VISITORS)}",
        "messageId": f"m-{batch}-{number}",
        "properties": {
            "product_id": f"p-{numbers.randrange(500)}",
            "category": f"action-{numbers.randrange(20)}",
            "brand": f"brand-{numbers.randrange(40)}",
            "price": 12.5,
        },
    }


async def _folded(port: int) -> int:
    """Events in the profiles of all visitors, as the service answers."""
    client = await Client.open("127.0.0.1", port, N_CONNECTIONS)
    n_events = 0
    try:
        for number in range(N_VISITORS):
            with contextlib.suppress(DemoError):  # 404: none of its events was sent
                visitor = await client.call("GET", f"/v1/visitors/visitor-{number}")
                n_events += visitor["events"]
    finally:
        client.close()
    return n_events


def _logged(server: Served) -> int:
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


async def store_rows(path: Path, seconds: float) -> tuple[float, float]:
    """Rows a second that the store takes, by a hundred, some dozens of hundreds in flight.

    Returns:
        By the clock, and by the processor time of this process.
    """
    store = SQLiteStore(path)
    store.start(asyncio.get_running_loop())
    body = json.dumps(_message(0, 0, random.Random(0)))
    made = [
        [
            EventRow(f"{batch}-{i}", f"v{i}", "Product Viewed", batch, batch, body)
            for i in range(A_BATCH)
        ]
        for batch in range(round(4_000 * seconds))
    ]
    effects: list[tuple[()]] = [()] * A_BATCH
    waiting: set[asyncio.Future[object]] = set()
    n_rows, start, before = 0, perf_counter(), process_time()
    for rows in made:
        while len(waiting) >= STORE_IN_FLIGHT:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting.add(store.append_events(rows, effects, lambda _: None))  # type: ignore[arg-type]  # futures of one kind
        n_rows += A_BATCH
        if perf_counter() - start > seconds:
            break
    await asyncio.wait(waiting)
    rates = n_rows / (perf_counter() - start), n_rows / (process_time() - before)
    await store.close()
    return rates
