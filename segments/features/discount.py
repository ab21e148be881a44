"""How much of the visitor's spending waits for a discount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments.features.base import Column, Feature, Reading, share
from segments.features.columns import ORDER, REVENUE_CENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

_DISCOUNT_CENTS = Column(
    "discount_cents", "sum", ORDER, lambda seen: float(seen.event.discount_cents or 0)
)


class Discount(Feature):
    """Discounts as a share of what the orders would have cost: discount / (revenue + discount)."""

    columns = (_DISCOUNT_CENTS, REVENUE_CENTS)
    readings = (Reading("discount_share"),)

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        discount, revenue = own
        return (share(discount, max(revenue, 0.0) + discount),)
