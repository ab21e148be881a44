"""One shopper behind gymnasium's ``Env``; ``gymnasium.make("segue/Shopper-v0")``.

The same days as a slot of `simulator.vector_env`, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt

from simulator.crowd import Crowd, Observe, Snapshot
from simulator.errors import StepError
from simulator.vector_env import CENTS_A_REWARD, spaces_of, world_of

if TYPE_CHECKING:
    from simulator.crowd import Advance
    from simulator.dynamics.world import World


class ShopperEnv(gymnasium.Env[Any, Any]):
    """One shopper, day by day, until they leave for good (terminated) or time is up (truncated).

    Args:
        world: Where the shopper lives.
        observe: See ``Crowd``.
        max_episode_steps: Instead of the world's horizon.
        advance: See ``Crowd``.

    Example:
        >>> env = ShopperEnv()
        >>> observation, info = env.reset(seed=1)
        >>> info["action_mask"].all(), info["shopper"]
        (np.True_, 0)
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]

    def __init__(
        self,
        *,
        world: World | None = None,
        observe: Observe = "features",
        max_episode_steps: int | None = None,
        advance: Advance | None = None,
    ) -> None:
        self.crowd = Crowd(world_of(world, max_episode_steps), 1, observe=observe, advance=advance)
        self.observation_space, self.action_space = spaces_of(self.crowd)
        self._running: bool | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """A new shopper.

        Args:
            seed: Of the luck, with shopper 0; None goes on with the next shopper.
            options: Only ``shopper``, the id of the one to meet.

        Raises:
            StepError: An unknown option, or an id that is none.
        """
        shopper = _shopper(options)
        super().reset(seed=seed)
        if seed is not None:
            self.crowd.start(seed, first=shopper or 0)
        elif self._running is None:
            self.crowd.start(int(self.np_random.integers(2**63)), first=shopper or 0)
        elif shopper is not None:
            self.crowd.start(self.crowd.seed, first=shopper)
        else:
            self.crowd.replace(np.ones(1, np.bool_))
        self._running = True
        return self.crowd.observation()[0], self._info()

    def step(
        self, action: np.int64
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One day.

        Raises:
            StepError: Before ``reset``, or after the episode's end.
            ActionError: An action outside of the space, or masked; then nothing happened.
        """
        if not self._running:
            raise StepError("no shopper to step: call reset() first")
        outcome = self.crowd.live(np.array([action]))
        terminated = bool(self.crowd.left[0])
        truncated = bool(self.crowd.timed_out[0]) and not terminated
        self._running = not (terminated or truncated)
        reward = float(outcome.reward[0]) / CENTS_A_REWARD
        return self.crowd.observation()[0], reward, terminated, truncated, self._info()

    def clone(self) -> tuple[Snapshot, bool | None]:
        """Everything about this moment; ``restore`` comes back to it."""
        return self.crowd.clone(), self._running

    def restore(self, snapshot: tuple[Snapshot, bool | None]) -> None:
        """Back to a moment: the same actions then lead to the same days, to the bit."""
        crowd, self._running = snapshot
        self.crowd.restore(crowd)

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.crowd.mask()[0], "shopper": int(self.crowd.shoppers[0])}


def _shopper(options: dict[str, Any] | None) -> int | None:
    shopper = None
    for name, value in (options or {}).items():
        if name != "shopper":
            raise StepError(f"option {name!r} is unknown: only 'shopper' is")
        if not isinstance(value, int) or not 0 <= value < 2**62:
            raise StepError(f"shopper is {value!r:.80}: must be a whole number of at least 0")
        shopper = value
    return shopper
