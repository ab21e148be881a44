from tests.segments.features.reading import natural
from tests.segments.strategies import order, viewed


def test_days_are_counted_from_the_last_purchase_last_and_first_event():
    seen = natural([viewed("m1", day=10), order("m2", day=40), viewed("m3", day=90)], day=100)
    assert (seen["recency_days"], seen["unseen_days"], seen["tenure_days"]) == (60, 10, 90)


def test_never_having_bought_reads_as_two_years():
    assert natural([viewed("m1")], day=1)["recency_days"] == 730


def test_nobody_has_no_tenure():
    assert natural([], day=1)["tenure_days"] == 0


def test_the_future_counts_as_now():
    assert natural([order("m1", day=5)], day=1)["recency_days"] == 0
