from segments.event import Event, Product
from tests.segments.features.reading import natural
from tests.segments.strategies import START, order


def test_money_comes_from_the_best_source_there_is():
    lines = (Product(price_cents=250, quantity=2), Product(price_cents=100), Product())
    history = [
        order("m1", revenue_cents=1_000, total_cents=9_999),
        order("m2", total_cents=1_000, tax_cents=150, shipping_cents=50),
        order("m3", products=lines),
    ]
    seen = natural(history, day=1)
    assert (seen["revenue_cents"], seen["average_order_cents"]) == (2_400, 800)


def test_pieces_are_averaged_over_orders():
    lines = (Product(quantity=3), Product(quantity=2))
    seen = natural([order("m1", products=lines), order("m2", products=lines[:1])], day=1)
    assert seen["basket_items"] == 4


def test_a_refund_beyond_all_revenue_reads_as_none():
    refund = Event("m2", "Order Refunded", "ann", START, total_cents=900)
    seen = natural([order("m1", total_cents=500), refund], day=1)
    assert seen["revenue_cents"] == 0
