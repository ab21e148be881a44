"""Training, where torch is installed: learns, resumes to the bit, and exports what it learned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from policy.base import Candidates
from policy.errors import ParameterError, StateError
from policy.ppo.policy import PPOPolicy
from policy.ppo.settings import TrainingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from policy.ppo.network import Network

pytest.importorskip("torch", reason="needs pip install 'segue[train]'")
pytest.importorskip("stable_baselines3", reason="needs pip install 'segue[train]'")

NAMES, ACTIONS = ("key", "age"), ("a", "b", "c")


class Locks(VectorEnv[Any, Any, Any]):
    """Pays 1 where the action is the number on the lock, in 5 steps; "c" is masked on lock 0."""

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = spaces.Box(-1.0, 100.0, (2,), np.float32)
        self.single_action_space = spaces.Discrete(3)
        self.chosen: list[np.ndarray] = []

    def observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        mask = np.ones((self.num_envs, 3), np.bool_)
        mask[:, 2] = self.locks != 0
        seen = np.stack([30.0 * self.locks, self.age], axis=1).astype(np.float32)
        return seen, {"action_mask": mask}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.locks = self.np_random.integers(0, 3, self.num_envs)
        self.age = np.zeros(self.num_envs)
        return self.observe()

    def step(self, actions: np.ndarray) -> Any:
        self.chosen.append(np.stack([self.locks, actions]))
        rewards = (actions == self.locks).astype(np.float64)
        self.locks = self.np_random.integers(0, 3, self.num_envs)
        self.age = self.age + 1
        over = self.age >= 5
        last, _ = self.observe()
        self.age[over] = 0
        observation, info = self.observe()
        if over.any():
            info |= {"final_obs": last, "_final_obs": over}
        return observation, rewards, np.zeros_like(over), over, info


SETTINGS = TrainingSettings(
    frames=16_384, n_steps=32, batch_size=256, checkpoint_frames=4_096, width=16, gamma=0.0,
    learning_rate=5e-3,
)  # fmt: skip


def trained(
    checkpoint: Path | None = None, settings: TrainingSettings = SETTINGS, **more: Any
) -> Any:
    from policy.ppo.train import train

    return train(Locks(32), NAMES, ACTIONS, settings, checkpoint=checkpoint, **more)


def test_it_opens_the_locks() -> None:
    network: Network = trained().network
    locks = np.array([[0.0, 1.0], [30.0, 1.0], [60.0, 1.0]])
    assert network.probabilities(locks).argmax(1).tolist() == [0, 1, 2]
    assert network.scale[0] == pytest.approx(1 / 24.5, rel=0.1)


def test_a_masked_action_is_never_taken() -> None:
    from policy.ppo.train import train

    envs = Locks(32)
    train(envs, NAMES, ACTIONS, TrainingSettings(frames=2_048, n_steps=32, batch_size=256))
    locks, actions = np.concatenate(envs.chosen, axis=1)
    assert (locks == 0).sum() > 500
    assert not ((locks == 0) & (actions == 2)).any()


def test_numpy_serves_what_torch_learned() -> None:
    import torch

    from policy.ppo.masked import export
    from policy.ppo.train import _Run
    from policy.ppo.vec_env import MaskedVecEnv

    run = _Run(MaskedVecEnv(Locks(32)), NAMES, ACTIONS, SETTINGS)
    run.leg(None)
    network = export(run.model.policy, NAMES, ACTIONS)
    rng = np.random.default_rng(0)
    rows = rng.normal(scale=50.0, size=(2_000, 2)).astype(np.float32)
    masks = rng.random((2_000, 3)) < 0.7
    masks[~masks.any(1)] = True
    seen = torch.as_tensor(np.concatenate([rows, masks], axis=1, dtype=np.float32))
    with torch.no_grad():
        expected = run.model.policy.get_distribution(seen).distribution.probs.numpy()
        values = run.model.policy.predict_values(seen).numpy()[:, 0]
    assert np.abs(network.probabilities(rows, masks) - expected).max() < 1e-6
    assert network.value(rows) == pytest.approx(values, abs=1e-5)
    # And as a placement decides with it: masked actions are no candidates.
    policy = PPOPolicy(network, floor=0.0)
    for row, mask, wanted in zip(rows[:300], masks, expected, strict=False):
        ids = tuple(np.array(ACTIONS)[mask].tolist())
        candidates = Candidates(ids, np.zeros((len(ids), 0)))
        found = policy.distribution(row, candidates, rng)
        assert np.abs(found - wanted[mask]).max() < 1e-6


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_training_resumes_to_the_bit(tmp_path: Path) -> None:
    def die(frames: int) -> None:
        if frames > 9_000:
            raise KilledError

    whole = trained(tmp_path / "whole")
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", on_frames=die)
    frames: list[int] = []
    resumed = trained(tmp_path / "killed", on_frames=frames.append)
    assert frames[0] == 9_216
    assert resumed.network.to_bytes() == whole.network.to_bytes()
    with pytest.raises(StateError, match="checkpoint is of settings"):
        trained(tmp_path / "whole", TrainingSettings(frames=4_096, batch_size=256))


def test_the_best_network_is_kept_not_the_last() -> None:
    scores = iter([1.0, 3.0, 2.0, 0.0])
    seen: list[bytes] = []

    def score(network: Network) -> float:
        seen.append(network.to_bytes())
        return next(scores)

    result = trained(score=score)
    assert result.network.to_bytes() == seen[1]
    assert [value for _, value in result.scores] == [1.0, 3.0, 2.0, 0.0]


def test_environments_that_do_not_fit_are_refused() -> None:
    from policy.ppo.train import train

    with pytest.raises(ParameterError, match="1 features and 3 actions do not fit"):
        train(Locks(4), ("key",), ACTIONS, SETTINGS)
    with pytest.raises(ParameterError, match=r"batch_size is 4096: must divide .*, 256"):
        train(Locks(4), NAMES, ACTIONS, TrainingSettings())
    late = Locks(4)
    late.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # type: ignore[misc]
    with pytest.raises(ParameterError, match="must be SAME_STEP"):
        train(late, NAMES, ACTIONS, SETTINGS)


class Whispers(Locks):
    """The lock is told to the critic alone: the actor sees nothing but its age."""

    metadata: ClassVar[dict[str, Any]] = {
        "autoreset_mode": AutoresetMode.SAME_STEP, "n_told": 1,
    }  # fmt: skip

    def observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        seen, info = super().observe()
        told = seen[:, :1].copy()
        seen[:, 0] = 0.0
        return seen, info | {"told": told}

    def step(self, actions: np.ndarray) -> Any:
        *found, info = super().step(actions)
        if "final_obs" in info:
            info["final_told"] = info["told"]
        return *found, info


def test_what_the_critic_is_told_reaches_neither_actor_nor_model() -> None:
    from policy.ppo.train import train

    settings = replace(SETTINGS, frames=8_192, reward_unit=0.5, idle=0.5)
    network = train(Whispers(32), NAMES, ACTIONS, settings).network
    assert network.mean.shape == (2,)
    # The critic that is exported knows the features alone: a mean over the locks, in rewards.
    assert 0.2 < network.value(np.array([0.0, 2.0])) < 0.8


def test_an_idle_start_takes_the_first_action_as_often_as_it_is_asked_to() -> None:
    from policy.ppo.train import train

    settings = replace(SETTINGS, frames=1_024, learning_rate=0.0, idle=0.7)
    network = train(Locks(32), NAMES, ACTIONS, settings).network
    shares = network.probabilities(np.array([[30.0, 1.0], [60.0, 2.0]]))
    assert shares[:, 0] == pytest.approx([0.7, 0.7], abs=0.02)
