"""The smallest and the largest reward learned, also after rows are taken out again.

Beside the explorers whose optimism ends where rewards do.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from policy.errors import BatchError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.model_file import JSON

_DIGITS = 3


class RewardRange:
    """Counts of rewards, to three significant digits: few, whatever the number of rows.

    Example:
        >>> seen = RewardRange()
        >>> seen.add([0.0, 3.0, 0.0])
        >>> seen.low, seen.high
        (0.0, 3.0)
        >>> seen.take_out([3.0])
        >>> seen.high
        0.0
    """

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self.low = math.inf
        self.high = -math.inf

    @property
    def width(self) -> float:
        """Largest less smallest reward; 0 before the first."""
        return self.high - self.low if self._counts else 0.0

    def add(self, rewards: Iterable[float]) -> None:
        """Count these."""
        for reward in map(_rounded, rewards):
            self._counts[reward] += 1
            self.low = min(self.low, reward)
            self.high = max(self.high, reward)

    def take_out(self, rewards: Iterable[float]) -> None:
        """Count these no longer.

        Raises:
            BatchError: There were not as many; then nothing changes.
        """
        out = Counter(map(_rounded, rewards))
        for reward, count in out.items():
            if count > self._counts[reward]:
                raise BatchError(
                    f"{count} rows that earned {reward:g} to remove, {count - self._counts[reward]}"
                    " of them never learned: rows can be removed only as they were learned"
                )
        self._set(self._counts - out)

    def merge(self, other: RewardRange) -> None:
        """Count what another has counted."""
        self._set(self._counts + other._counts)

    def as_json(self) -> list[JSON]:
        """[reward, count] of each, by reward."""
        return [[reward, count] for reward, count in sorted(self._counts.items())]

    @classmethod
    def from_json(cls, value: JSON) -> RewardRange:
        """From ``as_json``.

        Raises:
            StateError: It is something else.
        """
        if not isinstance(value, list):
            raise StateError(f"reward_counts is {shown(value)}: must be a list of [reward, count]")
        found = cls()
        found._set(Counter(dict(map(_checked_entry, value))))
        return found

    def _set(self, counts: Counter[float]) -> None:
        self._counts = counts
        self.low, self.high = min(counts, default=math.inf), max(counts, default=-math.inf)


def _checked_entry(entry: JSON) -> tuple[float, int]:
    match entry:
        case [float(reward), int(count)] if math.isfinite(reward) and count > 0:
            return reward, count
    raise StateError(f"reward_counts has {shown(entry)}: must be [reward, count]")


def _rounded(reward: float) -> float:
    # Adding 0.0 makes one value of -0.0 and 0.0.
    return float(f"{reward:.{_DIGITS}g}") + 0.0
