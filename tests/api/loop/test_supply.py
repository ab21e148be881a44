"""Budgets and inventories in the loop: never overdrawn, and the same after a restart."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.chance import Chance
from api.loop.engine import Engine
from api.loop.placement import build_placements
from api.schemas.decision import CandidateAction, DecisionRequest, SlotRequest
from api.settings import Settings
from policy import model_file
from policy.base import Candidates, draw
from policy.catalog.budget import Budget
from policy.catalog.inventory import Inventory

BUDGET = {
    "name": "coupons",
    "amount_cents": 5_000,
    "period_days": 365,
    "costs": {"tea": 500, "ink": 90},
    "hold_minutes": 60,
    "coupons": {"tea": "TEA5"},
}
STOCK = {"name": "seats", "units": 10, "actions": ["seat"], "hold_minutes": 30}
EVEN = {"kind": "epsilon_greedy", "epsilon": 1.0}


def settings(folder: Path, placement: dict[str, Any] | None = None, **changes: Any) -> Settings:
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "snapshot_seconds": 3600,
                "deadline_ms": 30_000,
            },
            "actions": [
                {"id": "nothing", "category": "None"},
                {"id": "tea", "kind": "offer", "category": "Tea"},
                {"id": "ink", "kind": "offer", "category": "Ink"},
                {"id": "seat", "kind": "offer", "category": "Seat"},
            ],
            "budgets": [BUDGET],
            "inventories": [STOCK],
            "placements": [
                {
                    "name": "home",
                    "actions": ["nothing", "tea", "ink", "seat"],
                    "default": "nothing",
                    "policy": EVEN,
                    "reward": {"match": "category"},
                    **(placement or {}),
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


async def decide(engine: Engine, visitor: str = "ann", only: str = "", **more: Any) -> Any:
    """The answer; `only` names the one action that is not excluded."""
    if only:
        more["excluded"] = [name for name in ("nothing", "tea", "ink", "seat") if name != only]
    return await engine.decider.decide(DecisionRequest(visitor=visitor, placement="home", **more))


async def order(
    engine: Engine, number: int, *categories: str, visitor: str = "ann", **properties: Any
) -> None:
    products = [{"product_id": "p", "category": name, "price": 3} for name in categories]
    properties = {"order_id": f"o{number}", "products": products, **properties}
    message = {"event": "Order Completed", "userId": visitor, "messageId": f"m{number}"}
    await engine.intake.one({**message, "properties": properties}, "track", 100)
    await asyncio.sleep(0)


def budget(engine: Engine) -> Budget:
    (found,) = [one.scarce for one in engine.supply._holders if isinstance(one.scarce, Budget)]
    return found


def stock(engine: Engine) -> Inventory:
    (found,) = [one.scarce for one in engine.supply._holders if isinstance(one.scarce, Inventory)]
    return found


async def states(engine: Engine) -> dict[str, bytes]:
    return {one.key: model_file.dump(*one.state()) for one in engine.supply._holders}


def logged(folder: Path, columns: str, table: str = "decisions") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        return store.execute(f"SELECT {columns} FROM {table} ORDER BY seq").fetchall()


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in answer["ranking"]}


async def live(engine: Engine, start: int, stop: int) -> None:
    """Visitors who decide and order, some at once."""
    for number in range(start, stop):
        visitors = [f"v{number % 5}", f"v{number % 3}"]
        await asyncio.gather(*[decide(engine, visitor) for visitor in visitors])
        if number % 2:
            codes = {"coupon": "tea5", "discount": 4} if number % 4 == 1 else {}
            await order(engine, number, "Tea", "Ink", "Seat", visitor=visitors[0], **codes)


def test_two_hundred_requests_at_once_for_ten_units_get_exactly_ten(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[Any]:
        asked = [decide(engine, f"v{n}", "seat") for n in range(200)]
        return await asyncio.gather(*asked)

    answers = run(settings(tmp_path), work)
    assert Counter(answer["action"]["id"] for answer in answers) == {"seat": 10, "nothing": 190}
    late = [answer for answer in answers if answer["action"]["id"] == "nothing"]
    assert {reasons(answer)["seat"] for answer in late} == {"out_of_stock"}
    assert len(logged(tmp_path, "seq")) == 200


def test_a_budget_is_never_overdrawn_by_requests_at_once(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        answers = await asyncio.gather(*[decide(engine, f"v{n}") for n in range(200)])
        return answers, budget(engine).held_cents

    answers, held_cents = run(settings(tmp_path), work)
    shown = Counter(answer["action"]["id"] for answer in answers)
    assert held_cents == 500 * shown["tea"] + 90 * shown["ink"] <= 5_000
    assert "out_of_budget" in {reasons(answer)["tea"] for answer in answers}
    assert {answer["decision_id"] is None for answer in answers} == {False}


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("save", [False, True])
def test_a_restart_resumes_exactly(tmp_path: Path, kill: bool, save: bool) -> None:
    async def first(engine: Engine) -> Any:
        await decide(engine, only="tea")
        await decide(engine, only="seat")
        await order(engine, 1_000, "Tea", "Seat", coupon="TEA5", discount=5)
        await live(engine, 0, 20)
        if save:
            await engine.save()
        await live(engine, 20, 30)
        assert budget(engine).spent_cents
        assert stock(engine).sold
        return await states(engine)

    before = run(settings(tmp_path), first, kill=kill)
    assert run(settings(tmp_path), states) == before
    with closing(sqlite3.connect(tmp_path / "s.db")) as store, store:
        store.execute("DELETE FROM state WHERE key LIKE 'budget/%' OR key LIKE 'inventory/%'")
    assert run(settings(tmp_path), states) == before


def test_damaged_snapshots_are_made_again_from_the_log(tmp_path: Path) -> None:
    run(settings(tmp_path), lambda engine: live(engine, 0, 10))
    before = run(settings(tmp_path), states)
    with closing(sqlite3.connect(tmp_path / "s.db")) as store, store:
        store.execute("UPDATE state SET data = x'00' WHERE key LIKE '%/%'")
    assert run(settings(tmp_path), states) == before


def test_other_terms_count_what_was_decided_before_them(tmp_path: Path) -> None:
    """And going back to the terms of before is as if nothing had been between."""

    async def first(engine: Engine) -> None:
        await decide(engine, "eve", only="tea")
        await live(engine, 0, 10)

    run(settings(tmp_path), first)
    before = run(settings(tmp_path), states)

    async def held(engine: Engine) -> tuple[int, int]:
        return budget(engine).held_cents + budget(engine).spent_cents, stock(engine).units

    dearer = {**BUDGET, "amount_cents": 50_000, "costs": {"tea": 5_000, "ink": 90}}
    more = {**STOCK, "units": 20}
    costly, units = run(settings(tmp_path, budgets=[dearer], inventories=[more]), held)
    cheap, _ = run(settings(tmp_path), held)
    assert costly > cheap
    assert units == 20
    assert run(settings(tmp_path), states) == before


@pytest.mark.parametrize("kind", ["squarecb", "lints", "linucb"])
def test_probabilities_under_costs_can_be_derived_again_from_the_log(
    tmp_path: Path, kind: str
) -> None:
    paced = settings(tmp_path, {"policy": {"kind": kind}}, inventories=[])
    run(paced, lambda engine: asyncio.gather(*[decide(engine, f"v{n}") for n in range(30)]))
    placement = build_placements(paced)["home"]
    chance, costly = Chance(), 0
    columns = "decision_id, candidates, probabilities, context, features, chosen, costs"
    for decision_id, ids, probabilities, context, pairs, chosen, costs in logged(tmp_path, columns):
        names = tuple(json.loads(ids))
        features = np.frombuffer(pairs, np.float32).reshape(len(names), -1)
        logged_costs = None if costs is None else np.frombuffer(costs)
        costly += logged_costs is not None and bool(logged_costs.any())
        rng = chance.of(decision_id)
        candidates = Candidates(names, features, logged_costs)
        derived = placement.policy.distribution(np.frombuffer(context, np.float32), candidates, rng)
        assert derived.tobytes() == probabilities
        assert draw(derived, rng.random()) == chosen
    assert costly > 20


def test_an_order_with_the_coupon_spends_its_discount(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        await decide(engine, only="tea")
        await order(engine, 1, "Tea")
        await order(engine, 2, "Tea", coupon="OTHER", discount=1)
        untouched = budget(engine).held_cents, budget(engine).spent_cents
        await order(engine, 3, "Tea", coupon="tea5", discount=3.5)
        return untouched, (budget(engine).held_cents, budget(engine).spent_cents)

    assert run(settings(tmp_path), work) == ((500, 0), (0, 350))


def test_of_an_action_without_a_coupon_any_order_of_it_spends_the_cost(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        await decide(engine, only="ink")
        await order(engine, 1, "Tea", discount=1)
        await order(engine, 2, "Ink", visitor="bob")
        untouched = budget(engine).held_cents
        await order(engine, 3, "Ink", discount=1)
        return untouched, budget(engine).held_cents, budget(engine).spent_cents

    assert run(settings(tmp_path), work) == (90, 0, 90)


def test_one_order_uses_the_latest_decision_once_and_lets_go_of_the_others(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        for _ in range(3):
            await decide(engine, only="seat")
        reserved = stock(engine).reserved
        await order(engine, 1, "Seat", "Seat")
        await decide(engine, only="seat")
        message = {"event": "Order Completed", "userId": "ann", "messageId": "again"}
        products = [{"product_id": "p", "category": "Seat"}]
        properties = {"order_id": "o1", "products": products}
        await engine.intake.one({**message, "properties": properties}, "track", 100)
        await asyncio.sleep(0)
        return reserved, stock(engine).reserved, stock(engine).sold

    assert run(settings(tmp_path), work) == (3, 1, 2)
    rows = logged(tmp_path, "units", "settlements")
    assert rows == [(2,), (0,), (0,)]


def test_a_visitor_who_becomes_known_orders_what_was_held_before(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        await decide(engine, "anon", only="seat")
        link = {"userId": "ann", "anonymousId": "anon", "messageId": "i"}
        await engine.intake.one(link, "identify", 100)
        await order(engine, 1, "Seat")
        return stock(engine).sold

    assert run(settings(tmp_path), work) == 1


def test_what_was_not_kept_in_the_log_takes_nothing(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        await engine.store.writer.call(lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
        other.execute("BEGIN EXCLUSIVE")
        answers = [await decide(engine, only=name) for name in ("tea", "ink", "seat")]
        slots = [SlotRequest(id="a"), SlotRequest(id="b")]
        request = DecisionRequest(visitor="ann", placement="home", slots=slots)
        listed = await engine.lists.decide(request)
        other.execute("ROLLBACK")
        other.close()
        assert {answer["decision_id"] for answer in answers} == {listed["list_id"]} == {None}
        now_us = engine.clock.now_us()
        return budget(engine).left_at(now_us).purse_cents, stock(engine).left_at(now_us)

    assert run(settings(tmp_path), work) == (5_000, 10)


def test_slots_of_one_list_cannot_both_have_the_last_unit(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[Any]:
        slots = [SlotRequest(id="a"), SlotRequest(id="b")]
        actions = [CandidateAction(id=name) for name in ("seat", "stool")]
        request = DecisionRequest(visitor="ann", placement="home", slots=slots, actions=actions)
        answer = await engine.lists.decide(request)
        return [slot["decision"] and slot["decision"]["action"]["id"] for slot in answer["slots"]]

    last = {**STOCK, "units": 1, "actions": ["seat", "stool"]}
    catalog = [{"id": name, "category": name} for name in ("nothing", "seat", "stool")]
    placement = {"actions": ["nothing"], "reward": {}}
    configured = settings(tmp_path, placement, actions=catalog, inventories=[last], budgets=[])
    shown = run(configured, work)
    assert len([name for name in shown if name]) == 1


def test_the_control_group_takes_too_and_falls_back_to_the_default(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Any:
        answers = [await decide(engine, f"v{n}") for n in range(60)]
        control = [answer for answer in answers if answer["group"] == "control"]
        assert len(control) > 20
        return Counter(answer["action"]["id"] for answer in control), stock(engine).reserved

    placement = {
        "baseline": "seat",
        "holdout": {"share": 0.6},
        "actions": ["nothing", "tea", "seat"],
    }
    shown, reserved = run(settings(tmp_path, placement), work)
    assert set(shown) == {"seat", "nothing"}
    assert shown["seat"] <= 10 == reserved


def test_who_goes_away_before_the_answer_has_taken_it_all_the_same(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        waiting = asyncio.ensure_future(decide(engine, only="seat"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await decide(engine, "bob", only="nothing")
        await asyncio.sleep(0)
        return stock(engine).reserved

    assert run(settings(tmp_path), work) == 1


def test_without_budgets_nothing_is_logged_or_kept(tmp_path: Path) -> None:
    plain = settings(tmp_path, budgets=[], inventories=[])
    run(plain, lambda engine: live(engine, 0, 6))
    assert run(plain, states) == {}
    assert set(logged(tmp_path, "costs")) == {(None,)}
    assert logged(tmp_path, "seq", "settlements") == []
