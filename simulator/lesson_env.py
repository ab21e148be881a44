"""Shoppers to learn from: the days of `simulator.vector_env` with most of their luck taken out.

What training wants and serving never sees. An order is rare and worth a thousand times what a
message changes, so that a learner of plain rewards mostly learns luck. Here

    reward = P(still there) · expected reward of the day,

where the expectation is `simulator.dynamics.expected`'s, and nobody leaves: that they might have is
what the first factor says. Both have the mean of what they replace, and both leave the observation
as it is. Beside it the critic is told what the shopper is (``info["told"]``, see
`policy.ppo.vec_env`), which a baseline may know without changing what is learned.

References:
    Pinto, Andrychowicz, Welinder, Zaremba, Abbeel. Asymmetric Actor Critic for Image-Based Robot
    Learning. RSS 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from simulator.crowd import ORACLE, oracle
from simulator.dynamics.day import leaving
from simulator.dynamics.expected import expected_rewards
from simulator.dynamics.shopper import State, Traits, rows_of
from simulator.errors import StepError
from simulator.vector_env import CENTS_A_REWARD, Booleans, ShopperVectorEnv

if TYPE_CHECKING:
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]
TOLD = (*ORACLE, "still_there")


class LessonVectorEnv(ShopperVectorEnv):
    """Slots of shoppers who never leave, with the reward that their days can be expected to earn.

    An episode ends only with the world's horizon (truncated), and the next begins in the same step.

    Args:
        num_envs: Number of slots.
        world: Where they live, and from where they would leave.
        staggered: Whether the first episode of each slot ends early, so that slots are not all at
            the same age.

    Example:
        >>> from simulator.dynamics.world import World
        >>> envs = LessonVectorEnv(4, world=World())
        >>> observation, info = envs.reset(seed=1)
        >>> observation.shape, info["told"].shape
        ((4, 30), (4, 33))
        >>> _, rewards, terminated, *_ = envs.step(np.zeros(4, np.int64))
        >>> rewards.shape, terminated.any()
        ((4,), np.False_)
    """

    def __init__(self, num_envs: int, *, world: World, staggered: bool = True) -> None:
        super().__init__(
            num_envs, world=world.without("churn"), autoreset_mode=AutoresetMode.SAME_STEP
        )
        self.metadata = {**self.metadata, "n_told": len(TOLD)}  # type: ignore[misc]
        self._lived = world
        self._there = np.ones(num_envs)
        self._staggered = staggered
        self._last_day = self._first_ends()

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """New shoppers in all slots; see ``ShopperVectorEnv``.

        Raises:
            StepError: Any option: slots are never reset alone.
        """
        if options:
            raise StepError(f"options are {options!r:.80}: lessons take none, all slots begin anew")
        observation, info = super().reset(seed=seed)
        self._there = np.ones(self.num_envs)
        self._last_day = self._first_ends()
        return observation, info | {"told": self._told()}

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float32], Array, Booleans, Booleans, dict[str, Any]]:
        """One day for everyone.

        Raises:
            ActionError: An action outside of the space, or masked; then nothing happened.
        """
        crowd = self.crowd
        traits, morning, chosen = crowd.traits, crowd.state, np.asarray(actions)
        ordered = crowd.live(chosen).ordered
        expected = expected_rewards(self._lived, traits, morning, chosen, crowd.keys)
        rewards = self._there * expected / CENTS_A_REWARD
        was, loyalty = rows_of(State, morning), rows_of(State, crowd.state).loyalty
        left = leaving(self._lived.effects, rows_of(Traits, traits), was, ordered, loyalty)
        self._there = self._there * (1.0 - np.minimum(left, 1.0))
        over = crowd.state[0] >= self._last_day
        info: dict[str, Any] = {}
        if over.any():
            info = {
                "final_obs": crowd.observation(),
                "final_told": self._told(),
                "_final_obs": over,
            }
            crowd.replace(over)
            self._there[over] = 1.0
            self._last_day[over] = self.world.horizon_days
        info |= {"action_mask": crowd.mask(), "told": self._told()}
        return crowd.observation(), rewards, np.zeros_like(over), over, info

    def _first_ends(self) -> Array:
        """The last day of each slot's first episode, spread evenly where staggered."""
        if not self._staggered:
            return np.full(self.num_envs, float(self.world.horizon_days))
        slots = np.arange(1, self.num_envs + 1)
        return np.ceil(slots * self.world.horizon_days / self.num_envs)

    def _told(self) -> npt.NDArray[np.float32]:
        seen = oracle(self.crowd.traits, self.crowd.state)
        return np.column_stack([seen, self._there]).astype(np.float32)
