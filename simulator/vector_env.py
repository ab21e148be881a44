"""Thousands of shoppers at once behind gymnasium's vector interface.

``gymnasium.make_vec("segue/Shopper-v0", num_envs=4096)`` once `simulator.registration` is
imported. Everything happens in arrays; there are no sub-environments.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from simulator.crowd import Crowd, Observe, Snapshot
from simulator.dynamics.world import World
from simulator.errors import StepError

if TYPE_CHECKING:
    from simulator.crowd import Advance

Booleans = npt.NDArray[np.bool_]
CENTS_A_REWARD = 100.0
"""Rewards are in units of 100 cents, so that they are of the order of 1."""


class ShopperVectorEnv(VectorEnv[Any, Any, Any]):
    """Shoppers in slots; each leaves for good (terminated) or runs out of time (truncated).

    Observations are those of ``simulator.crowd.Crowd``, actions index ``world.actions``, a reward
    is margin less discount, contact and returns in units of 100 cents. ``info["action_mask"]``,
    (num_envs, n_actions), says which actions reach the shopper that the observation is of.

    What happens after an episode's end is ``metadata["autoreset_mode"]``. SAME_STEP: the
    observation is already the next shopper's, the last one's is ``info["final_obs"]``. NEXT_STEP:
    the next step's action is ignored and begins the next shopper, with reward 0. DISABLED: the
    slots have to be reset with ``reset(options={"reset_mask": ...})``.

    Args:
        num_envs: Number of slots.
        world: Where they live.
        observe: See ``Crowd``.
        autoreset_mode: See above.
        max_episode_steps: Instead of the world's horizon.
        advance: See ``Crowd``.

    Example:
        >>> envs = ShopperVectorEnv(4)
        >>> observation, info = envs.reset(seed=1)
        >>> observation.shape, info["action_mask"].shape
        ((4, 30), (4, 12))
        >>> _, rewards, terminated, truncated, info = envs.step(np.zeros(4, np.int64))
        >>> rewards.shape
        (4,)
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": None}  # type: ignore[misc]

    def __init__(
        self,
        num_envs: int = 1,
        *,
        world: World | None = None,
        observe: Observe = "features",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        advance: Advance | None = None,
    ) -> None:
        self.num_envs = num_envs
        self.world = world_of(world, max_episode_steps)
        self.crowd = Crowd(self.world, num_envs, observe=observe, advance=advance)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}  # type: ignore[misc]
        self.single_observation_space, self.single_action_space = spaces_of(self.crowd)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._done: Booleans | None = None

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """New shoppers in all slots, or in those of ``options["reset_mask"]``.

        Args:
            seed: Of everyone's luck, with shoppers 0, 1, ...; None goes on with shoppers that
                were not met yet.
            options: Only ``reset_mask``, (num_envs,) bool.

        Raises:
            StepError: A list of seeds, an unknown option, or a mask of another shape.
        """
        mask = _reset_mask(options, self.num_envs)
        if isinstance(seed, list):
            raise StepError("seed is a list: give one number, shoppers differ by their ids")
        super().reset(seed=seed)
        if seed is not None:
            self.crowd.start(seed)
        elif self._done is None:
            self.crowd.start(int(self.np_random.integers(2**63)))
        else:
            self.crowd.replace(np.ones(self.num_envs, np.bool_) if mask is None else mask)
        done = np.zeros(self.num_envs, np.bool_) if self._done is None else self._done
        self._done = np.zeros_like(done) if mask is None else done & ~mask
        return self.crowd.observation(), {"action_mask": self.crowd.mask()}

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[
        npt.NDArray[np.float32], npt.NDArray[np.float64], Booleans, Booleans, dict[str, Any]
    ]:
        """One day for everyone.

        Raises:
            StepError: Before ``reset``, or, without autoreset, in slots whose episode is over.
            ActionError: An action outside of the space, or masked; then nothing happened.
        """
        if self._done is None:
            raise StepError("step before reset: call reset() first")
        starting = self._done
        if self.autoreset_mode == AutoresetMode.DISABLED and starting.any():
            slots = np.flatnonzero(starting)[:5].tolist()
            raise StepError(f"slots {slots} are over: reset them with options['reset_mask']")
        actions = np.where(starting, 0, actions) if starting.any() else actions
        outcome = self.crowd.live(actions)
        rewards = np.where(starting, 0.0, outcome.reward / CENTS_A_REWARD)
        if starting.any():
            self.crowd.replace(starting)
        terminated = self.crowd.left
        truncated = self.crowd.timed_out & ~terminated
        self._done = terminated | truncated
        info: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._done.any():
            info = {"final_obs": self.crowd.observation(), "_final_obs": self._done}
            self.crowd.replace(self._done)
            self._done = np.zeros_like(self._done)
        info["action_mask"] = self.crowd.mask()
        return self.crowd.observation(), rewards, terminated, truncated, info

    def clone(self) -> tuple[Snapshot, Booleans | None]:
        """Everything about this moment; ``restore`` comes back to it."""
        return self.crowd.clone(), None if self._done is None else self._done.copy()

    def restore(self, snapshot: tuple[Snapshot, Booleans | None]) -> None:
        """Back to a moment: the same actions then lead to the same days, to the bit."""
        crowd, done = snapshot
        self.crowd.restore(crowd)
        self._done = None if done is None else done.copy()


def spaces_of(crowd: Crowd) -> tuple[spaces.Box, spaces.Discrete[Any]]:
    """What is observed and done in one slot."""
    n_features, n_actions = len(crowd.names), crowd.world.n_actions
    return spaces.Box(-100.0, 100.0, (n_features,), np.float32), spaces.Discrete(n_actions)


def world_of(world: World | None, max_episode_steps: int | None) -> World:
    """The world, with another horizon if one is given."""
    world = world or World()
    return world if max_episode_steps is None else replace(world, horizon_days=max_episode_steps)


def _reset_mask(options: dict[str, Any] | None, num_envs: int) -> Booleans | None:
    mask: Booleans | None = None
    for name, value in (options or {}).items():
        if name != "reset_mask":
            raise StepError(f"option {name!r} is unknown: only 'reset_mask' is")
        mask = np.asarray(value)
        if mask.shape != (num_envs,) or mask.dtype != np.bool_:
            raise StepError(
                f"reset_mask has shape {mask.shape} of {mask.dtype}: ({num_envs},) bool"
            )
    return mask
