"""The money of a budget: what is there, held, spent, and planned, over its periods.

Under the budget, which asks it what is left and tells it what was decided and spent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from policy.catalog.holds import Hold, Holds
from policy.catalog.pacing.redemption import Redemption
from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from policy.catalog.pacing.traffic import Period
    from policy.model_file import JSON


class Left(NamedTuple):
    """What there is at one moment.

    Args:
        purse_cents: That could be spent at worst; below 0 where facts overdrew it.
        plan_cents: That the period still has to spend by expectation.
        back_cents: What came back of that in this period: less was spent than expected; below 0
            where it was more.
    """

    purse_cents: int
    plan_cents: float
    back_cents: float = 0.0

    def ended(self, hold: Hold) -> Left:
        """The same with what is no longer held."""
        return Left(
            self.purse_cents + hold.amount,
            self.plan_cents + hold.expected,
            self.back_cents + hold.expected,
        )


class Account:
    """One purse and one plan.

    The **purse** covers the worst case: every period puts its amount in, a decision takes the most
    that it can cost out at once, and what was not used in the end goes back in. So all that was
    spent and all that is held is never more than the amounts of the periods so far. The **plan** is
    what one period has to spend on average; what turns out to be spent more or less than expected
    is taken out of it or comes back. What is left lapses, unless it came back; a debt is passed on:

        purse ← purse + amount
        plan ← amount + min(plan, max(back, 0))

    What lapsed stays in the purse, but only as cover for what is held: it is planned no more.

    Time never runs back: an earlier moment counts as the latest one seen.

    Args:
        amount_cents: For each period.
        period: What the amount is for.

    Attributes:
        left: What there is now.
        spent_cents: In all periods.
        holds: Money that decisions took, and may or may not spend.
        redemption: How much of it they do.

    Example:
        >>> from policy.catalog.pacing.traffic import DAY_US, Period
        >>> account = Account(500, Period.daily())
        >>> account.advance(0)
        0
        >>> account.spend(200)
        >>> tuple(account.left), tuple(account.left_at(DAY_US))
        ((300, 300.0, 0.0), (800, 500.0, 0.0))
    """

    def __init__(self, amount_cents: int, period: Period) -> None:
        self._amount_cents = amount_cents
        self._period = period
        self._number: int | None = None
        self._now_us = 0
        self.left = Left(0, 0.0)
        self.spent_cents = 0
        self.holds = Holds()
        self.redemption = Redemption()

    @property
    def ends_us(self) -> int:
        """First moment after this period."""
        return self._period.end_us(self._number or 0)

    def left_at(self, now_us: int) -> Left:
        """What there will be at a moment if nothing else happens; nothing changes."""
        if self._number is None:
            return self._opened(self._period.number(now_us))
        left, number = self.left, self._number
        for hold in self.holds.due(now_us):
            left = self._carried(left, number, hold.expires_us).ended(hold)
            number = max(number, self._period.number(hold.expires_us))
        return self._carried(left, number, now_us)

    def advance(self, now_us: int) -> int:
        """Let time pass: holds expire and periods end, in the order in which they do.

        Args:
            now_us: Microseconds since 1970.

        Returns:
            The latest moment seen.
        """
        if self._number is None:
            self._number = self._period.number(now_us)
            self.left = self._opened(self._number)
        elif now_us <= self._now_us:
            return self._now_us
        for hold in self.holds.expired(now_us):
            self._carry(self._number, hold.expires_us)
            self._put_back(hold, 0)
        self._carry(self._number, now_us)
        self._now_us = now_us
        return now_us

    def take(self, decision_id: str, hold: Hold) -> None:
        """Hold money of a decision."""
        purse, plan, back = self.left
        self.left = Left(purse - hold.amount, plan - hold.expected, back)
        self.holds.add(decision_id, hold)

    def spend(self, cents: int) -> None:
        """Spend money at once."""
        purse, plan, back = self.left
        self.left = Left(purse - cents, plan - cents, back)
        self.spent_cents += cents

    def redeem(self, decision_id: str, action_id: str, cents: int) -> None:
        """Spend what a decision held, or so much more or less, which ends its hold."""
        hold = self.holds.take(decision_id)
        if hold is None:
            self.redemption.late(action_id, cents)
        else:
            self._put_back(hold, cents)
        self.spend(cents)
        self.left = self.left._replace(back_cents=self.left.back_cents - cents)

    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
        """Everything but what the account was made with: a manifest, and arrays of the holds."""
        pairs, arrays = self.holds.state()
        return {
            "number": self._number,
            "now_us": self._now_us,
            "purse_cents": self.left.purse_cents,
            "plan_cents": self.left.plan_cents,
            "back_cents": self.left.back_cents,
            "spent_cents": self.spent_cents,
            "redemption": self.redemption.state(),
            "holds": pairs,
        }, arrays

    def load_state(self, state: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Resume from ``state``, to the bit.

        Raises:
            StateError: Something is missing or impossible; then nothing changes.
        """
        number = None if state.get("number") is None else _whole(state, "number")
        now_us, purse_cents = _whole(state, "now_us"), _whole(state, "purse_cents")
        spent_cents = _whole(state, "spent_cents")
        plan_cents, back_cents = _number(state, "plan_cents"), _number(state, "back_cents")
        redemption = Redemption.of_state(state.get("redemption"))
        self.holds = Holds.of_state(state.get("holds"), arrays)
        self.redemption = redemption
        self._number, self._now_us, self.spent_cents = number, now_us, spent_cents
        self.left = Left(purse_cents, plan_cents, back_cents)

    def _opened(self, number: int) -> Left:
        """What there is in the first period that is seen; none before it counts."""
        funds = self._amount_cents if self._period.funded(number) else 0
        return Left(funds, float(funds))

    def _carry(self, number: int, now_us: int) -> None:
        self.left = self._carried(self.left, number, now_us)
        self._number = max(number, self._period.number(now_us))

    def _carried(self, left: Left, number: int, now_us: int) -> Left:
        """What becomes of what is left in a period until a later moment; see the class."""
        to = self._period.number(now_us)
        if to <= number:
            return left
        opened = self._opened(to)
        between = self._amount_cents * self._period.n_funded(number + 1, to)
        passed_on = min(left.plan_cents, max(left.back_cents, 0.0))
        if passed_on < 0.0:
            passed_on = min(passed_on + between, 0.0)
        return Left(
            left.purse_cents + between + opened.purse_cents,
            opened.plan_cents + passed_on,
            max(passed_on, 0.0),
        )

    def _put_back(self, hold: Hold, spent_cents: int) -> None:
        self.left = self.left.ended(hold)
        self.redemption.ended(hold.action_id, hold.amount, spent_cents)


def _whole(state: Mapping[str, JSON], name: str) -> int:
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise StateError(f"saved {name} is {shown(value)}: must be a whole number")
    return value


def _number(state: Mapping[str, JSON], name: str) -> float:
    value = state.get(name)
    if not isinstance(value, float) or not math.isfinite(value):
        raise StateError(f"saved {name} is {shown(value)}: must be a finite number")
    return value
