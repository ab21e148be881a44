"""How often the gate promotes what is equal, and how soon what is better."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from policy.promotion.gate import Gate, Verdict
from policy.promotion.terms import Metric, Rows, Terms

DAYS, ROWS_A_DAY, RATE = 365, 1_000, 0.3
SHARES = (0.5, 0.1)
LIFTS = (0.0, 0.05)
SALE = Metric("sale", 0.0, 1.0)


@dataclass(slots=True)
class Trials:
    """Challengers of one kind, each on trial for up to a year and looked at daily.

    Args:
        share: Of the decisions that the challenger takes.
        lift: What it earns beyond the champion, as a share.
        promoted_days: Of those that were promoted.
        n_rolled_back: Others that were rolled back.
        n_trials: All.
    """

    share: float
    lift: float
    promoted_days: list[int] = field(default_factory=list)
    n_rolled_back: int = 0
    n_trials: int = 0

    @property
    def median_days(self) -> float | None:
        """Until a promotion, over those that came; None without any."""
        return float(np.median(self.promoted_days)) if self.promoted_days else None


def run_trials(share: float, lift: float, n_trials: int, days: int = DAYS, seed: int = 0) -> Trials:
    """Champion and challenger show different actions all the time; sales drift over the year."""
    rng = np.random.default_rng(seed)
    found = Trials(share, lift)
    terms = Terms(SALE, 1.0 / min(share, 1.0 - share))
    for _ in range(n_trials):
        found.n_trials += 1
        gate = Gate(terms)
        for day in range(1, days + 1):
            gate = gate.after(_day(rng, day, share, lift))
            if gate.verdict is not Verdict.WAIT:
                break
        if gate.verdict is Verdict.PROMOTE:
            found.promoted_days.append(day)
        found.n_rolled_back += gate.verdict is Verdict.ROLL_BACK
    return found


def _day(rng: np.random.Generator, day: int, share: float, lift: float) -> Rows:
    rate = RATE * (1.0 + 0.3 * np.sin(2.0 * np.pi * day / 7.0))
    new = rng.random(ROWS_A_DAY) < share
    reward = rng.random(ROWS_A_DAY) < rate * (1.0 + lift * new)
    propensity = np.where(new, share, 1.0 - share)
    return Rows(
        (~new).astype(np.float64),
        new.astype(np.float64),
        propensity,
        reward.astype(np.float64),
        {},
    )
