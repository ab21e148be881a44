"""Refits happen beside decisions, are kept, and a failed one changes nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.segment_families import FAMILIES, NEURAL, NEURAL_FORESIGHT
from api.worker.fit import Task, fit, pack_task, unpack_result
from api.worker.verdict import Request
from policy.errors import ModelFileError
from segments.errors import SegmentsError
from segments.pipeline import Pipeline

N_VISITORS = 60


def run(folder: Path, work: Callable[[Engine], Awaitable[Any]], **segments: Any) -> Any:
    configured = parse_settings(
        {
            "service": {"database": str(folder / "s.db"), "clock": "replay", "deadline_ms": 30_000},
            "segments": segments or {"n_segments": 2},
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


async def refit(engine: Engine, **how: bool) -> None:
    engine.refitter.request(Request(**how))
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
    task = Task("kmeans", 3, 0.03)
    one = unpack_result(fit(pack_task(task, vectors, None)))
    two = unpack_result(fit(pack_task(task, vectors, one)))
    assert sum(segment.size for segment in one.segments) == 40
    assert [segment.id for segment in two.segments] == [segment.id for segment in one.segments]
    with pytest.raises(SegmentsError):
        fit(pack_task(task, vectors[:0], None))
    assert (one.churn, two.churn) == (None, 0.0)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits in this process, which has loaded already what a new one takes seconds to."""

    async def fitted(packed: bytes) -> bytes:
        return await asyncio.to_thread(fit, packed)

    monkeypatch.setattr("api.worker.refit._in_a_process", fitted)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_fits_and_refits_in_the_service(tmp_path: Path, family: str) -> None:
    if family in (NEURAL, NEURAL_FORESIGHT):
        pytest.importorskip("torch", reason="needs pip install 'segue[train]'")

    async def work(engine: Engine) -> list[Any]:
        await shop(engine)
        await refit(engine)
        await refit(engine)
        assert engine.refitter.problem is None
        assert await segment_of(engine, "v1") is not None
        return await engine.store.refits(9)

    again, first = run(tmp_path, work, family=family, n_segments=3, outcome_days=10)
    assert (first.family, first.outcome, first.version, first.churn) == (family, "adopted", 1, None)
    assert (again.outcome, again.version, again.churn) == ("adopted", 2, 0.0)


@pytest.mark.usefixtures("here")
def test_a_refit_over_the_budget_is_refused_and_says_why(tmp_path: Path) -> None:
    """RFM has no budget of its own: when buyers change places, its cuts do as well."""

    async def first(engine: Engine) -> None:
        await shop(engine)
        await refit(engine)

    async def second(engine: Engine) -> tuple[Any, ...]:
        live = engine.pipeline.segmentation
        await others_buy(engine)
        await refit(engine, dry_run=True)
        dry = engine.refitter.last
        await refit(engine)
        assert engine.pipeline.segmentation is live
        refused, problem = engine.refitter.last, engine.refitter.problem
        counted = engine.metrics.registry.get_sample_value(
            "segue_segment_refits_total", {"outcome": "refused"}
        )
        await refit(engine, force=True)
        return dry, refused, problem, counted, engine.refitter.last, engine.pipeline.segmentation

    run(tmp_path, first, family="rfm")
    dry, refused, problem, counted, forced, live = run(tmp_path, second, family="rfm")
    assert (dry.outcome, refused.outcome, forced.outcome) == ("dry-run", "refused", "adopted")
    assert dry.reason.startswith("it would be refused: ")
    assert refused.churn > 0.03
    assert "more than the 3.0% of segments.max_churn" in problem == refused.reason
    assert counted == 1.0
    assert live.version == forced.version == 2
    assert forced.reason.startswith("it was forced")


async def others_buy(engine: Engine) -> None:
    """Those who bought little buy in quite different measures."""
    start = datetime(2026, 2, 1, tzinfo=UTC)
    for number in range(0, N_VISITORS, 2):
        orders = [
            {
                "type": "track",
                "event": "Order Completed",
                "userId": f"v{number}",
                "messageId": f"n{number}-{order}",
                "timestamp": (start + timedelta(days=order, minutes=number)).isoformat(),
                "properties": {"total": 300.0 * number},
            }
            for order in range(number)
        ]
        await engine.intake.batch(orders, None, 0)


@pytest.mark.usefixtures("here")
def test_another_family_that_is_configured_is_adopted_and_stays(tmp_path: Path) -> None:
    async def first(engine: Engine) -> None:
        await shop(engine)
        await refit(engine)

    async def second(engine: Engine) -> Any:
        assert engine.refitter.recipe.family == "kmeans"
        await refit(engine)
        return engine.refitter.last

    async def third(engine: Engine) -> Any:
        await refit(engine)
        return engine.refitter.last

    run(tmp_path, first, n_segments=4)
    assert run(tmp_path, second, family="spend-tiers").outcome == "adopted"
    kept = run(tmp_path, third, refit_hours=1)  # nothing is said of families: the live one goes on
    assert (kept.family, kept.outcome, kept.churn) == ("spend-tiers", "adopted", 0.0)


@pytest.mark.usefixtures("here")
def test_a_store_of_before_refits_were_written_down_goes_on(tmp_path: Path) -> None:
    async def first(engine: Engine) -> None:
        await shop(engine)
        await refit(engine)

    async def second(engine: Engine) -> Any:
        await refit(engine)
        return engine.refitter.last

    run(tmp_path, first)
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as store:
        store.execute("DELETE FROM refits")
    kept = run(tmp_path, second, max_churn=0.0)
    assert (kept.family, kept.outcome, kept.churn, kept.version) == ("kmeans", "adopted", 0.0, 2)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("result", [b"", b"nonsense"])
def test_a_fit_that_answers_nonsense_leaves_the_live_segments(
    tmp_path: Path, result: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(engine: Engine) -> tuple[Any, Any]:
        await shop(engine)
        await refit(engine)
        live = engine.pipeline.segmentation

        async def answered(_: bytes) -> bytes:
            return result

        monkeypatch.setattr("api.worker.refit._in_a_process", answered)
        await refit(engine)
        assert engine.pipeline.segmentation is live
        return engine.refitter.last, engine.refitter.problem

    last, problem = run(tmp_path, work)
    assert (last.outcome, last.reason) == ("failed", problem)
    assert problem


def test_the_number_of_segments_is_the_one_that_lasts() -> None:
    rng = np.random.default_rng(0)
    names = Pipeline.feature_names
    centres = rng.random((3, len(names)))
    vectors = np.vstack([rng.normal(centre, 0.01, (60, len(names))) for centre in centres])
    fitted = unpack_result(fit(pack_task(Task("kmeans"), vectors.astype(np.float32), None)))
    assert len(fitted.segments) == 3
