"""Price guards: what may be shown whatever was seen, and what only after what was seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.history import PriceSeen
from policy.catalog.price import HOUR_US, Price, PriceGuards
from policy.errors import ParameterError

cents = st.integers(1, 10_000)


def ladder(*prices, key=7):
    return [Price(i, key, price) for i, price in enumerate(prices)]


def seen(price_cents, since_us=0, last_us=0, key=7):
    return {key: PriceSeen(price_cents, since_us, last_us)}


@given(cents, st.none() | cents, st.floats(0, 0.99))
def test_a_price_passes_the_margin_floor_when_enough_of_it_is_left(price, cost, floor):
    refused = PriceGuards(margin_floor=floor).refuses(price, cost)
    left = None if cost is None else (price - cost) / price
    if left is None or left < floor - 1e-6:
        assert refused == "margin_floor"
    elif left > floor + 1e-6:
        assert refused is None


def test_a_margin_that_is_exactly_the_floor_passes():
    for floor in (0.1, 0.2, 0.3, 0.7):
        assert PriceGuards(margin_floor=floor).refuses(1_000, round(1_000 * (1 - floor))) is None


def test_bounds_are_included():
    guards = PriceGuards(min_cents=500, max_cents=900)
    assert [guards.refuses(price, None) for price in (499, 500, 900, 901)] == [
        "min_cents",
        None,
        None,
        "max_cents",
    ]


@given(st.lists(cents, min_size=1, max_size=6), cents, st.floats(0, 2))
def test_no_price_is_further_from_the_last_one_than_a_step(prices, last, step):
    out = PriceGuards(largest_step=step).guarded(ladder(*prices), seen(last), now_us=5)
    for i, price in enumerate(prices):
        distance = abs(price - last) / last
        if distance > step + 1e-6:
            assert i in out
        elif distance < step - 1e-6:
            assert i not in out


def test_a_step_that_is_exactly_the_largest_passes():
    guards = PriceGuards(largest_step=0.1)
    assert guards.guarded(ladder(990, 1_100, 1_101, 900), seen(1_000), 5) == [2]


def test_within_its_period_a_visitor_keeps_the_price():
    guards = PriceGuards(sticky_hours=2)
    for now_us, out in ((0, [0, 2]), (2 * HOUR_US - 1, [0, 2]), (2 * HOUR_US, [])):
        assert guards.guarded(ladder(900, 990, 1_090), seen(990), now_us) == out


def test_a_price_that_is_not_allowed_any_more_is_not_kept():
    guards = PriceGuards(sticky_hours=2)
    assert guards.guarded(ladder(900, 1_090), seen(990), 5) == []


def test_what_was_seen_of_one_thing_says_nothing_of_another():
    guards = PriceGuards(largest_step=0.1, sticky_hours=2)
    assert guards.guarded(ladder(900, 2_000, key=8), seen(990, key=7), 5) == []


def test_who_saw_nothing_may_see_everything():
    guards = PriceGuards(largest_step=0.1, sticky_hours=2)
    assert guards.guarded(ladder(900, 2_000), {}, 5) == []


@given(
    st.lists(cents, min_size=1, max_size=6, unique=True),
    st.integers(0, 5),
    st.integers(0, 4 * HOUR_US),
)
def test_the_price_seen_last_is_never_guarded_by_itself(prices, which, now_us):
    last = prices[which % len(prices)]
    guards = PriceGuards(largest_step=0.05, sticky_hours=2)
    assert prices.index(last) not in guards.guarded(ladder(*prices), seen(last), now_us)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_cents": 900, "max_cents": 500}, "min_cents is 900: must be at most max_cents"),
        ({"min_cents": -1}, "min_cents is -1"),
        ({"max_cents": 9.5}, "max_cents is 9.5"),
        ({"margin_floor": 1}, "margin_floor is 1: must be a number of at least 0 and below 1"),
        ({"largest_step": -0.1}, "largest_step is -0.1"),
        ({"sticky_hours": 0}, "sticky_hours is 0"),
    ],
)
def test_guards_that_contradict_themselves_are_refused(fields, message):
    with pytest.raises(ParameterError) as caught:
        PriceGuards(**fields)
    assert message in str(caught.value)
