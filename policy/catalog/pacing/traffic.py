"""When a budget's money is for, and how visits spread over that time.

Under pacing: how many decisions are still to come decides how much each may cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from policy.bounds import whole_parameter
from policy.errors import ParameterError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
WEEK_HOURS = 168
MONDAY_US = 4 * DAY_US
"""The first Monday: 1970 began on a Thursday."""

LATEST_US = 2**62


@dataclass(frozen=True, slots=True)
class Period:
    """The stretch of time that an amount is for, once or again and again.

    Args:
        start_us: First moment of a period, in microseconds since 1970, UTC. Moved by the offset of
            the shop's time zone, days begin at its midnight.
        length_us: Length, at least an hour.
        repeats: Whether the next period follows at once; nothing is there before the first.

    Raises:
        ParameterError: A number is out of its range.

    Example:
        >>> day = Period.daily()
        >>> day.number(3 * DAY_US + 5), day.end_us(3) == 4 * DAY_US
        (3, True)
    """

    start_us: int
    length_us: int
    repeats: bool = True

    def __post_init__(self) -> None:
        whole_parameter("start_us", self.start_us, -LATEST_US, LATEST_US)
        whole_parameter("length_us", self.length_us, HOUR_US, LATEST_US)

    @classmethod
    def daily(cls, start_us: int = 0) -> Period:
        """Every day, from midnight UTC unless ``start_us`` says otherwise."""
        return cls(start_us, DAY_US)

    @classmethod
    def weekly(cls, start_us: int = MONDAY_US) -> Period:
        """Every week, from Monday midnight UTC unless ``start_us`` says otherwise."""
        return cls(start_us, WEEK_US)

    @classmethod
    def total(cls, start_us: int, end_us: int) -> Period:
        """One period, and nothing before or after it."""
        return cls(start_us, end_us - start_us, repeats=False)

    def number(self, now_us: int) -> int:
        """Which period it is; the first one is 0."""
        return (now_us - self.start_us) // self.length_us

    def end_us(self, number: int) -> int:
        """First moment after a period."""
        return self.start_us + (number + 1) * self.length_us

    def funded(self, number: int) -> bool:
        """Whether there is money in a period."""
        return number >= 0 if self.repeats else number == 0

    def n_funded(self, start: int, stop: int) -> int:
        """How many periods of ``range(start, stop)`` there is money in."""
        if self.repeats:
            return max(stop - max(start, 0), 0)
        return int(start <= 0 < stop)


class Traffic:
    """How visits spread over a week: a weight for each of its hours.

    Args:
        weights: (168,), hours from Monday 00:00 UTC, at least 0, in any unit; None for even ones.

    Raises:
        ParameterError: Not 168 finite numbers of at least 0, or all of them are 0.

    Example:
        >>> even = Traffic()
        >>> round(even.days(0, 3 * DAY_US), 9)
        3.0
    """

    def __init__(self, weights: Iterable[float] | None = None) -> None:
        given = [1.0] * WEEK_HOURS if weights is None else list(weights)
        numbers = all(isinstance(weight, (int, float)) for weight in given)
        if len(given) != WEEK_HOURS or not numbers:
            rule = f"must be {WEEK_HOURS} numbers, one for each hour from Monday 00:00 UTC"
            raise ParameterError(f"traffic is {shown(given)}: {rule}")
        total = sum(given)
        if not (min(given) >= 0.0 and 0.0 < total < math.inf):
            raise ParameterError(f"traffic is {shown(given)}: must be at least 0, and not all 0")
        self._days = [7.0 * weight / total for weight in given]
        self._before = [0.0, *accumulate(self._days)][:WEEK_HOURS]

    @classmethod
    def of(cls, times_us: Iterable[int]) -> Traffic:
        """The spread of what a log has seen, drawn a little towards an even one.

        Args:
            times_us: When decisions were made, best over whole weeks.

        Example:
            >>> busy = Traffic.of([MONDAY_US + 9 * HOUR_US] * 672)
            >>> round(busy.days(MONDAY_US, MONDAY_US + DAY_US), 2)
            5.8
        """
        counts = [0] * WEEK_HOURS
        for time_us in times_us:
            counts[_hour(time_us)[1]] += 1
        # As if a quarter more visits had come, evenly: no hour is believed to be dead.
        evenly = 0.25 * sum(counts) / WEEK_HOURS or 1.0
        return cls([count + evenly for count in counts])

    def days(self, start_us: int, end_us: int) -> float:
        """Traffic to expect between two moments, in days of average traffic."""
        (from_week, start), (to_week, end) = self._in_week(start_us), self._in_week(end_us)
        return 7.0 * (to_week - from_week) + (end - start)

    def _in_week(self, time_us: int) -> tuple[int, float]:
        """Which week it is, and the traffic of the week until then."""
        week, hour, into_us = _hour(time_us)
        return week, self._before[hour] + self._days[hour] * (into_us / HOUR_US)


def _hour(time_us: int) -> tuple[int, int, int]:
    """Week since the first Monday, hour of the week, microseconds into the hour."""
    hours, into_us = divmod(time_us - MONDAY_US, HOUR_US)
    week, hour = divmod(hours, WEEK_HOURS)
    return week, hour, into_us
