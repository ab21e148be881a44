"""What the visitor likes: faded counts per category and brand, and how concentrated they are.

The affinity to one category,

    (C + 8 r) / (D + 8),

has C, the visitor's count of orders with that category, D, of all orders, both fading with a
half-life of 90 days, and r, the rate of the category over everyone (`segments.population`): eight
orders' worth of the crowd. Half-life and prior were chosen on a year of 2,469 real households (the
Complete Journey) by how often the category that this puts first is in the next basket.
"""

from __future__ import annotations

from math import log
from operator import mul
from typing import TYPE_CHECKING, Final

from segments.features.base import Feature, Reading, share
from segments.features.columns import ORDERS_90D

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

PRIOR_ORDERS: Final = 8.0

INTEREST: Final = {
    "Product Viewed": 0.1,
    "Product Clicked": 0.1,
    "Product Added to Wishlist": 0.2,
    "Product Added": 0.5,
    "Order Completed": 1.0,
}
"""What one event with a category adds to its count: looking is weaker evidence than buying."""


class Affinity(Feature):
    """Shares of the favourite category and brand, and how evenly interest is spread (0 to 1)."""

    columns = (ORDERS_90D,)
    readings = (
        Reading("top_category_share"),
        Reading("category_evenness"),
        Reading("top_brand_share"),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        categories, brands = profile.categories.weights, profile.brands.weights
        top_brand = max(brands) if brands else 0.0
        return *_spread(categories), share(top_brand, sum(brands))


def _spread(weights: array[float]) -> tuple[float, float]:
    """Largest share, and entropy over its maximum, of positive weights on any scale."""
    if len(weights) < 2:
        return float(len(weights)), 0.0
    total = sum(weights)
    entropy = log(total) - sum(map(mul, weights, map(log, weights))) / total
    return share(max(weights), total), share(entropy, log(len(weights)))
