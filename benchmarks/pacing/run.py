"""One run of a budget over simulated days, at its own shadow price or at a fixed one.

Under the benchmark of budgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.pacing.world import COUPONS, FACE_CENTS
from policy.catalog.budget import Budget
from policy.catalog.pacing.traffic import DAY_US, Period
from policy.catalog.spending import MINUTE_US, Spending

if TYPE_CHECKING:
    from benchmarks.pacing.world import Visits

HOLD_MINUTES = 24 * 60
HOLD_US = HOLD_MINUTES * MINUTE_US
CANDIDATES = ("nothing", *COUPONS)


@dataclass(frozen=True, slots=True)
class Terms:
    """A kind of budget.

    Args:
        name: As the table shows it.
        period_days: Length of a period; None for one campaign over all days.
        held: Whether money is spent when a coupon is redeemed, and held until then.
        cents_a_day: Amount of an average day.
    """

    name: str
    period_days: int | None
    held: bool
    cents_a_day: int

    def budget(self, start_us: int, n_days: int) -> Budget:
        """A fresh budget, from a Monday on."""
        days = self.period_days or n_days
        period = Period(start_us, days * DAY_US, repeats=self.period_days is not None)
        hold = HOLD_MINUTES if self.held else None
        spending = dict(zip(COUPONS, (Spending(face, hold) for face in FACE_CENTS), strict=True))
        return Budget(self.name, days * self.cents_a_day, period, spending)


@dataclass(slots=True)
class Run:
    """What came of it.

    Args:
        earned: In currency units, by expectation of what was shown.
        spent_cents: In all.
        most_committed: Largest share of the amounts so far that was spent or held at any time.
    """

    earned: float = 0.0
    spent_cents: int = 0
    most_committed: float = 0.0
    due: list[tuple[int, int, str, int]] = field(default_factory=list)


def run(budget: Budget, visits: Visits, fixed_price: float | None = None) -> Run:
    """Offer what earns most after its cost, if anything does and there is money for it.

    Args:
        budget: A fresh one.
        visits: Who comes.
        fixed_price: What a cent must earn, in currency units; None for the budget's shadow price.
    """
    done, start_us = Run(), int(visits.times_us[0])
    faces = np.array((0, *FACE_CENTS))
    for i, now_us in enumerate(visits.times_us.tolist()):
        _redeem(budget, done.due, now_us)
        scores = np.array((0.0, *visits.values[i]))
        costs = budget.costs(CANDIDATES)
        scores -= costs if fixed_price is None else costs * (fixed_price / budget.price)
        for name in budget.held_back(now_us):
            scores[CANDIDATES.index(name)] = -np.inf
        chosen = int(scores.argmax())
        budget.decided(str(i), CANDIDATES[chosen], now_us)
        if chosen:
            done.earned += visits.values[i, chosen - 1]
            spending = budget.spending[CANDIDATES[chosen]]
            if spending.hold_minutes is not None and visits.redeemed[i, chosen - 1]:
                due_us = now_us + int(visits.delays_us[i])
                heappush(done.due, (due_us, i, CANDIDATES[chosen], int(faces[chosen])))
        periods = budget.period.number(now_us) - budget.period.number(start_us) + 1
        committed = (budget.spent_cents + budget.held_cents) / (periods * budget.amount_cents)
        done.most_committed = max(done.most_committed, committed)
    _redeem(budget, done.due, 2**62)
    done.spent_cents = budget.spent_cents
    return done


def _redeem(budget: Budget, due: list[tuple[int, int, str, int]], now_us: int) -> None:
    while due and due[0][0] <= now_us:
        due_us, i, name, cents = heappop(due)
        budget.spend(str(i), name, cents, due_us)
