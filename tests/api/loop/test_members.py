"""Memberships follow events and time; each change is a row of the log, once, whatever crashes."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.clock import to_us
from api.loop.engine import Engine
from api.settings import SettingsError
from api.storage.base import StoreUnavailableError
from api.storage.memberships import TransitionRow
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.tiers import ValueTiers

# Tests run beside others: the disk may be slower than a page would wait for.
SERVICE = {"clock": "replay", "durability": "crash", "deadline_ms": 30_000}
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
AWAY = {"name": "away", "feature": "unseen_days", "days": 30}


def configured(folder: Path) -> dict[str, Any]:
    return {
        "service": {**SERVICE, "database": str(folder / "s.db")},
        "segments": {"absences": [AWAY]},
        "actions": [{"id": "tea"}],
        "placements": [{"name": "home", "actions": ["tea"], "default": "tea"}],
    }


def run(
    folder: Path,
    work: Callable[[Engine], Awaitable[Any]],
    *,
    stops: Callable[..., Any] | None = None,
) -> Any:
    async def inside() -> Any:
        engine = Engine(parse_settings(configured(folder)))
        await engine.start()
        try:
            return await work(engine)
        finally:
            await (stops or Engine.stop)(engine)

    return asyncio.run(inside())


async def crash(engine: Engine) -> None:
    """Let go of the store as a process does that is killed: nothing is saved or flushed."""
    for task in engine._tasks:
        task.cancel()
    await asyncio.gather(*engine._tasks, return_exceptions=True)
    await engine.store.close()


async def send(engine: Engine, visitor: str, day: float, **more: Any) -> None:
    at = START + day * DAY
    message = {
        "type": "track",
        "event": "Order Completed",
        "userId": visitor,
        "messageId": f"{visitor}-{day}",
        "timestamp": at.isoformat(),
        "properties": {"total": 10.0},
        **more,
    }
    await engine.intake.batch([message], None, 0)


def told(folder: Path) -> list[tuple[Any, ...]]:
    """The transitions, in days since the start."""
    with closing(sqlite3.connect(folder / "s.db")) as store:
        rows = store.execute(
            """SELECT visitor, source, target, at_us, cause FROM transitions
               ORDER BY at_us, visitor, seq"""
        ).fetchall()
    return [
        (visitor, source, target, round((at_us - to_us(START)) / 86_400e6, 3), cause)
        for visitor, source, target, at_us, cause in rows
    ]


def test_a_window_passes_without_an_event_of_the_visitor(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        await send(engine, "ann", 0)
        await engine.members.catch_up()
        engine.clock.advance(to_us(START + 29.9 * DAY))
        await engine.members.catch_up()
        before = engine.members.of("ann")["away"][0]
        engine.clock.advance(to_us(START + 30 * DAY + timedelta(seconds=1)))
        await engine.members.catch_up()
        assert engine.members.sizes() == {("away", "away"): 1}
        return before, engine.members.of("ann")["away"]

    before, (now, since) = run(tmp_path, work)
    assert (before, now) == ("not away", "away")
    assert abs(since - START - 30 * DAY) <= timedelta(seconds=1)
    assert told(tmp_path) == [
        ("ann", None, "not away", 0.0, "event"),
        ("ann", "not away", "away", 30.0, "time"),
    ]


def test_the_task_keeps_memberships_current_by_itself(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await send(engine, "ann", 0)
        while not engine.members.of("ann"):  # noqa: ASYNC110  # what a client can see, no more
            await asyncio.sleep(0.01)
        engine.clock.advance(to_us(START + 40 * DAY))
        while engine.members.of("ann")["away"][0] != "away":  # noqa: ASYNC110  # likewise
            await asyncio.sleep(0.01)

    run(tmp_path, work)


def test_listeners_hear_what_is_durable_and_a_failing_one_harms_nobody(tmp_path: Path) -> None:
    heard: list[tuple[int, TransitionRow]] = []

    def fails(_: Sequence[tuple[int, TransitionRow]]) -> None:
        raise ValueError("listener")

    async def work(engine: Engine) -> Any:
        engine.members.listeners += [fails, heard.extend]
        for visitor in ("ann", "bob"):
            await send(engine, visitor, 0)
        await engine.members.catch_up()
        return await engine.store.transitions_after(0, 9), await engine.store.transitions_after(
            1, 9
        )

    everything, rest = run(tmp_path, work)
    assert heard == everything
    assert rest == everything[1:]
    assert [(seq, row.visitor, row.target) for seq, row in everything] == [
        (1, "ann", "not away"),
        (2, "bob", "not away"),
    ]


def fitted(engine: Engine, shares: tuple[float, ...]) -> None:
    _, vectors = engine.pipeline.matrix(engine.clock.now())
    cohort = Cohort(vectors, engine.pipeline.feature_names)
    engine.pipeline.segmentation = fit_segments(
        ValueTiers(shares),
        cohort,
        previous=engine.pipeline.segmentation,
        rng=np.random.default_rng(0),
    )
    engine.members.review()


def test_other_segments_move_visitors_by_refit_and_an_event_by_itself(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        for number in range(1, 9):
            await send(engine, f"v{number}", number / 10, properties={"total": 10.0 * number})
        await engine.members.catch_up()
        fitted(engine, (0.5,))
        await engine.members.catch_up()
        moved = await engine.store.transitions_after(8, 99)
        await send(engine, "v1", 1.0, properties={"total": 900.0})
        await engine.members.catch_up()
        return moved, await engine.store.transitions_after(16, 99)

    moved, ((_, climbed),) = run(tmp_path, work)
    assert {(row.cause, row.version, row.source) for _, row in moved} == {("refit", 1, None)}
    assert len(moved) == 8
    assert (climbed.visitor, climbed.cause, climbed.grouping) == ("v1", "event", "segments")
    assert climbed.source != climbed.target


def test_an_id_that_goes_into_another_leaves_its_segment(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await send(engine, "", 0, anonymousId="phone", userId=None)
        await engine.members.catch_up()
        message = {
            "type": "identify",
            "userId": "ann",
            "anonymousId": "phone",
            "messageId": "i",
            "timestamp": (START + DAY).isoformat(),
        }
        await engine.intake.batch([message], None, 0)
        await engine.members.catch_up()
        assert set(engine.members.of("phone")) == {"away"}  # ann's, by now
        assert engine.members.sizes() == {("away", "not away"): 1}

    run(tmp_path, work)
    assert told(tmp_path) == [
        ("phone", None, "not away", 0.0, "event"),
        ("ann", None, "not away", 1.0, "event"),
        ("phone", "not away", None, 1.0, "event"),
    ]


def test_an_erased_visitor_is_in_no_row_and_in_no_memory(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        await send(engine, "ann", 0)
        await send(engine, "bob", 0)
        await engine.members.catch_up()
        engine.clock.advance(to_us(START + 31 * DAY))
        engine.members.before("ann", engine.clock.now())  # found, not yet written
        _, exported = await engine.eraser.export("ann")
        assert len(exported["transitions"]) == 1
        receipt, _ = await engine.eraser.erase("ann")
        await engine.members.catch_up()
        assert engine.members.of("ann") == {}
        assert engine.members.sizes() == {("away", "away"): 1}
        return receipt.rows

    rows = run(tmp_path, work)
    assert (rows["memberships"], rows["transitions"]) == (1, 1)
    assert {row[0] for row in told(tmp_path)} == {"bob"}
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        assert store.execute("SELECT visitor FROM memberships").fetchall() == [("bob",)]


def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(engine: Engine) -> None:
        await send(engine, "ann", 0)
        with monkeypatch.context() as broken:

            def full(*_: Any) -> None:
                raise StoreUnavailableError("disk full")

            broken.setattr(engine.store, "append_transitions", full)
            with pytest.raises(StoreUnavailableError):
                await engine.members.catch_up()
        assert told(tmp_path) == []
        await engine.members.catch_up()

    run(tmp_path, work)
    assert told(tmp_path) == [("ann", None, "not away", 0.0, "event")]


@pytest.mark.parametrize("seed", range(3))
def test_crashes_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """The same events with and without crashes between them leave the same transitions."""
    rng = np.random.default_rng(seed)
    days = np.cumsum(rng.exponential(9.0, 24)).round(2).tolist()
    events = [(f"v{rng.integers(4)}", day) for day in days]
    crashes = sorted({0, *rng.integers(1, 24, 4).tolist(), 24})
    plain, crashed = tmp_path / "plain", tmp_path / "crashed"
    plain.mkdir()
    crashed.mkdir()

    def follows(some: Sequence[tuple[str, float]], *, looks: bool) -> Callable[[Engine], Any]:
        async def work(engine: Engine) -> None:
            for visitor, day in some:
                await send(engine, visitor, day)
                if looks:
                    await engine.members.catch_up()

        return work

    run(plain, follows(events, looks=True))
    for start, end in pairwise(crashes):
        looks = bool(rng.integers(2))
        run(crashed, follows(events[start:end], looks=looks), stops=crash)

    async def last(engine: Engine) -> None:
        await engine.members.catch_up()

    run(crashed, last)
    assert told(crashed) == told(plain)
    assert len(told(plain)) > 6


def test_absences_have_names_of_their_own(tmp_path: Path) -> None:
    for absences in ([AWAY, AWAY], [{**AWAY, "name": "segments"}]):
        with pytest.raises(
            SettingsError, match=r"segments.absences: '\w+' is there more than once"
        ):
            parse_settings({**configured(tmp_path), "segments": {"absences": absences}})
