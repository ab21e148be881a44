"""Shopify's webhooks: which event each is, and what cannot be one."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ingest.shopify import order_of, parse_shopify, summary_of
from segments.event import Event, EventError
from tests.api.webhooks.senders import order

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TOPICS = [
    "orders/create", "orders/paid", "orders/cancelled", "refunds/create", "checkouts/create",
    "checkouts/update", "customers/create", "customers_email_marketing_consent/update",
]  # fmt: skip


def parse(topic: str, body: object, buyer: str | None = None) -> Event:
    return parse_shopify(topic, body, NOW, buyer)


def test_an_order() -> None:
    event = parse("orders/create", order())
    assert (event.name, event.order_id) == ("Order Completed", "7")
    assert (event.visitor, event.user_id, event.anonymous_id) == ("5", "5", "browser-1")
    money = (event.total_cents, event.revenue_cents, event.tax_cents, event.shipping_cents)
    assert money == (2380, 2000, 280, 100)
    assert (event.discount_cents, event.coupon, event.currency) == (150, "TEA5", "EUR")
    (product,) = event.products
    assert (product.product_id, product.brand, product.price_cents) == ("11", "Oolong & Sons", 1000)
    assert product.quantity == 2
    assert "jane" not in repr(event).lower()


def test_taxes_inside_of_prices_are_no_revenue() -> None:
    assert parse("orders/create", order(taxes_included=True)).revenue_cents == 1720


def test_created_and_paid_are_one_order() -> None:
    created, paid = parse("orders/create", order()), parse("orders/paid", order())
    assert created.message_id == paid.message_id
    assert parse("orders/create", order(8)).message_id != created.message_id


def test_only_a_cancelled_order_is_cancelled() -> None:
    """The topic is not signed: an order that is sent again under another must not count as that."""
    with pytest.raises(EventError, match="cancelled_at"):
        parse("orders/cancelled", order())
    cancelled = parse("orders/cancelled", order(cancelled_at="2026-11-23T09:00:00+01:00"))
    assert (cancelled.name, cancelled.timestamp) == ("Order Cancelled", NOW)


def refund(**changes: Any) -> dict[str, Any]:
    item = {"quantity": 1, "subtotal": "10.00", "line_item": order()["line_items"][0]}
    paid = {"kind": "refund", "status": "success", "amount": "11.40"}
    return {
        "id": 3, "order_id": 7, "created_at": "2026-11-23T08:00:00Z",
        "refund_line_items": [item], "transactions": [paid], **changes,
    }  # fmt: skip


def test_a_refund_names_what_came_back() -> None:
    event = parse("refunds/create", refund(), "5")
    assert (event.name, event.visitor, event.order_id) == ("Order Refunded", "5", "7")
    assert (event.revenue_cents, event.total_cents) == (1000, 1140)
    assert [(one.product_id, one.quantity) for one in event.products] == [("11", 1)]
    assert order_of("refunds/create", refund()) == "7"
    assert parse("refunds/create", refund()).visitor == "shopify-order-7"


def test_a_refund_that_pays_nothing_back_takes_nothing() -> None:
    event = parse("refunds/create", refund(refund_line_items=[], transactions=[]))
    assert (event.revenue_cents, event.total_cents) == (None, 0)


def test_checkouts() -> None:
    body = order() | {"token": "abc", "updated_at": "2026-11-23T08:05:00Z"}
    started, going_on = parse("checkouts/create", body), parse("checkouts/update", body)
    assert (started.name, going_on.name) == ("Checkout Started", "Checkout Step Completed")
    assert started.message_id != going_on.message_id


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("subscribed", (("email", True),)),
        ("unsubscribed", (("email", False),)),
        ("not_subscribed", (("email", False),)),
        ("redacted", (("email", False),)),
        ("pending", ()),
        (None, ()),
    ],
)
def test_consent(state: str | None, words: tuple[tuple[str, bool], ...]) -> None:
    consent = {"state": state, "consent_updated_at": "2026-11-23T08:00:00Z"}
    topic = "customers_email_marketing_consent/update"
    body = {"customer_id": 5, "email_address": "j@example.org", "email_marketing_consent": consent}
    event = parse(topic, body)
    assert (event.name, event.visitor, event.consent) == ("Identified", "5", words)
    whole = {"id": 5, "sms_marketing_consent": {"state": "subscribed"}, "updated_at": None}
    assert parse("customers/update", whole).consent == (("sms", True),)


@pytest.mark.parametrize(
    ("topic", "body", "field"),
    [
        ("app/uninstalled", {}, "x-shopify-topic"),
        ("orders/create", [], "body"),
        ("orders/create", {}, "id"),
        ("orders/create", order(customer=None, note_attributes=[]), "customer.id"),
        ("orders/create", order(customer=3), "customer"),
        ("orders/create", order(total_price="a lot"), "total_price"),
        ("orders/create", order(total_price="-1"), "total_price"),
        ("orders/create", order(total_price="NaN"), "total_price"),
        ("orders/create", order(total_price="1e999999999999999999"), "total_price"),
        ("orders/create", order(line_items="none"), "line_items"),
        ("orders/create", order(created_at="yesterday"), "created_at"),
        ("refunds/create", {"id": 1}, "order_id"),
    ],
)
def test_what_cannot_be_an_event_is_refused_by_field(topic: str, body: object, field: str) -> None:
    with pytest.raises(EventError) as refused:
        parse(topic, body)
    assert refused.value.field == field


def test_what_is_kept_of_a_refused_one_names_nobody() -> None:
    kept = summary_of("orders/create", order())
    assert kept == {"topic": "orders/create", "id": 7, "customer.id": 5}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.sampled_from(TOPICS), st.dictionaries(st.sampled_from(sorted(order())), json_values))
def test_any_body_is_an_event_or_a_refusal(topic: str, changes: dict[str, Any]) -> None:
    body = order() | {"order_id": 7, "token": "t"} | changes
    with contextlib.suppress(EventError):
        assert parse(topic, body).order_id in ("7", str(body["id"]), None)
    summary_of(topic, body)
