import pytest

from tests.segments.features.reading import natural
from tests.segments.strategies import START, order


def test_the_hour_and_weekday_lie_on_circles():
    assert START.weekday() == 0
    seen = natural([], day=-3 / 24)  # Monday, 6:00
    circles = [seen[f"now_{unit}_{f}"] for unit in ("hour", "weekday") for f in ("sin", "cos")]
    assert circles == pytest.approx([1, 0, 0, 1], abs=1e-6)


def test_weekends_are_saturday_and_sunday():
    history = [order(f"m{day}", day=day) for day in range(7)]
    assert natural(history, day=9)["weekend_order_share"] == pytest.approx(2 / 7, abs=1e-6)
