"""The loop as a whole: what it answers, what it logs, and that the log says it all."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.chance import Chance
from api.loop.engine import Engine
from api.loop.errors import BadRequestError
from api.loop.learn import Learner
from api.loop.placement import build_placements
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from api.settings import Settings
from api.storage.base import LearningRow
from policy.base import Candidates, draw

KINDS = ("epsilon_greedy", "linucb", "lints", "squarecb")


def settings(folder: Path, kind: str = "lints", **placement: Any) -> Settings:
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "snapshot_seconds": 3600,
                "deadline_ms": 30_000,
            },
            "actions": [
                {"id": name, "category": name, "features": {"price": price}}
                for name, price in (("tea", 0.1), ("salt", 0.2), ("beef", 0.9))
            ],
            "placements": [
                {
                    "name": "home",
                    "actions": ["tea", "salt", "beef"],
                    "default": "salt",
                    "context": {"device": ["mobile", "desktop"], "hour": "number"},
                    "policy": {"kind": kind},
                    "reward": {"match": "category", "window_minutes": 60},
                    **placement,
                }
            ],
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


async def live(engine: Engine, start: int, stop: int) -> list[dict[str, Any]]:
    """Visitors who decide, buy and report, with learning in between."""
    answers = []
    for number in range(start, stop):
        visitor = f"v{number % 7}"
        context = {"device": "mobile" if number % 2 else "desktop", "hour": number % 24 / 24}
        request = DecisionRequest(visitor=visitor, placement="home", context=context)
        answer = await engine.decider.decide(request)
        if number % 3:
            reward = DecisionReward(value=float(answer["action"]["id"] == "tea"))
            await engine.rewarder.reward(answer["decision_id"], reward)
        else:
            products = [{"product_id": "p", "category": "tea", "price": 3}]
            message = {
                "userId": visitor,
                "event": "Order Completed",
                "messageId": f"m{number}",
                "properties": {"products": products},
            }
            await engine.intake.one(message, "track", body_bytes=200)
        if number % 5 == 0 and engine.learner is not None:
            await engine.learner.drain()
        answers.append(answer)
    return answers


def model_of(engine: Engine) -> dict[str, Any]:
    placement = engine.placements["home"]
    return {**placement.policy.state()[1], "learned_through": placement.learned_through}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_decision_can_be_derived_again_from_the_log(tmp_path: Path, kind: str) -> None:
    configured = settings(tmp_path, kind)
    run(configured, lambda engine: live(engine, 0, 60))
    connection = sqlite3.connect(tmp_path / "s.db")
    rewards = [
        LearningRow(*row)
        for row in connection.execute(
            """SELECT r.seq, placement, layout, action_id, chosen, r.value, is_first, context,
                      features, (SELECT total(e.value) FROM rewards e
                                 WHERE e.decision_id = r.decision_id AND e.seq < r.seq)
               FROM rewards r JOIN decisions USING (decision_id) ORDER BY r.seq"""
        )
    ]
    decisions = connection.execute(
        """SELECT decision_id, policy_version, candidates, probabilities, context, features, chosen,
                  probability FROM decisions ORDER BY seq"""
    ).fetchall()
    connection.close()
    placement = build_placements(configured)["home"]
    placement.layout = 1
    learner = Learner(None, {"home": placement}, {})  # type: ignore[arg-type]  # reads no store here
    chance = Chance()
    for decision_id, version, ids, logged, context, features, chosen, probability in decisions:
        through = int(version.rpartition("@")[2])
        due = [row for row in rewards if placement.learned_through < row.seq <= through]
        if due:
            learner.learn(due)
        assert placement.version == version
        names = tuple(json.loads(ids))
        pairs = np.frombuffer(features, np.float32).reshape(len(names), -1)
        rng = chance.of(decision_id)
        derived = placement.policy.distribution(
            np.frombuffer(context, np.float32), Candidates(names, pairs), rng
        )
        assert derived.tobytes() == logged
        assert draw(derived, rng.random()) == chosen
        assert derived[chosen] == probability
    assert len(decisions) == 60
    assert placement.learned_through > 0


@pytest.mark.parametrize("kill", [False, True])
def test_a_restart_resumes_exactly(tmp_path: Path, kill: bool) -> None:
    async def first(engine: Engine) -> None:
        await live(engine, 0, 40)
        await engine.snapshots.save()
        await live(engine, 40, 60)

    async def now(engine: Engine) -> dict[str, Any]:
        return model_of(engine)

    async def both(engine: Engine) -> dict[str, Any]:
        await live(engine, 60, 80)
        assert engine.learner is not None
        await engine.learner.drain()
        return model_of(engine)

    run(settings(tmp_path), first, kill=kill)
    after = run(settings(tmp_path), both)
    assert_same(run(settings(tmp_path), now), after)
    connection = sqlite3.connect(tmp_path / "s.db")
    for table in ("models", "profiles", "aliases", "state"):
        connection.execute(f"DELETE FROM {table}")
    connection.commit()
    connection.close()
    assert_same(run(settings(tmp_path), now), after)


def test_changed_priors_relearn_from_the_log_and_exploration_keeps_the_model(
    tmp_path: Path,
) -> None:
    async def count(engine: Engine) -> int:
        return engine.placements["home"].policy.n_updates

    run(settings(tmp_path), lambda engine: live(engine, 0, 40))
    n_updates = run(settings(tmp_path), count)
    assert n_updates >= 40
    changed = {"policy": {"kind": "lints", "prior_action": 50.0}}
    assert run(settings(tmp_path, **changed), count) == n_updates
    other_kind = {"policy": {"kind": "squarecb"}}
    assert run(settings(tmp_path, **other_kind), count) == n_updates


def test_a_changed_context_is_learned_again_by_the_names_of_its_features(tmp_path: Path) -> None:
    async def count(engine: Engine) -> int:
        return engine.placements["home"].policy.n_updates

    run(settings(tmp_path), lambda engine: live(engine, 0, 20))
    before = run(settings(tmp_path), count)
    assert before > 0
    assert run(settings(tmp_path, context={"hour": "number"}), count) == before
    assert run(settings(tmp_path), count) == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE profiles SET data = x'00'",
        "UPDATE state SET data = x'00' WHERE key = 'population'",
        "UPDATE models SET data = x'00'",
        "UPDATE segmentations SET data = x'00'",
        "DELETE FROM profiles WHERE visitor < 'v4'; DELETE FROM state; DELETE FROM models",
    ],
)
def test_damaged_snapshots_are_made_again_from_the_log(tmp_path: Path, damage: str) -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    async def everything(engine: Engine) -> dict[str, Any]:
        visitors = sorted(engine.pipeline.visitors())
        vectors = {name: engine.pipeline.describe(name, moment).vector for name in visitors}
        return {**model_of(engine), **vectors}

    run(settings(tmp_path), lambda engine: live(engine, 0, 40))
    before = run(settings(tmp_path), everything)
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.executescript(damage)
    connection.close()
    assert_same(run(settings(tmp_path), everything), before)


def test_learning_moves_the_choice(tmp_path: Path) -> None:
    """Only "tea" is ever bought: after 150 rewards it is what everybody is shown."""

    async def work(engine: Engine) -> float:
        answers = await live(engine, 0, 150)
        return float(np.mean([answer["action"]["id"] == "tea" for answer in answers[-50:]]))

    assert run(settings(tmp_path, "linucb"), work) > 0.8


def test_what_was_learned_survives_a_changed_context(tmp_path: Path) -> None:
    async def shown(engine: Engine) -> float:
        request = DecisionRequest(visitor="v1", placement="home", context={"hour": 0.5})
        answers = [await engine.decider.decide(request) for _ in range(50)]
        return float(np.mean([answer["action"]["id"] == "tea" for answer in answers]))

    run(settings(tmp_path, "linucb"), lambda engine: live(engine, 0, 150))
    changed = settings(tmp_path, "linucb", context={"hour": "number", "app": ["ios", "android"]})
    assert run(changed, shown) > 0.8


def test_excluded_actions_have_probability_zero(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[dict[str, Any]]:
        request = DecisionRequest(visitor="ann", placement="home", excluded=["tea", "other"])
        return [await engine.decider.decide(request) for _ in range(20)]

    for answer in run(settings(tmp_path), work):
        ranking = {row["id"]: row["probability"] for row in answer["ranking"]}
        assert ranking["tea"] == 0
        assert answer["action"]["id"] != "tea"
        assert answer["ranking"][0]["id"] == answer["action"]["id"]
        assert answer["probability"] == ranking[answer["action"]["id"]]
        assert sum(ranking.values()) == pytest.approx(1, abs=1e-9)


def test_with_nothing_eligible_the_default_is_shown_with_probability_one(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        excluded = ["tea", "salt", "beef"]
        request = DecisionRequest(visitor="ann", placement="home", excluded=excluded)
        return await engine.decider.decide(request)

    answer = run(settings(tmp_path), work)
    assert (answer["action"]["id"], answer["probability"], answer["default"]) == ("salt", 1.0, True)
    assert answer["reason"] == "no eligible action"


@pytest.mark.filterwarnings("ignore")
def test_a_broken_policy_shows_the_default_and_logs_it(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        engine.placements["home"].policy.model = None  # type: ignore[attr-defined]  # broken
        request = DecisionRequest(visitor="ann", placement="home")
        answer = await engine.decider.decide(request)
        await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=1.0))
        fresh = build_placements(engine.settings)["home"].policy
        engine.placements["home"].lineup.champion.policy = fresh
        return answer

    answer = run(settings(tmp_path), work)
    assert (answer["default"], answer["reason"]) == (True, "the policy failed")
    assert answer["decision_id"] is not None


def test_a_store_that_fails_still_gives_the_default(tmp_path: Path) -> None:
    async def work(engine: Engine) -> dict[str, Any]:
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        await engine.store.writer.call(lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
        other.execute("BEGIN EXCLUSIVE")
        answer = await engine.decider.decide(DecisionRequest(visitor="ann", placement="home"))
        other.execute("ROLLBACK")
        other.close()
        good = await engine.decider.decide(DecisionRequest(visitor="ann", placement="home"))
        assert good["decision_id"] is not None
        return answer

    answer = run(settings(tmp_path), work)
    assert (answer["decision_id"], answer["default"]) == (None, True)
    assert answer["reason"] == "the log cannot be written"


def test_a_replay_needs_a_time_to_start_from(tmp_path: Path) -> None:
    replayed = settings(tmp_path)
    service = replayed.service.model_copy(update={"clock": "replay"})

    async def work(engine: Engine) -> list[str]:
        ask = {"visitor": "ann", "placement": "home"}
        with pytest.raises(BadRequestError, match="timestamp: is needed"):
            await engine.decider.decide(DecisionRequest(**ask))
        moment = datetime(2017, 1, 1, tzinfo=UTC)
        await engine.decider.decide(DecisionRequest(**ask, timestamp=moment))
        await engine.decider.decide(DecisionRequest(**ask))
        return [engine.clock.now().isoformat()]

    configured = replayed.model_copy(update={"service": service})
    assert run(configured, work) == ["2017-01-01T00:00:00+00:00"]


def test_an_order_beside_its_identify_rewards_the_anonymous_decision(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        await engine.decider.decide(DecisionRequest(visitor="anon", placement="home"))
        identify = {"type": "identify", "userId": "ann", "anonymousId": "anon", "messageId": "i"}
        products = [{"product_id": "p", "category": "tea", "price": 3}]
        order = {"type": "track", "event": "Order Completed", "userId": "ann", "messageId": "o"}
        order["properties"] = {"products": products}  # type: ignore[assignment]  # JSON
        appended, _ = await engine.intake.batch([identify, order], None, 0)
        assert not engine.observer._claims
        return appended.n_rewards

    assert run(settings(tmp_path), work) == 1


def test_windows_close_with_the_default_reward(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        await engine.decider.decide(DecisionRequest(visitor="ann", placement="home"))
        later_us = engine.clock.now_us() + 61 * 60_000_000
        engine.clock.now_us = lambda: later_us  # type: ignore[method-assign]  # an hour later
        await engine._close_due_windows()
        assert engine.learner is not None
        return await engine.learner.drain()

    assert run(settings(tmp_path), work) == 1
