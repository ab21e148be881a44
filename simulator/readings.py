"""The service's features of a shopper, read from the footprint; what an observation is made of.

``read`` is, as `simulator.footprint`, one source for arrays and for single numbers. Logarithms come
after it and are always numpy's, so that they have the same bits, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.dynamics.shopper import N_CATEGORIES
from simulator.footprint import Footprint
from simulator.timetable import DAY_S, DECISION_S, HOUR_S

if TYPE_CHECKING:
    from types import FunctionType

Array = npt.NDArray[np.float64]

where = np.where
least = np.minimum
most = np.maximum

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

NEVER_DAYS: Final = 730.0
NOW_DAY: Final = DECISION_S / DAY_S
RATE_SCALE: Final = 0.5 ** (NOW_DAY / 30.0) * float(np.log(2.0))


class Readings(NamedTuple):
    """What the sums say on a morning, before the logarithms.

    Attributes:
        recency, unseen, tenure, orders, rate, revenue, average, items, interval, overdue, sessions:
            Each on a log scale in the features; the scales are ``LOG_SCALES``.
        weekend, off, top: Shares.
        share_0, share_1, share_2, share_3: Of the interest, by category.
        n_touched: Categories of any interest.
        web, app, email, store: Shares of the events.
        known: 1 once anything was seen.
    """

    recency: Array
    unseen: Array
    tenure: Array
    orders: Array
    rate: Array
    revenue: Array
    average: Array
    items: Array
    interval: Array
    overdue: Array
    sessions: Array
    weekend: Array
    off: Array
    top: Array
    share_0: Array
    share_1: Array
    share_2: Array
    share_3: Array
    n_touched: Array
    web: Array
    app: Array
    email: Array
    store: Array
    known: Array


LOG_SCALES: Final = (
    365.0, 365.0, 365.0, 50.0, 10.0, 100_000.0, 10_000.0, 20.0, 365.0, 10.0, 100.0,
)  # fmt: skip
"""Where each of the first readings is 1, on a log1p scale."""


def features(block: Array, day: Array) -> npt.NDArray[np.float32]:
    """What the service knows on the morning of a day, as it would put it into numbers.

    Args:
        block: (n_sums, n).
        day: (n,).

    Returns:
        (n, n_features), columns as in ``FEATURES``.

    Example:
        >>> from simulator.footprint import blank
        >>> vector = features(blank(1), np.zeros(1))
        >>> dict(zip(FEATURES, vector[0]))["recency_days"] > 1.0
        np.True_
    """
    return assembled(np.stack(read(Footprint(*block), day)), day)


def read(sums: Footprint, day: Array) -> Readings:
    """What ``features`` takes from the sums, of named rows."""
    now = day + NOW_DAY
    recency = since(sums.last_order, now)
    orders = most(sums.orders, 1.0)
    revenue = most(sums.revenue, 0.0)
    apart = (sums.last_order - sums.first_order) / most(sums.orders - 1.0, 1.0)
    interval = least(where(sums.orders >= 2.0, apart, NEVER_DAYS), NEVER_DAYS)
    events = most(sums.web + sums.app + sums.email + sums.store, 1.0)
    touched = sums.interest_0 + sums.interest_1 + sums.interest_2 + sums.interest_3
    whole = most(touched, 1e-300)
    share_0, share_1 = sums.interest_0 / whole, sums.interest_1 / whole
    share_2, share_3 = sums.interest_2 / whole, sums.interest_3 / whole
    n_touched = where(share_0 > 0.0, 1.0, 0.0) + where(share_1 > 0.0, 1.0, 0.0)
    n_touched = n_touched + where(share_2 > 0.0, 1.0, 0.0) + where(share_3 > 0.0, 1.0, 0.0)
    return Readings(
        recency,
        since(sums.last_seen, now),
        where(sums.first_seen < 0.0, 0.0, since(sums.first_seen, now)),
        sums.orders,
        sums.recent_orders * RATE_SCALE,
        revenue,
        revenue / orders,
        least(sums.orders, 1.0),
        interval,
        least(recency / most(interval, 1.0), 100.0),
        sums.sessions,
        sums.weekend_orders / orders,
        least(sums.discount / most(revenue + sums.discount, 1.0), 1.0),
        most(most(share_0, share_1), most(share_2, share_3)),
        share_0,
        share_1,
        share_2,
        share_3,
        n_touched,
        sums.web / events,
        sums.app / events,
        sums.email / events,
        sums.store / events,
        where(sums.last_seen < 0.0, 0.0, 1.0),
    )


def since(then: Array, now: Array) -> Array:
    """Days, at most ``NEVER_DAYS``; those for what never happened."""
    return where(then < 0.0, NEVER_DAYS, least(most(now - then, 0.0), NEVER_DAYS))


IN_ORDER: Final[tuple[FunctionType, ...]] = (since, read)  # type: ignore[assignment]  # each is one; mypy sees callables
"""Every function of single numbers, callees first: what has to be compiled."""

_N_LOGS: Final = len(LOG_SCALES)
_SCALES: Final = np.log1p(np.array(LOG_SCALES))[:, None]
_FIRST_SHARE: Final = Readings._fields.index("share_0")
_LOG_TOUCHED: Final = np.log(np.array([2.0, 2.0, 2.0, 3.0, 4.0]))
_HOUR: Final = 2.0 * np.pi * (DECISION_S // HOUR_S) / 24.0
_WEEKDAYS: Final = 2.0 * np.pi * np.arange(7.0) / 7.0
_SIN, _COS = np.sin(_WEEKDAYS), np.cos(_WEEKDAYS)
_FROM: Final = tuple(
    (FEATURES.index(name), Readings._fields.index(reading))
    for name, reading in (
        ("weekend_order_share", "weekend"), ("top_category_share", "top"),
        ("discount_share", "off"), ("channel_web_share", "web"), ("channel_app_share", "app"),
        ("channel_email_share", "email"), ("channel_in_store_share", "store"), ("known", "known"),
    )
)  # fmt: skip
_TO: Final = np.array([to for to, _ in _FROM])
_READ: Final = np.array([reading for _, reading in _FROM])
_SIN_AT, _COS_AT = FEATURES.index("now_weekday_sin"), FEATURES.index("now_weekday_cos")
_EVENNESS_AT: Final = FEATURES.index("category_evenness")
_BLANK: Final = np.zeros(len(FEATURES))
_BLANK[FEATURES.index("now_hour_sin")] = np.sin(_HOUR)
_BLANK[FEATURES.index("now_hour_cos")] = np.cos(_HOUR)


def assembled(readings: Array, day: Array) -> npt.NDArray[np.float32]:
    """The features of readings.

    Args:
        readings: (n_readings, n).
        day: (n,).

    Returns:
        (n, n_features).
    """
    vector = np.empty((len(FEATURES), readings.shape[1]))
    vector[:] = _BLANK[:, None]
    vector[:_N_LOGS] = np.log1p(readings[:_N_LOGS]) / _SCALES
    vector[_TO] = readings[_READ]
    weekday = (day % 7.0).astype(np.int64)
    vector[_SIN_AT] = _SIN[weekday]
    vector[_COS_AT] = _COS[weekday]
    share = readings[_FIRST_SHARE : _FIRST_SHARE + N_CATEGORIES]
    n_touched = readings[_FIRST_SHARE + N_CATEGORIES].astype(np.int64)
    # x log x is 0 at 0.
    terms = share * np.log(np.maximum(share, 1e-300))
    evenness = -(terms[0] + terms[1] + terms[2] + terms[3]) / _LOG_TOUCHED[n_touched]
    vector[_EVENNESS_AT] = np.where(n_touched > 1, np.clip(evenness, 0.0, 1.0), 0.0)
    return vector.T.astype(np.float32)


def assembled_one(readings: Array, day: float) -> npt.NDArray[np.float32]:
    """``assembled`` of one shopper, (n_features,), without the price of arrays of one."""
    vector = _BLANK.copy()
    vector[:_N_LOGS] = np.log1p(readings[:_N_LOGS]) / _SCALES[:, 0]
    vector[_TO] = readings[_READ]
    weekday = int(day % 7.0)
    vector[_SIN_AT] = _SIN[weekday]
    vector[_COS_AT] = _COS[weekday]
    n_touched = int(readings[_FIRST_SHARE + N_CATEGORIES])
    if n_touched > 1:
        share = readings[_FIRST_SHARE : _FIRST_SHARE + N_CATEGORIES]
        a, b, c, d = (share * np.log(np.maximum(share, 1e-300))).tolist()
        vector[_EVENNESS_AT] = min(max(-(a + b + c + d) / _LOG_TOUCHED[n_touched], 0.0), 1.0)
    return vector.astype(np.float32)
