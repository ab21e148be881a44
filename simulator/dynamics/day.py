"""One day of a shopper: the equations of the simulator, once, for arrays and for compiled code.

The heart of the room. `simulator.dynamics.step` runs these functions over numpy arrays;
`simulator.dynamics.compiled` compiles the same source for one shopper at a time. They are built of
`+ - × ÷ √`, comparisons, ``where`` and ``exp`` only, so that both give the same bits.

`docs/simulator.md` has the equations in words and their sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.dynamics.exponential import exp
from simulator.dynamics.shopper import Outcome, State

if TYPE_CHECKING:
    from types import FunctionType

    from simulator.dynamics.effects import Effects
    from simulator.dynamics.shopper import Draws, Offer, Traits

Array = npt.NDArray[np.float64]

where = np.where
least = np.minimum
most = np.maximum
sqrt = np.sqrt
floor = np.floor


class Message(NamedTuple):
    """Whether a message went out, was opened, and was the last of its channel."""

    sent: Array
    opened: Array
    opted_out: Array


class Visit(NamedTuple):
    """Whether the shopper came, where, and noticed what is offered (anywhere)."""

    visited: Array
    in_store: Array
    online: Array
    noticed: Array


class Quote(NamedTuple):
    """What is asked of the shopper: the price relative to list, the cut in it, the coupon used."""

    price: Array
    cut: Array
    market: Array
    redeeming: Array


class Choice(NamedTuple):
    """How far the visit went, and in which category."""

    searched: Array
    viewed: Array
    carted: Array
    checked_out: Array
    category: Array


class Odds(NamedTuple):
    """Of going on to look, cart and checkout, and how much each category attracts."""

    to_view: Array
    to_cart: Array
    to_checkout: Array
    a_0: Array
    a_1: Array
    a_2: Array
    a_3: Array


class Order(NamedTuple):
    """The order that was decided on today: later or now, and its money."""

    later: Array
    now: Array
    paid: Array
    taken_off: Array
    earned: Array


class Books(NamedTuple):
    """What was placed and what came back today, whenever it was decided on."""

    due: Array
    ordered: Array
    revenue: Array
    discount: Array
    margin: Array
    category: Array
    back: Array
    returned: Array
    returned_margin: Array
    contact_cost: Array


def live(
    effects: Effects, traits: Traits, state: State, offer: Offer, draws: Draws
) -> tuple[State, Outcome]:
    """The state tomorrow, and what happened today.

    Args:
        effects: Numbers that hold for everyone.
        traits: Of each shopper.
        state: This morning.
        offer: What the policy does, and what the calendar adds.
        draws: Today's luck.
    """
    message = send(effects, traits, state, offer, draws)
    visit = come(effects, traits, state, offer, draws, message)
    quote = ask(effects, traits, state, offer, draws, visit)
    choice = choose(effects, traits, state, offer, draws, visit, quote)
    order = decide(effects, traits, offer, draws, quote, choice)
    books = settle(effects, state, offer, draws, message, visit, choice, order)
    loyalty, share_off = learn(effects, state, books)
    chance = leaving(effects, traits, state, books.ordered, loyalty)
    left = where(draws.leave < chance, state.alive, 0.0)
    used = where(quote.redeeming > 0.0, choice.checked_out, 0.0)
    outcome = Outcome(
        books.margin - books.discount - books.contact_cost - books.returned_margin,
        books.margin,
        books.discount,
        books.contact_cost,
        books.returned_margin,
        message.sent,
        visit.noticed,
        visit.visited,
        visit.in_store,
        choice.searched,
        choice.viewed,
        choice.carted,
        choice.checked_out,
        choice.category,
        quote.price,
        used,
        books.ordered,
        books.revenue,
        books.category,
        books.returned,
        message.opted_out,
        left,
    )
    tomorrow = remember(
        effects, state, offer, draws, outcome, order, books, visit, quote, loyalty, share_off
    )
    return tomorrow, outcome


def send(effects: Effects, traits: Traits, state: State, offer: Offer, draws: Draws) -> Message:
    """A message is noticed the less, and ends the channel the sooner, the more came before it."""
    sent = (offer.email * state.email_on + offer.push * state.push_on) * state.alive
    wear = offer.email * state.fatigue_email + offer.push * state.fatigue_push
    attention = traits.open_rate / (1.0 + effects.fatigue_attention * wear)
    annoyance = effects.opt_out * wear * wear / (1.0 + wear * wear)
    return Message(
        sent,
        where(draws.notice < attention, sent, 0.0),
        where(draws.opt_out < annoyance, sent, 0.0),
    )


def come(
    effects: Effects, traits: Traits, state: State, offer: Offer, draws: Draws, message: Message
) -> Visit:
    """Whether and where the shopper comes, and what is noticed there."""
    rate = visits(effects, traits, state, offer, message)
    visited = where(draws.visit < 1.0 - exp(-rate), state.alive, 0.0)
    in_store = where(draws.store < effects.in_store * traits.store_share, visited, 0.0)
    online = visited - in_store
    site = offer.site * online / (1.0 + effects.fatigue_attention * state.fatigue_site)
    noticed = message.opened + where(draws.notice < site, 1.0, 0.0)
    return Visit(visited, in_store, online, noticed)


def visits(effects: Effects, traits: Traits, state: State, offer: Offer, message: Message) -> Array:
    """Visits are Poisson; season, loyalty and opened messages bring them, fatigue keeps away."""
    fatigue = state.fatigue_email + state.fatigue_push + state.fatigue_site
    lift = effects.email_lift * offer.email + effects.push_lift * offer.push
    return (
        traits.visit_rate
        * (1.0 + effects.season * (offer.demand - 1.0))
        * (1.0 + effects.loyalty_visit * state.loyalty)
        * (1.0 + message.opened * lift)
        / (1.0 + effects.fatigue_visit * fatigue)
    )


def ask(
    effects: Effects, traits: Traits, state: State, offer: Offer, draws: Draws, visit: Visit
) -> Quote:
    """The market's price, less the offer that was noticed or the coupon that is brought."""
    coupon = where(state.coupon_days > 0.0, state.coupon, 0.0)
    redeeming = where(draws.redeem < traits.redemption, coupon, 0.0)
    offered = visit.noticed * offer.depth * (1.0 - offer.is_coupon)
    cut = effects.depth * most(offered, redeeming)
    market = 1.0 + effects.market * (offer.market - 1.0)
    return Quote(market * (1.0 - cut), cut, market, redeeming)


def choose(
    effects: Effects,
    traits: Traits,
    state: State,
    offer: Offer,
    draws: Draws,
    visit: Visit,
    quote: Quote,
) -> Choice:
    """Look, put into the cart, check out: each with its odds of going on."""
    searched = where(draws.search < effects.search, visit.online, 0.0)
    o = odds(effects, traits, state, offer, visit.noticed, searched, quote)
    viewed = where(draws.look * (1.0 + o.to_view) < o.to_view, visit.visited, 0.0)
    carted = where(draws.cart * (1.0 + o.to_cart) < o.to_cart, viewed, 0.0)
    checked_out = where(draws.checkout * (1.0 + o.to_checkout) < o.to_checkout, carted, 0.0)
    mark = draws.category * (o.a_0 + o.a_1 + o.a_2 + o.a_3)
    after_first = where(mark < o.a_0 + o.a_1, 1.0, where(mark < o.a_0 + o.a_1 + o.a_2, 2.0, 3.0))
    category = where(viewed > 0.0, where(mark < o.a_0, 0.0, after_first), -1.0)
    return Choice(searched, viewed, carted, checked_out, category)


def odds(
    effects: Effects,
    traits: Traits,
    state: State,
    offer: Offer,
    noticed: Array,
    searched: Array,
    quote: Quote,
) -> Odds:
    """A nested logit with dissimilarity 1/2 at each level.

    The odds of a level hold the inclusive value of the one below: √(1 + its odds).
    """
    drift = least(effects.drift * state.day, 1.0)
    checkout_odds = exp(utility(effects, traits, state, quote, drift))
    cart_odds = effects.cart_odds * sqrt(1.0 + checkout_odds)
    lift = effects.target_lift * noticed
    a_0 = traits.attraction_0 + drift * (traits.attraction_1 - traits.attraction_0)
    a_1 = traits.attraction_1 + drift * (traits.attraction_2 - traits.attraction_1)
    a_2 = traits.attraction_2 + drift * (traits.attraction_3 - traits.attraction_2)
    a_3 = traits.attraction_3 + drift * (traits.attraction_0 - traits.attraction_3)
    a_0 = a_0 + where(offer.category == 0.0, a_0 * lift, 0.0)
    a_1 = a_1 + where(offer.category == 1.0, a_1 * lift, 0.0)
    a_2 = a_2 + where(offer.category == 2.0, a_2 * lift, 0.0)
    a_3 = a_3 + where(offer.category == 3.0, a_3 * lift, 0.0)
    total = a_0 + a_1 + a_2 + a_3
    view_odds = effects.view_odds * sqrt(total * (1.0 + cart_odds)) * (1.0 + searched)
    return Odds(view_odds, cart_odds, checkout_odds, a_0, a_1, a_2, a_3)


def utility(effects: Effects, traits: Traits, state: State, quote: Quote, drift: Array) -> Array:
    """Of buying at the quoted price, over walking away."""
    sensitivity = traits.sensitivity * effects.sensitivity * (1.0 + effects.drift_price * drift)
    gain = effects.gain * most(state.reference - quote.price, 0.0)
    loss = effects.loss * most(quote.price - state.reference, 0.0)
    waiting = effects.addiction_wait * state.addiction * most(1.0 - 4.0 * quote.cut, 0.0)
    return (
        traits.intent
        + effects.intent
        - sensitivity * (quote.price - 1.0)
        + gain
        - loss
        + effects.loyalty_buy * state.loyalty
        + effects.cart_memory * state.cart
        - waiting
    )


def decide(
    effects: Effects, traits: Traits, offer: Offer, draws: Draws, quote: Quote, choice: Choice
) -> Order:
    """The basket in whole cents. Some decide today and order another day."""
    value = floor(traits.spend_cents * offer.basket * quote.market + 0.5) * choice.checked_out
    paid = floor(value * (1.0 - quote.cut) + 0.5)
    later = where(draws.delay < effects.delayed, choice.checked_out, 0.0)
    return Order(later, choice.checked_out - later, paid, value - paid, value * effects.margin_rate)


def settle(  # noqa: PLR0913, PLR0917  # each is a part of the day
    effects: Effects,
    state: State,
    offer: Offer,
    draws: Draws,
    message: Message,
    visit: Visit,
    choice: Choice,
    order: Order,
) -> Books:
    """Orders of today and of before are placed; goods come back with their margin and a cost."""
    waiting = where(state.pending_cents > 0.0, state.alive, 0.0)
    due = where(draws.convert < effects.convert, waiting, 0.0)
    back = where(draws.return_day < effects.return_rate, state.alive, 0.0)
    earlier = where(due > 0.0, state.pending_category, -1.0)
    return Books(
        due,
        most(order.now, due),
        order.paid * order.now + state.pending_cents * due,
        order.taken_off * order.now + state.pending_discount * due,
        order.earned * order.now + state.pending_margin * due,
        where(order.now > 0.0, choice.category, earlier),
        back,
        state.back_cents * back,
        (state.back_margin + effects.return_cost * state.back_cents) * back,
        offer.cost_cents * (message.sent + offer.site * visit.online),
    )


def learn(effects: Effects, state: State, books: Books) -> tuple[Array, Array]:
    """Loyalty tomorrow, and the share that was taken off today's orders.

    Depth teaches the new to come back and the established to wait.
    """
    established = where(state.frequency > 0.0, 1.0, 0.0)
    share_off = books.discount / most(books.revenue + books.discount, 1.0)
    taught = effects.deep_new * (1.0 - established) - effects.deep_old * established
    step = effects.loyalty_gain * most(1.0 + share_off * taught, 0.0)
    loyalty = state.loyalty * effects.loyalty_fade
    return loyalty + least(books.ordered * step, 1.0) * (1.0 - loyalty), share_off


def leaving(
    effects: Effects, traits: Traits, state: State, ordered: Array, loyalty: Array
) -> Array:
    """After an order as in BG/NBD, less for the loyal; and any day, from contact fatigue."""
    fatigue = state.fatigue_email + state.fatigue_push + state.fatigue_site
    squared = fatigue * fatigue
    worn = squared / (effects.fatigue_half * effects.fatigue_half + squared)
    after_order = ordered * effects.dropout * traits.dropout
    return after_order * (1.0 - effects.loyalty_keep * loyalty) + effects.fatigue_churn * worn


def remember(  # noqa: PLR0913, PLR0917  # each is a part of the day
    effects: Effects,
    state: State,
    offer: Offer,
    draws: Draws,
    outcome: Outcome,
    order: Order,
    books: Books,
    visit: Visit,
    quote: Quote,
    loyalty: Array,
    share_off: Array,
) -> State:
    """What stays of the day."""
    fade = effects.fatigue_fade
    told = outcome.noticed * where(offer.depth > 0.0, 1.0, 0.0)
    told_price = quote.market * (1.0 - effects.depth * offer.depth)
    seen = where(outcome.viewed > 0.0, quote.price, told_price)
    step = effects.reference_step * most(outcome.viewed, told)
    coupon_sent = outcome.noticed * offer.is_coupon
    days_left = most(state.coupon_days - 1.0, 0.0) * (1.0 - outcome.redeemed)
    comes_back = where(draws.send_back < effects.returned, books.ordered, 0.0)
    dropped = where(books.due > 0.0, -1.0, state.pending_category)
    not_due, kept = 1.0 - books.due, 1.0 - books.back
    old_cart = state.cart * effects.cart_fade * (1.0 - outcome.checked_out)
    return State(
        state.day + state.alive,
        state.alive - outcome.left,
        state.email_on - outcome.opted_out * offer.email,
        state.push_on - outcome.opted_out * offer.push,
        state.reference + step * (seen - state.reference),
        state.fatigue_email * fade + outcome.delivered * offer.email,
        state.fatigue_push * fade + outcome.delivered * offer.push,
        state.fatigue_site * fade + visit.online * offer.site,
        where(books.ordered > 0.0, 0.0, state.recency + state.alive),
        state.frequency + books.ordered,
        state.money_cents + books.revenue - books.returned,
        loyalty,
        state.addiction * effects.addiction_fade + effects.addiction_gain * share_off,
        most(outcome.carted - outcome.checked_out, old_cart),
        where(coupon_sent > 0.0, offer.depth, state.coupon),
        where(coupon_sent > 0.0, effects.coupon_days, days_left),
        state.pending_cents * not_due + order.paid * order.later,
        state.pending_discount * not_due + order.taken_off * order.later,
        state.pending_margin * not_due + order.earned * order.later,
        where(order.later > 0.0, outcome.category, dropped),
        state.back_cents * kept + books.revenue * comes_back,
        state.back_margin * kept + (books.margin - books.discount) * comes_back,
    )


IN_ORDER: Final[tuple[FunctionType, ...]] = (
    send, visits, come, ask, utility, odds, choose, decide, settle, learn, leaving, remember, live,
)  # type: ignore[assignment]  # each is one; mypy sees callables  # fmt: skip
"""Every function of this module, callees first: what has to be compiled."""
