"""The contract of a feature family: what it keeps of a visitor, and how that reads as numbers.

A family declares **columns**, the state it needs: each a name, a way to combine, and what one
event adds. All ways to combine are commutative and associative, so a profile cannot depend on the
order of its events, and two profiles merge column by column. Families may share a column.
It declares **readings**, the numbers it yields, with the transform that brings each to the order
of 1. Transforms are fixed, not fitted: a replay next year gives the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import expm1, inf, isfinite, log1p
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from segments.decay import (
    DAY_S,
    LAST_S,
    LONG_HALF_LIFE_DAYS,
    SHORT_HALF_LIFE_DAYS,
    growth,
    shrinkage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments.event import Event
    from segments.profile import Profile

Combine = Literal["sum", "min", "max"]
NEUTRAL: Final = {"sum": 0.0, "min": inf, "max": -inf}

NEVER_DAYS: Final = 730.0
"""What a number of days reads as when the thing never happened; also where days are cut off."""


class Observation(NamedTuple):
    """An event with what several columns need of it.

    Attributes:
        seconds: when it happened, Unix time.
        net_cents: the order's money without shipping and tax; 0 unless it is about an order.
        short, long: weight of this moment in sums with 30 and 90 days half-life.
    """

    event: Event
    seconds: float
    net_cents: float
    short: float
    long: float


class Moment(NamedTuple):
    """A time to read at: Unix seconds, and what turns decayed sums into values at that time."""

    seconds: float
    short: float
    long: float


def observation(event: Event) -> Observation:
    """What the columns need of an event."""
    seconds = event.timestamp.timestamp()
    money = net_cents(event) if event.name.startswith("Order ") else 0.0
    return Observation(
        event,
        seconds,
        money,
        growth(seconds, SHORT_HALF_LIFE_DAYS),
        growth(seconds, LONG_HALF_LIFE_DAYS),
    )


def moment(seconds: float) -> Moment:
    """The moment at a Unix time, which is clipped to 1970..2100."""
    seconds = min(max(seconds, 0.0), LAST_S)
    return Moment(
        seconds,
        shrinkage(seconds, SHORT_HALF_LIFE_DAYS),
        shrinkage(seconds, LONG_HALF_LIFE_DAYS),
    )


def net_cents(event: Event) -> float:
    """Money of an order without shipping and tax: as stated, else from the total, else the lines.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.event import Event
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> net_cents(Event("m", "Order Completed", "v", at, total_cents=1_200, tax_cents=200))
        1000.0
    """
    if event.revenue_cents is not None:
        return float(event.revenue_cents)
    if event.total_cents is not None:
        return float(
            max(0, event.total_cents - (event.tax_cents or 0) - (event.shipping_cents or 0))
        )
    return float(sum((line.price_cents or 0) * line.quantity for line in event.products))


@dataclass(frozen=True, slots=True)
class Column:
    """One number of state.

    Args:
        name: unique over all families.
        combine: how contributions add up.
        on: names of the events that contribute, or None for all.
        value: what one such event contributes.
    """

    name: str
    combine: Combine
    on: frozenset[str] | None
    value: Callable[[Observation], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of the feature vector, and its way back to natural units.

    Args:
        name: with its unit, such as `recency_days`.
        log_at: the natural value that reads as 1 on a log1p scale; None for values already of
            order 1.

    Example:
        >>> days = Reading("recency_days", log_at=365.0)
        >>> days.scaled(365.0), round(days.natural(1.0))
        (1.0, 365)
    """

    name: str
    log_at: float | None = None

    def scaled(self, natural: float) -> float:
        """log(1 + x) / log(1 + log_at), or x itself."""
        return natural if self.log_at is None else log1p(natural) / log1p(self.log_at)

    def natural(self, scaled: float) -> float:
        """The inverse of `scaled`; no vector of this room comes near where it is cut off."""
        return scaled if self.log_at is None else expm1(min(scaled * log1p(self.log_at), 700.0))


class Feature(ABC):
    """A family of features."""

    columns: ClassVar[tuple[Column, ...]] = ()
    readings: ClassVar[tuple[Reading, ...]]

    @abstractmethod
    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """One finite number a reading, already scaled.

        Args:
            own: this family's columns, in declared order.
            profile: for families that read sessions or tallies.
            at: when to read.
        """


def days_since(seconds: float, at: Moment) -> float:
    """Days from a time kept in a min or max column: 0 for the future, cut off at two years."""
    if not isfinite(seconds):
        return NEVER_DAYS
    return min(max(at.seconds - seconds, 0.0) / DAY_S, NEVER_DAYS)


def count(value: float, most: float = 1e5) -> float:
    """A kept sum as a quantity: never below zero (refunds), never beyond `most`, never NaN."""
    return min(value, most) if value > 0.0 else 0.0


def share(part: float, whole: float) -> float:
    """Part / whole in [0, 1]; 0 where there is no whole."""
    ratio = part / whole if whole > 0.0 else 0.0
    return min(ratio, 1.0) if ratio > 0.0 else 0.0
