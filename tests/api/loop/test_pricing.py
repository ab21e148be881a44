"""Prices out of a range: drawn as logged, under the guards, learned from, resumed to the bit."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.loop.errors import BadRequestError
from api.schemas.decision import DecisionRequest, SlotRequest
from api.schemas.reward import DecisionReward
from api.settings import Settings, SettingsError
from policy.bandits.cats import Cats
from policy.catalog.holdout import Holdout

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
RANGE = {"min_cents": 500, "max_cents": 1500, "step_cents": 10}
PRICES = range(500, 1510, 10)


def settings(folder: Path, **placement: Any) -> Settings:
    tea = {"id": "tea", "kind": "price", "price_cents": 990, "cost_cents": 400, "price_of": "tea"}
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "snapshot_seconds": 3600,
                "clock": "replay",
                "durability": "crash",
            },
            "actions": [tea | {"condition": "context.age >= 18"}],
            "placements": [
                {
                    "name": "tea",
                    "actions": ["tea"],
                    "default": "tea",
                    "context": {"age": "number"},
                    "price_range": RANGE,
                    "policy": {"kind": "squarecb", "gamma_scale": 3.0, "floor": 0.05},
                    "reward": {"value": "revenue"},
                    **placement,
                }
            ],
        }
    )


def run(configured: Settings, work: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        engine = Engine(configured)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


def asked(visitor: str = "ann", hours: float = 0.0, **more: Any) -> DecisionRequest:
    return DecisionRequest(
        visitor=visitor,
        placement="tea",
        timestamp=START + timedelta(hours=hours),
        **({"context": {"age": 30}} | more),
    )


async def decide(
    engine: Engine, visitor: str = "ann", hours: float = 0.0, **more: Any
) -> dict[str, Any]:
    return await engine.decider.decide(asked(visitor, hours, **more))


async def teach(engine: Engine, n: int) -> None:
    """Buyers who pay up to 10."""
    for number in range(n):
        answer = await decide(engine, f"v{number}")
        paid = answer["price_cents"] / 100 if answer["price_cents"] <= 1000 else 0.0
        await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=paid))
    assert engine.learner is not None
    await engine.learner.drain()


def logged(folder: Path, columns: str, where: str = "1") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        sql = f"SELECT {columns} FROM decisions WHERE {where} ORDER BY seq"
        return store.execute(sql).fetchall()


def test_prices_follow_the_logged_densities(tmp_path: Path) -> None:
    """The same moment asked 2,000 times: only the decision's id differs, and with it the draw."""

    async def work(engine: Engine) -> tuple[list[dict[str, Any]], np.ndarray]:
        await teach(engine, 60)
        answers = [await decide(engine, "eve") for _ in range(2_000)]
        policy = engine.placements["tea"].policy
        assert isinstance(policy, Cats)
        (row,) = {row[0] for row in logged(tmp_path, "context", "visitor = 'eve'")}
        context = np.frombuffer(row, np.float32)
        density = policy.density(context, PRICES, np.random.default_rng(0))
        return answers, density.at(np.array(PRICES, float))

    answers, densities = run(settings(tmp_path), work)
    chances = densities * 10
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)
    counts = np.zeros(len(PRICES))
    for answer in answers:
        place = PRICES.index(answer["price_cents"])
        counts[place] += 1
        assert answer["density"] == densities[place]
        assert answer["probability"] == pytest.approx(10 * densities[place], abs=1e-15)
    assert chisquare(counts, 2_000 * chances / chances.sum()).pvalue > 1e-3


def test_the_log_says_what_the_answer_says(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[dict[str, Any]]:
        return [await decide(engine, f"v{i}") for i in range(20)]

    answers = run(settings(tmp_path), work)
    columns = "decision_id, price_cents, density, probability, candidates, probabilities, features"
    for answer, (name, cents, density, probability, *rest) in zip(
        answers, logged(tmp_path, columns), strict=True
    ):
        assert (name, cents) == (answer["decision_id"], answer["price_cents"])
        assert (density, probability) == (answer["density"], answer["probability"])
        candidates, probabilities, features = rest
        assert (candidates, np.frombuffer(probabilities).tolist()) == ('["tea"]', [1.0])
        assert np.frombuffer(features, np.float32).tolist() == [np.float32(cents / 100)]
        assert answer["ranking"] == [{"id": "tea", "probability": 1.0, "reason": "eligible"}]


def test_it_learns_what_buyers_pay(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[int]:
        await teach(engine, 400)
        return [(await decide(engine, f"late{i}"))["price_cents"] for i in range(100)]

    prices = np.array(run(settings(tmp_path, policy={"kind": "regcb", "floor": 0.05}), work))
    revenue = np.where(prices <= 1000, prices, 0)
    even = np.where(np.array(PRICES) <= 1000, PRICES, 0)
    assert revenue.mean() > 0.8 * 1000 > 1.9 * even.mean()


def test_a_restart_resumes_exactly_with_and_without_a_snapshot(tmp_path: Path) -> None:
    def state(engine: Engine) -> tuple[object, dict[str, bytes], str]:
        placement = engine.placements["tea"]
        manifest, arrays = placement.policy.state()
        bits = {name: array.tobytes() for name, array in arrays.items()}
        return manifest, bits, placement.version

    async def first(engine: Engine) -> Any:
        await teach(engine, 70)
        return state(engine)

    async def again(engine: Engine) -> Any:
        return state(engine)

    configured = settings(tmp_path, price={"largest_step": 0.2})
    before = run(configured, first)
    assert before[0]["n_updates"] == 70
    assert run(configured, again) == before
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        store.execute("DELETE FROM models")
        store.commit()
    assert run(configured, again) == before


def test_another_range_is_learned_again_from_the_log(tmp_path: Path) -> None:
    async def first(engine: Engine) -> None:
        await teach(engine, 40)

    async def again(engine: Engine) -> tuple[int, int]:
        policy = engine.placements["tea"].policy
        assert isinstance(policy, Cats)
        return policy.n_updates, policy.policy.n_updates

    run(settings(tmp_path), first)
    inside = sum(cents <= 1000 for (cents,) in logged(tmp_path, "price_cents"))
    narrow = settings(tmp_path, price_range={**RANGE, "max_cents": 1000})
    assert run(narrow, again) == (40, inside)


def test_guards_cut_the_range_before_the_draw(tmp_path: Path) -> None:
    """At a cost of 400, half of a price is left from 800 on; then come steps, and a kept price."""
    guards = {"margin_floor": 0.5, "max_cents": 1300, "largest_step": 0.1, "sticky_hours": 2}

    async def work(engine: Engine) -> None:
        first = [(await decide(engine, f"v{i}"))["price_cents"] for i in range(300)]
        assert (min(first), max(first)) >= (800, 1200)
        assert (min(first), max(first)) <= (850, 1300)
        for i in range(10):
            kept = await decide(engine, f"v{i}", hours=1.9)
            assert (kept["price_cents"], kept["density"]) == (first[i], 1 / 10)
            assert kept["probability"] == 1.0
            later = await decide(engine, f"v{i}", hours=2.0)
            assert abs(later["price_cents"] - first[i]) <= 0.1 * first[i]

    run(settings(tmp_path, price=guards), work)


def test_where_no_price_is_left_the_default_is_shown(tmp_path: Path) -> None:
    async def saw(engine: Engine) -> None:
        assert (await decide(engine))["price_cents"] >= 1200

    async def now(engine: Engine) -> dict[str, Any]:
        return await decide(engine, hours=1)

    guards = {"largest_step": 0.1}
    run(settings(tmp_path, price=guards, price_range={**RANGE, "min_cents": 1200}), saw)
    answer = run(settings(tmp_path, price=guards, price_range={**RANGE, "max_cents": 800}), now)
    assert (answer["price_cents"], answer["density"], answer["probability"]) == (990, None, 1.0)
    assert (answer["reason"], answer["ranking"][0]["reason"]) == ("no eligible action", "guarded")


def test_an_action_that_is_not_eligible_has_no_price_drawn(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        return await decide(engine, context={"age": 17})

    answer = run(settings(tmp_path), work)
    assert (answer["price_cents"], answer["density"], answer["default"]) == (990, None, True)


def test_the_control_group_is_shown_the_actions_own_price_and_teaches_nothing(
    tmp_path: Path,
) -> None:
    holdout = Holdout(0.5, "holdout")

    async def work(engine: Engine) -> int:
        n_taught = 0
        for i in range(30):
            answer = await decide(engine, f"v{i}")
            await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=1.0))
            n_taught += not holdout.holds(f"v{i}")
            if holdout.holds(f"v{i}"):
                assert answer["group"] == "control"
                assert (answer["price_cents"], answer["density"]) == (990, None)
                assert (answer["probability"], answer["default"]) == (1.0, False)
        assert engine.learner is not None
        await engine.learner.drain()
        return engine.placements["tea"].policy.n_updates - n_taught

    assert run(settings(tmp_path, holdout={"share": 0.5}), work) == 0


def test_a_list_counts_the_probability_of_its_price(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        return await engine.lists.decide(asked(slots=[SlotRequest(id="a"), SlotRequest(id="b")]))

    answer = run(settings(tmp_path), work)
    first, second = answer["slots"]
    assert answer["probability"] == first["decision"]["probability"] < 0.1
    assert second["decision"] is None


def test_candidates_of_a_request_are_refused(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(BadRequestError, match="draws the price of its own action"):
            await decide(engine, actions=[{"id": "mine"}])

    run(settings(tmp_path), work)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ({"price_range": {**RANGE, "max_cents": 505}}, "step_cents is 10: must divide"),
        ({"price_range": {**RANGE, "n_bin": 4}}, "no such setting; did you mean 'n_bins'?"),
        ({"price_range": {"min_cents": 900, "max_cents": 500}}, "must be above min_cents"),
        ({"policy": {"kind": "segmented"}}, "policy.kind is 'segmented': cannot choose prices"),
        (
            {"price": {"margin_floor": 0.5}, "price_range": {**RANGE, "max_cents": 600}},
            "price_range.max_cents is 600: no price that placements[0].price lets through, at a "
            "cost of 400",
        ),
        ({"crosses": [["age", "intercept"]]}, "every context feature meets the price anyway"),
        ({"price": {"min_cents": 1000}}, "its price is 990"),
    ],
)
def test_a_range_that_contradicts_the_rest_is_refused(
    tmp_path: Path, placement: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, **placement)
    assert message in str(caught.value)


def test_a_range_prices_one_action_only() -> None:
    actions = [{"id": "a"}, {"id": "b", "kind": "price", "price_cents": 900}]
    shop = {"name": "p", "actions": ["a", "b"], "default": "a", "price_range": RANGE}
    with pytest.raises(SettingsError, match="draws the price of one action of kind 'price'"):
        parse_settings({"actions": actions, "placements": [shop]})
