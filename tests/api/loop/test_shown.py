"""What visitors were shown: counted with the decision, and the same after any restart."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.settings import Settings
from api.storage.migrations import migrations
from policy.catalog.limit import DAY_US

RULES = "decisions_say_who_was_refused_and_what_was_shown"
VISITORS = tuple(f"v{n}" for n in range(5))


def settings(folder: Path, **changes: Any) -> Settings:
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "snapshot_seconds": 3600,
                "deadline_ms": 30_000,
            },
            "actions": [
                {"id": "tea", "cap": {"times": 3, "days": 7}},
                {"id": "salt", "kind": "offer"},
                {"id": "low", "kind": "price", "price_cents": 900},
                {"id": "high", "kind": "price", "price_cents": 990},
            ],
            "limits": [{"kind": "offer", "times": 20, "days": 30, "cooldown_minutes": 0.05}],
            "placements": [
                {
                    "name": "home",
                    "actions": ["tea", "salt", "low", "high"],
                    "default": "low",
                    "policy": {"kind": "epsilon_greedy", "epsilon": 1.0},
                    "price": {"sticky_hours": 24},
                }
            ],
            **changes,
        }
    )


def run(configured: Settings, work: Callable[[Engine], Awaitable[Any]], kill: bool = False) -> Any:
    """Run an engine; with `kill`, nothing is saved at its end."""

    async def inside() -> Any:
        engine = Engine(configured)
        await engine.start()
        try:
            return await work(engine)
        finally:
            if kill:
                for task in engine._tasks:
                    task.cancel()
                await engine.store.close()
            else:
                await engine.stop()

    return asyncio.run(inside())


async def live(engine: Engine, n: int = 40) -> None:
    for number in range(n):
        visitor = VISITORS[number % len(VISITORS)]
        await engine.decider.decide(DecisionRequest(visitor=visitor, placement="home"))
        if number == n // 2:
            link = {"type": "identify", "userId": "v0", "anonymousId": "v1", "messageId": "i"}
            await engine.intake.one(link, "identify", 100)


async def known(engine: Engine) -> dict[str, Any]:
    histories = {visitor: engine.shown.of(visitor) for visitor in VISITORS}
    return {visitor: (history.times_us, history.prices) for visitor, history in histories.items()}


def forget(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "s.db")) as store, store:
        for statement in statements:
            store.execute(statement)


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("save", [False, True])
def test_a_restart_resumes_exactly(tmp_path: Path, kill: bool, save: bool) -> None:
    async def first(engine: Engine) -> Any:
        await live(engine)
        if save:
            await engine.save()
        await live(engine, 15)
        return await known(engine)

    before = run(settings(tmp_path), first, kill=kill)
    assert any(times for times, _ in before.values())
    assert run(settings(tmp_path), known) == before
    forget(tmp_path, "DELETE FROM exposures", "DELETE FROM state WHERE key = 'exposures'")
    assert run(settings(tmp_path), known) == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE exposures SET data = x'00'",
        "UPDATE state SET data = x'00' WHERE key = 'exposures'",
        "UPDATE state SET data = '[]' WHERE key = 'exposures'",
        "UPDATE state SET data = '{\"fingerprint\": 1, \"seq\": 9}' WHERE key = 'exposures'",
        "DELETE FROM state WHERE key = 'exposures'",
    ],
)
def test_damaged_snapshots_are_made_again_from_the_log(tmp_path: Path, damage: str) -> None:
    run(settings(tmp_path), live)
    before = run(settings(tmp_path), known)
    forget(tmp_path, damage)
    assert run(settings(tmp_path), known) == before


def test_other_limits_count_what_was_shown_before_them(tmp_path: Path) -> None:
    """And going back to the limits of before is as if nothing had been between."""
    run(settings(tmp_path), live)
    before = run(settings(tmp_path), known)
    wider = settings(tmp_path, limits=[{"kind": "price", "times": 1, "days": 30}])
    counted = run(wider, known)
    assert any(number == 1 for times, _ in counted.values() for number in times)
    run(settings(tmp_path, limits=[]), live)
    again = run(settings(tmp_path), known)
    assert all(len(again[visitor][0]) >= len(before[visitor][0]) for visitor in VISITORS)
    forget(tmp_path, "DELETE FROM exposures", "DELETE FROM state WHERE key = 'exposures'")
    assert run(settings(tmp_path), known) == again


def test_two_decisions_at_once_cannot_both_be_the_last_one_allowed(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[str]:
        request = DecisionRequest(visitor="ann", placement="home")
        answers = await asyncio.gather(*[engine.decider.decide(request) for _ in range(40)])
        return [answer["action"]["id"] for answer in answers]

    shown = run(settings(tmp_path), work)
    assert shown.count("tea") == 3
    assert shown.count("salt") == 1
    assert len({"low", "high"} & set(shown)) == 1


def vars_of(history: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    return dict(history.times_us), dict(history.prices)


def test_of_what_the_log_did_not_take_only_the_default_that_was_shown_counts(
    tmp_path: Path,
) -> None:
    async def work(engine: Engine) -> Any:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        await engine.store.writer.call(lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
        other.execute("BEGIN EXCLUSIVE")
        request = DecisionRequest(visitor="ann", placement="home")
        answers = [await engine.decider.decide(request) for _ in range(10)]
        other.execute("ROLLBACK")
        other.close()
        assert {answer["decision_id"] for answer in answers} == {None}
        assert {answer["action"]["id"] for answer in answers} == {"low"}
        counted = [vars_of(engine.shown.of("ann"))]
        while engine.shown.backlog:
            await engine.shown.backlog.flush()
            await asyncio.sleep(0.01)  # until the breaker lets somebody try
        counted.append(vars_of(engine.shown.of("ann")))
        rows = engine.store.exposures_after(0, 99)
        return counted, engine.shown.exposures._pending, [row[2].action_id for row in rows]

    (before, after), pending, logged = run(settings(tmp_path), work)
    assert before == after
    times, prices = after
    assert (times, [price.price_cents for price in prices.values()]) == ({}, [900])
    assert pending == {}
    assert logged == ["low"] * 10


def test_who_goes_away_before_the_answer_was_shown_it_all_the_same(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        request = DecisionRequest(visitor="ann", placement="home", excluded=["salt", "low", "high"])
        waiting = asyncio.ensure_future(engine.decider.decide(request))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await engine.decider.decide(DecisionRequest(visitor="bob", placement="home"))
        await asyncio.sleep(0)
        return sum(map(len, engine.shown.of("ann").times_us.values()))

    assert run(settings(tmp_path), work) == 1


def test_a_link_that_comes_later_joins_what_was_shown(tmp_path: Path) -> None:
    only_tea = ["salt", "low", "high"]

    async def work(engine: Engine) -> list[str]:
        reasons = []
        for visitor in ("anon", "ann", "anon"):
            request = DecisionRequest(visitor=visitor, placement="home", excluded=only_tea)
            await engine.decider.decide(request)
        for linked in (False, True):
            if linked:
                link = {"userId": "ann", "anonymousId": "anon", "messageId": "i"}
                await engine.intake.one(link, "identify", 100)
            answer = await engine.decider.decide(
                DecisionRequest(visitor="ann", placement="home", excluded=["tea", *only_tea])
            )
            assert answer["default"]
            history = engine.shown.of("ann")
            now_us = engine.clock.now_us() + DAY_US
            reasons.append(str(history.verdicts(engine.shown.exposures.tracked, now_us)))
        return reasons

    assert run(settings(tmp_path), work) == ["{}", "{0: 'capped'}"]


def test_without_rules_nothing_is_kept(tmp_path: Path) -> None:
    plain = settings(
        tmp_path,
        actions=[{"id": "tea"}],
        limits=[],
        placements=[{"name": "home", "actions": ["tea"], "default": "tea"}],
    )
    run(plain, lambda engine: live(engine, 10))

    async def work(engine: Engine) -> int:
        return len(engine.shown.exposures)

    assert run(plain, work) == 0
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        assert store.execute("SELECT count(*) FROM exposures").fetchone() == (0,)


def test_a_log_from_before_there_were_rules_counts_by_action(tmp_path: Path) -> None:
    database = Database(tmp_path / "s.db")
    migrations.apply(database, stop_before=RULES)
    now_us = time.time_ns() // 1000
    for number in range(3):
        database.execute(
            """INSERT INTO decisions VALUES (?, ?, 'ann', 'home', ?, ?, 'home.0@0', NULL, NULL,
               'tea', NULL, 0, 1.0, NULL, '["tea"]', x'00', NULL, NULL)""",
            (number + 1, f"d{number}", now_us, now_us),
        )
    database.conn.commit()
    database.close()

    async def work(engine: Engine) -> dict[str, str]:
        answer = await engine.decider.decide(DecisionRequest(visitor="ann", placement="home"))
        return {row["id"]: row["reason"] for row in answer["ranking"]}

    assert run(settings(tmp_path), work)["tea"] == "capped"
