"""Logs made by hand, and by a simulated shop whose parameters are known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from simulator.calibrate.fidelity import simulated_log
from simulator.calibrate.fit import SILENT
from simulator.calibrate.log import Coupons, Sales, StoreLog
from simulator.dynamics.population import Population, Segment
from simulator.dynamics.world import World

SEGMENT = Segment(
    visit_shape=1.2, visit_rate=1.5, dropout_a=0.8, dropout_b=6.0, intent=0.0, spend_v=1_500.0,
    tastes=(0.9, 0.3, -0.3, -0.9),
)  # fmt: skip
SHOP = World(effects=SILENT, population=Population((SEGMENT,)))
END = 300


def shop_log(n: int = 600, world: World = SHOP, **more: Any) -> StoreLog:
    """Customers who come in over half a year, simulated to the end."""
    return replace(_lived(n, world), **more)


@cache
def _lived(n: int, world: World) -> StoreLog:
    rng = np.random.default_rng(0)
    first = np.sort(rng.integers(0, 180, n))
    zero = np.zeros(n)
    begun = StoreLog(np.arange(n), first, zero, zero.astype(np.int64) - 1, (), END)
    lived = simulated_log(begun, world, seed=5)
    names = ("Tea", "Salt", "Beef", "Wine")
    value = np.where(lived.value_cents > 0.0, lived.value_cents, 2_000.0)
    return StoreLog(lived.customer, lived.day, value, lived.category, names, END)


def sales(
    elasticity: float, n_products: int = 40, spread: float = 0.1, mean: float = 60.0
) -> Sales:
    """Forty products in as many weeks, in a market that rises and falls for all."""
    rng = np.random.default_rng(3)
    product, week = (one.ravel() for one in np.indices((n_products, 40)))
    price = np.exp(spread * rng.normal(size=product.shape)) * (1.0 + product % 7)
    market = np.exp(0.4 * np.sin(week / 6.0)) * (1.0 + product % 3)
    units = rng.poisson(mean * market * (price / (1.0 + product % 7)) ** elasticity)
    sold = units > 0
    return Sales(product[sold], week[sold], units[sold].astype(float), price[sold])


def coupons(share: float) -> Coupons:
    """A thousand pairs of customer and campaign."""
    return Coupons(np.arange(1_000) < 1_000 * share, 40.0)
