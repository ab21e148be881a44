"""Time between purchases, and how overdue the next one is against it."""

from __future__ import annotations

from math import inf, log1p
from typing import TYPE_CHECKING

from segments.decay import DAY_S
from segments.features.base import NEVER_DAYS, Feature, Reading, days_since
from segments.features.columns import FIRST_ORDER_S, LAST_ORDER_S, ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

_DAYS, _TIMES = 1.0 / log1p(365.0), 1.0 / log1p(10.0)
_MAX_TIMES = 100.0


class PurchaseInterval(Feature):
    """Mean days between purchases, (last - first) / (n - 1), and recency in such intervals.

    With fewer than two purchases the interval reads as two years, the cut-off.
    """

    columns = (ORDERS, FIRST_ORDER_S, LAST_ORDER_S)
    readings = (
        Reading("purchase_interval_days", log_at=365.0),
        Reading("recency_intervals", log_at=10.0),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        orders, first, last = own
        interval = NEVER_DAYS
        if orders >= 2.0 and -inf < first <= last < inf:
            interval = min((last - first) / (orders - 1.0) / DAY_S, NEVER_DAYS)
        # Purchases minutes apart say nothing about the days to the next one.
        overdue = min(days_since(last, at) / max(interval, 1.0), _MAX_TIMES)
        return log1p(interval) * _DAYS, log1p(overdue) * _TIMES
