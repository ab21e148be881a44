from tests.segments.features.reading import natural
from tests.segments.strategies import order


def test_the_interval_is_the_mean_time_between_purchases():
    seen = natural([order("m1", day=0), order("m2", day=3), order("m3", day=20)], day=45)
    assert (seen["purchase_interval_days"], seen["recency_intervals"]) == (10, 2.5)


def test_one_purchase_makes_no_interval():
    assert natural([order("m1")], day=5)["purchase_interval_days"] == 730


def test_purchases_at_one_moment_do_not_divide_by_zero():
    seen = natural([order("m1"), order("m2")], day=10)
    assert (seen["purchase_interval_days"], seen["recency_intervals"]) == (0, 10)
