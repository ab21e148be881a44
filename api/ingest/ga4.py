"""GA4's Measurement Protocol into events: what sends to Google can send here as well.

Events have no ids there. A purchase is known by its transaction; anything else that says its time
in microseconds, by all that it says, so that a request that is sent again counts once.

References:
    Google, "Measurement Protocol (Google Analytics 4): Protocol reference".
    Google, "GA4 recommended events".
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import uuid4

from pydantic_core import to_json

from api.loop.clock import from_us
from segments.event import Event, EventError, Product

MAX_EVENTS = 25
NAMES: Mapping[str, str] = {
    "page_view": "Page Viewed",
    "screen_view": "Screen Viewed",
    "search": "Products Searched",
    "view_search_results": "Products Searched",
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "view_item": "Product Viewed",
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
    "add_to_wishlist": "Product Added to Wishlist",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "add_shipping_info": "Checkout Step Completed",
    "add_payment_info": "Payment Info Entered",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "login": "Identified",
    "sign_up": "Identified",
}
IGNORED = frozenset(
    {
        *("session_start", "first_visit", "user_engagement", "scroll", "click", "file_download"),
        *("form_start", "form_submit", "video_start", "video_progress", "video_complete"),
        *("first_open", "app_update", "app_remove"),
    }
)
"""What Google's tags send by themselves, and nothing here is made of."""

_CONSENT = ("ad_user_data", "ad_personalization")
_WORDS = {"GRANTED": True, "DENIED": False}

Fields = Mapping[str, Any]


class Envelope(NamedTuple):
    """What is said of all events of a request."""

    client_id: str | None
    user_id: str | None
    channel: str
    timestamp_us: int | None
    consent: tuple[tuple[str, bool], ...]


def events_of(payload: object) -> list[tuple[int, object]]:
    """The events of a request that are not `IGNORED`, with their places in it.

    Args:
        payload: As parsed from JSON.

    Raises:
        EventError: It has none, or more than 25.

    Example:
        >>> events_of({"client_id": "1.2", "events": [{"name": "scroll"}, {"name": "view_cart"}]})
        [(1, {'name': 'view_cart'})]
    """
    events = _mapping("body", payload).get("events")
    if not isinstance(events, list) or not events:
        raise EventError("events", events, "must be a list of events")
    if len(events) > MAX_EVENTS:
        raise EventError("events", len(events), f"must be at most {MAX_EVENTS}")
    return [(index, event) for index, event in enumerate(events) if not _is_ignored(event)]


def envelope_of(payload: object) -> Envelope:
    """What a request says of all its events.

    Args:
        payload: As parsed from JSON.

    Raises:
        EventError: Nobody's, or a field that breaks a rule.
    """
    fields = _mapping("body", payload)
    app = _text(fields, "app_instance_id")
    client_id, user_id = _text(fields, "client_id") or app, _text(fields, "user_id")
    if client_id is None and user_id is None:
        raise EventError("client_id", None, "is needed, or a user_id")
    consent = _mapping("consent", fields.get("consent"))
    words = []
    for purpose in _CONSENT:
        said = consent.get(purpose)
        if said is not None:
            if said not in ("GRANTED", "DENIED"):
                raise EventError(f"consent.{purpose}", said, "must be GRANTED or DENIED")
            words.append((purpose, _WORDS[said]))
    moment = _moment(fields, "")
    return Envelope(client_id, user_id, "web" if app is None else "app", moment, tuple(words))


def parse_ga4(event: object, index: int, envelope: Envelope, received_at: datetime) -> Event:
    """One event of a request.

    Args:
        event: As parsed from JSON.
        index: Its place in the request.
        envelope: From `envelope_of`.
        received_at: When it came in; for what says no time.

    Raises:
        EventError: It cannot be an event; names the field, the value and the rule.

    Example:
        >>> bought = {"name": "purchase", "params": {"transaction_id": "T1", "value": 9.5}}
        >>> envelope = envelope_of({"client_id": "1.2"})
        >>> event = parse_ga4(bought, 0, envelope, datetime(2026, 11, 23, tzinfo=UTC))
        >>> event.name, event.order_id, event.revenue_cents, event.visitor
        ('Order Completed', 'T1', 950, '1.2')
    """
    path = f"events[{index}]"
    fields = _mapping(path, event)
    kind = fields.get("name")
    name = NAMES.get(kind) if isinstance(kind, str) else None
    if name is None:
        raise EventError(f"{path}.name", kind, f"must be one of {', '.join(NAMES)}")
    params = _mapping(f"{path}.params", fields.get("params"))
    moment_us = _moment(fields, f"{path}.")
    at_us = envelope.timestamp_us if moment_us is None else moment_us
    order_id = _text(params, "transaction_id", path)
    if kind in ("purchase", "refund") and not order_id:
        raise EventError(f"{path}.params.transaction_id", order_id, "is needed")
    if name == "Identified" and envelope.user_id is None:
        raise EventError("user_id", None, f"is needed by {kind}")
    revenue, tax, shipping = (_cents(params, key, path) for key in ("value", "tax", "shipping"))
    return Event(
        message_id=_message_id(kind, order_id, fields, index, at_us, envelope),
        name=name,
        visitor=envelope.user_id or envelope.client_id or "",
        user_id=envelope.user_id,
        anonymous_id=envelope.client_id,
        timestamp=received_at if at_us is None else from_us(at_us),
        channel=envelope.channel,
        order_id=order_id,
        # Its value is without shipping and tax.
        revenue_cents=revenue,
        total_cents=None if revenue is None else revenue + (tax or 0) + (shipping or 0),
        tax_cents=tax,
        shipping_cents=shipping,
        currency=_text(params, "currency", path),
        coupon=_text(params, "coupon", path),
        query=_text(params, "search_term", path),
        products=_items(params, f"{path}.params.items"),
        consent=envelope.consent,
        decision_id=_text(params, "decision_id", path),
    )


def _message_id(
    kind: object,
    order_id: str | None,
    fields: Fields,
    index: int,
    at_us: int | None,
    envelope: Envelope,
) -> str:
    if kind == "purchase":
        name = to_json(order_id)
    elif at_us is None:
        return f"made-{uuid4().hex}"
    else:
        said = [envelope.client_id, envelope.user_id, at_us, index, fields]
        name = to_json(said, inf_nan_mode="strings")
    return f"ga4:{kind}:{blake2b(name, digest_size=16).hexdigest()}"


def _items(params: Fields, path: str) -> tuple[Product, ...]:
    items = params.get("items")
    if items is None:
        return ()
    if not isinstance(items, list):
        raise EventError(path, items, "must be a list of items")
    paths = [f"{path}[{i}]" for i in range(len(items))]
    return tuple(
        _item(_mapping(where, item), where) for where, item in zip(paths, items, strict=True)
    )


def _item(item: Fields, path: str) -> Product:
    quantity = item.get("quantity", 1)
    if isinstance(quantity, float) and quantity.is_integer():
        quantity = int(quantity)
    return Product(
        product_id=_text(item, "item_id", path),
        name=_text(item, "item_name", path),
        brand=_text(item, "item_brand", path),
        category=_text(item, "item_category", path),
        variant=_text(item, "item_variant", path),
        coupon=_text(item, "coupon", path),
        price_cents=_cents(item, "price", path),
        quantity=quantity,
        position=item.get("index"),
    )


def _is_ignored(event: object) -> bool:
    name = event.get("name") if isinstance(event, dict) else None
    return isinstance(name, str) and name in IGNORED


def _moment(fields: Fields, path: str) -> int | None:
    """`timestamp_micros`, a number or one in a string."""
    value = fields.get("timestamp_micros")
    if value is None:
        return None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 17:
        return int(text)
    raise EventError(f"{path}timestamp_micros", value, "must be microseconds since 1970")


def _cents(fields: Fields, name: str, path: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e10:
        rule = "must be an amount from 0 to 10,000,000,000, in currency units"
        raise EventError(f"{path}.{name}", value, rule)
    return round(value * 100)


def _mapping(path: str, value: object) -> Fields:
    if value is None and path != "body":
        return {}
    if not isinstance(value, dict):
        raise EventError(path, value, "must be a JSON object")
    return value


def _text(fields: Fields, name: str, path: str = "") -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise EventError(f"{path}.{name}".lstrip("."), value, "must be a string")
