from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policy.ppo.network import untrained
from simulator.crowd import Crowd
from simulator.dynamics.world import World
from simulator.errors import WorldError
from simulator.experiment.deciders import Fixed, make_decider
from simulator.experiment.life import draw_each, live_through
from simulator.readings import FEATURES

WORLD = replace(World(), horizon_days=30)
IDS = tuple(action.id for action in WORLD.actions)
RANDOM = Fixed(np.full(12, 1 / 12))


def test_a_shoppers_return_does_not_depend_on_who_else_is_there() -> None:
    few, many = live_through(WORLD, RANDOM, 20), live_through(WORLD, RANDOM, 60)
    assert (few.returns_cents == many.returns_cents[:20]).all()


def test_the_days_add_up_to_the_returns() -> None:
    lives = live_through(WORLD, RANDOM, 50)
    assert lives.daily_cents.sum() == pytest.approx(lives.returns_cents.mean())
    assert 50 * 25 < lives.action_counts.sum() <= 50 * 30
    assert 0 < lives.stayed <= 1


def test_draws_follow_the_distribution_and_never_a_zero() -> None:
    p = np.tile([0.0, 0.3, 0.0, 0.7, 0.0], (20_000, 1))
    chosen = draw_each(p, np.random.default_rng(0).random(20_000))
    assert set(chosen.tolist()) == {1, 3}
    assert (chosen == 1).mean() == pytest.approx(0.3, abs=0.02)
    assert draw_each(p[:2], np.array([0.0, 1 - 2**-32])).tolist() == [1, 3]


@pytest.mark.parametrize("word", ["nothing", "random", "always:push-15", "bandit:squarecb"])
def test_every_kind_of_decider_gives_masked_distributions(word: str) -> None:
    decider, rng = make_decider(word, FEATURES, IDS, 0), np.random.default_rng(0)
    mask = rng.random((30, 12)) < 0.5
    mask[:, 0] = True
    found = decider.probabilities(rng.random((30, 30)).astype(np.float32), mask)
    assert found.sum(1) == pytest.approx(1.0)
    assert not found[~mask].any()


def test_a_bandit_learns_within_a_life() -> None:
    """Where only contact costs matter, it ends up doing nothing."""
    world = replace(WORLD.without("messages", "offers"), horizon_days=20)
    costly = tuple(
        replace(a, cost_cents=300.0 if a.channel != "none" else 0.0) for a in world.actions
    )
    world = replace(world, actions=costly)
    lives = live_through(world, make_decider("bandit:linucb", FEATURES, IDS, 0), 60)
    random = live_through(world, RANDOM, 60)
    assert lives.daily_cents[10:].mean() > random.daily_cents[10:].mean()


def test_words_that_name_nothing_say_what_would() -> None:
    for word, message in (
        ("always:nowt", "did you mean 'nothing'"),
        ("bandit:linuc", "did you mean 'linucb'"),
        ("best", "must be nothing, random, always:ACTION, bandit:KIND or a model file"),
        ("none.zip", "cannot be used"),
    ):
        with pytest.raises(WorldError, match=message):
            make_decider(word, FEATURES, IDS, 0)


def test_a_model_of_other_features_is_refused(tmp_path) -> None:
    network = untrained(("x",), IDS, np.random.default_rng(0))
    (tmp_path / "m.zip").write_bytes(network.to_bytes())
    with pytest.raises(WorldError, match="trained on other features"):
        make_decider(str(tmp_path / "m.zip"), Crowd(WORLD, 1).names, IDS, 0)
