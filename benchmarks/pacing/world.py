"""Two hundred days in a shop: when visitors come, what coupons earn, who redeems them.

Under the benchmark of budgets. Nothing stands still: more visitors in the evening and at the
weekend, noise from day to day, a holiday peak with three times the visitors who are worth more,
tastes that drift, and coupons that are redeemed more often at weekends and in the holidays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from policy.catalog.pacing.traffic import DAY_US, HOUR_US, MONDAY_US

Array = npt.NDArray[Any]

START_US = MONDAY_US + 52 * 7 * DAY_US * 50
"""A Monday in 2019."""

COUPONS = ("small", "large")
FACE_CENTS = (200, 500)
HOURS = np.array([1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 9, 11, 13, 15, 16, 14, 9, 4])
WEEKDAYS = np.array([1.0, 0.9, 0.9, 1.0, 1.2, 1.5, 1.4])
PEAK = (0.7, 0.76)
"""The holidays, as shares of all days: twelve of two hundred."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """What happened, or would have.

    Args:
        times_us: Ascending, (n,).
        values: What showing each coupon earns on average, in currency units, (n, 2).
        redeemed: Whether each would be redeemed, (n, 2) bool.
        delays_us: How long after the visit, (n,).
    """

    times_us: Array
    values: Array
    redeemed: Array
    delays_us: Array


def visits(n_days: int, n_a_day: int, hold_us: int, rng: np.random.Generator) -> Visits:
    """A stretch of days.

    Args:
        n_days: From a Monday on.
        n_a_day: Visitors on an average day.
        hold_us: Coupons are redeemed within this time.
        rng: Where chance comes from.
    """
    days = np.arange(n_days)
    peak = (days >= PEAK[0] * n_days) & (days < PEAK[1] * n_days)
    crowd = WEEKDAYS[days % 7] * np.where(peak, 3.0, 1.0) * rng.lognormal(-0.02, 0.2, n_days)
    counts = rng.poisson(n_a_day * crowd / WEEKDAYS.mean())
    day = np.repeat(days, counts)
    n = len(day)
    hour = rng.choice(24, n, p=HOURS / HOURS.sum())
    times_us = START_US + day * DAY_US + hour * HOUR_US + rng.integers(0, HOUR_US, n)
    order = np.argsort(times_us, kind="stable")
    day, times_us = day[order], times_us[order]
    mood = (1.0 + 0.3 * np.sin(2 * np.pi * days / n_days)) * rng.lognormal(-0.005, 0.1, n_days)
    mood *= np.where(peak, 1.5, 1.0)
    small = mood[day] * rng.lognormal(-0.5, 0.8, n)
    values = np.stack([small, small * rng.uniform(1.0, 3.0, n)], axis=1)
    rate = 0.2 * (1.0 + 0.3 * (days % 7 >= 5) + 0.3 * peak)
    redeemed = rng.random((n, 1)) < np.minimum(rate[day], 0.9)[:, None] * [1.0, 1.2]
    return Visits(times_us, values, redeemed, rng.integers(1, hold_us, n))
