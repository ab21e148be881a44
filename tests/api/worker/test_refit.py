"""Refits happen beside decisions, are kept, and a failed one changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.settings import SegmentSettings
from api.worker.fit import fit, pack_task, unpack_result
from policy.errors import ModelFileError
from segments.errors import SegmentsError
from segments.pipeline import Pipeline

N_VISITORS = 60


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


async def shop(engine: Engine) -> None:
    """Half of the visitors buy often and much, half once and little."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(N_VISITORS):
        often = number % 2
        orders = [
            {
                "type": "track",
                "event": "Order Completed",
                "userId": f"v{number}",
                "messageId": f"m{number}-{order}",
                "timestamp": (start + timedelta(days=order, minutes=number)).isoformat(),
                "properties": {"total": 90.0 + number if often else 4.0},
            }
            for order in range(20 if often else 1)
        ]
        await engine.intake.batch(orders, None, 0)


async def refit(engine: Engine) -> None:
    engine.refitter.request()
    while engine.refitter.fitting:  # noqa: ASYNC110  # what a client over HTTP can see, no more
        await asyncio.sleep(0.02)


async def segment_of(engine: Engine, visitor: str) -> str | None:
    request = DecisionRequest(visitor=visitor, placement="home")
    return (await engine.decider.decide(request))["segment"]


def test_visitors_are_grouped_and_the_groups_survive_restart_and_refit(tmp_path: Path) -> None:
    async def first(engine: Engine) -> list[str | None]:
        await shop(engine)
        assert await segment_of(engine, "v0") is None
        await refit(engine)
        return [await segment_of(engine, f"v{number}") for number in range(N_VISITORS)]

    async def second(engine: Engine) -> tuple[list[str | None], set[str]]:
        await refit(engine)
        segmentation = engine.pipeline.segmentation
        assert segmentation is not None
        assert segmentation.version == 2
        found = [await segment_of(engine, f"v{number}") for number in range(N_VISITORS)]
        return found, {line.change for line in segmentation.lineage}

    segments = run(tmp_path, first)
    assert len(set(segments[::2])) == 1
    assert len(set(segments[1::2])) == 1
    assert segments[0] != segments[1]
    assert run(tmp_path, second) == (segments, {"kept"})


def test_decisions_go_on_during_a_refit(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        await shop(engine)
        engine.refitter.request()
        n_decisions = 0
        while engine.refitter.fitting:
            await segment_of(engine, "v1")
            n_decisions += 1
        assert engine.pipeline.segmentation is not None
        return n_decisions

    assert run(tmp_path, work) > 10


def test_a_fit_of_nobody_says_why_and_changes_nothing(tmp_path: Path) -> None:
    async def work(engine: Engine) -> tuple[Any, str | None]:
        await refit(engine)
        return engine.pipeline.segmentation, engine.refitter.problem

    segmentation, problem = run(tmp_path, work)
    assert segmentation is None
    assert problem is not None
    assert "visitor" in problem


def test_the_task_of_a_fit_is_data_only() -> None:
    with pytest.raises(ModelFileError):
        fit(b"cos\nsystem\n(S'true'\ntR.")


def test_a_packed_task_gives_a_segmentation_of_its_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.random((40, len(Pipeline.feature_names))).astype(np.float32)
    settings = SegmentSettings(n_segments=3)
    one = unpack_result(fit(pack_task(vectors, settings, None)))
    two = unpack_result(fit(pack_task(vectors, settings, one)))
    assert sum(segment.size for segment in one.segments) == 40
    assert [segment.id for segment in two.segments] == [segment.id for segment in one.segments]
    with pytest.raises(SegmentsError):
        fit(pack_task(vectors[:0], settings, None))
