"""One shopper behind gymnasium's ``Env``; ``gymnasium.make("segue/Shopper-v0")``.

The same days as a slot of `simulator.vector_env`, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
import numpy.typing as npt

from simulator.crowd import Crowd, Observe, Snapshot
from simulator.dynamics.shopper import Outcome
from simulator.errors import StepError
from simulator.single import Single, advance
from simulator.vector_env import CENTS_A_REWARD, spaces_of, world_of

if TYPE_CHECKING:
    from simulator.dynamics.world import World
    from simulator.single import AdvanceOne

_REWARD, _LEFT = Outcome._fields.index("reward"), Outcome._fields.index("left")


class ShopperEnv(gymnasium.Env[Any, Any]):
    """One shopper, day by day, until they leave for good (terminated) or time is up (truncated).

    Args:
        world: Where the shopper lives.
        observe: See ``Crowd``.
        max_episode_steps: Instead of the world's horizon.
        compiled: Whether days are compiled by numba (extra `train`), which takes some seconds at
            the first and pays off after some 100,000. The bits are the same.

    Raises:
        MissingExtra: ``compiled`` without numba.

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
        compiled: bool = False,
    ) -> None:
        self.crowd = Crowd(world_of(world, max_episode_steps), 1, observe=observe)
        self.observation_space, self.action_space = spaces_of(self.crowd)
        self._single = Single(self.crowd, _advance(compiled))
        self._horizon_days = self.crowd.world.horizon_days
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
        self._single.meet()
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
        outcome = self._single.live(action)  # type: ignore[arg-type]  # numpy's whole numbers, too
        terminated = outcome.item(_LEFT) > 0.0
        truncated = not terminated and self.crowd.state.item(0) >= self._horizon_days
        self._running = not (terminated or truncated)
        reward = outcome.item(_REWARD) / CENTS_A_REWARD
        return self._observation(), reward, terminated, truncated, self._info()

    def clone(self) -> tuple[Snapshot, bool | None]:
        """Everything about this moment; ``restore`` comes back to it."""
        return self.crowd.clone(), self._running

    def restore(self, snapshot: tuple[Snapshot, bool | None]) -> None:
        """Back to a moment: the same actions then lead to the same days, to the bit."""
        crowd, self._running = snapshot
        self.crowd.restore(crowd)
        self._single.meet()

    def _observation(self) -> npt.NDArray[np.float32]:
        if self.crowd.observe == "features":
            return self._single.observation()
        seen: npt.NDArray[np.float32] = self.crowd.observation()[0]
        return seen

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self._single.mask(), "shopper": self.crowd.shoppers.item(0)}


def _advance(compiled: bool) -> AdvanceOne:
    if not compiled:
        return advance
    from simulator.single_compiled import advance as fast  # noqa: PLC0415  # numba is optional

    return fast


def _shopper(options: dict[str, Any] | None) -> int | None:
    shopper = None
    for name, value in (options or {}).items():
        if name != "shopper":
            raise StepError(f"option {name!r} is unknown: only 'shopper' is")
        if not isinstance(value, int) or not 0 <= value < 2**62:
            raise StepError(f"shopper is {value!r:.80}: must be a whole number of at least 0")
        shopper = value
    return shopper
