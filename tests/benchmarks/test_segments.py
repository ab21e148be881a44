"""The benchmark of segments measures what it says, on a shop small enough to know the answer of."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.segments.emerging import unplanted
from benchmarks.segments.purchases import DataError, cdnow, online_retail, timeline
from segments.event import Event

START = datetime(2026, 1, 1, tzinfo=UTC)


def order(number, customer, day, cents, name="Order Completed"):
    at = START + timedelta(days=day)
    return Event(f"o{number}", name, customer, at, revenue_cents=cents)


def test_the_past_and_the_future_meet_at_the_moment_and_never_overlap():
    events = [
        order(1, "ann", 0, 100),
        order(2, "ann", 50, 1_000),  # at the moment itself: the future
        order(3, "ann", 139, 10_000),
        order(4, "ann", 140, 100_000),  # 90 days after: beyond
        order(5, "bob", 10, 500),
        order(6, "bob", 20, 200, "Order Cancelled"),
        order(7, "cy", 60, 700),  # not yet known
    ]
    (shot,) = timeline(reversed(events), [START + timedelta(days=50)])
    assert shot.visitors == ("ann", "bob")
    assert shot.past_cents.tolist() == [100.0, 300.0]
    assert shot.future_cents.tolist() == [11_000.0, 0.0]


def test_a_cancellation_alone_makes_no_negative_future():
    events = [order(1, "ann", 0, 100), order(2, "ann", 60, 100, "Order Cancelled")]
    (shot,) = timeline(events, [START + timedelta(days=50)])
    assert shot.future_cents.tolist() == [0.0]


def test_customers_are_watched_from_one_moment_to_the_next_if_they_came_back():
    events = [order(i, f"c{i}", i % 9, 100 + i) for i in range(60)]
    events += [order(100 + i, f"c{i}", 30 + i % 9, 100) for i in range(20)]
    before, after = timeline(events, [START + timedelta(days=20), START + timedelta(days=50)])
    name, watched, newcomers, proposals, _ = unplanted("shop", [(0.0, before), (30.0, after)])
    assert (name, watched) == ("shop", 20)
    assert newcomers <= 20
    assert proposals == 0


@pytest.mark.parametrize("read", [cdnow, online_retail])
def test_a_missing_data_set_is_named(read, tmp_path):
    with pytest.raises(DataError, match="is not there; --data names the folder"):
        read(tmp_path)
