"""A part of an order has its own revenue, and its share of what the order has as a whole."""

from hypothesis import given
from hypothesis import strategies as st

from policy.reward.conversion import Conversion, Line

TEA = Line("t", "Tea", "Own", 900, 3, 300)
SALT = Line("s", "Salt", None, 100, 1, 50)


def order(*lines: Line, revenue_cents: int = 1_000) -> Conversion:
    return Conversion("Order Completed", revenue_cents, lines, 1_300, 200, 100, 250)


def test_the_matching_part_has_its_share_of_the_whole_orders_amounts() -> None:
    part = order(TEA, SALT).matching("category", "Tea")
    assert part == Conversion("Order Completed", 900, (TEA,), 1_170, 180, 90, 225)


def test_without_prices_the_pieces_share() -> None:
    lines = (Line("t", "Tea", None, 0, 3), Line("s", "Salt", None, 0, 1))
    part = order(*lines).matching("product_id", "t")
    assert part is not None
    assert part.discount_cents == round(250 * 3 / 4)
    assert part.revenue_cents == 0


def test_a_line_of_no_pieces_matches_as_well() -> None:
    part = order(Line("t", "Tea", None, 0, 0)).matching("category", "Tea")
    assert part is not None
    assert part.quantity == 0


def test_nothing_matches_nothing() -> None:
    for attribute, value in (("category", "Eggs"), ("brand", None), ("product_id", "")):
        assert order(TEA, SALT).matching(attribute, value) is None


def test_fewer_pieces_bring_less_and_cost_less() -> None:
    left = order(TEA, SALT).with_pieces([1, 1])
    assert left == Conversion(
        "Order Completed", 400, (Line("t", "Tea", "Own", 300, 1, 100), SALT), 520, 80, 40, 100
    )


def test_less_money_is_less_revenue_for_the_same_goods() -> None:
    left = order(TEA, SALT).with_revenue(500)
    assert [line.revenue_cents for line in left.lines] == [450, 50]
    assert (left.revenue, left.cost, left.quantity) == (5.0, 3.5, 4.0)


lines = st.lists(
    st.builds(
        Line,
        st.sampled_from("abc"),
        st.none(),
        st.none(),
        st.integers(0, 10**6),
        st.integers(0, 9),
        st.integers(0, 10**6),
    ),
    max_size=5,
)


@given(lines=lines, revenue_cents=st.integers(0, 10**7))
def test_parts_by_product_add_up_to_the_whole(lines: list[Line], revenue_cents: int) -> None:
    whole = order(*lines, revenue_cents=revenue_cents)
    ids = {line.product_id for line in lines}
    parts = [part for name in ids if (part := whole.matching("product_id", name))]
    assert sum(part.revenue_cents for part in parts) == sum(x.revenue_cents for x in lines)
    assert sum(len(part.lines) for part in parts) == len(lines)
    if parts and any(line.revenue_cents or line.quantity for line in lines):
        assert abs(sum(part.discount_cents for part in parts) - 250) <= len(parts)
