"""Which of the recent rows a correction belongs to.

Beside the policies that did something to a row that its correction has to meet again.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.bandits.warm_up import Row

Array = npt.NDArray[np.float64]

_KEY_BYTES = 6
"""As many as a float holds exactly, so that keys are saved like everything else."""

TOLERANCE = 1e-9
"""Of what a decision has earned: sums of the same rewards may differ in their last digits."""


class RecentRows:
    """The last ``capacity`` decisions, told by action, context and features, with their earnings.

    A correction repeats the decision's content and says what it had earned before; of several
    that fit it is the newest, since nothing tells them apart.

    Args:
        capacity: Decisions to remember, at least 1.

    Example:
        >>> from policy.bandits.warm_up import Row
        >>> recent = RecentRows(2)
        >>> decision = Row("a", np.ones(2), np.zeros(0), 1.0, True, 0.0)
        >>> recent.append(decision)
        >>> refund = decision._replace(reward=-1.0, first=False, before=1.0)
        >>> recent.corrected(refund), recent.corrected(refund)
        (0, None)
    """

    def __init__(self, capacity: int) -> None:
        self._rows: deque[tuple[int, float]] = deque(maxlen=capacity)
        self._numbers: dict[int, deque[int]] = {}
        self.n = 0

    def append(self, row: Row) -> None:
        """A decision; it gets number ``n``, counted from 0."""
        self._append(_key(row), row.reward)

    def corrected(self, row: Row) -> int | None:
        """The number of the decision that a correction changes; None if it is not remembered.

        From then on that decision has earned the correction's reward as well.
        """
        start = self.n - len(self._rows)
        for number in reversed(self._numbers.get(_key(row), ())):
            key, earned = self._rows[number - start]
            if abs(earned - row.before) <= TOLERANCE * (1.0 + abs(row.before)):
                self._rows[number - start] = (key, earned + row.reward)
                return number
        return None

    def array(self) -> Array:
        """Everything remembered, (n_rows, 2)."""
        return np.array(self._rows, np.float64).reshape(-1, 2)

    def restore(self, n: int, arrays: Mapping[str, Array], name: str) -> None:
        """Take over ``n`` and what ``array`` gave.

        Args:
            n: Decisions so far.
            arrays: That hold it.
            name: Under which name.

        Raises:
            StateError: It is missing or of another shape.
        """
        array, capacity = arrays.get(name), self._rows.maxlen or 0
        if array is None or array.shape != (min(n, capacity), 2) or not np.isfinite(array).all():
            raise StateError(
                f"saved array {name!r} must be finite, of shape {(min(n, capacity), 2)}"
            )
        self._rows.clear()
        self._numbers.clear()
        self.n = n - len(array)
        for key, earned in array.tolist():
            self._append(int(key), earned)

    def _append(self, key: int, earned: float) -> None:
        if len(self._rows) == self._rows.maxlen:
            oldest, _ = self._rows[0]
            numbers = self._numbers[oldest]
            numbers.popleft()
            if not numbers:
                del self._numbers[oldest]
        self._rows.append((key, earned))
        self._numbers.setdefault(key, deque()).append(self.n)
        self.n += 1


def _key(row: Row) -> int:
    """A hash of what a decision and its corrections have in common."""
    digest = blake2b(row.action_id.encode(errors="surrogatepass"), digest_size=_KEY_BYTES)
    digest.update(row.x.tobytes())
    digest.update(row.z.tobytes())
    return int.from_bytes(digest.digest(), "little")
