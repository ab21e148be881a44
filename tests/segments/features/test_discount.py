from tests.segments.features.reading import natural
from tests.segments.strategies import order


def test_the_share_is_of_what_it_would_have_cost():
    seen = natural([order("m1", revenue_cents=750, discount_cents=250)], day=1)
    assert seen["discount_share"] == 0.25


def test_a_gift_is_all_discount_and_nothing_is_none():
    assert natural([order("m1", revenue_cents=0, discount_cents=5)], 1)["discount_share"] == 1
    assert natural([], 1)["discount_share"] == 0
