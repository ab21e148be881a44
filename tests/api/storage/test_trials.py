"""What a gate reads of the log: settled decisions, each once, with what came of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from api.loop.clock import to_us
from api.loop.engine import Engine
from api.loop.roster import Because
from api.storage.trial import METRICS, Asked, Settled
from tests.api.loop.test_engine import run
from tests.api.trials import BOLD, START, buy, settings, visit

MINUTE_US = 60_000_000
ANN = Because("ann")


async def trial(engine: Engine) -> int:
    await engine.roster.add("home", "other", BOLD, None, ANN)
    await engine.roster.mix("home", "other", 0.5, ANN)
    return engine.placements["home"].lineup.trial


async def tell(engine: Engine, visitor: str, seconds: int, **message: Any) -> None:
    at = (START + timedelta(seconds=seconds)).isoformat()
    message |= {"userId": visitor, "timestamp": at, "messageId": f"{visitor}-{seconds}"}
    await engine.intake.one(message, "track", body_bytes=100)


async def settled(engine: Engine, since: int, minutes: float, **changes: Any) -> Settled:
    """What is settled so long after the start, the windows of that time being closed."""
    now_us = to_us(START) + round(minutes * MINUTE_US)
    engine.clock.advance(now_us)
    await engine._close_due_windows()
    asked = Asked("home", since, 0, 0, now_us, METRICS)
    return await engine.store.trials.settled(asked._replace(**changes))


def test_what_came_of_a_decision_is_measured_once_it_is_settled(tmp_path: Path) -> None:
    """Ann sends one of two things back, Bob all he bought, Cyd unsubscribes, Dan does nothing."""
    product = {"product_id": "p", "category": "tea", "price": 10, "cost": 4, "quantity": 2}

    async def work(engine: Engine) -> None:
        since = await trial(engine)
        for number in range(4):
            await visit(engine, number)
        for number in (0, 1):
            order = {"order_id": f"o{number}", "products": [product]}
            await tell(engine, f"v{number}", 30, event="Order Completed", properties=order)
        part = {"order_id": "o0", "products": [product | {"quantity": 1}]}
        await tell(engine, "v0", 50, event="Order Refunded", properties=part)
        await tell(engine, "v1", 50, event="Order Refunded", properties={"order_id": "o1"})
        await tell(engine, "v2", 55, event="Unsubscribed", properties={})
        found = await settled(engine, since, 5)
        assert [row.metrics for row in found.rows] == [
            (0.0, 0.0, 6.0),  # a hit stays a hit after half of it came back
            (1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0),
            (0.0, 0.0, 0.0),
        ]
        assert [row.reward for row in found.rows] == [1.0, 0.0, 0.0, 0.0]
        assert found.is_all

    run(settings(tmp_path), work)


def test_what_is_open_waits_or_not_yet_of_the_trial_is_left_for_later(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        for number in range(2):
            await buy(engine, await visit(engine, number))
        since = await trial(engine)
        for number in range(2, 8):
            await buy(engine, await visit(engine, number))
        assert len((await settled(engine, since, 1.5)).rows) == 2  # windows of a minute
        assert len((await settled(engine, since, 1.5, wait_us=MINUTE_US)).rows) == 0
        assert len((await settled(engine, since, 2.5, wait_us=MINUTE_US)).rows) == 2
        everything = await settled(engine, since, 60)
        assert len(everything.rows) == 6
        read: list[Any] = []
        after, is_all = 0, False
        while not is_all:
            step = await settled(engine, since, 60, after=after, limit=3)
            after, is_all = step.through, step.is_all
            read += step.rows
        assert tuple(read) == everything.rows
        assert (await settled(engine, since + 1, 60)).rows == ()

    run(settings(tmp_path, holdout=None), work)


def test_the_control_group_and_defaults_are_no_part_of_a_trial(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        since = await trial(engine)
        groups = []
        for number in range(20):
            answer = await visit(engine, number)
            groups.append(answer["group"])
        found = await settled(engine, since, 60)
        assert 0 < groups.count("treatment") == len(found.rows) < 20

    run(settings(tmp_path, holdout={"share": 0.5}), work)
