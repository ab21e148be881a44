"""For how long the event loop does one thing and answers nobody: what delays decisions beside it.

Where it stands: a part of `benchmarks.service`. In processor time, so that it says the same on a
machine with other work, where latencies say little. The engine runs in this process.
"""

import asyncio
import random
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import structlog

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.routes import insight, readings
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from benchmarks.http_workload import PLACEMENT, make_order, render_configuration
from benchmarks.profiles import heavy_profiles

N_VISITORS = 50_000
N_CHANGED = 2_000
N_REWARDED = 500
A_BATCH = 100

Work = Callable[[Engine], Awaitable[None]]


class Stretches:
    """Notes how long each turn of the event loop takes, while it is entered."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._on = False

    def __enter__(self) -> "Stretches":
        self._on = True
        self._next()
        return self

    def __exit__(self, *_: object) -> None:
        self._on = False

    def _next(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self._turned, time.thread_time())

    def _turned(self, since_s: float) -> None:
        self.longest_s = max(self.longest_s, time.thread_time() - since_s)
        if self._on:
            self._next()


def measure() -> dict[str, float]:
    """The longest stretch of each kind of work, in milliseconds of processor time."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
        return asyncio.run(_measure(Path(name)))


async def _measure(folder: Path) -> dict[str, float]:
    level = structlog.make_filtering_bound_logger(40)
    structlog.configure(wrapper_class=level)
    given = tomllib.loads(render_configuration(0))
    given["service"] |= {"database": str(folder / "s.db"), "snapshot_seconds": 3_600}
    engine = Engine(parse_settings(given))
    await engine.start()
    try:
        await _fill(engine)
        return {name: await _longest(engine, work) for name, work in WORKS.items()}
    finally:
        await engine.stop()


async def _longest(engine: Engine, work: Work) -> float:
    with Stretches() as stretches:
        await work(engine)
    return 1_000 * stretches.longest_s


async def _fill(engine: Engine) -> None:
    profiles = heavy_profiles(np.random.default_rng(0))
    for number in range(N_VISITORS):
        engine.pipeline.load_profile(f"visitor-{number}", profiles[number % len(profiles)])
    numbers = random.Random(0)
    for start in range(0, N_CHANGED, A_BATCH):
        orders = [make_order(one, "a", numbers) for one in range(start, start + A_BATCH)]
        await engine.intake.batch(orders, None, 0)
    for number in range(N_REWARDED):
        request = DecisionRequest(visitor=f"visitor-{number}", placement=PLACEMENT, context={})
        decided = await engine.decider.decide(request)
        if decided["decision_id"] is not None:
            reward = DecisionReward(value=numbers.random())
            await engine.rewarder.reward(decided["decision_id"], reward)


async def _learn(engine: Engine) -> None:
    assert engine.learner is not None
    await engine.learner.drain()


async def _snapshot(engine: Engine) -> None:
    await engine.save()


async def _refit(engine: Engine) -> None:
    engine.refitter.request()
    while engine.refitter.fitting:  # noqa: ASYNC110  # it sets no event
        await asyncio.sleep(0.05)


async def _report(engine: Engine) -> None:
    await insight.actions(engine, PLACEMENT)
    await readings.segments(engine)
    await readings.policies(engine)


async def _batch(engine: Engine) -> None:
    numbers = random.Random(1)
    orders = [make_order(one, "b", numbers) for one in range(A_BATCH)]
    await engine.intake.batch(orders, None, 0)


WORKS: dict[str, Work] = {
    "learning 500 rewards": _learn,
    "a snapshot, 2,000 visitors changed": _snapshot,
    "a refit over 50,000 visitors": _refit,
    "a report": _report,
    "a batch of 100 orders": _batch,
}
