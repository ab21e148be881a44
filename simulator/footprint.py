"""What a shopper leaves behind for the service to see, and its features, for many at once.

An observation of the environments is made here from sums that are kept from day to day. It equals
the vector that `segments` extracts from the events that `simulator.events` renders of the same
days; nothing of it is imported here, and a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.dynamics.shopper import N_CATEGORIES, Outcome
from simulator.timetable import (
    DAY_S,
    DECISION_S,
    HOUR_S,
    LATE_ORDER_S,
    MESSAGE_S,
    NOTICE_S,
    OPT_OUT_S,
    ORDER_S,
    REFUND_S,
    VIEW_S,
    VISIT_S,
)

if TYPE_CHECKING:
    from simulator.dynamics.shopper import Offer

Array = npt.NDArray[np.float64]

FEATURES: Final = (
    "recency_days", "unseen_days", "tenure_days", "orders", "orders_per_30_days", "revenue_cents",
    "average_order_cents", "basket_items", "purchase_interval_days", "recency_intervals",
    "sessions", "session_events", "session_depth", "session_minutes", "now_hour_sin",
    "now_hour_cos", "now_weekday_sin", "now_weekday_cos", "weekend_order_share",
    "top_category_share", "category_evenness", "top_brand_share", "discount_share",
    "channel_web_share", "channel_app_share", "channel_email_share", "channel_social_share",
    "channel_search_share", "channel_in_store_share", "known",
)  # fmt: skip
"""In the order of `segments`' feature vector."""

NEVER: Final = -1.0
NEVER_DAYS: Final = 730.0


class Footprint(NamedTuple):
    """Sums over the days so far. Times are days since the start; decayed sums are as of midnight.

    Attributes:
        first_seen, last_seen, first_order, last_order: -1 where there was none.
        orders, recent_orders, weekend_orders: The second fades with a half-life of 30 days.
        revenue, discount: In cents, revenue after refunds.
        sessions: Runs of events.
        web, app, email, store: Events by channel.
        interest_0, interest_1, interest_2, interest_3: Per category, half-life of 90 days.
    """

    first_seen: Array
    last_seen: Array
    first_order: Array
    last_order: Array
    orders: Array
    recent_orders: Array
    weekend_orders: Array
    revenue: Array
    discount: Array
    sessions: Array
    web: Array
    app: Array
    email: Array
    store: Array
    interest_0: Array
    interest_1: Array
    interest_2: Array
    interest_3: Array


N_SUMS = len(Footprint._fields)


def blank(n_shoppers: int) -> Array:
    """The sums of shoppers who were never seen, (n_sums, n_shoppers)."""
    block = np.zeros((N_SUMS, n_shoppers))
    block[:4] = NEVER
    return block


def fold(block: Array, day: Array, offer: Offer, outcome: Outcome) -> Array:
    """The sums after one more day.

    Args:
        block: (n_sums, n).
        day: Which one it was for each shopper, (n,).
        offer: What the policy did; its channel says how a message went out.
        outcome: What happened.

    Returns:
        (n_sums, n), new.
    """
    was = Footprint(*block)
    online = outcome.visited - outcome.in_store
    told = outcome.noticed * outcome.delivered
    at_once = outcome.ordered * outcome.checked_out
    back = np.where(outcome.returned > 0.0, 1.0, 0.0)
    moments, weights = _moments(outcome, told, at_once, back)
    any_seen = weights.any(axis=0)
    first = day + np.where(weights > 0.0, moments[:, None], DAY_S).min(0) / DAY_S
    last = day + np.where(weights > 0.0, moments[:, None], 0.0).max(0) / DAY_S
    ordered_s = np.where(at_once > 0.0, ORDER_S, LATE_ORDER_S)
    ordered_at = np.where(outcome.ordered > 0.0, day + ordered_s / DAY_S, NEVER)
    messages = outcome.delivered + told + outcome.opted_out
    late = outcome.ordered - at_once
    pages = online * (1.0 + outcome.searched + outcome.viewed + outcome.carted)
    pages = pages + online * (outcome.checked_out + outcome.redeemed)
    fade_30, fade_90 = 0.5 ** (1.0 / 30.0), 0.5 ** (1.0 / 90.0)
    order_30 = np.where(outcome.ordered > 0.0, 0.5 ** ((1.0 - ordered_s / DAY_S) / 30.0), 0.0)
    interests = [
        interest * fade_90 + added
        for interest, added in zip(was[-N_CATEGORIES:], _interest(outcome, online), strict=True)
    ]
    weekend = np.where(day % 7.0 >= 5.0, outcome.ordered, 0.0)
    visits = np.maximum(outcome.visited, 0.0)
    return np.stack(
        [
            np.where((was.first_seen < 0.0) & any_seen, first, was.first_seen),
            np.where(any_seen, last, was.last_seen),
            np.where(was.first_order < 0.0, ordered_at, was.first_order),
            np.maximum(was.last_order, ordered_at),
            was.orders + outcome.ordered,
            was.recent_orders * fade_30 + order_30,
            was.weekend_orders + weekend,
            was.revenue + outcome.revenue - outcome.returned,
            was.discount + outcome.discount,
            was.sessions + outcome.delivered + visits + late + back,
            was.web + pages + (at_once * online + late) + back,
            was.app + messages * offer.push,
            was.email + messages * offer.email,
            was.store + outcome.in_store * (1.0 + at_once),
            *interests,
        ]
    )


def _moments(
    outcome: Outcome, told: Array, at_once: Array, back: Array
) -> tuple[npt.NDArray[np.float64], Array]:
    """The seconds at which something can be seen, (n_moments,), and whether, (n_moments, n)."""
    online = outcome.visited - outcome.in_store
    seen = (
        (MESSAGE_S, outcome.delivered),
        (NOTICE_S, told),
        (OPT_OUT_S, outcome.opted_out),
        (VISIT_S, outcome.visited),
        (VISIT_S + 60, online * outcome.searched),
        (VIEW_S, online * outcome.viewed),
        (VISIT_S + 240, online * outcome.carted),
        (VISIT_S + 360, online * outcome.checked_out),
        (VISIT_S + 420, online * outcome.redeemed),
        (ORDER_S, at_once),
        (LATE_ORDER_S, outcome.ordered - at_once),
        (REFUND_S, back),
    )
    return np.array([float(at) for at, _ in seen]), np.stack([flag for _, flag in seen])


def _interest(outcome: Outcome, online: Array) -> list[Array]:
    """What today adds to each category by the end of the day: .1 a look, .5 a cart, 1 an order."""
    added = []
    ordered_s = np.where(outcome.checked_out * outcome.ordered > 0.0, ORDER_S, LATE_ORDER_S)
    order_weight = outcome.ordered * 0.5 ** ((1.0 - ordered_s / DAY_S) / 90.0)
    look_weight = 0.1 * online * outcome.viewed * 0.5 ** ((1.0 - VIEW_S / DAY_S) / 90.0)
    cart_weight = 0.5 * online * outcome.carted * 0.5 ** ((1.0 - (VISIT_S + 240) / DAY_S) / 90.0)
    for category in range(N_CATEGORIES):
        looked = np.where(outcome.category == category, look_weight + cart_weight, 0.0)
        bought = np.where(outcome.order_category == category, order_weight, 0.0)
        added.append(looked + bought)
    return added


def features(block: Array, day: Array) -> npt.NDArray[np.float32]:
    """What the service knows on the morning of a day, as it would put it into numbers.

    Args:
        block: (n_sums, n).
        day: (n,).

    Returns:
        (n, n_features), columns as in ``FEATURES``.

    Example:
        >>> vector = features(blank(1), np.zeros(1))
        >>> dict(zip(FEATURES, vector[0]))["recency_days"] > 1.0
        np.True_
    """
    sums = Footprint(*block)
    now = day + DECISION_S / DAY_S
    recency = _days_since(sums.last_order, now)
    orders = np.maximum(sums.orders, 1.0)
    revenue = np.maximum(sums.revenue, 0.0)
    interval = np.full(len(now), NEVER_DAYS)
    often = sums.orders >= 2.0
    np.divide(sums.last_order - sums.first_order, sums.orders - 1.0, out=interval, where=often)
    interval = np.minimum(interval, NEVER_DAYS)
    overdue = np.minimum(recency / np.maximum(interval, 1.0), 100.0)
    rate = sums.recent_orders * 0.5 ** (DECISION_S / DAY_S / 30.0) * np.log(2.0)
    events = np.maximum(sums.web + sums.app + sums.email + sums.store, 1.0)
    weekday = 2.0 * np.pi * (day % 7.0) / 7.0
    hour = 2.0 * np.pi * (DECISION_S // HOUR_S) / 24.0
    off, top, evenness = _shares(sums)
    zero = np.zeros(len(now))
    columns = (
        _log(recency, 365.0),
        _log(_days_since(sums.last_seen, now), 365.0),
        np.where(sums.first_seen < 0.0, 0.0, _log(_days_since(sums.first_seen, now), 365.0)),
        _log(sums.orders, 50.0),
        _log(rate, 10.0),
        _log(revenue, 100_000.0),
        _log(revenue / orders, 10_000.0),
        _log(np.minimum(sums.orders, 1.0), 20.0),
        _log(interval, 365.0),
        _log(overdue, 10.0),
        _log(sums.sessions, 100.0),
        zero, zero, zero,
        zero + np.sin(hour), zero + np.cos(hour), np.sin(weekday), np.cos(weekday),
        sums.weekend_orders / orders,
        top, evenness, zero, off,
        sums.web / events, sums.app / events, sums.email / events, zero, zero,
        sums.store / events,
        np.where(sums.last_seen < 0.0, 0.0, 1.0),
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def _shares(sums: Footprint) -> tuple[Array, Array, Array]:
    """Share of money taken off, share of the favourite category, evenness over categories."""
    gross = np.maximum(sums.revenue, 0.0) + sums.discount
    off = np.minimum(sums.discount / np.maximum(gross, 1.0), 1.0)
    weights = np.stack(sums[-N_CATEGORIES:])
    share = weights / np.maximum(weights.sum(0), 1e-300)
    n_touched = (weights > 0.0).sum(0)
    terms = np.where(share > 0.0, share * np.log(np.maximum(share, 1e-300)), 0.0)
    evenness = np.where(n_touched > 1, -terms.sum(0) / np.log(np.maximum(n_touched, 2)), 0.0)
    return off, share.max(0), np.clip(evenness, 0.0, 1.0)


def _days_since(then: Array, now: Array) -> Array:
    return np.where(then < 0.0, NEVER_DAYS, np.clip(now - then, 0.0, NEVER_DAYS))


def _log(value: Array, at: float) -> Array:
    """1 at ``at``, on a log1p scale."""
    scaled: Array = np.log1p(value) / np.log1p(at)
    return scaled
