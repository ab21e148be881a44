from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from simulator.dynamics.effects import Effects
from simulator.dynamics.world import World
from simulator.errors import StepError
from simulator.vector_env import ShopperVectorEnv

WORLD = replace(World(), effects=Effects(fatigue_churn=0.2), horizon_days=15)
N = 60


def rollout(envs: ShopperVectorEnv, n_days: int, action: int = 9) -> list[tuple]:
    _, info = envs.reset(seed=1)
    found = []
    for _ in range(n_days):
        actions = np.where(info["action_mask"][:, action], action, 0)
        found.append(envs.step(actions))
        info = found[-1][-1]
    return found


def test_spaces_hold_what_comes() -> None:
    envs = ShopperVectorEnv(N, world=WORLD)
    for observation, rewards, terminated, truncated, info in rollout(envs, 40):
        assert envs.observation_space.contains(observation)
        assert rewards.dtype == np.float64
        assert terminated.dtype == truncated.dtype == info["action_mask"].dtype == np.bool_
        assert not (terminated & truncated).any()


def test_same_step_shows_the_next_shopper_and_keeps_the_last_observation() -> None:
    envs = ShopperVectorEnv(N, world=WORLD, autoreset_mode=AutoresetMode.SAME_STEP)
    unknown = envs.single_observation_space.shape[0] - 1
    seen = 0
    for observation, _, terminated, truncated, info in rollout(envs, 40):
        over = terminated | truncated
        seen += over.sum()
        if over.any():
            assert (info["_final_obs"] == over).all()
            assert (observation[over][:, unknown] == 0.0).all()
            assert (info["final_obs"][over][:, 2] > 0.0).any()
    assert seen > N


def test_next_step_ignores_one_action_and_pays_nothing_for_it() -> None:
    envs = ShopperVectorEnv(N, world=WORLD, autoreset_mode=AutoresetMode.NEXT_STEP)
    over = np.zeros(N, np.bool_)
    for observation, rewards, terminated, truncated, _ in rollout(envs, 40):
        if over.any():
            assert not rewards[over].any()
            assert not (terminated | truncated)[over].any()
            assert (observation[over][:, -1] == 0.0).all()
        over = terminated | truncated


def test_both_autoresets_live_the_same_lives() -> None:
    """Rewards of the first shoppers until they are over agree step by step."""
    modes = [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP]
    paid, ended = [], []
    for mode in modes:
        steps = rollout(ShopperVectorEnv(N, world=WORLD, autoreset_mode=mode), 15)
        over = np.stack([step[2] | step[3] for step in steps])
        before = np.cumsum(over, axis=0) - over == 0
        paid.append(np.where(before, np.stack([step[1] for step in steps]), 0.0))
        ended.append(over.argmax(0))
    assert (paid[0] == paid[1]).all()
    assert (ended[0] == ended[1]).all()


def test_without_autoreset_the_mask_resets_what_is_over() -> None:
    envs = ShopperVectorEnv(N, world=WORLD.without("churn"), autoreset_mode=AutoresetMode.DISABLED)
    _, _, _, truncated, _ = rollout(envs, 15)[-1]
    assert truncated.all()
    with pytest.raises(StepError, match="reset_mask"):
        envs.step(np.zeros(N, np.int64))
    envs.reset(options={"reset_mask": truncated})
    envs.step(np.zeros(N, np.int64))
    with pytest.raises(StepError, match="bool"):
        envs.reset(options={"reset_mask": np.ones(3)})


def test_the_same_seed_repeats_and_a_clone_restores() -> None:
    envs = ShopperVectorEnv(N, world=WORLD)
    first, second = rollout(envs, 20), rollout(envs, 20)
    assert all(
        (a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(first, second, strict=True)
    )
    moment = envs.clone()
    after = envs.step(np.zeros(N, np.int64))
    envs.restore(moment)
    again = envs.step(np.zeros(N, np.int64))
    assert (after[0] == again[0]).all()
    assert (after[1] == again[1]).all()
