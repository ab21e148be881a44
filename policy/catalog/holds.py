"""What logged decisions hold of something scarce, until it is used or the hold expires.

Under budgets (cents) and inventories (units).
"""

from __future__ import annotations

from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.model_file import JSON

Arrays = dict[str, npt.NDArray[Any]]

_COLUMNS = {"amount": np.dtype(np.int64), "expires_us": np.dtype(np.int64)} | {
    "expected": np.dtype(np.float64)
}


class Hold(NamedTuple):
    """What one decision holds.

    Args:
        action_id: What it chose.
        amount: Cents or units.
        expires_us: First moment at which it is free again, in microseconds since 1970.
        expected: How much of it will be used on average.
    """

    action_id: str
    amount: int
    expires_us: int
    expected: float


class Holds:
    """Holds by decision, in the order in which they expire.

    Example:
        >>> holds = Holds()
        >>> holds.add("d1", Hold("coupon", 300, 60, 300.0))
        >>> holds.amount, list(holds.expired(59)), [hold.amount for hold in holds.expired(60)]
        (300, [], [300])
    """

    def __init__(self) -> None:
        self.amount = 0
        self._holds: dict[str, Hold] = {}
        # What was taken stays here until its time is over.
        self._expiring: list[tuple[int, str]] = []

    def __contains__(self, decision_id: object) -> bool:
        return decision_id in self._holds

    def __len__(self) -> int:
        return len(self._holds)

    def add(self, decision_id: str, hold: Hold) -> None:
        """Hold; a decision holds once, and never again."""
        self._holds[decision_id] = hold
        heappush(self._expiring, (hold.expires_us, decision_id))
        self.amount += hold.amount

    def take(self, decision_id: str) -> Hold | None:
        """End the hold of a decision."""
        hold = self._holds.pop(decision_id, None)
        if hold is not None:
            self.amount -= hold.amount
        return hold

    def expired(self, now_us: int) -> Iterator[Hold]:
        """End the holds whose time is over, the earliest first."""
        while self._expiring and self._expiring[0][0] <= now_us:
            _, decision_id = heappop(self._expiring)
            hold = self.take(decision_id)
            if hold is not None:
                yield hold

    def due(self, now_us: int) -> list[Hold]:
        """The holds that ``expired`` would end, the earliest first; nothing changes."""
        found, places = [], [0]
        while places:  # from the root of the heap down, as far as it is due
            place = places.pop()
            if place >= len(self._expiring) or self._expiring[place][0] > now_us:
                continue
            hold = self._holds.get(self._expiring[place][1])
            if hold is not None:
                found.append(hold)
            places += (2 * place + 1, 2 * place + 2)
        return sorted(found, key=attrgetter("expires_us"))

    def state(self) -> tuple[list[JSON], Arrays]:
        """Pairs of decision and action for a manifest, and the columns of numbers, (n_holds,)."""
        pairs: list[JSON] = [[name, hold.action_id] for name, hold in self._holds.items()]
        return pairs, {
            f"hold_{column}": np.array([getattr(hold, column) for hold in self._holds.values()], of)
            for column, of in _COLUMNS.items()
        }

    @classmethod
    def of_state(cls, pairs: JSON, arrays: Mapping[str, npt.NDArray[Any]]) -> Holds:
        """The holds that gave this state.

        Raises:
            StateError: Something is missing or of another shape or type.
        """
        if not isinstance(pairs, list):
            raise StateError(f"saved holds are {shown(pairs)}: must be a list of pairs")
        columns = [_column(arrays, name, of, len(pairs)) for name, of in _COLUMNS.items()]
        holds = cls()
        for pair, *numbers in zip(pairs, *columns, strict=True):
            match pair:
                case [str(decision_id), str(action_id)] if decision_id not in holds:
                    holds.add(decision_id, Hold(action_id, *numbers))
                case _:
                    rule = "must be distinct decisions, each with its action"
                    raise StateError(f"saved hold is of {shown(pair)}: {rule}")
        return holds


def _column(
    arrays: Mapping[str, npt.NDArray[Any]], name: str, of: np.dtype[Any], n_holds: int
) -> list[Any]:
    array = arrays.get(f"hold_{name}")
    if array is None or array.shape != (n_holds,) or array.dtype != of:
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise StateError(f"saved hold_{name} is {found}: must be {of} of shape ({n_holds},)")
    if not np.isfinite(array).all() or (array < 0).any():
        raise StateError(f"saved hold_{name} must be finite and at least 0: the file is damaged")
    return list(array.tolist())
