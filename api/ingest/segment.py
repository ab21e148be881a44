"""Segment's HTTP API: track, identify, page, screen, group and alias messages into events.

What tracking libraries send today works unchanged; what cannot be an event is refused by field.

References:
    Segment, "HTTP Tracking API" and "Spec: Common Fields".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from segments.event import CHANNELS, Event, EventError, Product

NAMES = {
    "identify": "Identified",
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "group": "Grouped",
    "alias": "Aliased",
}
TYPES = ("track", *NAMES)
MAX_MESSAGE_BYTES = 32 * 1024

_CHANNEL_OF_MEDIUM = {
    "email": "email", "e-mail": "email", "social": "social", "paid-social": "social",
    "cpc": "search", "ppc": "search", "search": "search", "organic": "search",
}  # fmt: skip
_CHANNEL_ALIASES = {"mobile": "app", "browser": "web", "server": "web", "store": "in-store"}
_CHANNEL_OF_NAME = {
    "Email": "email", "Unsubscribed": "email", "Application": "app", "Push": "app",
    "Screen": "app", "Zone": "in-store",
}  # fmt: skip
_MONEY = ("total", "revenue", "shipping", "tax", "discount")
_TEXTS = ("order_id", "currency", "coupon", "query", "decision_id")
_WIRE_NAMES = {
    "name": "event", "visitor": "userId", "user_id": "userId", "anonymous_id": "anonymousId",
    "previous_id": "previousId", "message_id": "messageId", "products": "properties.products",
    "order_id": "properties.order_id", "currency": "properties.currency",
    "coupon": "properties.coupon", "query": "properties.query",
    "decision_id": "properties.decision_id",
}  # fmt: skip


def parse_message(
    message: object,
    received_at: datetime,
    *,
    kind: str | None = None,
    sent_at: object = None,
    trusts_clocks: bool = False,
    made_id: str | None = None,
) -> Event:
    """One message as an event.

    The sender's clock is corrected as Segment does it: an event happened
    ``received_at - (sentAt - originalTimestamp)``.

    Args:
        message: As parsed from JSON.
        received_at: When it came in.
        kind: The message's type where the path says it.
        sent_at: `sentAt` of the batch around it.
        trusts_clocks: Take timestamps as they are, as when a past year is replayed.
        made_id: Of a message without `messageId`; None for one by chance.

    Returns:
        The checked event.

    Raises:
        EventError: Naming the field as the sender wrote it, its value and the rule.

    Example:
        >>> now = datetime(2026, 11, 23, tzinfo=UTC)
        >>> parse_message({"type": "page", "anonymousId": "a1", "messageId": "m1"}, now).name
        'Page Viewed'
    """
    fields = _mapping("message", message)
    kind = _kind(fields, kind)
    properties = _mapping("properties", fields.get("properties"))
    context = _mapping("context", fields.get("context"))
    name = NAMES[kind] if kind in NAMES else _required_text(fields, "event")
    try:
        return Event(
            message_id=_text(fields, "messageId") or made_id or f"made-{uuid4().hex}",
            name=name,
            timestamp=_timestamp(fields, received_at, sent_at, trusts_clocks),
            channel=_channel(name, context),
            consent=_consent(context),
            products=_products(name, properties),
            **_ids(fields, kind),
            **_order(properties),
        )
    except EventError as error:
        head, dot, rest = error.field.partition("[")
        named = EventError(_WIRE_NAMES.get(head, head) + dot + rest, None, error.rule)
        named.value = error.value  # shown already
        raise named from None


def _ids(fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
    user_id, anonymous_id = _text(fields, "userId"), _text(fields, "anonymousId")
    if user_id is None and anonymous_id is None:
        rule = "userId or anonymousId is needed to know whose event it is"
        raise EventError("userId", None, rule)
    previous_id = _text(fields, "previousId")
    if kind == "alias" and previous_id is None:
        raise EventError("previousId", None, "is needed")
    return {
        "visitor": user_id if user_id is not None else anonymous_id,
        "user_id": user_id,
        "anonymous_id": anonymous_id,
        "previous_id": previous_id,
    }


def _order(properties: Mapping[str, Any]) -> dict[str, Any]:
    money = {f"{name}_cents": _cents(properties, name, "properties.") for name in _MONEY}
    texts = {name: _text(properties, name, "properties.") for name in _TEXTS}
    return money | texts


def _kind(fields: Mapping[str, Any], kind: str | None) -> str:
    given = fields.get("type")
    if given is None:
        given = kind
    if given not in TYPES:
        raise EventError("type", given, f"must be one of {', '.join(TYPES)}")
    if kind is not None and given != kind:
        raise EventError("type", given, f"must be {kind!r} on this path, or left out")
    return str(given)


def _timestamp(
    fields: Mapping[str, Any], received_at: datetime, sent_at: object, trusts_clocks: bool
) -> datetime:
    happened = _moment("timestamp", fields.get("originalTimestamp") or fields.get("timestamp"))
    if happened is None:
        return received_at
    sent = _moment("sentAt", fields.get("sentAt") or sent_at)
    if sent is None or trusts_clocks:
        return happened
    try:
        return received_at - (sent - happened)
    except OverflowError:
        raise EventError("timestamp", happened.isoformat(), "is too far from sentAt") from None


def _moment(field: str, value: object) -> datetime | None:
    if value is None:
        return None
    rule = "must be an ISO 8601 time with a timezone, such as 2026-11-23T08:00:00Z"
    if not isinstance(value, str) or len(value) > 40:
        raise EventError(field, value, rule)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise EventError(field, value, rule)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise EventError(field, value, rule) from None


def _products(name: str, properties: Mapping[str, Any]) -> tuple[Product, ...]:
    listed = properties.get("products")
    if listed is None:
        single = name.startswith("Product ") and ("product_id" in properties or "sku" in properties)
        return (_product(properties, "properties."),) if single else ()
    if not isinstance(listed, list):
        raise EventError("properties.products", listed, "must be a list of products")
    prefixes = (f"properties.products[{i}]" for i in range(len(listed)))
    return tuple(
        _product(_mapping(prefix, product), f"{prefix}.")
        for prefix, product in zip(prefixes, listed, strict=True)
    )


def _product(fields: Mapping[str, Any], prefix: str) -> Product:
    quantity = fields.get("quantity", 1)
    if isinstance(quantity, float) and quantity.is_integer():
        quantity = int(quantity)
    return Product(
        product_id=_text(fields, "product_id", prefix),
        sku=_text(fields, "sku", prefix),
        name=_text(fields, "name", prefix),
        category=_text(fields, "category", prefix),
        brand=_text(fields, "brand", prefix),
        variant=_text(fields, "variant", prefix),
        price_cents=_cents(fields, "price", prefix),
        quantity=quantity,
        coupon=_text(fields, "coupon", prefix),
        position=fields.get("position"),
        cost_cents=_cents(fields, "cost", prefix),
    )


def _cents(fields: Mapping[str, Any], name: str, prefix: str) -> int | None:
    """An amount in currency units as integer minor units."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise EventError(prefix + name, value, "must be a number, in currency units")
    if not 0 <= value <= 1e10:  # also refuses NaN
        raise EventError(prefix + name, value, "must be an amount from 0 to 10,000,000,000")
    return round(value * 100)


def _channel(name: str, context: Mapping[str, Any]) -> str:
    given = context.get("channel")
    if isinstance(given, str):
        given = _CHANNEL_ALIASES.get(given.lower(), given.lower())
        if given in CHANNELS:
            return given
    channel = _CHANNEL_OF_NAME.get(name.split(" ", 1)[0])
    if channel is None:
        campaign = context.get("campaign")
        medium = campaign.get("medium") if isinstance(campaign, dict) else None
        channel = _CHANNEL_OF_MEDIUM.get(medium.lower()) if isinstance(medium, str) else None
    return channel or "web"


def _consent(context: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    consent = _mapping("context.consent", context.get("consent"))
    preferences = _mapping(
        "context.consent.categoryPreferences", consent.get("categoryPreferences")
    )
    for purpose, granted in preferences.items():
        if not isinstance(granted, bool):
            field = f"context.consent.categoryPreferences.{purpose[:80]}"
            raise EventError(field, granted, "must be true or false")
    return tuple(preferences.items())


def _mapping(field: str, value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EventError(field, value, "must be a JSON object")
    return value


def _required_text(fields: Mapping[str, Any], name: str) -> str:
    value = _text(fields, name)
    if value is None:
        raise EventError(name, None, "is needed")
    return value


def _text(fields: Mapping[str, Any], name: str, prefix: str = "") -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise EventError(prefix + name, value, "must be a string")
