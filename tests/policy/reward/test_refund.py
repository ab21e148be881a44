"""What is left of an order is the same in whatever order its refunds are heard of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.reward.conversion import Conversion, Line
from policy.reward.refund import Refund, net

TEA = Line("t", "Tea", "Own", 900, 3, 300)
SALT = Line("s", "Salt", None, 100, 1, 50)
ORDER = Conversion("Order Completed", 1_000, (TEA, SALT), 1_250, 150, 100, 0)


def back(product_id: str | None, quantity: int = 1, price_cents: int = 0) -> Line:
    return Line(product_id, None, None, price_cents * quantity, quantity)


@pytest.mark.parametrize(
    ("refunds", "revenue", "cost", "quantity"),
    [
        ([], 10.0, 3.5, 4.0),
        ([Refund(1, lines=(back("t"),))], 7.0, 2.5, 3.0),
        ([Refund(1, lines=(back("t", 2),)), Refund(2, lines=(back("s"),))], 3.0, 1.0, 1.0),
        ([Refund(1, lines=(back("s"),)), Refund(2, lines=(back("s"),))], 9.0, 3.0, 3.0),
        ([Refund(1, revenue_cents=250)], 7.5, 3.5, 4.0),
        ([Refund(1, revenue_cents=250), Refund(1, revenue_cents=250)], 7.5, 3.5, 4.0),
        ([Refund(1, revenue_cents=250), Refund(2, revenue_cents=250)], 5.0, 3.5, 4.0),
        ([Refund(1, total_cents=125)], 9.0, 3.5, 4.0),
        ([Refund(1, revenue_cents=0)], 10.0, 3.5, 4.0),
        ([Refund(1, revenue_cents=500, lines=(back("s"),))], 9.0, 3.0, 3.0),
        ([Refund(1, lines=(back("x", 2, 100),))], 8.0, 3.5, 4.0),
        ([Refund(1, lines=(back("x"), back("s")))], 9.0, 3.0, 3.0),
        ([Refund(1, lines=(back(None),))], 10.0, 3.5, 4.0),
        ([Refund(1, lines=(back("t"),)), Refund(2, revenue_cents=100)], 6.0, 2.5, 3.0),
    ],
)
def test_a_refund_takes_back_its_part(
    refunds: list[Refund], revenue: float, cost: float, quantity: float
) -> None:
    left = net(ORDER, refunds)
    assert left is not None
    assert (left.revenue, left.cost, left.quantity) == (revenue, cost, quantity)


@pytest.mark.parametrize(
    "refunds",
    [
        [Refund(1)],
        [Refund(1, whole=True, lines=(back("t"),), revenue_cents=1)],
        [Refund(1, lines=(back("t", 3), back("s")))],
        [Refund(1, lines=(back("t", 99), back("s", 99)))],
        [Refund(1, revenue_cents=1_000)],
        [Refund(1, total_cents=1_250)],
        [Refund(1, total_cents=9_999)],
        [Refund(1, revenue_cents=600), Refund(2, revenue_cents=600)],
        [Refund(1, lines=(back("t", 3),)), Refund(2, revenue_cents=100)],
    ],
)
def test_nothing_is_left_of_an_order_that_was_taken_back(refunds: list[Refund]) -> None:
    assert net(ORDER, refunds) is None


def test_an_order_of_unknown_products_is_refunded_by_the_price_of_what_came_back() -> None:
    order = Conversion("Order Completed", 1_000)
    left = net(order, [Refund(1, lines=(back("t", 2, 100),))])
    assert left is not None
    assert left.revenue_cents == 800


def test_a_free_order_is_not_refunded_by_mistake() -> None:
    free = Conversion("Order Completed", 0, (back("t", 2),))
    assert net(free, [Refund(1, total_cents=0)]) == free
    left = net(free, [Refund(1, lines=(back("t"),))])
    assert left is not None
    assert left.quantity == 1.0
    assert net(free, [Refund(1, lines=(back("t", 2),))]) is None


refunds = st.builds(
    Refund,
    st.integers(0, 3),
    st.just(value=False),
    st.lists(st.builds(back, st.sampled_from("tsx"), st.integers(0, 3)), max_size=2).map(tuple),
    st.none() | st.integers(0, 600),
    st.none() | st.integers(0, 600),
)


@given(data=st.data(), heard=st.lists(refunds, max_size=6))
def test_order_and_repeats_of_refunds_do_not_matter(data: Any, heard: list[Refund]) -> None:
    left = net(ORDER, heard)
    again = data.draw(st.permutations(heard + heard[:2]))
    assert net(ORDER, again) == left


@given(heard=st.lists(refunds, max_size=6), one_more=refunds)
def test_a_further_refund_never_gives_back(heard: list[Refund], one_more: Refund) -> None:
    left, less = net(ORDER, heard), net(ORDER, [*heard, one_more])
    if left is None:
        assert less is None
    elif less is not None:
        assert 0 <= less.revenue_cents <= left.revenue_cents
        assert less.quantity <= left.quantity
        assert less.cost <= left.cost
