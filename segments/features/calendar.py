"""The calendar: the hour and weekday of now, and the visitor's own weekend habit. All in UTC."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin
from typing import TYPE_CHECKING

from segments.decay import DAY_S
from segments.features.base import Column, Feature, Reading, share
from segments.features.columns import ORDER, ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment, Observation
    from segments.profile import Profile

_WEEK_S = 7 * DAY_S
_SATURDAY_S = 2 * DAY_S
"""1970-01-01 was a Thursday: each Saturday starts two days into a week of Unix time."""


def _weekend(seen: Observation) -> float:
    return 1.0 if _SATURDAY_S <= seen.seconds % _WEEK_S < _SATURDAY_S + 2 * DAY_S else 0.0


class Calendar(Feature):
    """Where now lies on the circles of day and week, and the share of orders on weekends."""

    columns = (Column("weekend_orders", "sum", ORDER, _weekend), ORDERS)
    readings = (
        Reading("now_hour_sin"),
        Reading("now_hour_cos"),
        Reading("now_weekday_sin"),
        Reading("now_weekday_cos"),
        Reading("weekend_order_share"),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        weekend, orders = own
        return (*_circles(int(at.seconds // 3_600.0)), share(weekend, orders))


@lru_cache(maxsize=256)
def _circles(hours: int) -> tuple[float, float, float, float]:
    """Sine and cosine of the hour of day and of the day of week (Monday 0)."""
    hour = 2.0 * pi * (hours % 24) / 24.0
    weekday = 2.0 * pi * ((hours // 24 + 3) % 7) / 7.0
    return sin(hour), cos(hour), sin(weekday), cos(weekday)
