"""A trained network in service: decided and logged as a bandit is, under the same rules."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.configuration import load_settings
from api.loop.engine import Engine
from api.loop.placement import build_placements
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from policy.bandits.build import make_policy
from policy.errors import PolicyError
from policy.model_file import dump
from policy.ppo.network import Network, untrained
from tests.api.service import configuration, placement, write_configuration

SEES = ("recency_days", "basket", "sessions")
ACTIONS = ("beef", "salt", "tea")


def network(seed: int = 0, sees: tuple[str, ...] = SEES, actions: Any = ACTIONS) -> Network:
    return untrained(sees, actions, np.random.default_rng(seed))


def written(folder: Path, model: bytes | None = None, **changes: Any) -> Path:
    """The configuration of a placement that the model decides at."""
    (folder / "model.zip").write_bytes(network().to_bytes() if model is None else model)
    policy = {"kind": "ppo", "model": "model.zip", "floor": 0.06}
    home = placement(**({"policy": policy, "reward": {"window_minutes": 60}} | changes))
    return write_configuration(folder, configuration(placements=[home]))


def run(config: Path, work: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        engine = Engine(load_settings(config))
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


async def decide(engine: Engine, visitor: str, **more: Any) -> dict[str, Any]:
    request = {"visitor": visitor, "placement": "home", "context": {"basket": 2.0}, **more}
    return await engine.decider.decide(DecisionRequest(**request))


def logged(folder: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "segue.db")) as store:
        store.row_factory = sqlite3.Row
        return [dict(row) for row in store.execute("SELECT * FROM decisions ORDER BY seq")]


def test_what_is_answered_and_logged_is_the_networks_distribution(tmp_path: Path) -> None:
    """With its floor, over the eligible actions, from the visitor's features by name."""

    async def work(engine: Engine) -> list[dict[str, Any]]:
        return [await decide(engine, "ann"), await decide(engine, "ann", excluded=["salt"])]

    every, some = run(written(tmp_path), work)
    rows = logged(tmp_path)
    names = build_placements(load_settings(tmp_path / "segue.toml"))["home"].contexts.names
    seen = dict(zip(names, np.frombuffer(rows[0]["context"], np.float32), strict=True))
    x = np.array([seen[name] for name in SEES])
    assert seen["basket"] == 2.0
    for answer, ids in ((every, ("tea", "salt", "beef")), (some, ("tea", "beef"))):
        mask = np.isin(ACTIONS, ids)
        ours = dict(zip(ACTIONS, network().probabilities(x, mask).tolist(), strict=True))
        found = {line["id"]: line["probability"] for line in answer["ranking"]}
        for name in ids:
            assert found[name] == pytest.approx(0.94 * ours[name] + 0.06 / len(ids), abs=1e-6)
    assert {line["id"]: line["reason"] for line in some["ranking"]}["salt"] == "excluded"
    for row, answer in zip(rows, (every, some), strict=True):
        assert row["probability"] == answer["probability"]
        assert row["policy_version"] == answer["policy_version"]


def test_rules_holdout_and_challenger_act_on_it(tmp_path: Path) -> None:
    rival = {"kind": "epsilon_greedy", "epsilon": 1.0, "share": 0.5}
    config = written(
        tmp_path, condition="context.basket > 0", holdout={"share": 0.4}, challenger=rival
    )

    async def work(engine: Engine) -> None:
        empty = await decide(engine, "ann", context={"basket": 0.0})
        assert (empty["reason"], empty["probability"]) == ("no eligible action", 1.0)
        answers = [await decide(engine, f"v{i}") for i in range(40)]
        held = [one for one in answers if one["group"] == "control"]
        assert 5 < len(held) < 30
        assert {(one["action"]["id"], one["probability"]) for one in held} == {("tea", 1.0)}
        treated = next(one for one in answers if one["group"] == "treatment")
        shares = {line["id"]: line["probability"] for line in treated["ranking"]}
        # Half of the decisions are the challenger's, who draws evenly.
        assert min(shares.values()) > 0.94 * 0.5 / 3
        assert sum(shares.values()) == pytest.approx(1.0)

    run(config, work)


def test_it_challenges_a_bandit_with_the_share_that_it_was_given(tmp_path: Path) -> None:
    rival = {"kind": "ppo", "model": "model.zip", "share": 0.4}
    even = {"kind": "epsilon_greedy", "epsilon": 1.0, "floor": 0.0}
    config = written(tmp_path, policy=even, challenger=rival)

    async def work(engine: Engine) -> tuple[dict[str, float], str]:
        answer = await decide(engine, "ann")
        shares = {line["id"]: line["probability"] for line in answer["ranking"]}
        return shares, engine.placements["home"].fingerprint

    shares, fingerprint = run(config, work)
    row = logged(tmp_path)[0]
    names = build_placements(load_settings(config))["home"].contexts.names
    seen = dict(zip(names, np.frombuffer(row["context"], np.float32), strict=True))
    theirs = network().probabilities(np.array([seen[name] for name in SEES]))
    expected = 0.6 / 3 + 0.4 * theirs
    assert [shares[name] for name in ACTIONS] == pytest.approx(expected, abs=1e-6)
    (tmp_path / "model.zip").write_bytes(network(seed=1).to_bytes())
    assert build_placements(load_settings(config))["home"].fingerprint != fingerprint


def test_a_list_is_filled_by_it(tmp_path: Path) -> None:
    async def work(engine: Engine) -> list[str]:
        slots = [{"id": f"s{i}"} for i in range(3)]
        request = DecisionRequest(visitor="ann", placement="home", slots=slots)
        answer = await engine.lists.decide(request)
        return [slot["decision"]["action"]["id"] for slot in answer["slots"]]

    assert sorted(run(written(tmp_path), work)) == sorted(ACTIONS)


def test_rewards_are_counted_over_a_restart_and_a_new_model_takes_over(tmp_path: Path) -> None:
    async def reward(engine: Engine) -> tuple[str, int, dict[str, float]]:
        answer = await decide(engine, "ann")
        await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=2.5))
        assert engine.learner is not None
        await engine.learner.drain()
        home = engine.placements["home"]
        shares = {line["id"]: line["probability"] for line in answer["ranking"]}
        return home.fingerprint, home.policy.n_updates, shares

    first = run(written(tmp_path), reward)
    again = run(tmp_path / "segue.toml", reward)
    assert (again[0], again[1], again[2]) == (first[0], 2, first[2])
    (tmp_path / "model.zip").write_bytes(network(seed=1).to_bytes())
    other = run(tmp_path / "segue.toml", reward)
    assert other[0] != first[0]
    assert other[1] == 3  # counted again from the log
    assert other[2] != first[2]


def refused(config: Path) -> str:
    done = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert done.exit_code != 0
    return " ".join(done.output.split())


def test_a_model_that_does_not_fit_is_refused_at_the_check(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--config", str(written(tmp_path))])
    assert done.exit_code == 0, done.output
    assert "ppo (does not learn)" in done.output
    strange = network(sees=("recency_days", "moon_phase")).to_bytes()
    told = refused(written(tmp_path, strange))
    assert "the feature 'moon_phase', which the context lacks" in told
    small = network(actions=("beef", "tea")).to_bytes()
    assert "knows no action 'salt'" in refused(written(tmp_path, small))
    bandit = dump(*make_policy("linucb", 3, 1).state())
    assert "is of kind 'linucb', not 'ppo'" in refused(written(tmp_path, bandit))
    assert "not a readable model file" in refused(written(tmp_path, b"PK\x03\x04"))
    (tmp_path / "model.zip").unlink()
    with pytest.raises(PolicyError, match=r"placement 'home': model .* cannot be read: No such"):
        build_placements(load_settings(tmp_path / "segue.toml"))


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"kind": "ppo"}, "model is needed by kind 'ppo'"),
        ({"kind": "linucb", "model": "m.zip"}, "only a policy of kind 'ppo' is served from a file"),
        ({"kind": "ppo", "model": "m.zip", "alpha": 1.0}, "policy 'ppo' has no parameter 'alpha'"),
        ({"kind": "ppo", "model": "m.zip", "floor": 2.0}, "floor is 2.0"),
    ],
)
def test_settings_that_contradict_themselves_are_named(
    policy: dict[str, Any], told: str, tmp_path: Path
) -> None:
    assert told in refused(written(tmp_path, policy=policy))


def test_serving_a_network_loads_nothing_of_training(tmp_path: Path) -> None:
    written(tmp_path)
    program = (
        "import sys, json; from pathlib import Path; from api.app import create_app; "
        "from api.configuration import load_settings; "
        f"create_app(load_settings(Path({str(tmp_path / 'segue.toml')!r}))); "
        "print(json.dumps([n for n in ('torch', 'stable_baselines3', 'numba', 'gymnasium') "
        "if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
