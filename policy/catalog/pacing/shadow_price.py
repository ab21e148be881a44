"""The shadow price of a budget: what a cent of it must earn.

Between the decisions of a period and the policy's scores, which it is subtracted from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON

FIRST_PRICE = 1e-3
LARGEST_STEP = 0.5
SMALLEST_STEP = 0.01
LARGEST_MOVE = 2.0
"""Of the logarithm at one decision, however much dearer than a typical purchase it was."""

RANGE = 1e6
"""How far the price may get from where it began, up or down."""

MEMORY_DAYS = 7.0
MEMORY_PERIODS = 3.0

FIELDS = ("price", "typical_cents", "typical_cover_cents", "purchases", "decisions", "days")


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a period.

    Args:
        cents: Not yet spent, by expectation.
        cover_cents: That decisions can take until it is over, at worst.
        days: Traffic to come, in days of average traffic.
        spendable: Whether anything can be bought at all; else the price has nothing to learn.
    """

    cents: float
    cover_cents: float
    days: float
    spendable: bool


class ShadowPrice:
    """The dual variable of a budget constraint, by multiplicative (entropic) mirror descent.

    Who maximises reward with a budget maximises reward − price · cost at the right price. After a
    decision that spent s,

        price ← price · exp(η (s - target) / c)
        target = (left + c) / decisions to come
        η = max(½ / √(n + 1), 0.01)

    with c the typical cost of a purchase and n the purchases so far, at most those that the budget
    pays for. In the logarithm neither the unit of rewards nor that of money matters, and a price
    that is wrong by orders of magnitude is right after a few dozen purchases. The target is solved
    again at each decision, so that what was spent too fast is made up for evenly. ``left + c``
    looks one purchase ahead: what is too little for a purchase would be left over. Where cover runs
    out before money does, what it lets be spent is what is left: cover · c / typical cover taken.

    The number of decisions to come is the traffic to come times the decisions seen per day of
    average traffic, of the last week (of three periods where they are shorter). A target per
    decision rather than per hour leaves the price alone while nobody comes.

    Args:
        budget_cents: Amount of a period.
        dearest_cents: Largest cost of an action; what a purchase costs before one was made.
        period_days: Length of a period.
        first: Where the price begins, in units of reward per cent.
        least: What a cent must earn at the very least, in units of reward; rather than for less,
            money stays unspent.

    Example:
        >>> price = ShadowPrice(1000, 100, period_days=1.0)
        >>> price.decided(100.0, 100, 0.01, Remaining(900.0, 900, 0.9, True))
        >>> price.value > 1e-3
        True

    References:
        Balseiro, Gur. Learning in Repeated Auctions with Budgets: Regret Minimization and
        Equilibrium. Management Science 2019.
        Agrawal, Devanur. Fast Algorithms for Online Stochastic Convex Programming. SODA 2015.
        Balseiro, Lu, Mirrokni. The Best of Many Worlds: Dual Mirror Descent for Online Allocation
        Problems. Operations Research 2023.
    """

    def __init__(
        self,
        budget_cents: int,
        dearest_cents: int,
        *,
        period_days: float,
        first: float = FIRST_PRICE,
        least: float = 0.0,
    ) -> None:
        self.value = max(first, least)
        self._budget_cents = budget_cents
        self._lowest, self._highest = max(least, self.value / RANGE), self.value * RANGE
        self._memory_days = min(MEMORY_DAYS, MEMORY_PERIODS * period_days)
        self._typical_cents = self._typical_cover_cents = float(dearest_cents)
        self._purchases = 0.0
        self._decisions = 0.0
        self._days = 0.0

    def decided(
        self, cents: float, cover_cents: int, days: float | None, remaining: Remaining
    ) -> None:
        """Learn from a decision.

        Args:
            cents: What it is expected to spend in the end; 0 for an action that costs nothing.
            cover_cents: What it spends at worst.
            days: Traffic expected since the decision before; None for the first one.
            remaining: What is left after it.
        """
        self._count(cents, cover_cents, days)
        if not remaining.spendable or not self._days:
            return
        typical = self._typical_cents
        to_come = max(self._decisions / self._days * remaining.days, 1.0)
        covered = remaining.cover_cents * typical / self._typical_cover_cents
        left = max(min(remaining.cents, covered), 0.0)
        target = min((left + typical) / to_come, typical)
        step = max(LARGEST_STEP / math.sqrt(self._purchases + 1.0), SMALLEST_STEP)
        moved = self.value * math.exp(min(step * (cents - target) / typical, LARGEST_MOVE))
        self.value = min(max(moved, self._lowest), self._highest)

    def _count(self, cents: float, cover_cents: int, days: float | None) -> None:
        if days is not None:
            kept = math.exp(-days / self._memory_days)
            self._decisions = kept * self._decisions + 1.0
            self._days = kept * self._days + days
        if cents > 0.0:
            paid_for = max(self._budget_cents / self._typical_cents, 1.0)
            self._purchases = min(self._purchases + 1.0, paid_for)
            self._typical_cents += (cents - self._typical_cents) / self._purchases
            cover_more = cover_cents - self._typical_cover_cents
            self._typical_cover_cents += cover_more / self._purchases

    def state(self) -> dict[str, JSON]:
        """Everything learned."""
        return dict(zip(FIELDS, self._numbers(), strict=True))

    def load_state(self, state: Mapping[str, JSON]) -> None:
        """Resume from ``state``, to the bit.

        Raises:
            StateError: A number is missing or impossible; then nothing changes.
        """
        numbers = []
        for name in FIELDS:
            number = state.get(name)
            if not isinstance(number, float) or not 0.0 <= number < math.inf:
                raise StateError(f"saved {name} is {shown(number)}: must be a number from 0")
            numbers.append(number)
        if not all(numbers[:3]):
            raise StateError("saved price and typical amounts must be above 0")
        (
            self.value,
            self._typical_cents,
            self._typical_cover_cents,
            self._purchases,
            self._decisions,
            self._days,
        ) = numbers

    def _numbers(self) -> tuple[float, ...]:
        return (
            self.value,
            self._typical_cents,
            self._typical_cover_cents,
            self._purchases,
            self._decisions,
            self._days,
        )
