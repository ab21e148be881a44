"""How often coupons are redeemed: in a log, and by simulated shoppers who are all sent one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from simulator.crowd import Crowd
from simulator.dynamics.shopper import State
from simulator.dynamics.world import Action
from simulator.errors import WorldError

if TYPE_CHECKING:
    from simulator.dynamics.world import World

_COUPON, _COUPON_DAYS = State._fields.index("coupon"), State._fields.index("coupon_days")
DEPTH = 0.2
N_SENT = 2_000
CLOSE = 0.002


def simulated_redemption(world: World, days: float, *, seed: int = 0) -> float:
    """The share of shoppers who redeem a coupon that was sent to all of them, within its days.

    Unlike an e-mail's, a printed coupon's arrival does not depend on being opened.
    """
    coupon = Action("coupon", "email", depth=DEPTH, is_coupon=True)
    effects = world.effects._replace(coupon_days=float(round(days)))
    own = replace(world, effects=effects, actions=(world.actions[0], coupon))
    crowd = Crowd(own, N_SENT, seed=seed, observe="oracle")
    redeemed = np.zeros(N_SENT, np.bool_)
    crowd.state[_COUPON], crowd.state[_COUPON_DAYS] = DEPTH, effects.coupon_days
    for _ in range(round(days)):
        redeemed |= crowd.live(np.zeros(N_SENT, np.int64)).redeemed > 0.0
    return float(redeemed.mean())


def fit_redemption(world: World, share: float, days: float) -> World:
    """The world whose shoppers redeem such a share of the coupons that they are sent.

    Args:
        world: Of one segment.
        share: Of pairs of customer and campaign.
        days: How long a coupon holds.

    Raises:
        WorldError: They come too seldom to redeem so many.
    """
    (segment,) = world.population.segments

    def redeeming(chance: float) -> World:
        own = replace(segment, redemption=chance)
        return replace(world, population=replace(world.population, segments=(own,)))

    def miss(chance: float) -> float:
        return simulated_redemption(redeeming(chance), days) - share

    if miss(1.0) < 0.0:
        rule = f"is more than shoppers of this log come for within {days:.0f} days"
        raise WorldError("redemption", round(share, 3), rule)
    return redeeming(float(brentq(miss, 0.0, 1.0, xtol=CLOSE)))
