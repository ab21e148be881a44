"""When in the year customers come: a factor a week, beside what BG/NBD expects of them anyway.

A log in which customers arrive and leave rises and falls without any season. What each week is
measured against is therefore what its customers, each as old as they are then, would buy in a year
without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import hyp2f1

if TYPE_CHECKING:
    from simulator.calibrate.log import StoreLog
    from simulator.calibrate.purchases import Timing

Array = npt.NDArray[np.float64]

WEEKS_A_YEAR = 52
PRIOR_ORDERS = 50.0
"""So many expected orders speak against a season in each week."""


def expected_repeats(timing: Timing, weeks: Array) -> Array:
    """Repeat purchases of a customer within so many weeks after the first.

        E[X(t)] = (a + b - 1) / (a - 1) · (1 - (α / (α + t))^r · ₂F₁(r, b; a + b - 1; t / (α + t)))

    Args:
        timing: BG/NBD.
        weeks: At least 0, of any shape.

    References:
        Fader, Hardie, Lee (2005), eq. 9; see ``simulator.calibrate.purchases``.
    """
    r, alpha, b = timing.r, timing.alpha, timing.b
    # At a = 1 the formula is 0 / 0; beside it, it is smooth.
    a = timing.a if abs(timing.a - 1.0) > 1e-6 else 1.0 + 1e-6
    share = weeks / (alpha + weeks)
    hyper = hyp2f1(r, b, a + b - 1.0, share)
    grown = 1.0 - (alpha / (alpha + weeks)) ** r * hyper
    return np.asarray((a + b - 1.0) / (a - 1.0) * grown, np.float64)


def fit_seasons(log: StoreLog, timing: Timing) -> Array:
    """A factor on visits for each week of the year, (52,), with a mean of about 1.

        factor = (repeat orders + prior) / (expected repeat orders + prior)

    Weeks that were never observed keep 1.

    Args:
        log: The orders; several of a customer on one day count once.
        timing: Fitted on the same log.
    """
    customers, first = log.first_days
    last_week = log.end_day // 7
    places = np.searchsorted(customers, log.customer)
    repeat = (log.day > first[places]) & (log.day <= log.end_day)
    pairs = np.unique(np.stack([log.customer[repeat], log.day[repeat]]), axis=1)
    weeks = np.arange(int(first.min()) // 7, last_week + 1)
    bought = np.bincount(pairs[1] // 7 - weeks[0], minlength=len(weeks))[: len(weeks)]
    expected = np.zeros(len(weeks))
    for i, week in enumerate(weeks):
        begun = np.clip((7 * week - first) / 7.0, 0.0, None)
        done = np.clip((7 * week + 7 - first) / 7.0, 0.0, None)
        counts = expected_repeats(timing, np.stack([begun, done]))
        expected[i] = (counts[1] - counts[0]).sum()
    # The last week is often not whole: it would look like a fall.
    whole = weeks * 7 + 6 <= log.end_day
    of_year = weeks % WEEKS_A_YEAR
    actual = np.bincount(of_year, weights=bought * whole, minlength=WEEKS_A_YEAR)
    should = np.bincount(of_year, weights=expected * whole, minlength=WEEKS_A_YEAR)
    return np.asarray((actual + PRIOR_ORDERS) / (should + PRIOR_ORDERS))
