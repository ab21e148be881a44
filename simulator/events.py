"""A simulated shopper's days as the events that a real one would cause, in the service's words.

What the dynamics say happened goes in; what a storefront, a mail provider and a till would report
comes out, in order of time. The latent part (traits, reference price, fatigue) leaves no event.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from segments.event import Event, Product
from simulator.dynamics.shopper import Outcome
from simulator.timetable import (
    CART_S,
    CHECKOUT_S,
    COUPON_S,
    DECISION_S,
    LATE_ORDER_S,
    MESSAGE_S,
    NOTICE_S,
    OPT_OUT_S,
    ORDER_S,
    REFUND_S,
    SEARCH_S,
    START,
    VIEW_S,
    VISIT_S,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from simulator.dynamics.world import Action

CURRENCY = "USD"
_MESSAGES = {
    "email": ("email", "Email Delivered", "Email Opened", "Unsubscribed"),
    "push": ("app", "Push Notification Received", "Push Notification Tapped", "Screen Viewed"),
}
"""Channel of the events, and their names; push is left on a settings screen of the app."""


def visitor_id(shopper: int) -> str:
    """What the events call a shopper."""
    return f"shopper-{shopper}"


def morning(day: int) -> datetime:
    """When the day's decision is made."""
    return _moment(day, DECISION_S)


def day_events(
    shopper: int, day: int, action: Action, outcome: npt.NDArray[np.float64]
) -> list[Event]:
    """The events of one shopper's day.

    Args:
        shopper: Id.
        day: Number of the day, from 0.
        action: What the policy did.
        outcome: One column of what ``simulator.dynamics.step.step`` returns, (n_outcomes,).

    Example:
        >>> from simulator.dynamics.world import Action
        >>> quiet = np.zeros(len(Outcome._fields))
        >>> visited = quiet.copy()
        >>> visited[Outcome._fields.index("visited")] = 1.0
        >>> [event.name for event in day_events(7, 0, Action("nothing"), visited)]
        ['Page Viewed']
    """
    what = Outcome(*outcome.tolist())
    return [*_message_events(shopper, day, action, what), *_visit_events(shopper, day, what)]


def _message_events(shopper: int, day: int, action: Action, what: Outcome) -> Iterator[Event]:
    if not what.delivered:
        return
    channel, delivered, opened, left = _MESSAGES[action.channel]
    yield _event(shopper, day, MESSAGE_S, delivered, channel)
    if what.noticed:
        yield _event(shopper, day, NOTICE_S, opened, channel)
    if what.opted_out:
        refused = ((action.channel, False),)
        yield _event(shopper, day, OPT_OUT_S, left, channel, consent=refused)


def _visit_events(shopper: int, day: int, what: Outcome) -> Iterator[Event]:
    if what.in_store:
        yield _event(shopper, day, VISIT_S, "Zone Entered", "in-store")
    elif what.visited:
        yield from _online_events(shopper, day, what)
    if what.ordered:
        at = ORDER_S if what.checked_out else LATE_ORDER_S
        yield _order(shopper, day, at, what)
    if what.returned:
        yield _event(
            shopper, day, REFUND_S, "Order Refunded", "web", revenue_cents=int(what.returned)
        )


def _online_events(shopper: int, day: int, what: Outcome) -> Iterator[Event]:
    looked_at = (Product(category=_category(what.category)),)
    yield _event(shopper, day, VISIT_S, "Page Viewed", "web")
    if what.searched:
        yield _event(shopper, day, SEARCH_S, "Products Searched", "web")
    if what.viewed:
        yield _event(shopper, day, VIEW_S, "Product Viewed", "web", products=looked_at)
    if what.carted:
        yield _event(shopper, day, CART_S, "Product Added", "web", products=looked_at)
    if what.checked_out:
        yield _event(shopper, day, CHECKOUT_S, "Checkout Started", "web")
    if what.redeemed:
        yield _event(shopper, day, COUPON_S, "Coupon Applied", "web")


def _order(shopper: int, day: int, at_s: int, what: Outcome) -> Event:
    revenue, discount = int(what.revenue), int(what.discount)
    line = Product(category=_category(what.order_category), price_cents=revenue)
    return _event(
        shopper,
        day,
        at_s,
        "Order Completed",
        "in-store" if what.in_store and what.checked_out else "web",
        order_id=f"{visitor_id(shopper)}-{day}",
        revenue_cents=revenue,
        discount_cents=discount,
        products=(line,),
    )


def _event(  # noqa: PLR0913  # the parts of every event
    shopper: int,
    day: int,
    at_s: int,
    name: str,
    channel: str,
    *,
    order_id: str | None = None,
    revenue_cents: int | None = None,
    discount_cents: int | None = None,
    products: tuple[Product, ...] = (),
    consent: tuple[tuple[str, bool], ...] = (),
) -> Event:
    return Event(
        f"{visitor_id(shopper)}-{day}-{at_s}",
        name,
        visitor_id(shopper),
        _moment(day, at_s),
        channel=channel,
        order_id=order_id,
        revenue_cents=revenue_cents,
        discount_cents=discount_cents,
        currency=None if revenue_cents is None else CURRENCY,
        products=products,
        consent=consent,
    )


def _category(category: object) -> str:
    return f"category-{int(category)}"  # type: ignore[call-overload]  # a number of the outcome


def _moment(day: int, at_s: int) -> datetime:
    return START + timedelta(days=day, seconds=at_s)
