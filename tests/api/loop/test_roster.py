"""The roster: policies that are added, do this and that, and survive restarts and settings."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.chance import Chance
from api.loop.engine import Engine
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.loop.judge import Judge
from api.loop.roster import Because
from api.loop.snapshot import packed
from api.schemas.reward import DecisionReward
from policy.bandits.linear_policy import LinearPolicy
from policy.base import Candidates, draw
from policy.mixture import Mixture, mix
from tests.api.loop.test_engine import assert_same, run
from tests.api.trials import BLIND, BOLD, buy, settings, shop, visit, visits

ANN = Because("ann", "to see")
SAMPLING = {"kind": "lints", "alpha": 0.3}


def stored(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "segue.db")) as connection:
        return connection.execute(sql).fetchall()


def roles(engine: Engine) -> dict[str, str]:
    placement = engine.placements["home"]
    return {key: placement.lineup.role(model) for key, model in placement.models.items()}


def learned(engine: Engine, key: str) -> dict[str, Any]:
    model = engine.placements["home"].models[key]
    return {**model.policy.state()[1], "through": model.learned_through}


def test_probabilities_stay_exact_whoever_decides_tries_or_watches(tmp_path: Path) -> None:
    """Each decision of the log is derived again from the models as they were when it was made."""
    derived = 0

    async def work(engine: Engine) -> None:
        nonlocal derived
        placement, roster = engine.placements["home"], engine.roster
        for what in range(5):
            if what == 1:
                await roster.add("home", "sampling", SAMPLING, None, ANN)
                await roster.shadow("home", "sampling", ANN)
            if what == 2:
                await roster.mix("home", "sampling", 0.3, ANN)
            if what == 3:
                await roster.promote("home", "sampling", ANN)
            if what == 4:
                await roster.rollback("home", "sampling", ANN)
            for number in range(what * 8, what * 8 + 8):
                answer = await visit(engine, number)
                row = await engine.store.decision(answer["decision_id"])
                assert row is not None
                assert row.lineup == placement.lineup.step
                check_derived(engine, row)
                derived += 1
                await buy(engine, answer)
                assert engine.learner is not None
                await engine.learner.drain()

    run(settings(tmp_path, SAMPLING | {"alpha": 0.1}), work)
    assert derived == 40
    ((n_steps,),) = stored(tmp_path, "SELECT count(DISTINCT lineup) FROM decisions")
    assert n_steps == 5


def check_derived(engine: Engine, row: Any) -> None:
    lineup, chance = engine.placements["home"].lineup, Chance()
    names = tuple(json.loads(row.candidates))
    context = np.frombuffer(row.context, np.float32)
    candidates = Candidates(names, np.frombuffer(row.features, np.float32).reshape(len(names), -1))
    rng = chance.of(row.decision_id)
    ours = lineup.champion.policy.distribution(context, candidates, rng)
    told, parts = ours, [ours]
    if lineup.challenger is not None:
        theirs = lineup.challenger.policy.distribution(context, candidates, rng)
        told = mix(ours, theirs, lineup.share)
        parts.append(theirs)
    assert told.tobytes() == row.probabilities
    assert draw(told, rng.random()) == row.chosen
    assert told[row.chosen] == row.probability
    assert abs(told.sum() - 1.0) < 1e-12
    for number, shadow in enumerate(lineup.shadows, 1):
        stream = chance.of(row.decision_id, number)
        parts.append(shadow.policy.distribution(context, candidates, stream))
    if lineup.is_watched:
        said = np.frombuffer(row.parts)
        assert said.tolist() == [part[row.chosen] for part in parts]
    else:
        assert row.parts is None


def test_a_shadow_moves_no_draw(tmp_path: Path) -> None:
    """The same ids decide the same way with a sampling shadow beside the policy and without."""
    chance = Chance()
    name = "0" * 30 + "77"
    first = chance.of(name).random(4).tolist()
    chance.of(name, 1).random(100)
    assert chance.of(name).random(4).tolist() == first
    assert chance.of(name, 1).random(4).tolist() != first


def test_what_is_added_late_learns_the_whole_log(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await engine.roster.add("home", "early", SAMPLING, None, ANN)
        await engine.roster.shadow("home", "early", ANN)
        await visits(engine, 0, 80)
        await engine.roster.add("home", "late", SAMPLING, None, ANN)
        await engine.roster.shadow("home", "late", ANN)
        await visits(engine, 80, 100)
        assert engine.learner is not None
        await engine.learner.drain()
        assert_same(learned(engine, "early@1"), learned(engine, "late@1"))
        assert learned(engine, "late@1")["through"] == learned(engine, "configured@1")["through"]

    run(settings(tmp_path), work)


def test_a_policy_that_was_kept_comes_back_with_all_it_missed(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        for name in ("steady", "away"):
            await engine.roster.add("home", name, SAMPLING, None, ANN)
            await engine.roster.shadow("home", name, ANN)
        await visits(engine, 0, 40)
        await engine.roster.rollback("home", "away", ANN)
        through = learned(engine, "away@1")["through"]
        await visits(engine, 40, 80)
        assert learned(engine, "away@1")["through"] == through
        await engine.roster.shadow("home", "away", ANN)
        assert_same(learned(engine, "away@1"), learned(engine, "steady@1"))

    run(settings(tmp_path), work)


def test_roles_and_models_survive_a_restart(tmp_path: Path) -> None:
    async def first(engine: Engine) -> dict[str, Any]:
        await visits(engine, 0, 40)
        await engine.roster.add("home", "bold", BOLD, None, ANN)
        await engine.roster.mix("home", "bold", 0.25, ANN)
        await engine.roster.promote("home", "bold", ANN)
        await visits(engine, 40, 60)
        assert engine.learner is not None
        await engine.learner.drain()
        return {key: learned(engine, key) for key in engine.placements["home"].models}

    async def second(engine: Engine) -> dict[str, Any]:
        lineup = engine.placements["home"].lineup
        assert (lineup.champion.key, lineup.share) == ("bold@1", 0.25)
        assert roles(engine) == {"bold@1": "champion", "configured@1": "mixture"}
        return {key: learned(engine, key) for key in engine.placements["home"].models}

    configured = settings(tmp_path)
    before, after = run(configured, first), run(configured, second)
    for key, model in before.items():
        assert_same(model, after[key])


def test_a_changed_setting_makes_a_version_and_keeps_the_one_before(tmp_path: Path) -> None:
    async def first(engine: Engine) -> None:
        await visits(engine, 0, 40)
        assert roles(engine) == {"configured@1": "champion"}

    async def changed(engine: Engine) -> dict[str, Any]:
        assert roles(engine) == {"configured@1": "kept", "configured@2": "champion"}
        assert learned(engine, "configured@2")["through"] > 0
        return learned(engine, "configured@1")

    async def back(engine: Engine) -> dict[str, Any]:
        assert roles(engine) == {"configured@1": "champion", "configured@2": "kept"}
        assert engine.roster.model(engine.placements["home"], "configured").version == 1
        return learned(engine, "configured@1")

    run(settings(tmp_path, SAMPLING), first)
    kept = run(settings(tmp_path, BOLD), changed)
    assert kept["through"] > 0
    assert_same(kept, run(settings(tmp_path, SAMPLING), back))


def test_the_configured_challenger_is_on_trial_until_something_says_otherwise(
    tmp_path: Path,
) -> None:
    rival = {**BOLD, "share": 0.2}

    async def first(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion", "challenger@1": "mixture"}
        await engine.roster.rollback("home", "challenger", ANN)

    async def second(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion", "challenger@1": "kept"}

    async def third(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion", "challenger@1": "mixture"}
        assert engine.placements["home"].lineup.share == 0.3

    async def fourth(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion", "challenger@1": "kept"}

    configured = settings(tmp_path, challenger=rival)
    run(configured, first)
    run(configured, second)  # rolled back, whatever the file still says
    run(settings(tmp_path, challenger={**BOLD, "share": 0.3}), third)  # the file says something new
    run(settings(tmp_path), fourth)


def test_a_model_file_decides_as_it_was_and_learns_what_comes(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        placement = engine.placements["home"]
        await visits(engine, 0, 60)
        assert engine.learner is not None
        await engine.learner.drain()
        file = packed(placement, placement.lineup.champion)
        model = await engine.roster.add("home", "saved", None, file, ANN)
        assert model.learns_after == placement.learned_through
        await engine.roster.shadow("home", "saved", ANN)
        await visits(engine, 60, 80)
        await engine.learner.drain()
        assert_same(learned(engine, "saved@1"), learned(engine, "configured@1"))

    async def again(engine: Engine) -> None:
        assert_same(learned(engine, "saved@1"), learned(engine, "configured@1"))

    run(settings(tmp_path, SAMPLING), work, kill=True)
    run(settings(tmp_path, SAMPLING), again)


@pytest.mark.parametrize(
    ("name", "spec", "file", "field"),
    [
        ("configured", BOLD, None, "name"),
        ("x", {"kind": "lintz"}, None, "kind"),
        ("x", {"kind": "lints", "alfa": 1}, None, "kind"),
        ("x", {"kind": "lints", "floor": 0.5}, None, "parameters.floor"),
        ("x", None, b"no zip", "model"),
    ],
)
def test_what_makes_no_policy_is_refused_with_its_reason(
    tmp_path: Path, name: str, spec: dict[str, Any] | None, file: bytes | None, field: str
) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(BadRequestError) as refused:
            await engine.roster.add("home", name, spec, file, ANN)
        assert refused.value.field == field
        with pytest.raises(NotFoundError, match="no such policy"):
            await engine.roster.shadow("home", "nobody", ANN)

    run(settings(tmp_path), work)
    assert stored(tmp_path, "SELECT count(*) FROM policies") == [(1,)]


def test_the_same_policy_is_not_added_twice_and_another_is_a_version(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await engine.roster.add("home", "bold", BOLD, None, ANN)
        with pytest.raises(ConflictError, match="already, as bold@1"):
            await engine.roster.add("home", "bold", BOLD, None, ANN)
        assert (await engine.roster.add("home", "bold", BLIND, None, ANN)).key == "bold@2"
        assert (await engine.roster.shadow("home", "bold", ANN)).key == "bold@2"

    run(settings(tmp_path), work)


def test_a_challenger_that_fails_costs_no_decision(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        placement = engine.placements["home"]
        await engine.roster.add("home", "broken", BOLD, None, ANN)
        await engine.roster.mix("home", "broken", 0.5, ANN)
        placement.models["broken@1"].policy = None  # type: ignore[assignment]  # broken
        answers = [await visit(engine, number) for number in range(4)]
        assert not any(answer["default"] for answer in answers)
        row = await engine.store.decision(answers[0]["decision_id"])
        assert row is not None
        assert np.isnan(np.frombuffer(row.parts or b"")).tolist() == [False, True]
        assert np.frombuffer(row.parts or b"")[0] == row.probability
        assert placement.models["broken@1"].n_failed == 4

    run(settings(tmp_path), work, kill=True)


def test_prices_out_of_a_range_have_no_challengers(tmp_path: Path) -> None:
    made = shop(tmp_path, promotion=None, actions=["price"], default="price",
                price_range={"min_cents": 500, "max_cents": 1500, "n_bins": 4})  # fmt: skip
    made["actions"] = [{"id": "price", "kind": "price", "price_cents": 990}]

    async def work(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion"}
        with pytest.raises(ConflictError, match="drawn by"):
            await engine.roster.add("home", "x", BOLD, None, ANN)
        answer = await visit(engine, 0)
        await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=1.0))
        assert engine.learner is not None
        await engine.learner.drain()
        await engine.eraser.erase("v0")
        placement = engine.placements["home"]
        assert placement.pricing is not None
        assert placement.pricing.policy is placement.policy  # no price by what was forgotten

    run(parse_settings(made), work)


def test_a_shadow_is_judged_by_what_was_logged_of_it(tmp_path: Path) -> None:
    """Under a blind champion the log tells of any policy: the bold one would have sold tea."""

    async def work(engine: Engine) -> None:
        placement, judge = engine.placements["home"], Judge(engine.store, engine.clock)
        await visits(engine, 0, 40)
        bold = await engine.roster.add("home", "bold", BOLD, None, ANN)
        assert (await judge.of(placement, bold)).diagnosis.n_rows == 0
        await engine.roster.shadow("home", "bold", ANN)
        await visits(engine, 40, 300)
        await engine._close_due_windows()
        found = await judge.of(placement, bold)
        assert found.diagnosis.answerable
        assert 200 < found.diagnosis.n_rows <= 260
        assert found.value > 0.9
        assert found.advantage_interval.low > 0.4
        own = await judge.of(placement, placement.lineup.champion)
        assert own.advantage == 0.0

    run(settings(tmp_path), work)


def knows(engine: Engine, key: str, *, refit: bool) -> dict[str, Any]:
    """What a model expects of the actions, and what it counted."""
    model, rng = engine.placements["home"].models[key], np.random.default_rng(0)
    policy = model.policy
    assert isinstance(policy, LinearPolicy)
    if refit:
        policy.refit()  # priors as a function of nothing but the statistics
    candidates = Candidates(("tea", "salt", "beef"), np.zeros((3, policy.n_shared)))
    contexts = rng.normal(size=(5, policy.n_context))
    expected = [policy.expected_rewards(context, candidates) for context in contexts]
    counts = [policy.n_updates, model.n_rewarded, model.reward_sum]
    return {"expected": np.array(expected), "counts": np.array(counts)}


def test_an_erasure_reaches_every_policy_whatever_it_does(tmp_path: Path) -> None:
    """Each model, the kept one too, is then what a replica learns from what is left of the log."""
    others = {"shadow": SAMPLING, "kept": BLIND, "forgets": {"kind": "lints", "half_life": 50.0}}

    async def lives(engine: Engine) -> dict[str, Any]:
        for name, spec in others.items():
            await engine.roster.add("home", name, spec, None, ANN)
            await engine.roster.shadow("home", name, ANN)
        await visits(engine, 0, 60)
        await engine.roster.rollback("home", "kept", ANN)
        before = knows(engine, "kept@1", refit=False)["expected"]
        receipt, _ = await engine.eraser.erase("v7")
        assert receipt.models == {"home": "relearned"}  # what the dearest of them took
        assert np.abs(knows(engine, "kept@1", refit=False)["expected"] - before).max() > 1e-9
        models = engine.placements["home"].models
        return {key: knows(engine, key, refit=False) for key in models}

    async def replica(engine: Engine) -> dict[str, Any]:
        await engine.roster.shadow("home", "kept", ANN)
        models = engine.placements["home"].models
        return {key: knows(engine, key, refit=key != "forgets@1") for key in models}

    found = run(settings(tmp_path, BOLD), lives)
    with closing(sqlite3.connect(tmp_path / "segue.db")) as connection:
        connection.execute("DELETE FROM models")
        connection.commit()
    expected = run(settings(tmp_path, BOLD), replica)
    assert found.keys() == expected.keys() == {"configured@1", *(f"{name}@1" for name in others)}
    for key, model in found.items():
        for name, value in model.items():
            np.testing.assert_allclose(value, expected[key][name], 1e-7, 1e-7, err_msg=key)


LEFT = "SELECT count(*) FROM models WHERE policy = 'saved@1'"


def test_what_cannot_decide_here_any_more_gives_way_and_is_kept_in_the_store(
    tmp_path: Path,
) -> None:
    """The champion is a model file that knows one context feature; then there are two."""

    async def first(engine: Engine) -> None:
        placement = engine.placements["home"]
        await visits(engine, 0, 40)
        assert engine.learner is not None
        await engine.learner.drain()
        file = packed(placement, placement.lineup.champion)
        await engine.roster.add("home", "saved", None, file, ANN)
        await engine.roster.mix("home", "saved", 0.5, ANN)
        await engine.roster.promote("home", "saved", ANN)
        assert roles(engine) == {"configured@1": "mixture", "saved@1": "champion"}

    async def second(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion"}
        assert not (await visit(engine, 100))["default"]
        assert stored(tmp_path, LEFT) == [(1,)]
        await engine.eraser.erase("v7")  # nobody can take her out of that model, so it goes
        assert stored(tmp_path, LEFT) == [(0,)]

    async def third(engine: Engine) -> None:
        assert roles(engine) == {"configured@1": "champion", "saved@1": "kept"}

    made = settings(tmp_path, SAMPLING)
    run(made, first)
    run(settings(tmp_path, SAMPLING, context={"hour": "number", "more": "number"}), second)
    ((reason,),) = stored(
        tmp_path, "SELECT reason FROM policy_steps WHERE what = 'configured' AND reason NOT NULL"
    )
    assert reason.startswith("saved@1 cannot decide here any more")
    run(made, third)


def test_a_challenger_that_cannot_learn_holds_up_nobody(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        placement = engine.placements["home"]
        model = await engine.roster.add("home", "broken", BOLD, None, ANN)
        await engine.roster.shadow("home", "broken", ANN)
        model.policy._update = None  # type: ignore[method-assign, assignment]  # broken
        await visits(engine, 0, 20)
        assert placement.policy.n_updates == 20
        assert model.learned_through == placement.learned_through

    run(settings(tmp_path), work, kill=True)


def test_a_mixture_that_was_saved_as_one_model_is_taken_apart(tmp_path: Path) -> None:
    """As an earlier version wrote it; nothing is learned again."""
    made = settings(tmp_path, SAMPLING, challenger={**BOLD, "share": 0.2})

    async def first(engine: Engine) -> tuple[bytes, int, dict[str, Any]]:
        await visits(engine, 0, 40)
        lineup = engine.placements["home"].lineup
        assert lineup.challenger is not None
        both = Mixture(lineup.champion.policy, lineup.challenger.policy, 0.2)
        once = replace(lineup.champion, policy=both)
        models = {key: learned(engine, key) for key in ("configured@1", "challenger@1")}
        return packed(engine.placements["home"], once), once.learned_through, models

    async def second(engine: Engine) -> dict[str, Any]:
        return {key: learned(engine, key) for key in ("configured@1", "challenger@1")}

    data, through, before = run(made, first)
    with closing(sqlite3.connect(tmp_path / "segue.db")) as connection:
        connection.execute("DELETE FROM models")
        row = ("home", "configured@1", through, 0, data)
        connection.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?)", row)
        connection.execute("DELETE FROM rewards")
        connection.commit()
    after = run(made, second)
    for key, model in before.items():
        assert_same(model, after[key])
