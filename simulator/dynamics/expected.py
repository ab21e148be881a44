"""What a day can be expected to earn: the same day with most of its luck taken out.

For learners: an order is rare and worth a thousand times what a message changes, so that rewards of
single days say next to nothing. Here noticing what is offered, the visit, the three steps to an
order, the basket, and returns are replaced by their chances; only whether the visit is to a shop,
whether it searches, and whether a coupon is brought is drawn. Counted on the day on which an order
is decided, not on which it is placed or sent back; over a life the mean is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.dynamics.day import ask, come, odds, send, visits
from simulator.dynamics.draws import uniforms
from simulator.dynamics.shopper import N_DRAWS, Draws, Offer, State, Traits, rows_of

if TYPE_CHECKING:
    from simulator.dynamics.effects import Effects
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]


def expected_rewards(
    world: World,
    traits: Array,
    state: Array,
    action: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
) -> Array:
    """The day's expected reward in cents, (n,).

    Args:
        world: Everything that is not a shopper.
        traits: (n_traits, n).
        state: This morning, (n_states, n).
        action: Indices into ``world.actions``, (n,).
        keys: From ``simulator.dynamics.draws.shopper_keys``, (n,).

    Example:
        >>> from simulator.dynamics.draws import shopper_keys
        >>> from simulator.dynamics.shopper import newborn
        >>> from simulator.dynamics.world import World
        >>> world, who = World(), np.arange(5)
        >>> traits, keys = world.population.traits(0, who), shopper_keys(0, who)
        >>> expected_rewards(world, traits, newborn(5), np.zeros(5, np.int64), keys).shape
        (5,)
    """
    effects, tables = world.effects, world.tables
    own, morning = rows_of(Traits, traits), rows_of(State, state)
    days = morning.day.astype(np.int64)
    luck = rows_of(Draws, uniforms(keys, days, N_DRAWS))
    today = days % len(tables.demand)
    calendar = tables.demand[today], tables.market[today], np.ones(len(days))
    offer = Offer(*(*tables.actions[:, action], *calendar))
    # As if the shopper came for certain: a draw of 0 is below every chance, one of 1 below none.
    certain = luck._replace(visit=0.0 * luck.visit)
    earned = [
        _earned(effects, own, morning, offer, certain._replace(notice=0.0 * luck.notice + draw))
        for draw in (0.0, 1.0)
    ]
    wear = offer.email * morning.fatigue_email + offer.push * morning.fatigue_push
    attention = own.open_rate / (1.0 + effects.fatigue_attention * wear)
    on_site = 1.0 / (1.0 + effects.fatigue_attention * morning.fatigue_site)
    noticed = np.where(offer.site > 0.0, on_site, attention)
    return np.asarray(noticed * earned[0] + (1.0 - noticed) * earned[1])


def _earned(effects: Effects, own: Traits, morning: State, offer: Offer, luck: Draws) -> Array:
    """The day's expected reward, given what is noticed."""
    message = send(effects, own, morning, offer, luck)
    comes = 1.0 - np.exp(-visits(effects, own, morning, offer, message))
    visit = come(effects, own, morning, offer, luck, message)
    quote = ask(effects, own, morning, offer, luck, visit)
    searched = np.where(luck.search < effects.search, visit.online, 0.0)
    o = odds(effects, own, morning, offer, visit.noticed, searched, quote)
    orders = comes * visit.visited
    for level in (o.to_view, o.to_cart, o.to_checkout):
        orders = orders * level / (1.0 + level)
    value = own.spend_cents * quote.market
    margin = value * (effects.margin_rate - quote.cut)
    # Who leaves after the order sends nothing back.
    leaves = effects.dropout * own.dropout * (1.0 - effects.loyalty_keep * morning.loyalty)
    returned = effects.returned * np.maximum(1.0 - leaves, 0.0)
    sent_back = returned * (margin + effects.return_cost * value * (1.0 - quote.cut))
    contact = offer.cost_cents * (message.sent + offer.site * visit.online * comes)
    return np.asarray(orders * (margin - sent_back) - contact)
