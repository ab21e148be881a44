import pytest

from tests.segments.features.reading import natural
from tests.segments.strategies import order


def test_orders_are_counted():
    assert natural([order(f"m{i}", day=i) for i in range(7)], day=9)["orders"] == 7


def test_a_steady_buyers_rate_is_orders_per_30_days():
    history = [order(f"m{i}", day=3 * i) for i in range(200)]
    assert natural(history, day=600)["orders_per_30_days"] == pytest.approx(10.0, rel=0.05)


def test_the_rate_halves_in_30_days_of_silence():
    history = [order("m1"), order("m2", day=2)]
    rates = [natural(history, day=day)["orders_per_30_days"] for day in (10, 40)]
    assert rates[1] == pytest.approx(rates[0] / 2, rel=1e-4)
