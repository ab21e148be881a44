"""What a shopper leaves behind for the service to see: sums that are kept from day to day.

`simulator.readings` makes the observation of them. It equals the vector that `segments` extracts
from the events that `simulator.events` renders of the same days; nothing of it is imported here,
and a test holds the two together.

As in `simulator.dynamics.day`, everything is built of what gives the same bits for arrays and for
single numbers, over which `simulator.single` runs the same source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.timetable import (
    CART_S,
    CHECKOUT_S,
    COUPON_S,
    DAY_S,
    LATE_ORDER_S,
    MESSAGE_S,
    NOTICE_S,
    OPT_OUT_S,
    ORDER_S,
    REFUND_S,
    SEARCH_S,
    VIEW_S,
    VISIT_S,
)

if TYPE_CHECKING:
    from types import FunctionType

    from simulator.dynamics.shopper import Offer, Outcome

Array = npt.NDArray[np.float64]

where = np.where
least = np.minimum
most = np.maximum

NEVER: Final = -1.0


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


DAY: Final = float(DAY_S)
ORDERED_DAY, LATE_DAY = ORDER_S / DAY, LATE_ORDER_S / DAY
FADE_30, FADE_90 = 0.5 ** (1.0 / 30.0), 0.5 ** (1.0 / 90.0)
ORDER_30, LATE_30 = 0.5 ** ((1.0 - ORDERED_DAY) / 30.0), 0.5 ** ((1.0 - LATE_DAY) / 30.0)
ORDER_90, LATE_90 = 0.5 ** ((1.0 - ORDERED_DAY) / 90.0), 0.5 ** ((1.0 - LATE_DAY) / 90.0)
LOOK_90 = 0.1 * 0.5 ** ((1.0 - VIEW_S / DAY) / 90.0)
CART_90 = 0.5 * 0.5 ** ((1.0 - CART_S / DAY) / 90.0)
AT_MESSAGE, AT_NOTICE, AT_OPT_OUT = MESSAGE_S / DAY, NOTICE_S / DAY, OPT_OUT_S / DAY
AT_VISIT, AT_SEARCH, AT_VIEW = VISIT_S / DAY, SEARCH_S / DAY, VIEW_S / DAY
AT_CART, AT_CHECKOUT, AT_COUPON = CART_S / DAY, CHECKOUT_S / DAY, COUPON_S / DAY
AT_REFUND = REFUND_S / DAY


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
    return np.stack(folded(Footprint(*block), day, offer, outcome))


def folded(was: Footprint, day: Array, offer: Offer, outcome: Outcome) -> Footprint:
    """``fold``, of named rows."""
    online = outcome.visited - outcome.in_store
    told = outcome.noticed * outcome.delivered
    at_once = outcome.ordered * outcome.checked_out
    late = outcome.ordered - at_once
    back = where(outcome.returned > 0.0, 1.0, 0.0)
    begun, done = seen(outcome, online, told, at_once, late, back)
    first = where((was.first_seen < 0.0) & (done > 0.0), day + begun, was.first_seen)
    ordered_at = where(
        outcome.ordered > 0.0, day + where(at_once > 0.0, ORDERED_DAY, LATE_DAY), -1.0
    )
    order_30 = where(outcome.ordered > 0.0, where(at_once > 0.0, ORDER_30, LATE_30), 0.0)
    order_90 = where(outcome.ordered > 0.0, where(at_once > 0.0, ORDER_90, LATE_90), 0.0)
    look_90 = online * (outcome.viewed * LOOK_90 + outcome.carted * CART_90)
    messages = outcome.delivered + told + outcome.opted_out
    pages = online * (1.0 + outcome.searched + outcome.viewed + outcome.carted)
    pages = pages + online * (outcome.checked_out + outcome.redeemed)
    looked, bought = outcome.category, outcome.order_category
    return Footprint(
        first,
        where(done > 0.0, day + done, was.last_seen),
        where(was.first_order < 0.0, ordered_at, was.first_order),
        most(was.last_order, ordered_at),
        was.orders + outcome.ordered,
        was.recent_orders * FADE_30 + order_30,
        was.weekend_orders + where(day % 7.0 >= 5.0, outcome.ordered, 0.0),
        was.revenue + outcome.revenue - outcome.returned,
        was.discount + outcome.discount,
        was.sessions + outcome.delivered + outcome.visited + late + back,
        was.web + pages + (at_once * online + late) + back,
        was.app + messages * offer.push,
        was.email + messages * offer.email,
        was.store + outcome.in_store * (1.0 + at_once),
        interest(was.interest_0, 0.0, looked, bought, look_90, order_90),
        interest(was.interest_1, 1.0, looked, bought, look_90, order_90),
        interest(was.interest_2, 2.0, looked, bought, look_90, order_90),
        interest(was.interest_3, 3.0, looked, bought, look_90, order_90),
    )


def interest(
    was: Array, category: float, looked: Array, bought: Array, look_90: Array, order_90: Array
) -> Array:
    """In a category by the end of the day: .1 a look, .5 a cart, 1 an order, all fading."""
    look = where(looked == category, look_90, 0.0)
    now: Array = was * FADE_90 + (look + where(bought == category, order_90, 0.0))
    return now


def seen(
    outcome: Outcome, online: Array, told: Array, at_once: Array, late: Array, back: Array
) -> tuple[Array, Array]:
    """The parts of the day at which something is first and last seen; 1 and 0 for a silent day."""
    first = where(back > 0.0, AT_REFUND, 1.0)
    first = where(late > 0.0, LATE_DAY, first)
    first = where(at_once > 0.0, ORDERED_DAY, first)
    first = where(outcome.visited > 0.0, AT_VISIT, first)
    first = where(outcome.opted_out > 0.0, AT_OPT_OUT, first)
    first = where(told > 0.0, AT_NOTICE, first)
    first = where(outcome.delivered > 0.0, AT_MESSAGE, first)
    last = where(outcome.delivered > 0.0, AT_MESSAGE, 0.0)
    last = where(told > 0.0, AT_NOTICE, last)
    last = where(outcome.opted_out > 0.0, AT_OPT_OUT, last)
    last = where(outcome.visited > 0.0, AT_VISIT, last)
    last = where(online * outcome.searched > 0.0, AT_SEARCH, last)
    last = where(online * outcome.viewed > 0.0, AT_VIEW, last)
    last = where(online * outcome.carted > 0.0, AT_CART, last)
    last = where(online * outcome.checked_out > 0.0, AT_CHECKOUT, last)
    last = where(online * outcome.redeemed > 0.0, AT_COUPON, last)
    last = where(at_once > 0.0, ORDERED_DAY, last)
    last = where(late > 0.0, LATE_DAY, last)
    last = where(back > 0.0, AT_REFUND, last)
    return first, last


IN_ORDER: Final[tuple[FunctionType, ...]] = (interest, seen, folded)  # type: ignore[assignment]  # each is one; mypy sees callables
"""Every function of single numbers, callees first: what has to be compiled."""
