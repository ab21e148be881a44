"""The gate at work: what it reads, what it does, and that a crash counts nothing twice."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from api.loop.clock import to_us
from api.loop.engine import Engine
from api.loop.roster import Because
from api.retention_settings import RetentionSettings
from api.storage.trial import SettledRow
from api.worker.promotion import rows_of
from policy.promotion.terms import Metric, Terms
from tests.api.loop.test_engine import assert_same, run
from tests.api.trials import BLIND, BOLD, START, judge, settings, visits

ANN = Because("ann")


def stored(folder: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "segue.db")) as connection:
        return connection.execute(sql, parameters).fetchall()


def steps(folder: Path) -> list[tuple[str, str, str]]:
    return stored(folder, "SELECT what, policy, actor FROM policy_steps ORDER BY step")


async def begin(engine: Engine, spec: dict[str, Any], share: float = 0.5) -> None:
    await visits(engine, 0, 40)
    await engine.roster.add("home", "other", spec, None, ANN)
    await engine.roster.mix("home", "other", share, ANN)


async def until_settled(engine: Engine, start: int = 40, most: int = 600) -> int:
    """Visits until the champion or the challenger is another; where they ended."""
    trial = engine.placements["home"].lineup.trial
    for first in range(start, start + most, 40):
        await visits(engine, first, first + 40)
        await judge(engine)
        if engine.placements["home"].lineup.trial != trial:
            return first + 40
    raise AssertionError("the gate never said anything")


def test_what_is_better_is_promoted_and_the_champion_before_takes_its_share(
    tmp_path: Path,
) -> None:
    async def work(engine: Engine) -> None:
        await begin(engine, BOLD, share=0.4)
        end = await until_settled(engine)
        lineup = engine.placements["home"].lineup
        assert (lineup.champion.key, lineup.share) == ("other@1", 0.4)
        assert (
            lineup.challenger is lineup.fallback is engine.placements["home"].models["configured@1"]
        )
        assert engine.placements["home"].policy.epsilon == 0.05  # type: ignore[attr-defined]
        await until_settled(engine, end)  # the other way round it is worse, and out
        lineup = engine.placements["home"].lineup
        assert lineup.challenger is None
        assert lineup.fallback is not None

    run(settings(tmp_path), work)
    assert steps(tmp_path) == [
        ("configured", "configured@1", "configuration"),
        ("added", "other@1", "ann"),
        ("mixture", "other@1", "ann"),
        ("promoted", "other@1", "gate"),
        ("rolled back", "configured@1", "gate"),
    ]
    ((evidence, reason),) = stored(
        tmp_path, "SELECT evidence, reason FROM policy_steps WHERE what = 'promoted'"
    )
    told = json.loads(evidence)
    assert told["log_wealth"]["reward"]["better"] >= told["needed"]["reward"]
    assert told["rows"] > 0
    assert reason.startswith("promote after")


def test_what_is_worse_is_rolled_back_and_kept(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await begin(engine, BLIND)
        await until_settled(engine)
        placement = engine.placements["home"]
        assert placement.lineup.champion.key == "configured@1"
        assert placement.lineup.challenger is None
        assert placement.lineup.role(placement.models["other@1"]) == "kept"

    run(settings(tmp_path, BOLD), work)
    assert steps(tmp_path)[-1] == ("rolled back", "other@1", "gate")


def test_a_hurt_guardrail_rolls_back_what_earns_more(tmp_path: Path) -> None:
    """Every tea is sent back: each refund takes the reward of a decision that showed it."""
    guardrails = [{"metric": "returns", "tolerance": 0.01}]

    async def work(engine: Engine) -> None:
        await begin(engine, BOLD)
        trial = engine.placements["home"].lineup.trial
        for first in range(40, 640, 40):
            for answer in await visits(engine, first, first + 40):
                if answer["action"]["id"] == "tea":
                    await refund(engine, answer["decision_id"])
            await judge(engine)
            if engine.placements["home"].lineup.trial != trial:
                break
        assert engine.placements["home"].lineup.champion.key == "configured@1"

    promotion = {"guardrails": guardrails, "margin": 0.9}
    run(settings(tmp_path, promotion=promotion), work)
    ((reason,),) = stored(tmp_path, "SELECT reason FROM policy_steps WHERE what = 'rolled back'")
    assert "hurts returns" in reason


async def refund(engine: Engine, decision_id: str) -> None:
    """A row as a refund writes it, which leaves the reward as it is."""
    sql = """INSERT INTO rewards (reward_id, decision_id, value, is_first, source, received_at_us)
             VALUES (?, ?, 0, 0, 'refund', 0)"""
    await engine.store.writer.call(
        lambda connection: connection.execute(sql, (f"refund:{decision_id}", decision_id))
    )


def test_a_gate_that_is_not_automatic_only_says_what_it_would_do(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await begin(engine, BOLD)
        for first in range(40, 360, 40):
            await visits(engine, first, first + 40)
            await judge(engine)
        watched = engine.gatekeeper.watched("home")
        assert watched is not None
        assert watched.gate.verdict.value == "promote"
        assert engine.placements["home"].lineup.champion.key == "configured@1"

    run(settings(tmp_path, promotion={"automatic": False}), work)


def test_a_gate_goes_on_where_it_was_saved_and_reads_each_decision_once(tmp_path: Path) -> None:
    configured = settings(tmp_path, promotion={"margin": 0.99})

    async def first(engine: Engine) -> None:
        await begin(engine, BOLD)
        await visits(engine, 40, 70)
        await judge(engine)
        await visits(engine, 70, 100)
        await judge(engine)

    async def second(engine: Engine) -> int:
        await judge(engine)
        await visits(engine, 100, 120)
        await judge(engine)
        watched = engine.gatekeeper.watched("home")
        assert watched is not None
        return watched.gate.n_rows

    run(configured, first, kill=True)
    n_rows = run(configured, second)
    ((n_settled,),) = stored(
        tmp_path,
        """SELECT count(*) FROM decisions WHERE parts IS NOT NULL
           AND closes_at_us <= (SELECT CAST(substr(data, 1, instr(data, '/') - 1) AS INTEGER)
                                FROM state WHERE key = 'closed_through')""",
    )
    assert 0 < n_rows == n_settled


def test_under_changed_terms_the_gate_begins_anew_with_what_comes(tmp_path: Path) -> None:
    async def first(engine: Engine) -> None:
        await begin(engine, BOLD)
        await visits(engine, 40, 100)
        await judge(engine)

    async def second(engine: Engine) -> int:
        await judge(engine)
        watched = engine.gatekeeper.watched("home")
        assert watched is not None
        return watched.gate.n_rows

    run(settings(tmp_path, promotion={"margin": 0.99}), first)
    assert run(settings(tmp_path, promotion={"margin": 0.98}), second) == 0
    assert steps(tmp_path)[-1] == ("terms", "other@1", "gate")


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from api.loop.engine import Engine
from tests.api.loop.test_engine import run
from tests.api.trials import BOLD, settings
from tests.api.worker.test_promotion import begin, until_settled

async def work(engine):
    await begin(engine, BOLD)
    async def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    engine.roster.promote = die
    await until_settled(engine)

run(settings(Path(sys.argv[1])), work)
"""


def test_killed_between_the_fold_and_the_action_it_acts_once_after_the_restart(
    tmp_path: Path,
) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert "promoted" not in [what for what, _, _ in steps(tmp_path)]
    ((read,),) = stored(tmp_path, "SELECT read_through FROM gates")

    async def work(engine: Engine) -> None:
        await judge(engine)
        assert engine.placements["home"].lineup.champion.key == "other@1"
        await judge(engine)

    run(settings(tmp_path), work)
    assert [what for what, _, _ in steps(tmp_path)].count("promoted") == 1
    ((evidence,),) = stored(tmp_path, "SELECT evidence FROM policy_steps WHERE what = 'promoted'")
    ((n_judged,),) = stored(
        tmp_path, "SELECT count(*) FROM decisions WHERE parts IS NOT NULL AND seq <= ?", read
    )
    assert json.loads(evidence)["rows"] == n_judged


def test_a_replica_that_has_only_the_log_comes_to_the_same_models_across_a_promotion(
    tmp_path: Path,
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()

    def models(engine: Engine) -> dict[str, Any]:
        return {
            key: {**model.policy.state()[1], "through": model.learned_through}
            for key, model in engine.placements["home"].models.items()
        }

    async def work(engine: Engine) -> dict[str, Any]:
        await begin(engine, {"kind": "lints", "alpha": 0.1})
        end = await until_settled(engine)
        await visits(engine, end, end + 40)
        assert engine.learner is not None
        await engine.learner.drain()
        return models(engine)

    async def look(engine: Engine) -> dict[str, Any]:
        return models(engine)

    found = run(settings(here), work)
    shutil.copytree(here, there)
    with closing(sqlite3.connect(there / "segue.db")) as connection:
        connection.execute("DELETE FROM models")
        connection.commit()
    replica = run(settings(there), look)
    assert found.keys() == replica.keys() == {"configured@1", "other@1"}
    for key, model in found.items():
        assert_same(model, replica[key])


def test_a_decision_in_which_the_challenger_failed_says_nothing_and_values_are_held_in_range() -> (
    None
):
    terms = Terms(Metric("reward", 0.0, 1.0), 2.0, guardrails=(Metric("margin", -1.0, 1.0),))
    rows = rows_of(
        [
            SettledRow(0.5, np.array([0.2, 0.8]).tobytes(), 3.0, (-7.0,)),
            SettledRow(0.5, np.array([0.5, np.nan]).tobytes(), 1.0, (0.0,)),
        ],
        terms,
    )
    assert rows.reward.tolist() == [1.0]
    assert rows.metrics["margin"].tolist() == [-1.0]
    assert (rows.champion.tolist(), rows.challenger.tolist()) == ([0.2], [0.8])


def test_what_a_trial_has_yet_to_read_is_retained(tmp_path: Path) -> None:
    async def work(engine: Engine) -> int:
        await begin(engine, BOLD)
        await visits(engine, 40, 60)
        engine.clock.advance(to_us(START + timedelta(days=100)))
        await engine._close_due_windows()
        assert engine.learner is not None
        await engine.learner.drain()
        await engine.gatekeeper.run_once()
        engine.retention._settings = RetentionSettings(decisions_days=50)
        gone = await engine.retention.run_once()
        return gone["decisions"]

    year = {"wait_hours": 24 * 365}
    assert run(settings(tmp_path, promotion=year), work) == 40
    assert stored(tmp_path, "SELECT count(*) FROM decisions WHERE parts IS NOT NULL") == [(20,)]
