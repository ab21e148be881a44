import pytest

from segments.event import Event, Product
from tests.segments.features.reading import natural
from tests.segments.strategies import START, order


def bought(number, *categories, brand=None):
    lines = tuple(Product(category=category, brand=brand) for category in categories)
    return order(f"m{number}", products=lines)


def test_one_liking_is_all_and_two_equal_ones_are_even():
    one, two = natural([bought(1, "Tea")], day=1), natural([bought(1, "Tea", "Salt")], day=1)
    assert (one["top_category_share"], one["category_evenness"]) == (1, 0)
    assert (two["top_category_share"], two["category_evenness"]) == (0.5, 1)


def test_a_category_counts_once_an_order():
    seen = natural([bought(1, "Tea", "Tea", "Tea", "Salt")], day=1)
    assert seen["top_category_share"] == 0.5


def test_looking_counts_less_than_buying():
    looked = Event("m2", "Product Viewed", "ann", START, products=(Product(category="Salt"),))
    seen = natural([bought(1, "Tea"), looked], day=1)
    assert seen["top_category_share"] == pytest.approx(1 / 1.1, abs=1e-5)


def test_brands_are_counted_too():
    seen = natural([bought(1, "Tea", brand="Acme"), bought(2, "Tea", brand="Bolt")], day=1)
    assert seen["top_brand_share"] == 0.5
