"""A finite Markov decision process behind gymnasium's vector interface, to learn it from samples.

Rewards are paid at their expectation, so that learners differ by foresight and not by luck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from simulator.errors import ActionError, StepError

if TYPE_CHECKING:
    from simulator.optimum.mdp import FiniteMDP


class FiniteVectorEnv(VectorEnv[Any, Any, Any]):
    """Many independent walks through one process; the next one begins in the same step.

    Args:
        num_envs: Number of walks.
        mdp: The process.
        observations: What is seen of each state, (n_states, n_features).
        reward_unit: What rewards are divided by.
        max_episode_steps: After which a walk is cut off (truncated).

    Example:
        >>> from simulator.optimum.shopper import discrete_shopper, observations
        >>> envs = FiniteVectorEnv(4, discrete_shopper(), observations())
        >>> envs.reset(seed=0)[0].shape
        (4, 7)
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        mdp: FiniteMDP,
        observations: npt.NDArray[np.float32],
        *,
        reward_unit: float = 1.0,
        max_episode_steps: int = 500,
    ) -> None:
        self.num_envs = num_envs
        self.mdp = mdp
        self.observations = observations
        self.reward_unit = reward_unit
        self.max_episode_steps = max_episode_steps
        n_branches = mdp.next_states.shape[2]
        self._cumulative = mdp.probabilities.reshape(-1, n_branches).cumsum(1)
        self._next = mdp.next_states.reshape(-1, n_branches)
        self._rewards = mdp.rewards.ravel() / reward_unit
        low, high = observations.min(0), observations.max(0)
        self.single_observation_space = spaces.Box(low, high, dtype=np.float32)
        self.single_action_space = spaces.Discrete(mdp.n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._mask = np.ones((num_envs, mdp.n_actions), np.bool_)
        self._states: npt.NDArray[np.int64] | None = None
        self._ages = np.zeros(num_envs, np.int64)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """All walks begin anew."""
        super().reset(seed=seed)  # type: ignore[arg-type]  # a list is for sub-environments
        self._states = self._first(self.num_envs)
        self._ages = np.zeros(self.num_envs, np.int64)
        return self.observations[self._states], {"action_mask": self._mask}

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """One step of every walk.

        Raises:
            StepError: Before ``reset``.
            ActionError: An action outside of the space.
        """
        if self._states is None:
            raise StepError("step before reset: call reset() first")
        if ((actions < 0) | (actions >= self.mdp.n_actions)).any():
            raise ActionError(f"actions must be from 0 to {self.mdp.n_actions - 1}")
        rows = self._states * self.mdp.n_actions + actions
        luck = self.np_random.random(self.num_envs)
        branch = (luck[:, None] >= self._cumulative[rows]).sum(1)
        terminated = branch == self._next.shape[1]
        branch[terminated] = 0
        self._states = self._next[rows, branch]
        self._ages += 1
        truncated = ~terminated & (self._ages >= self.max_episode_steps)
        over = terminated | truncated
        info: dict[str, Any] = {"action_mask": self._mask}
        if over.any():
            info |= {"final_obs": self.observations[self._states], "_final_obs": over}
            self._states[over] = self._first(int(over.sum()))
            self._ages[over] = 0
        return self.observations[self._states], self._rewards[rows], terminated, truncated, info

    def _first(self, n: int) -> npt.NDArray[np.int64]:
        starts = np.flatnonzero(self.mdp.start)
        return self.np_random.choice(starts, n, p=self.mdp.start[starts])
