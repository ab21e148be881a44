"""What policies see of behaviour is the same online, after a crash, offline and simulated."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.settings import SettingsError
from segments.behaviour.reading import BEHAVIOURS, behaviour_vector
from segments.behaviour.session import SessionTracker
from segments.event import Event
from segments.pipeline import Pipeline
from simulator.crowd import Crowd
from simulator.dynamics.effects import Effects
from simulator.dynamics.world import World
from simulator.events import day_events, morning, visitor_id

# Tests run beside others: the disk may be slower than a page would wait for.
SERVICE = {"clock": "replay", "durability": "crash", "deadline_ms": 30_000}
N_SHOPPERS, N_DAYS = 6, 60
SAVED_ON, CRASHES = (10, 30), (20, 40)


def configured(folder: Path, **placement: Any) -> Any:
    home = {
        "name": "home",
        "actions": ["tea", "salt"],
        "default": "tea",
        "behaviour": list(BEHAVIOURS),
        **placement,
    }
    return parse_settings(
        {
            "service": {**SERVICE, "database": str(folder / "s.db")},
            "actions": [{"id": "tea"}, {"id": "salt", "condition": "not behaviour.gap_changed"}],
            "placements": [home],
        }
    )


def lives() -> list[tuple[datetime, list[Event]]]:
    """Days of simulated shoppers: the morning's time, then what they do."""
    world = replace(World(), effects=Effects(intent=1.0))
    crowd = Crowd(world, N_SHOPPERS, seed=4)
    days = []
    for day in range(N_DAYS):
        outcome = np.stack(crowd.live(np.zeros(N_SHOPPERS, np.int64)))
        events = [
            event
            for i in range(N_SHOPPERS)
            for event in day_events(i, day, world.actions[0], outcome[:, i])
        ]
        days.append((morning(day), events))
    return days


async def started(folder: Path) -> Engine:
    engine = Engine(configured(folder))
    await engine.start()
    return engine


async def crash(engine: Engine) -> None:
    for task in engine._tasks:
        task.cancel()
    await asyncio.gather(*engine._tasks, return_exceptions=True)
    await engine.store.close()


async def decided(folder: Path, days: list[tuple[datetime, list[Event]]]) -> None:
    """A decision for each shopper in the morning and after each event, with crashes on the way."""
    engine = await started(folder)
    for number, (at, events) in enumerate(days):
        if number in CRASHES:
            await crash(engine)
            engine = await started(folder)
        for i in range(N_SHOPPERS):
            await ask(engine, visitor_id(i), at)
        for event in sorted(events, key=lambda one: one.timestamp):
            await engine.observer.observe([event])
            await ask(engine, event.visitor, event.timestamp)
        if number in SAVED_ON:
            await engine.save()
    await engine.stop()


async def ask(engine: Engine, visitor: str, at: datetime) -> None:
    request = DecisionRequest(visitor=visitor, placement="home", timestamp=at)
    await engine.decider.decide(request)


def logged(folder: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the policy saw of behaviour, decision by decision."""
    with closing(sqlite3.connect(folder / "s.db")) as store:
        rows = store.execute("SELECT context FROM decisions ORDER BY seq").fetchall()
    start = 1 + len(Pipeline.feature_names)  # after the intercept
    end = start + len(BEHAVIOURS)
    return np.stack([np.frombuffer(row[0], np.float32)[start:end] for row in rows])


def offline(days: list[tuple[datetime, list[Event]]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The same, folded from the events alone."""
    tracker, seen = SessionTracker(), []

    def read(visitor: str, at: datetime) -> None:
        seen.append(behaviour_vector(tracker.read(visitor, at), BEHAVIOURS))

    for at, events in days:
        for i in range(N_SHOPPERS):
            read(visitor_id(i), at)
        for event in sorted(events, key=lambda one: one.timestamp):
            tracker.observe(event)
            read(event.visitor, event.timestamp)
    return np.stack(seen)


def test_online_after_crashes_equals_offline_to_the_bit(tmp_path: Path) -> None:
    days = lives()
    asyncio.run(decided(tmp_path, days))
    online, folded = logged(tmp_path), offline(days)
    assert np.array_equal(online, folded)
    varied = [BEHAVIOURS.index(name) for name in ("gap", "depth", "surprise")]
    assert (np.abs(folded[:, varied]).max(axis=0) > 0.0).all()
    assert np.abs(folded).max() <= 1.0


def run(folder: Path, work: Callable[[Engine], Any]) -> Any:
    async def inside() -> Any:
        engine = await started(folder)
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


def test_damaged_habits_are_folded_again(tmp_path: Path) -> None:
    days = lives()[:20]

    async def act(engine: Engine) -> bytes:
        for _, events in days:
            for event in events:
                await engine.observer.observe([event])
        return await state(engine)

    async def state(engine: Engine) -> bytes:
        assert engine.pipeline.habits is not None
        return engine.pipeline.habits.crowd_state()

    before = run(tmp_path, act)
    for damage in ("UPDATE habits SET data = x'00'", "DELETE FROM state WHERE key = 'habits'"):
        with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as store:
            store.execute(damage)
        assert run(tmp_path, state) == before


def test_an_id_that_goes_into_another_brings_its_past(tmp_path: Path) -> None:
    tracker = SessionTracker()
    (_, events), *_ = [day for day in lives() if day[1]]
    for event in events:
        tracker.observe(event, visitor="phone")
    n_events = tracker.read("phone", events[-1].timestamp).n_events
    tracker.merge("phone", "ann")
    assert tracker.read("ann", events[-1].timestamp).n_events == n_events > 0
    assert tracker.read("phone", events[-1].timestamp).n_events == 0
    assert {change[0]: change[2] is None for change in tracker.take_changes(9)} == {
        "ann": False,
        "phone": True,
    }


def test_nothing_is_followed_where_nobody_asks(tmp_path: Path) -> None:
    settings = configured(tmp_path, behaviour=[])
    actions = tuple(one.model_copy(update={"condition": None}) for one in settings.actions)
    engine = Engine(settings.model_copy(update={"actions": actions}))
    assert engine.pipeline.habits is None
    asyncio.run(engine.store.close())
    asking = Engine(configured(tmp_path, behaviour=[]))  # the condition does
    assert asking.pipeline.habits is not None
    asyncio.run(asking.store.close())


def test_a_behaviour_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"behaviour\[0\] is 'paces'.*did you mean 'pace'"):
        configured(tmp_path, behaviour=["paces"])
