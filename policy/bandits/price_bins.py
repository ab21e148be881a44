"""Neighbouring prices in bins: from a few scores to a density over all prices.

Under ``policy.bandits.cats``, which says how often each bin is to be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bounds import parameter, whole_parameter
from policy.density import Density

if TYPE_CHECKING:
    from policy.catalog.price_range import PriceRange

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

MOST_BINS = 256
_MOST_KEPT = 256


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The bins that some neighbouring prices lie in, and over which of them each is spread.

    Args:
        ids: Of the bins, (n,).
        centres: The price that a bin is scored at, in cents, (n,).
        edges: Of the pieces on which every density over these windows is constant, in cents,
            (n_pieces + 1,).
        kernels: Density of each window on each piece, (n_pieces, n).
    """

    ids: tuple[str, ...]
    centres: Array
    edges: Array
    kernels: Array

    def density(self, probabilities: Array, floor: float) -> Density:
        """The density of a price whose bin is drawn with these probabilities.

        Args:
            probabilities: (n,).
            floor: Share of draws that is spread evenly over all prices instead, in [0, 1].
        """
        heights = np.dot(self.kernels, (1.0 - floor) * probabilities)
        heights += floor / (self.edges[-1] - self.edges[0])
        return Density(self.edges, heights)

    def members(self, cents: Array) -> npt.NDArray[np.bool_]:
        """Which prices lie in which windows, (n_prices, n)."""
        pieces = self.edges.searchsorted(cents, side="right") - 1
        inside = (pieces >= 0) & (pieces < len(self.kernels))
        member: npt.NDArray[np.bool_] = self.kernels[np.where(inside, pieces, 0)] > 0.0
        return member & inside[:, None]


class PriceBins:
    """A range of prices in bins of equal width, each smoothed over a window around its centre.

    Args:
        prices: The range.
        n_bins: How many bins; never more than prices.
        bandwidth_cents: How far a window reaches on either side of its centre, at least 0; None
            for as far as the bin.

    Attributes:
        ids: First and last price of each bin.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.catalog.price_range import PriceRange
        >>> bins = PriceBins(PriceRange(500, 950, 50), n_bins=2)
        >>> bins.ids, bins.of(np.array([500.0, 740.0]))
        (('500-700', '750-950'), array([0, 1]))
        >>> windows = bins.within(range(600, 951, 50))
        >>> windows.centres, windows.density(np.array([0.3, 0.7]), floor=0.0).masses
        (array([600., 850.]), array([0.3, 0.7]))
    """

    def __init__(
        self, prices: PriceRange, n_bins: int = 16, bandwidth_cents: float | None = None
    ) -> None:
        n_prices = len(prices.all)
        self.prices = prices
        self.n_bins = min(whole_parameter("n_bins", n_bins, 1, MOST_BINS), n_prices)
        self._bounds = np.arange(self.n_bins + 1) * n_prices // self.n_bins
        starts, stops = self._bounds[:-1], self._bounds[1:]
        self._centres = (starts + stops - 1) // 2
        self._starts, self._stops = starts, stops
        if bandwidth_cents is not None:
            reach = int(parameter("bandwidth_cents", bandwidth_cents, 0.0) // prices.step_cents)
            self._starts = np.maximum(self._centres - reach, 0)
            self._stops = np.minimum(self._centres + reach + 1, n_prices)
        ends = zip(starts.tolist(), stops.tolist(), strict=True)
        self.ids = tuple(f"{prices.all[start]}-{prices.all[stop - 1]}" for start, stop in ends)
        self._kept: dict[range, Windows] = {}

    def of(self, cents: Array) -> Indices:
        """The bin of each price, in their shape; of prices off the grid that of the nearest."""
        index = np.floor((cents - self.prices.min_cents) / self.prices.step_cents + 0.5)
        return self._bin_of(index)

    def names(self, cents: Array) -> tuple[str, ...]:
        """Id of the bin of each price, (n,)."""
        return tuple(self.ids[i] for i in self.of(cents).tolist())

    def within(self, allowed: range) -> Windows:
        """The windows of the bins of some neighbouring prices, cut off where those end.

        A bin whose centre is not among them is scored at the nearest price that is.

        Args:
            allowed: At least one price, a part of the range.
        """
        kept = self._kept.get(allowed)
        if kept is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = self._kept[allowed] = self._within(allowed)
        return kept

    def _within(self, allowed: range) -> Windows:
        first, last = (self.prices.all.index(allowed[end]) for end in (0, -1))
        low, high = self._bin_of(np.array([first, last]))
        bins = slice(low, high + 1)
        centres = np.clip(self._centres[bins], first, last)
        starts = np.clip(self._starts[bins], first, centres)
        stops = np.clip(self._stops[bins], centres + 1, last + 1)
        edges = np.unique(np.concatenate((starts, stops, (first, last + 1))))
        covered = (starts <= edges[:-1, None]) & (edges[1:, None] <= stops)
        step = self.prices.step_cents
        return Windows(
            self.ids[bins],
            self._cents(centres),
            self._cents(edges - 0.5),
            covered / ((stops - starts) * float(step)),
        )

    def _bin_of(self, index: Array | Indices) -> Indices:
        found = self._bounds.searchsorted(index, side="right") - 1
        return np.clip(found, 0, self.n_bins - 1)

    def _cents(self, index: npt.ArrayLike) -> Array:
        step = float(self.prices.step_cents)
        return self.prices.min_cents + np.asarray(index, np.float64) * step
