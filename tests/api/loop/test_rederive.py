"""Every logged decision is derived again bit for bit, and whatever was changed since is caught."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.loop.engine import Engine
from api.loop.placement import build_placements
from api.loop.policies import Names, policy_of_spec
from api.loop.rederive import Outcome
from api.loop.replays import replay, replays, wanted
from api.loop.roster import Because
from api.loop.snapshot import packed
from api.storage.reading import reading
from policy.bandits.build import POLICY_KINDS
from tests.api.loop.shops import COMMON, PLACEMENTS, open_for, shop
from tests.api.loop.test_engine import run
from tests.api.worker.test_retention import expire, lives, retaining

HOME: dict[str, Any] = {**COMMON, "name": "home", "policy": {"kind": "linucb", "alpha": 0.5}}
SOFT = {**HOME, "policy": {"kind": "softmax", "temperature": 1.0}}


def outcomes(folder: Path, **options: Any) -> list[Outcome]:
    """Of all decisions of a store."""
    with reading(folder / "s.db") as connection:
        return [
            outcome for one in wanted(connection) for outcome in replays(connection, one, **options)
        ]


def change(folder: Path, sql: str, *parameters: object) -> None:
    """Tamper with a store."""
    with closing(sqlite3.connect(folder / "s.db")) as store, store:
        assert store.execute(sql, parameters).rowcount > 0, "nothing was changed"


def learned(folder: Path) -> tuple[int, str]:
    """Place and id of the last decision that a model chose."""
    with closing(sqlite3.connect(folder / "s.db")) as store:
        sql = "SELECT seq, decision_id FROM decisions WHERE layout NOT NULL ORDER BY seq DESC"
        found: tuple[int, str] = store.execute(sql).fetchone()
        return found


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of every kind of placement, whose service was killed once."""
    folder = tmp_path_factory.mktemp("everything")

    async def saved_half_way(engine: Engine) -> None:
        await open_for(engine, 7, seed=2)
        await engine.snapshots.save()
        await open_for(engine, 7, seed=3)

    run(shop(folder), lambda engine: open_for(engine, 14, seed=1), kill=True)
    run(shop(folder), saved_half_way)
    return folder


@pytest.mark.parametrize("from_rewards", [False, True])
def test_every_kind_of_decision_is_derived_again(everything: Path, from_rewards: bool) -> None:
    found = outcomes(everything, from_rewards=from_rewards)
    assert [one for one in found if not one.identical] == []
    assert {one.placement for one in found} == {str(one["name"]) for one in PLACEMENTS}
    for kind in POLICY_KINDS:  # none of them for want of a model that has learned
        assert any(one.model and one.model.n_learned for one in found if one.placement == kind)


def test_a_single_decision_is_derived_again_from_the_nearest_snapshot(everything: Path) -> None:
    _, decision_id = learned(everything)
    with reading(everything / "s.db") as connection:
        short = replay(connection, decision_id)
        long = replay(connection, decision_id, from_rewards=True)
        assert replay(connection, "0" * 32) is None
    assert short is not None
    assert long is not None
    assert short.identical
    assert long.identical
    assert short.model is not None
    assert long.model is not None
    assert short.model.n_learned < long.model.n_learned
    assert (short.model.snapshot > 0, long.model.snapshot) == (True, 0)


def test_a_sample_is_drawn_from_all(everything: Path) -> None:
    with reading(everything / "s.db") as connection:
        (chosen,) = wanted(connection, ["linucb"], sample=5, seed=3)
        (every,) = wanted(connection, ["linucb"])
        assert len(chosen.seqs) == 5
        assert set(chosen.seqs) < set(every.seqs)
        assert all(outcome.identical for outcome in replays(connection, chosen))


def _other_bits(value: bytes, dtype: type) -> bytes:
    values = np.frombuffer(value, dtype).copy()
    values[-1] += 0.25
    return values.tobytes()


TAMPERED: dict[str, Callable[[Any], Any]] = {
    "probabilities": lambda value: np.frombuffer(value)[::-1].tobytes(),
    "probability": lambda value: value / 2,
    "chosen": lambda value: (value + 1) % 2,
    "action_id": lambda value: value + "?",
    "candidates": lambda value: value.replace("beef", "ham"),
    "context": lambda value: _other_bits(value, np.float32),
    "features": lambda value: _other_bits(value, np.float32),
    "policy_version": lambda value: value.rpartition("@")[0] + "@1",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A placement whose policy is sure of little, so that every number of a row matters."""
    folder = tmp_path_factory.mktemp("home")
    settings = shop(
        folder, [{**HOME, "policy": {"kind": "softmax", "temperature": 1.0}}], budgets=[]
    )
    run(settings, lambda engine: open_for(engine, 60, seed=5))
    return folder


@pytest.mark.parametrize("column", TAMPERED)
def test_a_changed_decision_is_caught(home: Path, column: str) -> None:
    with closing(sqlite3.connect(home / "s.db")) as store:
        seq, value = store.execute(
            f"""SELECT seq, {column} FROM decisions WHERE layout NOT NULL AND chosen < 2
                AND json_array_length(candidates) = 3 ORDER BY seq DESC"""
        ).fetchone()
    change(home, f"UPDATE decisions SET {column} = ? WHERE seq = ?", TAMPERED[column](value), seq)
    try:
        found = [one for one in outcomes(home) if not one.identical]
    finally:
        change(home, f"UPDATE decisions SET {column} = ? WHERE seq = ?", value, seq)
    assert len(found) == 1
    assert found[0].differences
    assert not found[0].is_rounding


def test_a_changed_reward_is_caught(home: Path) -> None:
    change(home, "UPDATE rewards SET value = value + 1 WHERE seq = 20")
    found = [one for one in outcomes(home, from_rewards=True) if not one.identical]
    change(home, "UPDATE rewards SET value = value - 1 WHERE seq = 20")
    assert len(found) > 10
    assert all("changed by hand" in one.reasons[0] for one in found)
    assert not [one for one in outcomes(home, from_rewards=True) if not one.identical]


def test_rewards_that_are_gone_are_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes((home / "s.db").read_bytes())
    change(tmp_path, "DELETE FROM models")
    change(tmp_path, "DELETE FROM rewards WHERE seq BETWEEN 10 AND 14")
    found = [one for one in outcomes(tmp_path) if not one.identical]
    assert found
    told = re.compile(
        r"[1-5] rewards between the first row and row \d+ are not in the log any more"
    )
    assert all(told.match(one.reasons[0]) for one in found)


def test_a_snapshot_covers_rewards_that_are_gone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes((home / "s.db").read_bytes())
    seq, _ = learned(tmp_path)
    change(tmp_path, "DELETE FROM rewards WHERE seq BETWEEN 10 AND 14")
    run(shop(tmp_path, [SOFT], budgets=[]), lambda engine: open_for(engine, 10, seed=6))
    with reading(tmp_path / "s.db") as connection:
        (one,) = wanted(connection)
        later = one._replace(seqs=[place for place in one.seqs if place > seq])
        assert later.seqs
        assert all(outcome.identical for outcome in replays(connection, later))


def test_a_model_goes_through_the_configurations_that_it_went_through(tmp_path: Path) -> None:
    for seed, alpha in enumerate((0.5, 2.0, 0.5)):
        policy = {"kind": "linucb", "alpha": alpha}
        settings = shop(tmp_path, [{**HOME, "policy": policy}])
        run(settings, lambda engine, seed=seed: open_for(engine, 15, seed=seed), kill=seed == 1)
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        steps = store.execute("SELECT policy FROM policy_steps ORDER BY step").fetchall()
        assert [policy for (policy,) in steps] == ["configured@1", "configured@2", "configured@1"]
    for options in ({}, {"from_rewards": True}):
        assert [one for one in outcomes(tmp_path, **options) if not one.identical] == []


@pytest.mark.parametrize("other", [{"kind": "softmax"}, {"kind": "linucb", "half_life": 30.0}])
def test_a_policy_that_must_learn_anew_does(tmp_path: Path, other: dict[str, Any]) -> None:
    for seed, policy in enumerate(({"kind": "linucb"}, other)):
        settings = shop(tmp_path, [{**HOME, "policy": policy}])
        run(settings, lambda engine, seed=seed: open_for(engine, 15, seed=seed))
    assert [one for one in outcomes(tmp_path) if not one.identical] == []


def test_decisions_are_derived_again_across_promotions(tmp_path: Path) -> None:
    async def promote(engine: Engine) -> None:
        roster, home, me = engine.roster, engine.placements["home"], Because("me")
        await open_for(engine, 12, seed=1)
        await roster.add("home", "bold", {"kind": "lints", "alpha": 0.3}, None, me)
        await roster.mix("home", "bold", 0.4, me)
        await open_for(engine, 12, seed=2)
        await roster.promote("home", "bold", me)
        await open_for(engine, 12, seed=3)
        await roster.add("home", "copy", None, packed(home, home.models["configured@1"]), me)
        await roster.shadow("home", "copy", me)
        await roster.rollback("home", "configured", me)
        await roster.promote("home", "copy", me)
        await open_for(engine, 12, seed=4)

    run(shop(tmp_path, [HOME]), promote, kill=True)
    run(shop(tmp_path, [HOME]), lambda engine: open_for(engine, 12, seed=5))
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        sql = "SELECT count(DISTINCT lineup) FROM decisions WHERE layout NOT NULL"
        assert store.execute(sql).fetchone() == (4,)
    for options in ({}, {"from_rewards": True}):
        assert [one for one in outcomes(tmp_path, **options) if not one.identical] == []


def test_a_changed_share_of_a_challenger_is_caught(tmp_path: Path) -> None:
    rivals = {**SOFT, "challenger": {"kind": "lints", "share": 0.3}}
    run(shop(tmp_path, [rivals], budgets=[]), lambda engine: open_for(engine, 20, seed=1))
    assert [one for one in outcomes(tmp_path) if not one.identical] == []
    change(tmp_path, """UPDATE policy_steps SET lineup = json_set(lineup, '$.share', 0.4)""")
    found = [one for one in outcomes(tmp_path) if not one.identical]
    assert found
    assert all(one.differences[0].field == "policy_version" for one in found)


def test_policies_that_the_log_does_not_know_are_an_obstacle(home: Path, tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes((home / "s.db").read_bytes())
    change(tmp_path, "DELETE FROM policies")
    found = outcomes(tmp_path)
    assert all("does not know" in str(one.obstacle) for one in found if not one.identical)
    assert any(one.obstacle for one in found)


def test_what_an_erasure_changed_is_named(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await open_for(engine, 30, seed=7)
        await engine.eraser.erase("v1")
        await open_for(engine, 10, seed=8)

    run(shop(tmp_path, [HOME]), work)
    found = outcomes(tmp_path)
    differing = [one for one in found if not one.identical]
    assert 0 < len(differing) < len(found)
    assert any("erased since" in reason for one in differing for reason in one.reasons)
    with reading(tmp_path / "s.db") as connection:  # and those made since are as they were
        (one,) = wanted(connection)
        latest = one._replace(seqs=one.seqs[-8:])
        assert all(outcome.identical for outcome in replays(connection, latest))


def test_the_last_bits_are_called_rounding(home: Path) -> None:
    found = outcomes(home)
    change(home, "UPDATE decisions SET probability = probability + 1e-12 WHERE layout NOT NULL")
    shifted = [one for one in outcomes(home) if not one.identical]
    change(home, "UPDATE decisions SET probability = probability - 1e-12 WHERE layout NOT NULL")
    assert shifted
    assert all(one.is_rounding for one in shifted)
    assert not any(replace(one, obstacle="none").identical for one in found)


def test_a_kept_spec_makes_the_policy_of_its_placement(tmp_path: Path) -> None:
    for placement in build_placements(shop(tmp_path)).values():
        names = Names(placement.contexts.names, placement.pairs.names)
        for model in placement.lineup.learning:
            made = policy_of_spec(json.loads(json.dumps(model.spec, default=list)), names)
            assert made.state()[0] == model.policy.state()[0]
            assert made.floor == placement.policy.floor


def test_decisions_after_old_rewards_went_start_from_the_snapshot_that_covers_them(
    tmp_path: Path,
) -> None:
    async def work(engine: Engine) -> None:
        await lives(engine, 0, 40)
        gone = await expire(engine)
        assert gone["decisions"] > 0
        await lives(engine, 40, 60)

    run(retaining(tmp_path), work)
    found = outcomes(tmp_path)
    assert len(found) == 20
    assert [one for one in found if not one.identical] == []
    assert all(one.model is not None and one.model.snapshot > 0 for one in found)
