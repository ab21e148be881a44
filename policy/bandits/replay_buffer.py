"""The rows that a policy can learn again, with what they have earned by now.

Beside the neural-linear policy, whose features change under the rows that it has learned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.recent_rows import RecentRows
from policy.bandits.warm_up import Row
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]


class ReplayBuffer:
    """Decisions in the order of the log; a correction changes the reward of its decision.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        capacity: Decisions whose corrections are recognised: the most that are ever kept.
    """

    def __init__(self, n_context: int, n_shared: int, capacity: int) -> None:
        self.rows: list[Row] = []
        self._widths = {"contexts": n_context, "features": n_shared}
        self._capacity = capacity
        self._recent = RecentRows(capacity)

    def append(self, row: Row) -> None:
        """Keep a copy of a decision."""
        self.rows.append(row._replace(x=row.x.copy(), z=row.z.copy()))
        self._recent.append(row)

    def correct(self, row: Row) -> bool:
        """Whether the decision of a correction is kept; then its reward is changed."""
        number = self._recent.corrected(row)
        position = -1 if number is None else number - self._recent.n + len(self.rows)
        if position < 0:
            return False
        decision = self.rows[position]
        self.rows[position] = decision._replace(reward=decision.reward + row.reward)
        return True

    def keep_last(self, n_rows: int) -> None:
        """Forget all others."""
        del self.rows[: max(len(self.rows) - n_rows, 0)]

    def arrays(self, action_ids: Sequence[str]) -> dict[str, Array]:
        """Everything kept.

        Args:
            action_ids: All actions, whose places stand for them.
        """
        places = {action_id: float(place) for place, action_id in enumerate(action_ids)}
        numbers = [(places[row.action_id], row.reward) for row in self.rows]
        n, widths = len(self.rows), self._widths
        return {
            "replay_contexts": np.array([row.x for row in self.rows]).reshape(
                n, widths["contexts"]
            ),
            "replay_features": np.array([row.z for row in self.rows]).reshape(
                n, widths["features"]
            ),
            "replay_numbers": np.array(numbers).reshape(n, 2),
        }

    def restore(self, action_ids: Sequence[str], arrays: Mapping[str, Array]) -> None:
        """Take over what ``arrays`` gave; this one is empty.

        Raises:
            StateError: An array is missing, of another shape, or not finite.
        """
        numbers = _saved(arrays, "numbers", 2)
        contexts, features = (_saved(arrays, name, width) for name, width in self._widths.items())
        places = numbers[:, 0]
        lengths = {len(numbers), len(contexts), len(features)}
        if len(lengths) > 1 or len(numbers) > self._capacity:
            raise StateError("saved arrays 'replay_...' differ in length, or hold too many rows")
        if not np.isin(places, np.arange(len(action_ids))).all():
            raise StateError("saved array 'replay_numbers' names actions that are not there")
        for x, z, (place, reward) in zip(contexts, features, numbers.tolist(), strict=True):
            self.append(Row(action_ids[int(place)], x, z, reward, first=True, before=0.0))


def _saved(arrays: Mapping[str, Array], name: str, width: int) -> Array:
    array = arrays.get(f"replay_{name}")
    if array is None or array.ndim != 2 or not np.isfinite(array).all():
        raise StateError(f"saved array 'replay_{name}' is missing, or holds NaN or infinity")
    if array.shape[1] != width:
        raise StateError(
            f"saved array 'replay_{name}' has shape {array.shape}: must be (n, {width})"
        )
    return array
