"""Lessons have the mean of life, and a fraction of its luck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.dynamics.effects import Effects
from simulator.dynamics.expected import expected_rewards
from simulator.dynamics.world import World
from simulator.errors import StepError
from simulator.experiment.deciders import Fixed
from simulator.experiment.life import live_through
from simulator.experiment.prospect import prospects
from simulator.lesson_env import TOLD, LessonVectorEnv
from simulator.scenarios.scenario import load_world

# Little is pending when the time is up: what is decided on the last days is not lost.
PROMPT = Effects(convert=0.9, return_rate=0.9)
WORLDS = {
    "steady": replace(load_world("steady"), effects=PROMPT, horizon_days=60),
    "leaving": replace(
        World(),
        effects=PROMPT._replace(dropout=5.0, fatigue_churn=0.02, returned=0.3, intent=1.0),
        horizon_days=60,
    ),
    "price-war": replace(load_world("price-war"), effects=PROMPT, horizon_days=90),
}


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("steady", "email-25"),
        ("steady", "email-coupon-20"),
        ("leaving", "nothing"),
        ("leaving", "all"),
        ("price-war", "site-10"),
    ],
)
def test_lessons_have_the_mean_of_lives(name: str, action: str) -> None:
    world, n = WORLDS[name], 1_500
    ids = [one.id for one in world.actions]
    weights = np.full(12, 1 / 12) if action == "all" else np.eye(12)[ids.index(action)]
    lived = live_through(world, Fixed(weights), n, seed=3).returns_cents
    expected = prospects(world, Fixed(weights), n, seed=3)
    apart = lived - expected
    assert abs(apart.mean()) < 3.5 * apart.std() / np.sqrt(n) + 0.01 * abs(lived.mean())
    assert expected.var() < 0.9 * lived.var()


def test_a_day_has_a_fraction_of_its_luck() -> None:
    envs = LessonVectorEnv(2_000, world=load_world("steady"))
    envs.reset(seed=1)
    crowd = envs.crowd
    for _ in range(20):
        action = np.zeros(2_000, np.int64)
        expected = expected_rewards(crowd.world, crowd.traits, crowd.state, action, crowd.keys)
        happened = crowd.live(action).reward
    assert happened.var() > 20.0 * expected.var()


def test_nobody_leaves_and_what_they_might_have_is_counted() -> None:
    world = WORLDS["leaving"]
    envs = LessonVectorEnv(300, world=world, staggered=False)
    _, info = envs.reset(seed=1)
    for _ in range(59):
        *_, terminated, truncated, info = envs.step(np.zeros(300, np.int64))
        assert not (terminated | truncated).any()
    there = info["told"][:, TOLD.index("still_there")]
    lives = live_through(world, Fixed(np.eye(12)[0]), 300, seed=1)
    assert there.mean() == pytest.approx(lives.stayed, abs=0.05)
    *_, truncated, info = envs.step(np.zeros(300, np.int64))
    assert truncated.all()
    assert (info["told"][:, -1] == 1.0).all()
    assert info["final_told"].shape == info["told"].shape == (300, envs.metadata["n_told"])


def test_slots_are_not_reset_alone() -> None:
    envs = LessonVectorEnv(2, world=WORLDS["steady"])
    with pytest.raises(StepError, match="lessons take none"):
        envs.reset(options={"reset_mask": np.array([True, False])})


def test_slots_are_at_different_ages() -> None:
    envs = LessonVectorEnv(60, world=WORLDS["steady"])
    envs.reset(seed=1)
    ends = [envs.step(np.zeros(60, np.int64))[3].sum() for _ in range(60)]
    assert ends == [1] * 60
