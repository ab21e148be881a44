"""Columns that more than one family reads: purchases, their money, and first and last times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from segments.features.base import Column

if TYPE_CHECKING:
    from segments.features.base import Observation

ORDER: Final = frozenset({"Order Completed"})
REFUND: Final = frozenset({"Order Refunded"})
CANCELLATION: Final = frozenset({"Order Cancelled"})
MONEY: Final = ORDER | REFUND | CANCELLATION


def _order_count(seen: Observation) -> float:
    if seen.event.name == "Order Completed":
        return 1.0
    # A cancellation of an unknown amount may be of an order that never completed.
    return -1.0 if seen.net_cents else 0.0


def _revenue(seen: Observation) -> float:
    return seen.net_cents if seen.event.name == "Order Completed" else -seen.net_cents


def _seconds(seen: Observation) -> float:
    return seen.seconds


ORDERS: Final = Column("orders", "sum", ORDER | CANCELLATION, _order_count)
REVENUE_CENTS: Final = Column("revenue_cents", "sum", MONEY, _revenue)
FIRST_ORDER_S: Final = Column("first_order_s", "min", ORDER, _seconds)
LAST_ORDER_S: Final = Column("last_order_s", "max", ORDER, _seconds)
FIRST_SEEN_S: Final = Column("first_seen_s", "min", None, _seconds)
LAST_SEEN_S: Final = Column("last_seen_s", "max", None, _seconds)
ORDERS_90D: Final = Column("orders_90d", "sum", ORDER, lambda seen: seen.long)
"""Orders that fade with a half-life of 90 days: the base of every affinity."""
