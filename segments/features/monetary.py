"""Monetary value: what the visitor spent in total, per order, and in pieces per order."""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING

from segments.features.base import Column, Feature, Reading, count
from segments.features.columns import ORDER, ORDERS, REVENUE_CENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment, Observation
    from segments.profile import Profile


def _items(seen: Observation) -> float:
    return float(sum([line.quantity for line in seen.event.products]))


_ITEMS = Column("items", "sum", ORDER, _items)
_REVENUE_AT, _ORDER_AT, _BASKET_AT = 100_000.0, 10_000.0, 20.0
_REVENUE, _ORDER, _BASKET = (1.0 / log1p(x) for x in (_REVENUE_AT, _ORDER_AT, _BASKET_AT))

_MOST_CENTS = 1e12


class Monetary(Feature):
    """Revenue without shipping and tax after refunds, average order value, pieces per order."""

    columns = (REVENUE_CENTS, ORDERS, _ITEMS)
    readings = (
        Reading("revenue_cents", log_at=_REVENUE_AT),
        Reading("average_order_cents", log_at=_ORDER_AT),
        Reading("basket_items", log_at=_BASKET_AT),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        revenue, orders, items = own
        orders = max(orders, 1.0)
        revenue = count(revenue, _MOST_CENTS)
        return (
            log1p(revenue) * _REVENUE,
            log1p(revenue / orders) * _ORDER,
            log1p(count(items / orders)) * _BASKET,
        )
