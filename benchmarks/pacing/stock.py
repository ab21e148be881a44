"""A thing that sells out over simulated days, asked for by many at once.

Under the benchmark of budgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.pacing.world import START_US
from policy.catalog.inventory import Inventory
from policy.catalog.pacing.traffic import DAY_US

if TYPE_CHECKING:
    import numpy as np

AT_ONCE = 200
"""Requests that are in flight together."""

LOST, ORDERED = 0.05, 0.1
"""Share of the rows that the log does not keep, and of the reservations that are ordered on."""


@dataclass(slots=True)
class Sale:
    """What came of it, in units.

    Args:
        asked: Requests that could have been shown the thing.
        most_taken: Most that were sold, reserved and in flight at any time.
    """

    asked: int = 0
    sold: int = 0
    most_taken: int = 0


def sell_out(units: int, n_days: int, n_waves: int, rng: np.random.Generator) -> Sale:
    """Waves of requests that have all begun before the first of them is durable."""
    inventory, sale = Inventory("thing", units, ["thing"], hold_minutes=60), Sale()
    reserved: list[str] = []
    for wave in range(n_days * n_waves):
        now_us = START_US + wave * DAY_US // n_waves
        begun = []
        for request in range(int(rng.poisson(AT_ONCE))):
            sale.asked += 1
            if not inventory.held_back(now_us):
                inventory.begin(f"{wave}/{request}", "thing")
                begun.append(f"{wave}/{request}")
        sale.most_taken = max(sale.most_taken, units - inventory.left_at(now_us))
        for decision_id in begun:
            if rng.random() < LOST:
                inventory.cancel(decision_id)
            else:
                inventory.decided(decision_id, "thing", now_us)
                reserved.append(decision_id)
        for decision_id in reserved:
            if rng.random() < ORDERED:
                inventory.sell(decision_id, 1, now_us)
        sale.most_taken = max(sale.most_taken, units - inventory.left_at(now_us))
        reserved.clear()
    sale.sold = inventory.sold
    return sale
