"""Prices on a grid between two bounds, and which of them a visitor may be shown.

Where a placement draws a price instead of choosing among actions that each have theirs. What is not
allowed here is cut off before the density of the rest is made, so that it is exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.bounds import whole_parameter
from policy.catalog.price import HAIR
from policy.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from policy.catalog.history import PriceSeen
    from policy.catalog.price import PriceGuards

    Array = npt.NDArray[np.float64]

CENTS_PER_UNIT = 100.0
LARGEST_PRICE_CENTS = 8_000_000
"""A price in units keeps every cent in float32, as logs hold it, below 2^23 cents."""


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The prices min_cents, min_cents + step_cents, … up to max_cents.

    As a part of a continuum, a price stands for its cell: the values that are nearest to it.

    Args:
        min_cents: Lowest price, at least 1.
        max_cents: Highest price, at most 8,000,000; a whole number of steps above the lowest.
        step_cents: Distance of two neighbours.

    Raises:
        ParameterError: A number is out of its range, or the steps do not lead from bound to bound.

    Example:
        >>> prices = PriceRange(500, 1_500, 50)
        >>> len(prices.all), prices.scaled(np.array([500, 1_250]))
        (21, array([-1. ,  0.5]))
    """

    min_cents: int
    max_cents: int
    step_cents: int = 1

    def __post_init__(self) -> None:
        whole_parameter("min_cents", self.min_cents, 1, LARGEST_PRICE_CENTS)
        whole_parameter("max_cents", self.max_cents, 1, LARGEST_PRICE_CENTS)
        whole_parameter("step_cents", self.step_cents, 1, LARGEST_PRICE_CENTS)
        width = self.max_cents - self.min_cents
        if width <= 0:
            rule = f"must be above min_cents, which is {self.min_cents}"
            raise ParameterError(f"max_cents is {self.max_cents}: {rule}")
        if width % self.step_cents:
            rule = f"must divide max_cents - min_cents, which is {width}"
            raise ParameterError(f"step_cents is {self.step_cents}: {rule}")

    @property
    def all(self) -> range:
        """Every price of the grid, ascending."""
        return range(self.min_cents, self.max_cents + 1, self.step_cents)

    def scaled(self, cents: Array) -> Array:
        """Prices as numbers from -1, the lowest, to 1, the highest, in their shape."""
        middle = (self.max_cents + self.min_cents) / 2
        return (cents - middle) / (self.max_cents - middle)


def nearest(prices: range, value: float) -> int:
    """The price in whose cell a value lies; the first and the last stand for all beyond them.

    Args:
        prices: Ascending, at least one.
        value: In cents.

    Example:
        >>> nearest(range(500, 1_001, 50), 574.9), nearest(range(500, 1_001, 50), 575.0)
        (550, 600)
    """
    steps = math.floor((value - prices[0]) / prices.step + 0.5)
    return prices[min(max(steps, 0), len(prices) - 1)]


def for_everybody(prices: range, guards: PriceGuards, cost_cents: int | None) -> range:
    """The prices that bounds and margin floor allow, whatever a visitor has seen.

    Args:
        prices: Ascending.
        guards: Of the placement.
        cost_cents: Of what is sold; None where it is not known.

    Example:
        >>> from policy.catalog.price import PriceGuards
        >>> guards = PriceGuards(max_cents=900, margin_floor=0.2)
        >>> for_everybody(range(500, 1_001, 50), guards, cost_cents=500)
        range(650, 950, 50)
    """
    if guards.max_cents is not None:
        prices = prices[: bisect_left(prices, guards.max_cents + 1)]
    # Below a first price that is allowed, none is: both guards that are left ask for enough.
    first = bisect_left(prices, True, key=lambda cents: guards.refuses(cents, cost_cents) is None)
    return prices[first:]


def for_visitor(prices: range, guards: PriceGuards, seen: PriceSeen | None, now_us: int) -> range:
    """The prices that a visitor may be shown after the one seen last; perhaps none, perhaps one.

    Args:
        prices: From ``for_everybody``.
        guards: Of the placement.
        seen: The price that the visitor saw last; None for none.
        now_us: Microseconds since 1970.

    Example:
        >>> from policy.catalog.history import PriceSeen
        >>> from policy.catalog.price import PriceGuards
        >>> guards = PriceGuards(largest_step=0.1, sticky_hours=1)
        >>> seen = PriceSeen(800, since_us=0, last_us=0)
        >>> for_visitor(range(500, 1_001, 50), guards, seen, now_us=1)
        range(800, 850, 50)
        >>> for_visitor(range(500, 1_001, 50), guards, seen, now_us=3_600_000_000)
        range(750, 900, 50)
    """
    if seen is None:
        return prices
    if guards.largest_step is not None:
        reach = int(guards.largest_step * seen.price_cents + HAIR)
        low, high = seen.price_cents - reach, seen.price_cents + reach
        prices = prices[bisect_left(prices, low) : bisect_left(prices, high + 1)]
    if now_us < seen.since_us + guards.period_us and seen.price_cents in prices:
        kept = prices.index(seen.price_cents)
        return prices[kept : kept + 1]
    return prices
