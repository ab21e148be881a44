from math import inf

import pytest

from segments.cluster.phrases import phrase
from segments.features.schema import SCHEMA

READINGS = {reading.name: reading for reading in SCHEMA.readings}


@pytest.mark.parametrize(
    ("name", "low", "high", "words"),
    [
        ("recency_days", -inf, 9.2, "last purchase under 9.2 days ago"),
        ("recency_days", 9.0, 30.4, "last purchase 9 to 30 days ago"),
        ("recency_days", 0.25, inf, "no purchase in the last 6 hours"),
        ("recency_days", 600.0, inf, "has not bought for a year or ever"),
        ("recency_days", -inf, 600.0, "bought within a year"),
        ("recency_days", 31.0, 600.0, "no purchase in the last 31 days"),
        ("average_order_cents", 4_012.0, inf, "spends over 40 a basket"),
        ("revenue_cents", -inf, 123_456.0, "spent under 1,200 in all"),
        ("orders", 4.5, inf, "5 or more orders"),
        ("orders", -inf, 4.5, "at most 4 orders"),
        ("orders", 1.5, 4.5, "2 to 4 orders"),
        ("purchase_interval_days", -inf, 6.1, "buys every 6.1 days or more often"),
        ("orders_per_30_days", 3.0, inf, "lately buys at least every 10 days"),
        ("discount_share", 0.1, 0.2, "10 to 20% off by discounts"),
        ("channel_in_store_share", 0.5, inf, "over 50% of visits by in-store"),
        ("something_new", -inf, 0.5, "something new under 0.5"),
    ],
)
def test_bounds_read_like_a_merchandiser_speaks(name, low, high, words):
    def scaled(value):
        known = name in READINGS and abs(value) != inf
        return READINGS[name].scaled(value) if known else value

    assert phrase(name, scaled(low), scaled(high)) == words


def test_every_feature_has_words():
    for name in SCHEMA.feature_names:
        assert phrase(name, -inf, 0.5)
        assert phrase(name, 0.5, inf)
