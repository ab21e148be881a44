"""What there is to know of a shopper: fixed traits, a state that moves, a day's draws and outcome.

Each is a tuple of named values, one array row (or, in compiled code, one number) a name. The order
of the names is the order of the rows in a block of shape (n_fields, n_shoppers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[np.float64]

N_CATEGORIES = 4


class Traits(NamedTuple):
    """What a shopper is born with, and no policy sees.

    Attributes:
        segment: Index of the segment whose distributions the rest was drawn from.
        attraction_0, attraction_1, attraction_2, attraction_3: exp(taste) of each category.
        sensitivity: Utility lost per unit of relative price; minus the elasticity, nearly.
        visit_rate: Expected visits a day.
        dropout: Chance to leave for good after an order.
        spend_cents: Mean basket at list prices.
        intent: Utility of buying at list price.
        redemption: Chance to bring a coupon that is at hand.
        store_share: Share of visits that are to a shop.
        open_rate: Chance that an unworn message is noticed.
    """

    segment: Array
    attraction_0: Array
    attraction_1: Array
    attraction_2: Array
    attraction_3: Array
    sensitivity: Array
    visit_rate: Array
    dropout: Array
    spend_cents: Array
    intent: Array
    redemption: Array
    store_share: Array
    open_rate: Array


class State(NamedTuple):
    """What changes from day to day. Prices are relative to list; fatigue counts faded contacts.

    Attributes:
        day: Days lived since the world's first.
        alive: 1 until the shopper leaves for good.
        email_on, push_on: 1 until the shopper opts out of the channel.
        reference: The price that feels normal.
        fatigue_email, fatigue_push, fatigue_site: Contacts through the channel, fading.
        recency: Days since the last order; days lived before the first.
        frequency: Orders so far.
        money_cents: Revenue so far, after returns.
        loyalty: 0 to 1, earned by orders.
        addiction: Discounts bought at, fading: the habit of waiting for the next.
        cart: 1 while something that was put into the cart waits there; fading.
        coupon, coupon_days: Depth of the coupon at hand, and the days it has left.
        pending_cents, pending_discount, pending_margin: An order that was decided on, but not
            placed yet: its revenue, what was taken off, and its margin before that.
        pending_category: Its category.
        back_cents, back_margin: Goods that will be sent back: their revenue and margin.
    """

    day: Array
    alive: Array
    email_on: Array
    push_on: Array
    reference: Array
    fatigue_email: Array
    fatigue_push: Array
    fatigue_site: Array
    recency: Array
    frequency: Array
    money_cents: Array
    loyalty: Array
    addiction: Array
    cart: Array
    coupon: Array
    coupon_days: Array
    pending_cents: Array
    pending_discount: Array
    pending_margin: Array
    pending_category: Array
    back_cents: Array
    back_margin: Array


class Draws(NamedTuple):
    """A day's luck: one uniform for each thing that can go either way."""

    notice: Array
    opt_out: Array
    visit: Array
    store: Array
    search: Array
    look: Array
    category: Array
    cart: Array
    checkout: Array
    spend: Array
    redeem: Array
    delay: Array
    convert: Array
    send_back: Array
    return_day: Array
    leave: Array


class Offer(NamedTuple):
    """What the policy does today, and what the calendar adds.

    Attributes:
        email, push, site: 1 for the channel of the action, else 0.
        depth: Price cut, as a share of the price.
        is_coupon: 1 if the cut is a coupon for later, 0 if it holds today.
        category: What the message is about; -1 for nothing in particular.
        cost_cents: Of sending it.
        demand: Seasonal factor on visits.
        market: Price level of the market, relative to list.
        basket: Size of a basket bought today, relative to the shopper's mean.
    """

    email: Array
    push: Array
    site: Array
    depth: Array
    is_coupon: Array
    category: Array
    cost_cents: Array
    demand: Array
    market: Array
    basket: Array


class Outcome(NamedTuple):
    """What happened today. Money in cents; flags are 0 or 1.

    Attributes:
        reward: margin - discount - contact_cost - returned_margin.
        margin: Of the orders placed today, before discounts.
        discount: Taken off them.
        contact_cost: Of the message, where one was delivered.
        returned_margin: Lost to goods that came back today.
        delivered, noticed: The message.
        visited, in_store, searched, viewed, carted, checked_out: How far the visit went.
        category: What was looked at; -1 for nothing.
        price: What was asked of the shopper, relative to list.
        redeemed: Whether a coupon was brought.
        ordered, revenue: Orders placed today, including the ones decided on before.
        order_category: Of the order; -1 for none.
        returned: Revenue that went back.
        opted_out, left: Did the shopper leave the channel, or for good?
    """

    reward: Array
    margin: Array
    discount: Array
    contact_cost: Array
    returned_margin: Array
    delivered: Array
    noticed: Array
    visited: Array
    in_store: Array
    searched: Array
    viewed: Array
    carted: Array
    checked_out: Array
    category: Array
    price: Array
    redeemed: Array
    ordered: Array
    revenue: Array
    order_category: Array
    returned: Array
    opted_out: Array
    left: Array


class Buffers(NamedTuple):
    """Room for a day's results, so that no memory has to be asked for: a fifth of the time.

    Attributes:
        state: (n_states, n). May be the very state that is stepped, which then moves on in place.
        outcome: (n_outcomes, n).
        uniforms: (n_draws, n).

    Example:
        >>> buffers_for(newborn(5)).outcome.shape
        (22, 5)
    """

    state: Array
    outcome: Array
    uniforms: Array


N_TRAITS = len(Traits._fields)
N_STATES = len(State._fields)
N_DRAWS = len(Draws._fields)
N_OUTCOMES = len(Outcome._fields)

Rows = TypeVar("Rows", Traits, State, Draws, Outcome)


def rows_of(make: Callable[..., Rows], block: Array) -> Rows:
    """The named rows of a block, as views.

    Args:
        make: ``Traits``, ``State``, ``Draws`` or ``Outcome``.
        block: (n_fields, n).

    Example:
        >>> rows_of(State, newborn(3)).reference
        array([1., 1., 1.])
    """
    return make(*block)


def newborn(n_shoppers: int) -> Array:
    """The state of shoppers on their first day, (n_fields, n_shoppers)."""
    block = np.zeros((N_STATES, n_shoppers))
    state = rows_of(State, block)
    for one in (state.alive, state.email_on, state.push_on, state.reference):
        one[:] = 1.0
    state.pending_category[:] = -1.0
    return block


def buffers_for(state: Array) -> Buffers:
    """Buffers in which this state moves on in place."""
    n_shoppers = state.shape[1]
    return Buffers(state, np.empty((N_OUTCOMES, n_shoppers)), np.empty((N_DRAWS, n_shoppers)))
