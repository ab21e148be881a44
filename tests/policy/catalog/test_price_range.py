"""Which prices of a range may be shown: the same ones that the guards let through one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.history import PriceSeen
from policy.catalog.price import HOUR_US, Price, PriceGuards
from policy.catalog.price_range import PriceRange, for_everybody, for_visitor, nearest
from policy.errors import ParameterError

ranges = st.builds(
    lambda low, steps, step: PriceRange(low, low + steps * step, step),
    st.integers(1, 500),
    st.integers(1, 60),
    st.integers(1, 40),
)
bounds = st.none() | st.integers(0, 3_000)
guards = st.builds(
    lambda low, high, floor, step, hours: PriceGuards(
        None if low is None or high is None else min(low, high),
        high if low is None or high is None else max(low, high),
        floor,
        step,
        hours,
    ),
    bounds,
    bounds,
    st.none() | st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5]),
    st.none() | st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.5]),
    st.none() | st.just(2.0),
)


@given(ranges, guards, st.none() | st.integers(0, 2_000))
def test_everybody_is_allowed_what_no_guard_refuses(prices, guard, cost):
    allowed = for_everybody(prices.all, guard, cost)
    assert [*allowed] == [cents for cents in prices.all if guard.refuses(cents, cost) is None]


@given(ranges, guards, st.integers(1, 2_500), st.integers(0, 3 * HOUR_US))
def test_a_visitor_is_allowed_what_a_ladder_of_the_same_prices_would_leave(
    prices, guard, last, now_us
):
    seen = PriceSeen(last, since_us=0, last_us=0)
    ladder = [Price(i, 7, cents) for i, cents in enumerate(prices.all)]
    guarded = guard.guarded(ladder, {7: seen}, now_us)
    left = [cents for i, cents in enumerate(prices.all) if i not in guarded]
    assert [*for_visitor(prices.all, guard, seen, now_us)] == left


@given(ranges, guards)
def test_who_saw_nothing_is_allowed_everything(prices, guard):
    assert for_visitor(prices.all, guard, None, 5) == prices.all


@given(ranges, st.floats(-100, 4_000))
def test_the_nearest_price_is_the_nearest(prices, value):
    found = nearest(prices.all, value)
    assert abs(found - value) == pytest.approx(min(abs(cents - value) for cents in prices.all))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0, 900), "min_cents is 0: must be a whole number from 1"),
        ((900, 900), "max_cents is 900: must be above min_cents, which is 900"),
        ((100, 205, 10), "step_cents is 10: must divide max_cents - min_cents, which is 105"),
        ((100, 8_000_001), "max_cents is 8000001"),
        ((100, 200, 0), "step_cents is 0"),
        ((100, 200.0), "max_cents is 200.0"),
    ],
)
def test_a_range_that_contradicts_itself_is_refused(fields, message):
    with pytest.raises(ParameterError) as caught:
        PriceRange(*fields)
    assert message in str(caught.value)
