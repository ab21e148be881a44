"""gymnasium's vector interface as stable-baselines3 wants it, with the mask behind the observation.

Needs the extra `train`. stable-baselines3's PPO knows no masks; so the mask travels as the last
columns of the observation, into the rollout and out again, and `policy.ppo.masked` cuts it off.
What an environment tells the critic alone (``info["told"]``) travels behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from policy.errors import ParameterError
from policy.ppo.installed import require_train

require_train()

from stable_baselines3.common.vec_env import VecEnv  # noqa: E402  # after what explains its absence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium.vector import VectorEnv


class MaskedVecEnv(VecEnv):  # type: ignore[misc]  # stable-baselines3 is optional
    """Slots of a vector environment; the next episode begins in the same step.

    Args:
        envs: Of SAME_STEP autoreset, with flat observations, discrete actions, and
            ``info["action_mask"]``; where ``metadata["n_told"]`` is given, with ``info["told"]``
            and, at an episode's end, ``info["final_told"]``, (num_envs, n_told).
        reward_unit: What counts as a reward of 1.

    Raises:
        ParameterError: An environment of another kind.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], reward_unit: float = 1.0) -> None:
        if envs.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ParameterError(
                f"autoreset_mode is {envs.metadata.get('autoreset_mode')}: must be SAME_STEP"
            )
        box, discrete = envs.single_observation_space, envs.single_action_space
        if not isinstance(box, spaces.Box) or not isinstance(discrete, spaces.Discrete):
            raise ParameterError(f"spaces are {box}, {discrete}: must be a flat Box and a Discrete")
        self.envs = envs
        self.reward_unit = reward_unit
        self.n_told = int(envs.metadata.get("n_told", 0))
        n_actions, told = int(discrete.n), np.full(self.n_told, np.inf, np.float32)
        low = np.concatenate([box.low.ravel(), np.zeros(n_actions, np.float32), -told])
        high = np.concatenate([box.high.ravel(), np.ones(n_actions, np.float32), told])
        super().__init__(envs.num_envs, spaces.Box(low, high, dtype=np.float32), discrete)
        self._actions: npt.NDArray[np.int64] | None = None
        # One empty dict for all: thousands of fresh ones a step would cost more than the step.
        self._nothing: list[dict[str, Any]] = [{}] * envs.num_envs

    def reset(self) -> npt.NDArray[np.float32]:
        """All slots anew, under the seed of the last ``seed()``."""
        observation, info = self.envs.reset(seed=self._seeds[0])
        self._reset_seeds()
        return _joined(observation, info)

    def step_async(self, actions: npt.NDArray[np.int64]) -> None:
        """Notes the actions."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float32],
        npt.NDArray[np.bool_],
        list[dict[str, Any]],
    ]:
        """One step of all slots."""
        observation, rewards, terminated, truncated, info = self.envs.step(self._actions)
        over = terminated | truncated
        infos = self._nothing
        if over.any():
            infos = infos.copy()
            every = np.ones_like(info["action_mask"])
            final = {"action_mask": every, "told": info.get("final_told")}
            last = _joined(info["final_obs"], final)
            for slot in np.flatnonzero(over):
                infos[slot] = {
                    "terminal_observation": last[slot],
                    "TimeLimit.truncated": bool(truncated[slot]),
                }
        rewards = np.asarray(rewards / self.reward_unit, np.float32)
        return _joined(observation, info), rewards, over, infos

    def close(self) -> None:
        """Closes the environment."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: int | Sequence[int] | None = None) -> list[Any]:
        """The vector environment's attribute, once for each slot."""
        if not hasattr(self.envs, attr_name):
            raise AttributeError(attr_name)
        return [getattr(self.envs, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(
        self, attr_name: str, value: object, indices: int | Sequence[int] | None = None
    ) -> None:
        """Refused: there are no sub-environments."""
        raise NotImplementedError("slots of one environment have no attributes of their own")

    def env_method(
        self,
        method_name: str,
        *args: object,
        indices: int | Sequence[int] | None = None,
        **kwargs: object,
    ) -> list[Any]:
        """Refused: there are no sub-environments."""
        raise NotImplementedError("slots of one environment have no methods of their own")

    def env_is_wrapped(
        self, wrapper_class: type, indices: int | Sequence[int] | None = None
    ) -> list[bool]:
        """No slot is."""
        return [False] * len(list(self._get_indices(indices)))


def _joined(observation: npt.NDArray[np.float32], info: dict[str, Any]) -> npt.NDArray[np.float32]:
    parts = [observation, info["action_mask"]]
    if info.get("told") is not None:
        parts.append(info["told"])
    joined: npt.NDArray[np.float32] = np.concatenate(parts, axis=1, dtype=np.float32)
    return joined
