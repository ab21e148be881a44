"""Frequency: how often the visitor buys, ever and of late."""

from __future__ import annotations

from math import log, log1p
from typing import TYPE_CHECKING

from segments.features.base import Column, Feature, Reading, count
from segments.features.columns import ORDER, ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

_ORDERS_30D = Column("orders_30d", "sum", ORDER, lambda seen: seen.short)
_PER_30_DAYS = log(2.0)
"""A steady r orders per 30 days make a sum of r / ln 2 under a half-life of 30 days."""


class Frequency(Feature):
    """Orders in total, and the present rate of orders per 30 days."""

    columns = (ORDERS, _ORDERS_30D)
    readings = (Reading("orders", log_at=50.0), Reading("orders_per_30_days", log_at=10.0))
    _total, _rate = (1.0 / log1p(50.0), 1.0 / log1p(10.0))

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        total, recent = own
        return (
            log1p(count(total)) * self._total,
            log1p(count(recent * at.short * _PER_30_DAYS)) * self._rate,
        )
