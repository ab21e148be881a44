"""Lists: a decision for each slot, exact given those above it, under the rules of everybody."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from api.configuration import parse_settings
from api.loop.chance import Chance
from api.loop.decide import NO_ELIGIBLE, POLICY_FAILED, STORE_UNAVAILABLE
from api.loop.engine import Engine
from api.loop.errors import BadRequestError
from api.loop.placement import build_placements
from api.schemas.decision import DecisionRequest, ListResponse, SlotRequest
from api.schemas.reward import DecisionReward
from api.settings import Settings
from policy.base import Candidates, draw

NAMES = ("tea", "salt", "beef", "ink")
EVEN = {"kind": "epsilon_greedy", "epsilon": 1.0}


def settings(folder: Path, **placement: Any) -> Settings:
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "snapshot_seconds": 3600,
                "deadline_ms": 30_000,
            },
            "limits": [{"kind": "offer", "times": 1, "days": 7}],
            "actions": [
                {"id": "tea", "category": "Tea"},
                {"id": "salt", "category": "Salt"},
                {"id": "beef", "category": "Beef"},
                {"id": "ink", "category": "Ink"},
                {"id": "half", "kind": "offer", "category": "Tea"},
                {"id": "third", "kind": "offer", "category": "Tea"},
            ],
            "placements": [
                {
                    "name": "home",
                    "actions": list(NAMES),
                    "default": "salt",
                    "context": {"position": "number"},
                    "policy": {"kind": "squarecb", "floor": 0.05},
                    "reward": {"match": "category"},
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


async def ask(engine: Engine, *slots: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer; its form is that of the document."""
    made = [SlotRequest(**{"id": f"s{i}", **slot}) for i, slot in enumerate(slots)]
    request = DecisionRequest(**{"visitor": "ann", "placement": "home", "slots": made, **more})
    answer = await engine.lists.decide(request)
    ListResponse.model_validate_json(json.dumps(answer))
    return answer


def shown(answer: dict[str, Any]) -> list[str | None]:
    """What each slot shows."""
    decisions = [slot["decision"] for slot in answer["slots"]]
    return [decision and decision["action"]["id"] for decision in decisions]


def logged(folder: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        return store.execute(f"SELECT {columns} FROM decisions ORDER BY seq").fetchall()


def test_each_slot_can_be_derived_again_from_the_log(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[dict[str, Any]]:
        slots = [{"context": {"position": n}} for n in range(3)]
        return [await ask(engine, *slots, excluded=["ink"]) for _ in range(20)]

    configured = settings(tmp_path)
    answers = run(configured, work)
    placement = build_placements(configured)["home"]
    chance = Chance()
    rows = logged(
        tmp_path,
        "decision_id, list_id, slot, candidates, probabilities, context, features, chosen, "
        "probability, action_id",
    )
    assert len(rows) == 60
    by_list: dict[str, list[tuple[str, float]]] = {}
    for decision_id, list_id, slot, ids, probabilities, context, pairs, chosen, p, name in rows:
        names = tuple(json.loads(ids))
        above = by_list.setdefault(list_id, [])
        assert slot == f"s{len(above)}"
        assert {*names} == {"tea", "salt", "beef"} - {other for other, _ in above}
        seen = np.frombuffer(context, np.float32)
        features = np.frombuffer(pairs, np.float32).reshape(len(names), -1)
        rng = chance.of(decision_id)
        derived = placement.policy.distribution(seen, Candidates(names, features), rng)
        assert derived.tobytes() == probabilities
        assert draw(derived, rng.random()) == chosen
        assert names[chosen] == name
        above.append((name, p))
    for answer in answers:
        assert shown(answer) == [name for name, _ in by_list[answer["list_id"]]]
        expected = np.prod([p for _, p in by_list[answer["list_id"]]])
        assert answer["probability"] == pytest.approx(expected, rel=1e-12)


def test_each_slot_has_its_own_context(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        slots = [{"context": {"position": 1}}, {}, {"context": {"position": 3}}]
        await ask(engine, *slots, context={"position": 9})

    configured = settings(tmp_path)
    run(configured, work)
    contexts = [np.frombuffer(row[0], np.float32) for row in logged(tmp_path, "context")]
    differ = {
        tuple(values)
        for values in np.array(contexts).T.tolist()
        if len(set(values)) > 1
    }  # fmt: skip
    encoder = build_placements(configured)["home"].contexts
    place = encoder.names.index("position")
    assert differ == {tuple(float(context[place]) for context in contexts)}


def test_lists_are_drawn_with_the_probability_that_is_answered(tmp_path: Path) -> None:
    async def work(engine: Engine) -> Counter[tuple[Any, ...]]:
        answers = await asyncio.gather(
            *[ask(engine, {}, {}, excluded=["ink"], visitor=f"v{n}") for n in range(1_800)]
        )
        assert {round(answer["probability"], 12) for answer in answers} == {round(1 / 6, 12)}
        return Counter(tuple(shown(answer)) for answer in answers)

    counts = run(settings(tmp_path, policy=EVEN), work)
    lists = list(permutations(["tea", "salt", "beef"], 2))
    assert set(counts) == set(lists)
    assert chisquare([counts[one] for one in lists]).pvalue > 1e-4


def test_a_cap_holds_within_a_list(tmp_path: Path) -> None:
    """One offer a week, of whichever kind: the second slot knows what the first shows."""
    offers = {"actions": ["salt", "half", "third"], "policy": EVEN}

    async def work(engine: Engine) -> None:
        for number in range(20):
            answer = await ask(engine, {}, {}, {}, visitor=f"v{number}")
            names = shown(answer)
            assert len({"half", "third"} & {*names}) == 1
            assert names.count(None) == 1
            later = answer["slots"][2]["decision"]
            if later is not None:
                reasons = {item["id"]: item["reason"] for item in later["ranking"]}
                assert {reasons.get("half"), reasons.get("third")} & {"capped"}
            again = await ask(engine, {}, {}, visitor=f"v{number}")
            assert shown(again) == ["salt", None]

    run(settings(tmp_path, **offers), work)


def test_more_slots_than_candidates_leave_the_rest_empty(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        return await ask(engine, *[{}] * 6)

    answer = run(settings(tmp_path), work)
    assert {*shown(answer)[:4]} == {*NAMES}
    assert shown(answer)[4:] == [None, None]
    assert [slot["reason"] for slot in answer["slots"]] == [None] * 4 + [NO_ELIGIBLE] * 2
    assert len(logged(tmp_path, "seq")) == 4


def test_a_baseline_fills_in_where_nothing_is_left(tmp_path: Path) -> None:
    nothing = {"excluded": list(NAMES), "baseline": "beef"}

    async def work(engine: Engine) -> list[dict[str, Any]]:
        first = await ask(engine, nothing, nothing, {"excluded": ["tea", "salt"]})
        refused = await ask(engine, nothing, {"excluded": ["tea", "salt"]}, excluded=["beef"])
        return [first, refused]

    first, refused = run(settings(tmp_path), work)
    assert shown(first) == ["beef", None, "ink"]
    top = first["slots"][0]["decision"]
    assert (top["probability"], top["default"], top["reason"]) == (1.0, True, NO_ELIGIBLE)
    assert first["probability"] == 1.0
    assert shown(refused) == [None, "ink"]
    assert [row[0] is None for row in logged(tmp_path, "context")] == [True, False, False]


def test_a_list_that_would_be_empty_shows_the_default(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        return await ask(engine, {}, {}, excluded=list(NAMES))

    answer = run(settings(tmp_path), work)
    assert shown(answer) == ["salt", None]
    assert answer["slots"][0]["decision"]["reason"] == NO_ELIGIBLE
    assert logged(tmp_path, "action_id, probability") == [("salt", 1.0)]


def test_the_control_group_sees_each_slots_baseline(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        groups = Counter()
        for number in range(20):
            slots = ({"baseline": "ink"}, {}, {"baseline": "tea"})
            answer = await ask(engine, *slots, visitor=f"v{number}")
            group = answer["slots"][0]["decision"]["group"]
            groups[group] += 1
            if group == "control":
                assert shown(answer) == ["ink", "salt", "tea"]
                assert answer["probability"] == 1.0
        assert min(groups["control"], groups["treatment"]) > 2

    run(settings(tmp_path, holdout={"share": 0.5}), work)


def test_a_purchase_rewards_the_slot_that_showed_it(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[tuple[str, float]]:
        answer = await ask(engine, {}, {}, {}, {})
        product = {"product_id": "p", "category": "Beef", "price": 2.0, "quantity": 1}
        order = {
            "type": "track",
            "event": "Order Completed",
            "userId": "ann",
            "messageId": "m",
            "properties": {"order_id": "o", "total": 2.0, "products": [product]},
        }
        await engine.intake.one(order, "track", 100)
        tea = answer["slots"][shown(answer).index("tea")]["decision"]["decision_id"]
        await engine.rewarder.reward(tea, DecisionReward(value=0.5))
        sql = """SELECT action_id, value FROM rewards JOIN decisions USING (decision_id)
                 WHERE value ORDER BY rewards.seq"""
        rows = await engine.store.writer.call(lambda c: c.execute(sql).fetchall())
        assert engine.learner is not None
        await engine.learner.drain()
        assert engine.placements["home"].policy.n_updates >= 2
        return rows

    assert [name for name, _ in run(settings(tmp_path), work)] == ["beef", "tea"]


@pytest.mark.parametrize(
    ("slots", "field"),
    [
        ([{"id": "top"}, {"id": "top"}], r"slots\[1\]\.id"),
        ([{}, {"baseline": "gold"}], r"slots\[1\]\.baseline"),
        ([{}, {"context": {"position": "far"}}], r"context\.position"),
    ],
)
def test_a_slot_at_fault_is_named_and_nothing_counts(
    tmp_path: Path, slots: list[dict[str, Any]], field: str
) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(BadRequestError, match=field):
            await ask(engine, *slots, excluded=["salt"])
        assert engine.shown.exposures._pending == {}

    only_offers = {"actions": ["salt", "half", "third"]}
    run(settings(tmp_path, **only_offers), work)
    assert logged(tmp_path, "seq") == []


def test_a_list_that_cannot_be_logged_does_not_count(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        await engine.store.writer.call(lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
        other.execute("BEGIN EXCLUSIVE")
        answer = await ask(engine, {}, {}, {})
        other.execute("ROLLBACK")
        other.close()
        assert engine.shown.exposures._pending == {}
        assert not engine.shown.of("ann")
        return answer

    answer = run(settings(tmp_path, actions=["salt", "half", "third"]), work)
    assert answer["list_id"] is None
    assert shown(answer) == ["salt", None, None]
    first, *others = answer["slots"]
    assert first["decision"]["decision_id"] is None
    assert first["decision"]["reason"] == STORE_UNAVAILABLE
    assert {slot["reason"] for slot in others} == {STORE_UNAVAILABLE}


def test_a_broken_policy_shows_the_default_once(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        placement = engine.placements["home"]
        champion = placement.lineup.champion
        policy, champion.policy = champion.policy, None  # type: ignore[assignment]  # broken
        try:
            return await ask(engine, {}, {"baseline": "tea"})
        finally:
            champion.policy = policy

    answer = run(settings(tmp_path), work)
    assert shown(answer) == ["salt", None]
    assert answer["slots"][0]["decision"]["reason"] == POLICY_FAILED
