"""A million visitors known, none of them seen lately: what a decision costs, and memory.

Where it stands: a part of `benchmarks.service`. Two stores are served by turns, one with the
profiles of a thousand visitors and one with those of many; every visitor is a heavy one (see
`benchmarks.profiles`), and each decision is for another, who was not touched since the start.
"""

import asyncio
import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.cli.demo.connection import encode_request, run_loop
from api.storage.sqlite import SQLiteStore
from benchmarks.http_workload import PLACEMENT
from benchmarks.load import Load, open_loop
from benchmarks.profiles import heavy_profiles
from benchmarks.service.served import served

FEW = 1_000
N_CONNECTIONS = 32
PER_SECOND = 500
SAVED_AT_ONCE = 10_000
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """What was measured.

    Args:
        n_visitors: Known.
        p99_ms: Of decisions at a fixed rate, each for another visitor.
        few_p99_ms: The same where a thousand are known.
        bytes_a_visitor: What the process that knows many is larger by, over the visitors that it
            knows more.
        n_failures: Answers that were none.
    """

    n_visitors: int
    p99_ms: float
    few_p99_ms: float
    bytes_a_visitor: float
    n_failures: int


def measure(n_visitors: int, seconds: float) -> Known:
    """Serve both stores, each loaded for so many seconds."""
    profiles = heavy_profiles(np.random.default_rng(0))
    few, few_mb = _one(FEW, profiles, seconds)
    many, many_mb = _one(n_visitors, profiles, seconds)
    return Known(
        n_visitors,
        many.latency_ms(99),
        few.latency_ms(99),
        (many_mb - few_mb) * 2**20 / (n_visitors - FEW),
        len(few.failures) + len(many.failures),
    )


def _one(n_visitors: int, profiles: list[bytes], seconds: float) -> tuple[Load, float]:
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
        asyncio.run(_fill(Path(name) / "segue.db", n_visitors, profiles))
        with served(Path(name)) as server:
            n_requests = round(PER_SECOND * (seconds + WARM_UP_SECONDS))
            requests = _requests(server.port, n_visitors, n_requests)
            n_warm = round(PER_SECOND * WARM_UP_SECONDS)
            run_loop(_load(server.port, requests[:n_warm]))
            load = run_loop(_load(server.port, requests[n_warm:]))
            return load, server.memory_mb


async def _load(port: int, requests: list[bytes]) -> Load:
    return await open_loop(port, requests, N_CONNECTIONS, PER_SECOND, len(requests) / PER_SECOND)


async def _fill(path: Path, n_visitors: int, profiles: list[bytes]) -> None:
    store = SQLiteStore(path, "crash")
    store.start(asyncio.get_running_loop())
    for start in range(0, n_visitors, SAVED_AT_ONCE):
        numbers = range(start, min(start + SAVED_AT_ONCE, n_visitors))
        rows = [(f"visitor-{i}", 0, profiles[i % len(profiles)]) for i in numbers]
        await store.save_profiles(rows, [])
    await store.close()


def _requests(port: int, n_visitors: int, n_requests: int) -> list[bytes]:
    chance = random.Random(0)
    chosen = (
        chance.sample(range(n_visitors), n_requests)
        if n_requests <= n_visitors
        else chance.choices(range(n_visitors), k=n_requests)
    )
    return [
        encode_request(
            f"127.0.0.1:{port}",
            "POST",
            "/v1/decisions",
            json.dumps({"visitor": f"visitor-{number}", "placement": PLACEMENT}).encode(),
        )
        for number in chosen
    ]
