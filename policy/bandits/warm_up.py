"""The first rows that a policy learns, kept until it has made something from all of them.

Beside the default policy, which makes its map of features from their contexts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from policy.errors import BatchError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.base import Batch
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]


class Row(NamedTuple):
    """One row of a ``Batch``."""

    action_id: str
    x: Array
    z: Array
    reward: float
    first: bool
    before: float

    def is_same(self, other: Row) -> bool:
        """Whether it is the same row to the bit."""
        return (
            (self.action_id, self.reward, self.first, self.before)
            == (other.action_id, other.reward, other.first, other.before)
            and np.array_equal(self.x, other.x)
            and np.array_equal(self.z, other.z)
        )


class WarmUp:
    """Rows in the order of the log.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
    """

    def __init__(self, n_context: int, n_shared: int) -> None:
        self._widths = (n_context, n_shared)
        self.rows: list[Row] = []
        self.n_first = 0

    def append(self, row: Row) -> None:
        """Keep a copy of a row."""
        self.rows.append(row._replace(x=row.x.copy(), z=row.z.copy()))
        self.n_first += row.first

    def contexts(self) -> Array:
        """Of the decisions, without their corrections, (n_first, n_context)."""
        return np.array([row.x for row in self.rows if row.first])

    def without(self, batch: Batch) -> WarmUp:
        """What is left when the rows of a batch are taken out.

        Raises:
            BatchError: One of them is not there.
        """
        left = list(self.rows)
        for index, row in enumerate(rows_of(batch)):
            position = next((i for i, kept in enumerate(left) if kept.is_same(row)), None)
            if position is None:
                raise BatchError(
                    f"row {index} of action {shown(row.action_id)} was never learned: only rows "
                    "that were learned can be removed, exactly as they were"
                )
            del left[position]
        remaining = WarmUp(*self._widths)
        for row in left:
            remaining.append(row)
        return remaining

    def state(self) -> tuple[list[JSON], dict[str, Array]]:
        """The actions of the rows, and the rest as arrays."""
        rows, (n_context, n_shared) = self.rows, self._widths
        numbers = [(row.reward, float(row.first), row.before) for row in rows]
        return [row.action_id for row in rows], {
            "warm_up_contexts": np.array([row.x for row in rows]).reshape(-1, n_context),
            "warm_up_features": np.array([row.z for row in rows]).reshape(len(rows), n_shared),
            "warm_up_numbers": np.array(numbers, np.float64).reshape(-1, 3),
        }

    @classmethod
    def restored(
        cls, n_context: int, n_shared: int, actions: JSON, arrays: Mapping[str, Array]
    ) -> WarmUp:
        """From what ``state`` gave.

        Raises:
            StateError: Something is missing or of another shape.
        """
        warm_up = cls(n_context, n_shared)
        if not isinstance(actions, list):
            raise StateError(f"warm_up is {shown(actions)}: must be a list of action ids")
        widths = {"contexts": n_context, "features": n_shared, "numbers": 3}
        parts = []
        for name, width in widths.items():
            array = arrays.get(f"warm_up_{name}")
            if array is None or array.shape != (len(actions), width):
                raise StateError(f"saved array 'warm_up_{name}' must be {(len(actions), width)}")
            if not np.isfinite(array).all():
                raise StateError(f"saved array 'warm_up_{name}' holds NaN or infinity")
            parts.append(array)
        for action_id, x, z, (reward, first, before) in zip(actions, *parts, strict=True):
            row = Row(str(action_id), x, z, float(reward), bool(first), float(before))
            warm_up.append(row)
        return warm_up


def rows_of(batch: Batch) -> list[Row]:
    """The rows of a batch, in order."""
    n_rows = len(batch.action_ids)
    before = [0.0] * n_rows if batch.before is None else batch.before.tolist()
    columns = (batch.rewards.tolist(), batch.first.tolist(), before)
    return list(map(Row, batch.action_ids, batch.contexts, batch.features, *columns))
