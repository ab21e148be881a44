"""Shopify's webhooks into events: orders, refunds, checkouts, and what customers consent to.

Only the body is signed, not the headers beside it: ids of events come from the body, so that a
delivery under another `X-Shopify-Webhook-Id` is known again. Names and addresses are not read.

References:
    Shopify, "Webhooks: topics and payloads"; "Order", "Refund" and "Customer" resources.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from segments.event import Event, EventError, Product

VISITOR_ATTRIBUTES = ("segue_visitor", "anonymousId", "anonymous_id")
MOST_CENTS = 10**12
_SUBSCRIBED, _UNDECIDED = "subscribed", ("pending", None)
_CHANNELS = {"email_marketing_consent": "email", "sms_marketing_consent": "sms"}

Fields = Mapping[str, Any]


def parse_shopify(topic: str, body: object, received_at: datetime, buyer: str | None) -> Event:
    """One webhook as an event.

    Args:
        topic: Value of `X-Shopify-Topic`.
        body: As parsed from JSON.
        received_at: When it came in; for what says no time itself.
        buyer: The visitor of the order that it is about, where that is known.

    Raises:
        EventError: It cannot be an event; names the field, the value and the rule.

    Example:
        >>> now = datetime(2026, 11, 23, tzinfo=UTC)
        >>> order = {"id": 7, "customer": {"id": 5}, "subtotal_price": "9.50", "line_items": []}
        >>> event = parse_shopify("orders/create", order, now, None)
        >>> event.name, event.visitor, event.order_id, event.revenue_cents
        ('Order Completed', '5', '7', 950)
    """
    read = _TOPICS.get(topic)
    if read is None:
        known = ", ".join(_TOPICS)
        raise EventError("x-shopify-topic", topic, f"must be one of {known}")
    if not isinstance(body, dict):
        raise EventError("body", body, "must be a JSON object")
    return read(topic, body, received_at, buyer)


def order_of(topic: str, body: object) -> str | None:
    """The order that a refund names: its buyer is not in the refund itself."""
    if topic != "refunds/create" or not isinstance(body, dict):
        return None
    return None if body.get("order_id") is None else str(body["order_id"])


def summary_of(topic: str, body: object) -> dict[str, Any]:
    """What is kept of a webhook that could not be an event: ids, and nothing personal."""
    fields = body if isinstance(body, dict) else {}
    customer = fields.get("customer")
    ids = {name: fields.get(name) for name in ("id", "order_id", "customer_id")}
    ids["customer.id"] = customer.get("id") if isinstance(customer, dict) else None
    found = {name: value for name, value in ids.items() if isinstance(value, str | int)}
    return {"topic": topic} | found


def _order(topic: str, body: Fields, received_at: datetime, _: str | None) -> Event:
    order_id = _id(body, "id")
    cancelled = topic == "orders/cancelled"
    if cancelled and body.get("cancelled_at") is None:  # the topic is not signed, this is
        raise EventError("cancelled_at", None, "is needed: the order is not cancelled")
    name = "Order Cancelled" if cancelled else "Order Completed"
    discounts = _list(body, "discount_codes")
    tax, shipping = _cents(body, "total_tax"), _shipping(body)
    subtotal = _cents(body, "subtotal_price")
    if subtotal is not None and tax is not None and body.get("taxes_included") is True:
        subtotal = max(0, subtotal - tax)
    return Event(
        message_id=f"shopify:{name.split()[1].lower()}:{order_id}",
        name=name,
        timestamp=_moment(body, "cancelled_at" if cancelled else "created_at") or received_at,
        order_id=order_id,
        total_cents=_cents(body, "total_price"),
        revenue_cents=subtotal,
        tax_cents=tax,
        shipping_cents=shipping,
        discount_cents=_cents(body, "total_discounts"),
        currency=_text(body, "currency"),
        coupon=_text(discounts[0], "code") if discounts else None,
        products=tuple(_product(item) for item in _list(body, "line_items")),
        **_buyer(body),
    )


def _refund(_: str, body: Fields, received_at: datetime, buyer: str | None) -> Event:
    order_id = _id(body, "order_id")
    items = _list(body, "refund_line_items")
    paid = [
        _cents(one, "amount") or 0
        for one in _list(body, "transactions")
        if one.get("kind") == "refund" and one.get("status") in ("success", "pending", None)
    ]
    return Event(
        message_id=f"shopify:refund:{_id(body, 'id')}",
        name="Order Refunded",
        # Of an order that nobody told us of yet, it counts when that comes.
        visitor=buyer or f"shopify-order-{order_id}",
        timestamp=_moment(body, "created_at") or received_at,
        order_id=order_id,
        revenue_cents=sum(_cents(item, "subtotal") or 0 for item in items) if items else None,
        total_cents=sum(paid),
        products=tuple(
            _product({**_mapping(item, "line_item"), "quantity": item.get("quantity")})
            for item in items
        ),
    )


def _checkout(topic: str, body: Fields, received_at: datetime, _: str | None) -> Event:
    started = topic == "checkouts/create"
    moment = _moment(body, "created_at" if started else "updated_at") or received_at
    token = _id(body, "token" if body.get("token") is not None else "id")
    return Event(
        message_id=f"shopify:checkout:{token}:{'' if started else int(moment.timestamp())}"[:200],
        name="Checkout Started" if started else "Checkout Step Completed",
        timestamp=moment,
        total_cents=_cents(body, "total_price"),
        currency=_text(body, "currency"),
        products=tuple(_product(item) for item in _list(body, "line_items")),
        **_buyer(body),
    )


def _customer(topic: str, body: Fields, received_at: datetime, _: str | None) -> Event:
    """What a customer is, and what they said of being written to."""
    customer = _id(body, "customer_id" if body.get("customer_id") is not None else "id")
    moments, words = [], []
    for field, channel in _CHANNELS.items():
        said = _mapping(body, field)
        if said.get("state") not in _UNDECIDED:
            words.append((channel, said["state"] == _SUBSCRIBED))
            moments.append(_moment(said, "consent_updated_at"))
    known = [moment for moment in moments if moment is not None]
    happened = max(known, default=None) or _moment(body, "updated_at") or received_at
    return Event(
        message_id=f"shopify:{topic.replace('/', '-')}:{customer}:{int(happened.timestamp())}",
        name="Identified",
        visitor=customer,
        user_id=customer,
        timestamp=happened,
        consent=tuple(words),
    )


_TOPICS: dict[str, Callable[[str, Fields, datetime, str | None], Event]] = {
    "orders/create": _order,
    "orders/paid": _order,
    "orders/cancelled": _order,
    "refunds/create": _refund,
    "checkouts/create": _checkout,
    "checkouts/update": _checkout,
    "customers/create": _customer,
    "customers/update": _customer,
    "customers_email_marketing_consent/update": _customer,
    "customers_marketing_consent/update": _customer,
}


def _buyer(body: Fields) -> dict[str, Any]:
    """Whose it is: the customer, and the visitor whose id the page put into the cart."""
    customer = _mapping(body, "customer")
    user_id = None if customer.get("id") is None else _id(customer, "id", "customer.")
    attributes = {one.get("name"): one.get("value") for one in _list(body, "note_attributes")}
    named = [attributes[name] for name in VISITOR_ATTRIBUTES if attributes.get(name)]
    anonymous_id = named[0] if named else None
    if user_id is None and anonymous_id is None:
        rule = f"or a cart attribute {VISITOR_ATTRIBUTES[0]!r} is needed to know whose it is"
        raise EventError("customer.id", None, rule)
    return {
        "visitor": user_id or anonymous_id,
        "user_id": user_id,
        "anonymous_id": anonymous_id,
    }


def _product(item: Fields) -> Product:
    product_id = item.get("product_id")
    return Product(
        product_id=None if product_id is None else str(product_id),
        sku=_text(item, "sku") or None,
        name=_text(item, "title"),
        brand=_text(item, "vendor"),
        variant=_text(item, "variant_title"),
        price_cents=_cents(item, "price"),
        quantity=1 if item.get("quantity") is None else item["quantity"],
    )


def _shipping(body: Fields) -> int | None:
    money = _mapping(_mapping(body, "total_shipping_price_set"), "shop_money")
    return _cents(money, "amount")


def _cents(fields: Fields, name: str) -> int | None:
    """An amount, a decimal number in a string, as integer minor units."""
    value = fields.get(name)
    if value is None:
        return None
    rule = "must be an amount such as '9.50'"
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
        raise EventError(name, value, rule)
    try:
        amount = Decimal(str(value)) * 100
    except ArithmeticError:  # what is no number, or none that a Decimal can be
        raise EventError(name, value, rule) from None
    if not amount.is_finite() or not 0 <= amount <= MOST_CENTS:
        raise EventError(name, value, rule)
    return round(amount)


def _id(fields: Fields, name: str, before: str = "") -> str:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(f"{value}") < 100:
        raise EventError(before + name, value, "must be an id")
    return str(value)


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise EventError(name, value, "must be a string")


def _moment(fields: Fields, name: str) -> datetime | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise EventError(name, value, "must be an ISO 8601 time") from None


def _mapping(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EventError(name, value, "must be a JSON object")
    return value


def _list(fields: Fields, name: str) -> list[Fields]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise EventError(name, value, "must be a list of JSON objects")
    return value
