from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import simulator.registration  # noqa: F401  # registers the ids
from simulator.crowd import OBSERVE
from simulator.dynamics.effects import Effects
from simulator.dynamics.world import World
from simulator.env import ShopperEnv
from simulator.errors import ActionError, StepError, WorldError
from simulator.vector_env import ShopperVectorEnv

SHORT_LIVED = replace(World(), effects=Effects(fatigue_churn=0.3), horizon_days=20)


def days(env: Any, actions: list[int]) -> list[tuple[Any, ...]]:
    return [env.step(action) for action in actions]


@pytest.mark.parametrize("observe", OBSERVE)
def test_gymnasium_finds_no_fault(observe: str) -> None:
    # Channels do not close here: the checker's random actions know no masks.
    world = World().without("opt_out")
    check_env(ShopperEnv(world=world, observe=observe), skip_render_check=True)  # type: ignore[arg-type]


def test_it_is_made_by_its_id() -> None:
    env = gymnasium.make("segue/Shopper-v0", world=World().without("opt_out"))
    assert env.spec is not None
    assert isinstance(env.unwrapped, ShopperEnv)
    envs = gymnasium.make_vec("segue/Shopper-v0", num_envs=3)
    assert isinstance(envs, ShopperVectorEnv)


def test_a_shoppers_days_are_those_of_a_slot() -> None:
    envs, env = ShopperVectorEnv(5, world=SHORT_LIVED), ShopperEnv(world=SHORT_LIVED)
    envs.reset(seed=9)
    env.reset(seed=9, options={"shopper": 3})
    for _ in range(8):
        observations, rewards, terminated, truncated, _ = envs.step(np.zeros(5, np.int64))
        observation, reward, over, out, _ = env.step(np.int64(0))
        assert (observation == observations[3]).all()
        assert (reward, over, out) == (rewards[3], terminated[3], truncated[3])


def test_time_is_up_as_truncated_and_leaving_is_terminated() -> None:
    env = ShopperEnv(world=SHORT_LIVED.without("churn"))
    env.reset(seed=0)
    *_, (_, _, terminated, truncated, _) = days(env, [0] * 20)
    assert (terminated, truncated) == (False, True)
    with pytest.raises(StepError, match="reset"):
        env.step(np.int64(0))
    env = ShopperEnv(world=World(effects=Effects(fatigue_churn=1.0, fatigue_half=0.01)))
    env.reset(seed=0)
    *_, (_, _, terminated, truncated, _) = days(env, [1, 0])
    assert (terminated, truncated) == (True, False)


def test_a_clone_restored_lives_the_same_days_again() -> None:
    env = ShopperEnv()
    env.reset(seed=3)
    days(env, [1] * 5)
    moment = env.clone()
    first = days(env, [7] * 10)
    env.restore(moment)
    second = days(env, [7] * 10)
    for a, b in zip(first, second, strict=True):
        assert (a[0] == b[0]).all()
        assert a[1:4] == b[1:4]


def test_bad_actions_are_refused_before_anything_happens() -> None:
    env = ShopperEnv(world=replace(World(), effects=Effects(opt_out=1.0)))
    env.reset(seed=0)
    before = env.clone()[0].state
    for action in (-1, 12):
        with pytest.raises(ActionError, match="from 0 to 11"):
            env.step(np.int64(action))
    with pytest.raises(ActionError, match="whole numbers"):
        env.step(0.5)  # type: ignore[arg-type]
    assert (env.clone()[0].state == before).all()
    for _ in range(100):
        *_, info = env.step(np.int64(1))
        if not info["action_mask"][1]:
            break
    assert info["action_mask"].tolist() == [True] + [False] * 8 + [True] * 3
    with pytest.raises(ActionError, match=r"'email-news' is masked .* action_mask"):
        env.step(np.int64(1))


def test_unknown_options_and_modes_name_the_rule() -> None:
    with pytest.raises(StepError, match="only 'shopper'"):
        ShopperEnv().reset(options={"shoper": 1})
    with pytest.raises(WorldError, match="features, features\\+segment, oracle"):
        ShopperEnv(observe="everything")  # type: ignore[arg-type]
    with pytest.raises(StepError, match="reset"):
        ShopperEnv().step(np.int64(0))
