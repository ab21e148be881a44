"""Segment's messages into events, as its libraries write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ingest.segment import NAMES, parse_message
from segments.event import Event, EventError

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def parsed(message: dict[str, Any], **how: Any) -> Event:
    return parse_message({"userId": "ann", "messageId": "m1", **message}, NOW, **how)


def tracked(properties: dict[str, Any], event: str = "Order Completed") -> Event:
    return parsed({"type": "track", "event": event, "properties": properties})


@pytest.mark.parametrize("kind", NAMES)
def test_each_call_becomes_its_event(kind: str) -> None:
    message = {"type": kind, "previousId": "before", "traits": {"plan": "gold"}, "name": "Home"}
    for event in (parsed(message), parsed({"previousId": "before"}, kind=kind)):
        assert (event.name, event.visitor, event.message_id) == (NAMES[kind], "ann", "m1")
        assert event.timestamp == NOW


def test_an_order_is_read_whole() -> None:
    event = tracked(
        {
            "order_id": "o1", "total": 27.50, "revenue": 25, "shipping": 3, "tax": 2,
            "discount": 2.5, "coupon": "hasbros", "currency": "USD",
            "products": [
                {"product_id": "p1", "sku": "45-1", "name": "Monopoly", "price": 19,
                 "quantity": 1, "category": "Games", "brand": "Hasbro", "position": 1},
                {"product_id": "p2", "price": 3, "quantity": 2.0, "category": "Games"},
            ],
        }
    )  # fmt: skip
    assert (event.order_id, event.currency, event.coupon) == ("o1", "USD", "hasbros")
    cents = (event.total_cents, event.revenue_cents, event.shipping_cents, event.tax_cents)
    assert (*cents, event.discount_cents) == (2750, 2500, 300, 200, 250)
    first, second = event.products
    assert (first.product_id, first.brand, first.price_cents) == ("p1", "Hasbro", 1900)
    assert (second.quantity, second.price_cents, second.brand) == (2, 300, None)


def test_a_product_event_has_its_product_in_the_properties() -> None:
    event = tracked({"product_id": "p1", "category": "Tea", "price": 1.25}, "Product Viewed")
    (product,) = event.products
    assert (product.product_id, product.category, product.price_cents) == ("p1", "Tea", 125)
    assert tracked({"category": "Tea"}, "Product List Viewed").products == ()


@pytest.mark.parametrize(
    ("amount", "cents"),
    [(0, 0), (19.99, 1999), (0.29, 29), (1.1, 110), (4.35, 435), (1e10, 10**12), (0.004, 0)],
)
def test_money_is_rounded_to_cents(amount: float, cents: int) -> None:
    assert tracked({"total": amount}).total_cents == cents


@given(st.integers(0, 10**12))
def test_every_amount_of_cents_survives_the_way_through_a_float(cents: int) -> None:
    assert tracked({"total": cents / 100}).total_cents == cents


def test_the_senders_clock_is_corrected_by_what_it_says_of_now() -> None:
    year_behind = NOW - timedelta(days=365)
    told = {
        "originalTimestamp": (year_behind - timedelta(minutes=5)).isoformat(),
        "sentAt": year_behind.isoformat(),
    }
    event = parsed({"type": "page", **told})
    assert event.timestamp == NOW - timedelta(minutes=5)
    assert parsed({"type": "page", **told}, trusts_clocks=True).timestamp < year_behind


def test_the_batchs_time_of_sending_counts_for_its_messages() -> None:
    message = {"type": "page", "timestamp": "2020-01-01T00:00:00.000Z"}
    event = parsed(message, sent_at="2020-01-01T00:00:07.500Z")
    assert event.timestamp == NOW - timedelta(seconds=7.5)


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=9)))
def test_however_wrong_a_clock_is_the_distance_to_sending_is_kept(
    happened: datetime, waited: timedelta
) -> None:
    try:
        sent = happened + waited
    except OverflowError:
        return
    told = {"timestamp": happened.isoformat(), "sentAt": sent.isoformat()}
    assert parsed({"type": "page", **told}).timestamp == NOW - waited


def test_without_a_time_of_sending_the_timestamp_is_taken_as_it_is() -> None:
    event = parsed({"type": "page", "timestamp": "2026-11-23T10:00:00+02:00"})
    assert event.timestamp == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("context", "channel"),
    [
        ({}, "web"),
        ({"channel": "mobile"}, "app"),
        ({"channel": "Server"}, "web"),
        ({"channel": "pigeon"}, "web"),
        ({"channel": 7}, "web"),
        ({"campaign": {"medium": "Email"}}, "email"),
        ({"campaign": {"medium": "cpc"}}, "search"),
        ({"campaign": "spring"}, "web"),
    ],
)
def test_the_channel_is_the_contexts(context: dict[str, Any], channel: str) -> None:
    assert parsed({"type": "page", "context": context}).channel == channel


def test_consent_is_read_from_the_context() -> None:
    consent = {"categoryPreferences": {"ads": False, "functional": True}}
    event = parsed({"type": "page", "context": {"consent": consent}})
    assert event.consent == (("ads", False), ("functional", True))


def test_the_anonymous_id_stands_in_for_the_user() -> None:
    message = {"type": "page", "anonymousId": "a1"}
    assert parsed({**message, "userId": None}).visitor == "a1"
    both = parsed(message)
    assert (both.visitor, both.user_id, both.anonymous_id) == ("ann", "ann", "a1")


def test_a_message_without_an_id_gets_one_of_its_own() -> None:
    ids = {parsed({"type": "page", "messageId": given}).message_id for given in (None, "", None)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("message", "field", "value", "rule"),
    [
        ({"type": "trak"}, "type", "'trak'", "must be one of track, identify"),
        ({"type": ["page"]}, "type", "['page']", "must be one of"),
        ({}, "type", "None", "must be one of"),
        ({"type": "track"}, "event", "None", "is needed"),
        ({"type": "track", "event": "Order Compleet"}, "event", "'Order Compleet'",
         "did you mean 'Order Completed'?"),
        ({"type": "alias"}, "previousId", "None", "is needed"),
        ({"type": "alias", "previousId": ""}, "previousId", "''", "must identify one visitor"),
        ({"type": "page", "userId": None}, "userId", "None", "userId or anonymousId is needed"),
        ({"type": "page", "anonymousId": "null"}, "anonymousId", "'null'", "must identify"),
        ({"type": "page", "messageId": 9}, "messageId", "9", "must be a string"),
        ({"type": "page", "messageId": "x" * 201}, "messageId", None, "at most 200"),
        ({"type": "page", "context": "web"}, "context", "'web'", "must be a JSON object"),
        ({"type": "page", "timestamp": "2026-11-23"}, "timestamp", "'2026-11-23'", "ISO 8601"),
        ({"type": "page", "timestamp": "9999-12-31T23:59:59Z", "sentAt": "0001-01-01T00:00:00Z"},
         "timestamp", None, "is too far from sentAt"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_event_is_refused_by_field(
    message: dict[str, Any], field: str, value: str | None, rule: str
) -> None:
    with pytest.raises(EventError) as caught:
        parsed(message)
    assert caught.value.field == field
    assert rule in caught.value.rule
    assert value is None or caught.value.value == value


def test_a_path_says_the_type_and_the_message_may_agree() -> None:
    for named in (None, "page"):
        assert parsed({"type": named}, kind="page").name == "Page Viewed"
    with pytest.raises(EventError, match="must be 'page' on this path"):
        parsed({"type": "screen"}, kind="page")
