import pickle
from datetime import UTC, datetime, timedelta

import pytest

from segments.errors import EventError, SegmentsError
from segments.event import EVENT_NAMES, Event, Product

AT = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = {"message_id": "m", "name": "Order Completed", "visitor": "ann", "timestamp": AT}


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"name": "Order Complete"}, "name", "did you mean 'Order Completed'?"),
        ({"name": "x" * 10**6}, "name", "known event name"),
        ({"message_id": ""}, "message_id", "not be empty"),
        ({"message_id": "m" * 201}, "message_id", "at most 200"),
        ({"visitor": ""}, "visitor", "identify one visitor"),
        ({"visitor": "000-000"}, "visitor", "identify one visitor"),
        ({"visitor": "NULL"}, "visitor", "identify one visitor"),
        ({"visitor": "-1"}, "visitor", "identify one visitor"),
        ({"visitor": "  "}, "visitor", "identify one visitor"),
        ({"user_id": "Anonymous"}, "user_id", "identify one visitor"),
        ({"visitor": 7}, "visitor", "must be a string"),
        ({"visitor": "a\0b"}, "visitor", "NUL"),
        ({"coupon": "\ud800"}, "coupon", "surrogates"),
        ({"query": "q" * 1_001}, "query", "at most 1000"),
        ({"timestamp": AT.replace(tzinfo=None)}, "timestamp", "timezone"),
        ({"timestamp": AT.replace(year=1969)}, "timestamp", "1970"),
        ({"timestamp": AT.replace(year=2100)}, "timestamp", "2099"),
        ({"total_cents": -1}, "total_cents", "negative"),
        ({"total_cents": 10**12 + 1}, "total_cents", "at most"),
        ({"tax_cents": 1.5}, "tax_cents", "whole number"),
        ({"discount_cents": True}, "discount_cents", "whole number"),
        ({"channel": "fax"}, "channel", "in-store"),
        ({"products": (Product(),) * 1_001}, "products", "at most 1000"),
        ({"products": (Product(), Product(quantity=-1))}, "products[1].quantity", "negative"),
        ({"products": (Product(category="c" * 1_001),)}, "products[0].category", "at most"),
        ({"products": (Product(price_cents=-5),)}, "products[0].price_cents", "negative"),
        ({"consent": (("a\0", True),)}, "consent", "NUL"),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_rule(changes, field, rule):
    with pytest.raises(EventError) as caught:
        Event(**{**GOOD, **changes})
    assert caught.value.field == field
    assert rule in str(caught.value)
    assert len(caught.value.value) <= 80


def test_every_name_of_the_vocabulary_makes_an_event():
    assert {Event(**{**GOOD, "name": name}).name for name in EVENT_NAMES} == EVENT_NAMES


def test_any_timezone_will_do():
    tokyo = datetime(2026, 3, 1, 9, tzinfo=None).astimezone()
    assert Event(**{**GOOD, "timestamp": tokyo}).timestamp == tokyo


def test_the_first_and_last_moments_are_accepted():
    for moment in (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC) - timedelta(seconds=1),
    ):
        assert Event(**{**GOOD, "timestamp": moment}).timestamp == moment


def test_events_and_errors_travel_between_processes():
    event = Event(**GOOD, products=(Product(sku="s"),))
    assert pickle.loads(pickle.dumps(event)) == event
    error = EventError("visitor", "x" * 500, "must be short")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error, SegmentsError)
