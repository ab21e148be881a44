"""The money of a budget: what is there, held, spent, and planned, over its periods.

Under the budget, which asks it what is left and tells it what was decided and spent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from policy.catalog.holds import Hold, Holds
from policy.catalog.pacing.redemption import Redemption
from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.catalog.pacing.traffic import Period
    from policy.model_file import JSON


class Account:
    """One purse and one plan.

    The **purse** is what could be spent at worst: a decision takes the most that it can cost out of
    it at once, and what was not used in the end goes back in. The **plan** is what the period still
    has to spend on average. Neither passes anything on to the next period but a debt.

    Time never runs back: an earlier moment counts as the latest one seen.

    Args:
        amount_cents: For each period.
        period: What the amount is for.

    Attributes:
        purse_cents: What is there.
        plan_cents: What is still to be spent in this period, by expectation.
        spent_cents: In all periods.
        holds: Money that decisions took, and may or may not spend.
        redemption: How much of it they do.

    Example:
        >>> from policy.catalog.pacing.traffic import Period
        >>> account = Account(500, Period.daily())
        >>> account.advance(0), account.purse_cents
        (0, 500)
    """

    def __init__(self, amount_cents: int, period: Period) -> None:
        self._amount_cents = amount_cents
        self._period = period
        self._number: int | None = None
        self._now_us = 0
        self.purse_cents = 0
        self.plan_cents = 0.0
        self.spent_cents = 0
        self.holds = Holds()
        self.redemption = Redemption()

    @property
    def funded(self) -> bool:
        """Whether this period has any money."""
        return self._number is not None and self._period.funded(self._number)

    @property
    def ends_us(self) -> int:
        """First moment after this period."""
        return self._period.end_us(self._number or 0)

    def advance(self, now_us: int) -> int:
        """Let time pass: holds expire and periods end, in the order in which they do.

        Args:
            now_us: Microseconds since 1970.

        Returns:
            The latest moment seen.
        """
        if self._number is None:
            self._open(self._period.number(now_us))
        elif now_us <= self._now_us:
            return self._now_us
        while now_us >= self.ends_us:
            self._expire(self.ends_us - 1)
            self._open(self._next(now_us))
        self._expire(now_us)
        self._now_us = now_us
        return now_us

    def take(self, decision_id: str, hold: Hold) -> None:
        """Hold money of a decision."""
        self.purse_cents -= hold.amount
        self.plan_cents -= hold.expected
        self.holds.add(decision_id, hold)

    def spend(self, cents: int) -> None:
        """Spend money that is not held."""
        self.purse_cents -= cents
        self.plan_cents -= cents
        self.spent_cents += cents

    def redeem(self, decision_id: str, action_id: str, cents: int) -> None:
        """Spend what a decision held, or so much more or less, which ends its hold."""
        hold = self.holds.take(decision_id)
        if hold is None:
            self.redemption.late(action_id, cents)
        else:
            self._put_back(hold, cents)
        self.spend(cents)

    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
        """Everything but what the account was made with: a manifest, and arrays of the holds."""
        pairs, arrays = self.holds.state()
        return {
            "amount_cents": self._amount_cents,
            "number": self._number,
            "now_us": self._now_us,
            "purse_cents": self.purse_cents,
            "plan_cents": self.plan_cents,
            "spent_cents": self.spent_cents,
            "redemption": self.redemption.state(),
            "holds": pairs,
        }, arrays

    def load_state(
        self, state: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Resume from ``state``. Another amount than then counts for the current period already.

        Raises:
            StateError: Something is missing or impossible; then nothing changes.
        """
        number = None if state.get("number") is None else _whole(state, "number")
        now_us, purse_cents = _whole(state, "now_us"), _whole(state, "purse_cents")
        spent_cents, plan_cents = _whole(state, "spent_cents"), state.get("plan_cents")
        if not isinstance(plan_cents, float) or not math.isfinite(plan_cents):
            raise StateError(f"saved plan_cents is {shown(plan_cents)}: must be a number")
        more = self._amount_cents - _whole(state, "amount_cents")
        redemption = Redemption.of_state(state.get("redemption"))
        self.holds = Holds.of_state(state.get("holds"), arrays)
        self.redemption = redemption
        self._number, self._now_us, self.spent_cents = number, now_us, spent_cents
        if not self.funded:
            more = 0
        self.purse_cents, self.plan_cents = purse_cents + more, plan_cents + more

    def _next(self, now_us: int) -> int:
        """The next period; where nothing can happen in between, the one of now."""
        if self.holds or self.purse_cents < 0 or self.plan_cents < 0.0:
            return (self._number or 0) + 1
        return self._period.number(now_us)

    def _open(self, number: int) -> None:
        funds = self._amount_cents if self._period.funded(number) else 0
        self.purse_cents = funds + min(self.purse_cents, 0)
        self.plan_cents = funds + min(self.plan_cents, 0.0)
        self._number = number

    def _expire(self, now_us: int) -> None:
        for hold in self.holds.expired(now_us):
            self._put_back(hold, 0)

    def _put_back(self, hold: Hold, spent_cents: int) -> None:
        self.purse_cents += hold.amount
        self.plan_cents += hold.expected
        self.redemption.ended(hold.action_id, hold.amount, spent_cents)


def _whole(state: Mapping[str, JSON], name: str) -> int:
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise StateError(f"saved {name} is {shown(value)}: must be a whole number")
    return value
