"""Faded counts per category or brand, for the few that matter to one visitor.

A tally is two arrays side by side: 64-bit hashes of the values and their weights (forward-decayed,
see `segments.decay`). **The order bound:** while a visitor has touched at most `limit` values, any
order of arrival gives the same weights up to float rounding. Beyond that the lightest is let go
after each event and starts again from nothing if it comes back, so a kept weight is never too
high, and too low by at most what the lightest kept value weighs.
"""

from __future__ import annotations

from array import array
from itertools import repeat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CATEGORIES: Final = 40
MAX_BRANDS: Final = 12


class Tally:
    """Weights by value hash.

    Args:
        keys: `array("Q")` of hashes.
        weights: `array("d")` of the same length.

    Example:
        >>> tally = Tally(array("Q"), array("d"))
        >>> tally.add([7, 8, 9], 1.0, 2)
        >>> list(tally.keys)
        [8, 9]
    """

    __slots__ = ("keys", "weights")

    def __init__(self, keys: array[int], weights: array[float]) -> None:
        self.keys = keys
        self.weights = weights

    def add(self, hashes: Iterable[int], weight: float, limit: int) -> None:
        """Adds the same weight to each of the hashes, then lets go of the lightest."""
        self._add_all(zip(hashes, repeat(weight)), limit)

    def merge(self, other: Tally, limit: int) -> None:
        """Adds another tally's weights to this one."""
        self._add_all(zip(other.keys, other.weights, strict=True), limit)

    def as_dict(self) -> dict[int, float]:
        """The weights by hash."""
        return dict(zip(self.keys.tolist(), self.weights.tolist(), strict=True))

    def _add_all(self, parts: Iterable[tuple[int, float]], limit: int) -> None:
        counts = self.as_dict()
        for key, weight in parts:
            counts[key] = counts.get(key, 0.0) + weight
        weights = list(counts.values())
        if len(counts) > len(self.keys):
            keys = list(counts)
            while len(keys) > limit:  # of equally light ones the first to have come goes
                lightest = weights.index(min(weights))
                del keys[lightest], weights[lightest]
            self.keys = array("Q", keys)
        self.weights = array("d", weights)
