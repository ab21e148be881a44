"""A world from a store's log: everything that the log can tell, and what stays assumed.

Between `simulator.calibrate.readers` and `simulator.scenarios`: the world is written as a scenario.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaincinv

from simulator.calibrate.coupons import fit_redemption
from simulator.calibrate.price import Elasticity, fit_elasticity
from simulator.calibrate.purchases import Spend, Timing, fit_spend, fit_timing, purchases_of
from simulator.calibrate.seasons import fit_seasons
from simulator.calibrate.tastes import Tastes, fit_tastes
from simulator.dynamics.day import Quote, odds
from simulator.dynamics.effects import Effects
from simulator.dynamics.population import Population, Segment
from simulator.dynamics.shopper import Offer, State, Traits, newborn, rows_of
from simulator.dynamics.world import World
from simulator.errors import WorldError

if TYPE_CHECKING:
    from simulator.calibrate.log import StoreLog

Array = npt.NDArray[np.float64]

ASSUMED_ELASTICITY = -2.62
"""The mean over 1,851 published estimates (Bijmolt, van Heerde, Pieters 2005)."""
SILENT = Effects()._replace(
    delayed=0.0, returned=0.0, loyalty_gain=0.0, gain=0.0, loss=0.0, drift=0.0,
    view_odds=1e30, cart_odds=1e30,
)  # fmt: skip
"""A visit leads to the checkout, and orders are placed when they are decided, as the timing was
fitted; what the log cannot show of loyalty, reference prices and returns is off. Messages, fatigue
and the habit of discounts stay as assumed: they do nothing until a policy does something."""
CONVERSION = 0.5
"""Assumed share of visits that end in an order, since a log of orders shows no others. A lower one
leaves more room for discounts, a higher one for the most frequent customers."""
LEAST_BASKETS = 3
"""Customers of fewer orders tell nothing of how their baskets vary."""
N_DRAWN = 4_000
STEP = 0.01
LARGEST_SENSITIVITY = 60.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted; ``None`` where the log does not tell.

    Args:
        world: All of it together.
        timing, spend: BG/NBD and Gamma-Gamma.
        seasons: A factor a week of the year, (52,).
        tastes, elasticity, redemption: Of categories, prices, and coupons by campaign and customer.
        notes: What could not be fitted, and why, in sentences.
    """

    world: World
    timing: Timing
    spend: Spend
    seasons: tuple[float, ...]
    tastes: Tastes | None
    elasticity: Elasticity | None
    redemption: float | None
    notes: tuple[str, ...]


def calibrate(log: StoreLog, name: str = "calibrated") -> Calibration:
    """Fit everything that the log can tell.

    Args:
        log: Of a store.
        name: Of the world.

    Raises:
        WorldError: The log is too thin for timing or spend; without these there are no shoppers.
    """
    purchases = purchases_of(log.customer, log.day, log.value_cents, log.end_day)
    timing, spend = fit_timing(purchases), fit_spend(purchases)
    if spend.q <= 1.0:
        raise WorldError("spend_q", spend.q, "must be above 1: spend in this log has no mean")
    notes: list[str] = []
    tastes = elasticity = None
    try:
        tastes = fit_tastes(log)
    except WorldError as thin:
        notes.append(f"Tastes are even: {thin}.")
    try:
        if log.sales is None:
            raise WorldError("prices", None, "are not in the log")
        elasticity = fit_elasticity(log.sales)
    except WorldError as thin:
        notes.append(f"An elasticity of {ASSUMED_ELASTICITY} is assumed: {thin}.")
    redemption = None if log.coupons is None else float(log.coupons.redeemed.mean())
    if redemption is None:
        notes.append("Redemption of coupons is assumed: none are in the log.")
    seasons = fit_seasons(log, timing)
    answer = ASSUMED_ELASTICITY if elasticity is None else elasticity.value
    population = _population(timing, _within(spend, log), tastes, answer)
    demand = tuple(float(factor) for factor in np.repeat(seasons, 7))
    world = World(name, 1, SILENT, population, demand=demand, horizon_days=180)
    if log.coupons is not None and redemption is not None:
        try:
            world = fit_redemption(world, redemption, log.coupons.days)
        except WorldError as cause:
            notes.append(f"Redemption of coupons is assumed: {cause}.")
    return Calibration(
        world, timing, spend, tuple(seasons.tolist()), tastes, elasticity, redemption, tuple(notes)
    )


def _within(spend: Spend, log: StoreLog) -> Spend:
    """The same mean, with baskets that vary as those of one customer do.

    Gamma-Gamma reads the variation within customers off their means; the log shows it.
    """
    _, who = np.unique(log.customer, return_inverse=True)
    counts = np.bincount(who)
    mean = np.bincount(who, weights=log.value_cents) / counts
    often = (counts >= LEAST_BASKETS) & (mean > 0.0)
    rows = often[who]
    apart = (log.value_cents[rows] / mean[who[rows]] - 1.0) ** 2
    freedom = int((counts[often] - 1).sum())
    if not freedom or apart.sum() <= 0.0:
        return spend
    p = float(freedom / apart.sum())
    return replace(spend, p=p, v=spend.v * spend.p / p)


def _population(
    timing: Timing, spend: Spend, tastes: Tastes | None, elasticity: float
) -> Population:
    """One kind of shopper, who orders as timing says and answers to prices as asked."""
    plain = Segment(
        name="customer",
        tastes=(0.0, 0.0, 0.0, 0.0) if tastes is None else tastes.means,
        taste_sd=0.7 if tastes is None else tastes.sd,
        visit_shape=timing.r,
        dropout_a=timing.a,
        dropout_b=timing.b,
        spend_q=spend.q,
        spend_v=spend.v,
    )

    def intending(intent: float) -> Population:
        return Population((replace(plain, intent=intent),), spend.p)

    # At list price no sensitivity counts: one is fitted after the other.
    intent = float(brentq(lambda at: conversion(intending(at), 1.0) - CONVERSION, -20.0, 20.0))
    plain = replace(plain, intent=intent, visit_rate=_visit_alpha(timing))

    def answering(sensitivity: float) -> Population:
        return Population((replace(plain, sensitivity=sensitivity),), spend.p)

    def miss(sensitivity: float) -> float:
        return price_elasticity(answering(sensitivity)) - elasticity

    steepest = miss(LARGEST_SENSITIVITY)
    if steepest > 0.0:
        raise WorldError(
            "elasticity", elasticity, f"must be above {elasticity + steepest:.1f} for this model"
        )
    sensitivity = 0.0 if miss(0.0) <= 0.0 else float(brentq(miss, 0.0, LARGEST_SENSITIVITY))
    return answering(sensitivity)


def _visit_alpha(timing: Timing) -> float:
    """The alpha of visits with which as many days see an order as BG/NBD says.

    A shopper comes once a day at most, and a visit is not always an order.
    """
    places = (np.arange(N_DRAWN) + 0.5) / N_DRAWN
    weekly = gammaincinv(timing.r, places)
    days_with_order = -np.expm1(-weekly / timing.alpha / 7.0)

    def miss(log_alpha: float) -> float:
        days_with_visit = -np.expm1(-weekly / np.exp(log_alpha) / 7.0)
        return float((CONVERSION * days_with_visit - days_with_order).mean())

    likely = float(np.log(timing.alpha * CONVERSION))
    return float(np.exp(brentq(miss, likely - 5.0, likely + 1.0)))


def conversion(population: Population, price: float, effects: Effects = SILENT) -> float:
    """The share of visits that end in an order, at a price relative to list."""
    block = population.traits(0, np.arange(N_DRAWN))
    traits, state = rows_of(Traits, block), rows_of(State, newborn(N_DRAWN))
    zero = np.zeros(N_DRAWN)
    offer = Offer(zero, zero, zero, zero, zero, zero - 1.0, zero, zero + 1.0, zero + price, zero)
    quote = Quote(zero + price, zero, zero + price, zero)
    # As often as visits search, their odds of looking double.
    found = [
        odds(effects, traits, state, offer, zero, zero + searched, quote) for searched in (0.0, 1.0)
    ]
    search = effects.search * (1.0 - traits.store_share)
    looks = [o.to_view / (1.0 + o.to_view) for o in found]
    look = (1.0 - search) * looks[0] + search * looks[1]
    cart, checkout = found[0].to_cart, found[0].to_checkout
    chances = look * cart / (1.0 + cart) * checkout / (1.0 + checkout)
    return float(chances.mean())


def price_elasticity(population: Population, effects: Effects = SILENT) -> float:
    """Of orders, at list price."""
    high, low = (conversion(population, 1.0 + step, effects) for step in (STEP, -STEP))
    return float((np.log(high) - np.log(low)) / (np.log1p(STEP) - np.log1p(-STEP)))


def as_toml(calibration: Calibration, about: str) -> str:
    """The world as a scenario; see ``simulator.scenarios.scenario``."""
    world = calibration.world
    (segment,) = world.population.segments
    lines = [
        "version = 1",
        f"about = {json.dumps(about)}",
        f"horizon_days = {world.horizon_days}",
        f"spend_p = {world.population.spend_p!r}",
        "\n[effects]",
    ]
    plain = Effects()
    for name, value in world.effects._asdict().items():
        if value != getattr(plain, name):
            lines.append(f"{name} = {float(value)!r}")
    lines.append("\n[[segments]]")
    for name in Segment.__dataclass_fields__:
        value = getattr(segment, name)
        text = json.dumps(value if isinstance(value, str) else None)
        if isinstance(value, tuple):
            text = "[" + ", ".join(repr(float(one)) for one in value) + "]"
        elif not isinstance(value, str):
            text = repr(float(value))
        lines.append(f"{name} = {text}")
    for week, factor in enumerate(calibration.seasons):
        span = f"first_day = {7 * week}\nlast_day = {7 * week + 6}\nfactor = {factor!r}"
        lines.append(f"\n[[demand]]\n{span}")
    return "\n".join(lines) + "\n"
