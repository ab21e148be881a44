"""The closed set of things that a visitor does, in the words of Segment's e-commerce spec.

First stage of the flow: wire formats are parsed into `Event` at the edge, `profile` folds them.

References:
    Segment, "V2 Ecommerce Events Spec", "Native Mobile Spec", "Email Spec", "Spec: Identify".
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  # read at run time where events are serialised
from functools import lru_cache
from operator import attrgetter
from typing import Final

from segments.decay import LAST_S
from segments.errors import EventError, SegmentsError

__all__ = ["CHANNELS", "EVENT_NAMES", "Event", "EventError", "Product", "SegmentsError"]

CHANNELS: Final = ("web", "app", "email", "social", "search", "in-store")

_SPEC_CALLS = "Page Viewed|Screen Viewed|Identified|Grouped|Aliased"
_BROWSING = (
    "Products Searched|Product List Viewed|Product List Filtered|Promotion Viewed|"
    "Promotion Clicked|Product Clicked|Product Viewed|Product Added|Product Removed|Cart Viewed|"
    "Product Added to Wishlist|Product Removed from Wishlist|Product Reviewed"
)
_ORDERING = (
    "Checkout Started|Checkout Step Viewed|Checkout Step Completed|Payment Info Entered|"
    "Order Completed|Order Updated|Order Refunded|Order Cancelled|"
    "Coupon Entered|Coupon Applied|Coupon Denied|Coupon Removed"
)
_MESSAGING = (
    "Email Delivered|Email Opened|Email Link Clicked|Email Bounced|Email Marked as Spam|"
    "Unsubscribed|Push Notification Received|Push Notification Tapped"
)
_ELSEWHERE = (
    "Application Installed|Application Opened|Application Backgrounded|"
    "Zone Entered|Zone Exited|Transcript Recorded"
)
EVENT_NAMES: Final = frozenset(
    f"{_SPEC_CALLS}|{_BROWSING}|{_ORDERING}|{_MESSAGING}|{_ELSEWHERE}".split("|")
)

MAX_ID_CHARS: Final = 200
MAX_TEXT_CHARS: Final = 1_000
MAX_PRODUCTS: Final = 1_000
MAX_CENTS: Final = 10**12
MAX_QUANTITY: Final = 10**6

_BLOCKED_ID = re.compile(r"[0-]*|-1|null|anonymous", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Product:
    """One line of a list, cart or order; checked by the event that holds it.

    Args:
        price_cents: price of one piece, in minor units, or None where unknown.
        quantity: pieces, 0 to a million.
        position: place in the list that showed it, or None.
        cost_cents: what one piece costs the shop, in minor units, or None where unknown.

    Example:
        >>> Product(product_id="p1", category="Coffee", price_cents=1_250, quantity=2).quantity
        2
    """

    product_id: str | None = None
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    variant: str | None = None
    price_cents: int | None = None
    quantity: int = 1
    coupon: str | None = None
    position: int | None = None
    cost_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that one visitor did, checked on construction.

    Args:
        message_id: the sender's id of this message, for telling repeats; 1 to 200 characters.
        name: one of `EVENT_NAMES`.
        visitor: the user id where known, else the anonymous id.
        timestamp: when it happened, timezone-aware, 1970 to 2099.
        previous_id: for `Aliased`, the id that is given up.
        channel: one of `CHANNELS`.
        revenue_cents: order value without shipping and tax, in minor units.
        products: at most 1,000 lines.
        consent: pairs of a purpose and whether it was granted.
        decision_id: the decision that was shown or acted on, where the sender says so.

    Raises:
        EventError: naming the field, the value and the rule.

    Example:
        >>> from datetime import UTC, datetime
        >>> Event("m1", "Page Viewed", "ann", datetime(2026, 3, 1, tzinfo=UTC)).channel
        'web'
    """

    message_id: str
    name: str
    visitor: str
    timestamp: datetime
    anonymous_id: str | None = None
    user_id: str | None = None
    previous_id: str | None = None
    channel: str = "web"
    order_id: str | None = None
    total_cents: int | None = None
    revenue_cents: int | None = None
    shipping_cents: int | None = None
    tax_cents: int | None = None
    discount_cents: int | None = None
    currency: str | None = None
    coupon: str | None = None
    query: str | None = None
    products: tuple[Product, ...] = ()
    consent: tuple[tuple[str, bool], ...] = ()
    decision_id: str | None = None

    def __post_init__(self) -> None:
        if self.name not in EVENT_NAMES:
            raise EventError("name", self.name, _name_rule(self.name))
        if self.channel not in CHANNELS:
            raise EventError("channel", self.channel, f"must be one of {', '.join(CHANNELS)}")
        _check_text("message_id", self.message_id, MAX_ID_CHARS)
        if not self.message_id:
            raise EventError("message_id", self.message_id, "must not be empty")
        _check_timestamp(self.timestamp)
        _check_id("visitor", self.visitor)
        for field in ("anonymous_id", "user_id", "previous_id"):
            value = getattr(self, field)
            if value is not None and value is not self.visitor:
                _check_id(field, value)
        for field in ("order_id", "currency", "coupon", "query", "decision_id"):
            _check_text(field, getattr(self, field), MAX_TEXT_CHARS)
        for field in _MONEY_FIELDS:
            _check_number(field, getattr(self, field), MAX_CENTS)
        _check_products(self.products)
        for purpose, _granted in self.consent:
            _check_text("consent", purpose, MAX_TEXT_CHARS)


_MONEY_FIELDS = ("total_cents", "revenue_cents", "shipping_cents", "tax_cents", "discount_cents")
_PRODUCT_TEXTS = ("product_id", "sku", "name", "category", "brand", "variant", "coupon")
_texts_of = attrgetter(*_PRODUCT_TEXTS)


def _name_rule(name: object) -> str:
    return _near_name_rule(str(name)[:MAX_ID_CHARS])


@lru_cache(1_024)
def _near_name_rule(name: str) -> str:
    """Half a millisecond of looking for a name that is meant; a sender makes one mistake often."""
    near = difflib.get_close_matches(name, sorted(EVENT_NAMES), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ", such as 'Page Viewed'"
    return f"must be a known event name{hint}"


def _check_id(field: str, value: object) -> None:
    _check_text(field, value, MAX_ID_CHARS)
    # An id of spaces would make one "visitor" of everyone whose id was lost on the way.
    if not isinstance(value, str) or _BLOCKED_ID.fullmatch(value.strip()):
        raise EventError(
            field, value, "must identify one visitor; empty, 0, -1, null and anonymous do not"
        )


def _check_text(field: str, value: object, limit: int) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise EventError(field, value, "must be a string")
    if len(value) > limit:
        raise EventError(field, value, f"must have at most {limit} characters, has {len(value)}")
    if "\0" in value:
        raise EventError(field, value, "must not contain NUL characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EventError(field, value, "must not contain lone surrogates") from None


def _check_number(field: str, value: object, limit: int, line: int | None = None) -> None:
    if value is None and field != "quantity":
        return
    # Not isinstance, to which True is an int.
    if type(value) is int and 0 <= value <= limit:
        return
    path = field if line is None else f"products[{line}].{field}"
    if type(value) is not int:
        raise EventError(path, value, "must be a whole number")
    rule = "must not be negative" if value < 0 else f"must be at most {limit}"
    raise EventError(path, value, rule)


def _check_timestamp(value: datetime) -> None:
    offset = value.utcoffset()
    if offset is None:
        raise EventError("timestamp", str(value), "must carry a timezone, such as a trailing Z")
    if not 0.0 <= value.timestamp() < LAST_S:
        # Outside, sums that fade with time could overflow.
        raise EventError("timestamp", str(value), "must lie between 1970 and 2099")


def _check_products(products: tuple[Product, ...]) -> None:
    if len(products) > MAX_PRODUCTS:
        rule = f"must hold at most {MAX_PRODUCTS} products"
        raise EventError("products", len(products), rule)
    for i, product in enumerate(products):
        for value in _texts_of(product):
            # Nearly every text is None or plain; only the others deserve the slow, wordy check.
            if value is not None and not (
                type(value) is str
                and len(value) <= MAX_TEXT_CHARS
                and value.isascii()
                and "\0" not in value
            ):
                _check_texts(i, product)
        price, quantity, position = product.price_cents, product.quantity, product.position
        _check_number("price_cents", price, MAX_CENTS, i)
        _check_number("quantity", quantity, MAX_QUANTITY, i)
        if position is not None:
            _check_number("position", position, MAX_QUANTITY, i)
        if product.cost_cents is not None:
            _check_number("cost_cents", product.cost_cents, MAX_CENTS, i)


def _check_texts(i: int, product: Product) -> None:
    for field in _PRODUCT_TEXTS:
        _check_text(f"products[{i}].{field}", getattr(product, field), MAX_TEXT_CHARS)
