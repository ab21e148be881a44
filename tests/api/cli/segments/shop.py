"""A shop's store: sixty visitors, two fits, and one of them who changed in between."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.storage.visitor_log import VisitorLog

START = datetime(2026, 1, 1, tzinfo=UTC)
N_VISITORS = 60
CHANGED = "v0"


def order(visitor: str, number: int, day: float, total: float) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": visitor,
        "messageId": f"{visitor}-{number}",
        "timestamp": (START + timedelta(days=day)).isoformat(),
        "properties": {"total": total, "order_id": f"{visitor}-{number}"},
    }


def orders_of(i: int) -> list[dict[str, Any]]:
    """Odd visitors buy often and much, even ones once and little."""
    often = i % 2
    return [
        order(f"v{i}", n, n + i / 1440, 90.0 + i if often else 4.0)
        for n in range(20 if often else 1)
    ]


def run(folder: Path, work: Callable[[Engine], Awaitable[Any]]) -> Any:
    configured = parse_settings(
        {
            "service": {"database": str(folder / "s.db"), "clock": "replay"},
            "segments": {"n_segments": 2},
            "actions": [{"id": "tea"}, {"id": "salt"}],
            "placements": [{"name": "home", "actions": ["tea", "salt"], "default": "tea"}],
        }
    )

    async def inside() -> Any:
        engine = Engine(configured)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


async def fitted(engine: Engine) -> None:
    engine.refitter.request()
    while engine.refitter.fitting:  # noqa: ASYNC110  # what a client over HTTP can see, no more
        await asyncio.sleep(0.02)
    assert engine.refitter.problem is None


def made(folder: Path) -> Path:
    """The store's file: fitted on day 20, and again on day 41, after v0 began to buy a lot."""

    async def work(engine: Engine) -> None:
        for i in range(N_VISITORS):
            await engine.intake.batch(orders_of(i), None, 0)
        await fitted(engine)
        late = [order(CHANGED, 100 + n, 21 + n, 120.0) for n in range(20)]
        steady = [order(f"v{i}", 100 + i, 40 + i / 1440, 95.0) for i in range(1, N_VISITORS, 2)]
        await engine.intake.batch([*late, *steady], None, 0)
        await fitted(engine)

    run(folder, work)
    path = folder / "s.db"
    assert len(VisitorLog(path).fits()) == 2
    return path
