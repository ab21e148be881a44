"""Price guards: which prices a visitor may be shown.

Part of eligibility: they take prices out of a decision before anything is drawn, so that the
probabilities of those that stay are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy.bounds import parameter, whole_parameter
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.limit import LONGEST_DAYS
from policy.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.catalog.history import PriceSeen

HOUR_US = 3_600_000_000

HAIR = 1e-6
"""Of a cent: what a share of a price may be off by rounding."""


class Price(NamedTuple):
    """A candidate's price.

    Args:
        position: Of the candidate.
        key: What it is the price of, ``policy.catalog.history.price_key``.
        cents: In minor units.
    """

    position: int
    key: int
    cents: int


@dataclass(frozen=True, slots=True)
class PriceGuards:
    """What prices of one placement have to keep to.

    Args:
        min_cents: Lowest price, in minor units.
        max_cents: Highest price.
        margin_floor: Least share of the price that is left after the cost, in [0, 1):
            price − cost ≥ margin_floor · price. A price of unknown cost fails it.
        largest_step: How far a price may be from the one that the visitor saw last, as a share of
            that one: abs(price − seen) ≤ largest_step · seen.
        sticky_hours: For how long a visitor keeps a price, from its first showing on, as long as
            every other rule allows that price.

    Raises:
        ParameterError: A number is out of its range, or the bounds are reversed.

    Example:
        >>> PriceGuards(min_cents=500, margin_floor=0.2).refuses(600, cost_cents=500)
        'margin_floor'
    """

    min_cents: int | None = None
    max_cents: int | None = None
    margin_floor: float | None = None
    largest_step: float | None = None
    sticky_hours: float | None = None

    def __post_init__(self) -> None:
        for name in ("min_cents", "max_cents"):
            if getattr(self, name) is not None:
                whole_parameter(name, getattr(self, name), 0, LARGEST_CENTS)
        low, high = self.min_cents, self.max_cents
        if low is not None and high is not None and low > high:
            rule = f"must be at most max_cents, which is {high}"
            raise ParameterError(f"min_cents is {low}: {rule}")
        if self.margin_floor is not None:
            parameter("margin_floor", self.margin_floor, 0.0, 1.0, open_high=True)
        if self.largest_step is not None:
            parameter("largest_step", self.largest_step, 0.0, 1e6)
        if self.sticky_hours is not None:
            parameter("sticky_hours", self.sticky_hours, 1 / 60, LONGEST_DAYS * 24)

    @property
    def remembers(self) -> bool:
        """Whether a visitor's last price has to be known."""
        return self.largest_step is not None or self.sticky_hours is not None

    @property
    def period_us(self) -> int:
        """For how long a visitor keeps a price, in microseconds."""
        return round((self.sticky_hours or 0.0) * HOUR_US)

    def refuses(self, price_cents: int, cost_cents: int | None) -> str | None:
        """The guard that no visitor passes with this price; None where there is none."""
        if self.min_cents is not None and price_cents < self.min_cents:
            return "min_cents"
        if self.max_cents is not None and price_cents > self.max_cents:
            return "max_cents"
        if self.margin_floor is None:
            return None
        if cost_cents is None:
            return "margin_floor"
        left = price_cents - cost_cents
        return None if left >= self.margin_floor * price_cents - HAIR else "margin_floor"

    def guarded(
        self, prices: Sequence[Price], seen: Mapping[int, PriceSeen], now_us: int
    ) -> list[int]:
        """The candidates that this visitor must not be shown because of the price seen last.

        Args:
            prices: The candidates that every other rule allows.
            seen: What the visitor saw last, by ``Price.key``.
            now_us: Microseconds since 1970.

        Returns:
            Their positions.
        """
        if not seen:
            return []
        out = [price.position for price in prices if not self._near(price, seen.get(price.key))]
        left = [price for price in prices if price.position not in out]
        kept = {price.key for price in left if self._is_kept(price, seen.get(price.key), now_us)}
        return out + [
            price.position
            for price in left
            if price.key in kept and price.cents != seen[price.key].price_cents
        ]

    def _near(self, price: Price, seen: PriceSeen | None) -> bool:
        if seen is None or self.largest_step is None:
            return True
        step = abs(price.cents - seen.price_cents)
        return step <= self.largest_step * seen.price_cents + HAIR

    def _is_kept(self, price: Price, seen: PriceSeen | None, now_us: int) -> bool:
        return (
            seen is not None
            and price.cents == seen.price_cents
            and now_us < seen.since_us + self.period_us
        )
