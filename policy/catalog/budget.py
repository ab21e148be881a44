"""A budget: money per period that showing actions may spend, and its pace.

In front of the policy, which gets what an action costs in units of reward, and of eligibility, which
holds back what there is no money for. A fold over the log of decisions and of what they spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bounds import LARGEST_REWARD, parameter, whole_parameter
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.pacing.holds import Hold, Holds
from policy.catalog.pacing.redemption import Redemption
from policy.catalog.pacing.shadow_price import FIRST_PRICE, Remaining, ShadowPrice
from policy.catalog.pacing.traffic import DAY_US, Traffic
from policy.errors import BookingError, ParameterError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from policy.catalog.pacing.traffic import Period
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

MINUTE_US = 60_000_000
LONGEST_HOLD_MINUTES = 10 * 366 * 24 * 60
LARGEST_FIRST_PRICE = 1e3


@dataclass(frozen=True, slots=True)
class Spending:
    """What an action takes out of a budget.

    Args:
        cents: What one decision for it costs at most, in minor units, at least 1.
        hold_minutes: Where it is spent only later, at a redemption: for how long it is held, after
            which it counts as not spent. None for what is spent at the decision.

    Raises:
        ParameterError: A number is out of its range.
    """

    cents: int
    hold_minutes: int | None = None

    def __post_init__(self) -> None:
        whole_parameter("cents", self.cents, 1, LARGEST_CENTS)
        if self.hold_minutes is not None:
            whole_parameter("hold_minutes", self.hold_minutes, 1, LONGEST_HOLD_MINUTES)


class Budget:
    """So much money a period, never overdrawn by a decision, and paced to last.

    Two accounts are kept. The **purse** is what could be spent at worst: a decision takes the whole
    ``cents`` of its action out of it at once, and what a redemption did not use, or all of it when
    the hold expires, goes back in. An action that costs more than is in the purse is held back; so
    money spent plus money held is never more than the amounts of the periods so far. The **plan** is
    what the period still has to spend by expectation; from it follows the shadow price.

    Money counts in the period of its decision. What is left over at the end of one lapses; what
    comes back from a hold of an earlier one is there for the current one.

    **In the log and before.** A decision counts in the purse from ``begin``, while its row is on its
    way into the log; ``decided`` makes it part of the fold, or ``cancel`` forgets it. Rows that are
    folded are facts: they are booked whatever is left. So is money spent after its hold expired:
    it is taken out of what there is, if need be below 0, and then out of the next period.

    Time is passed in and never runs back: an earlier moment counts as the latest one seen.

    Args:
        name: Of the budget.
        amount_cents: For each period, at least 1.
        period: What the amount is for.
        spending: What each action costs; every other is free.
        traffic: How visits spread over a week. None for evenly.
        first_price: Where the shadow price begins, in units of reward per cent; found by itself.
        least_price: What a cent must earn, in units of reward; rather than for less, money stays.

    Raises:
        ParameterError: A number is out of its range, or no action costs anything.

    Example:
        >>> from policy.catalog.pacing.traffic import Period
        >>> budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300)})
        >>> budget.held_back(now_us=0)
        {}
        >>> budget.decided("d1", "coupon", now_us=0)
        >>> budget.left_cents, budget.held_back(now_us=1)
        (200, {'coupon': 'out_of_budget'})
        >>> bool(budget.costs(("nothing", "coupon"))[1] > 0.0)
        True
    """

    kind: ClassVar[str] = "budget"
    schema: ClassVar[int] = 1

    def __init__(
        self,
        name: str,
        amount_cents: int,
        period: Period,
        spending: Mapping[str, Spending],
        *,
        traffic: Traffic | None = None,
        first_price: float = FIRST_PRICE,
        least_price: float = 0.0,
    ) -> None:
        if not spending:
            raise ParameterError(f"budget {shown(name)} has no action that costs anything")
        self.name = name
        self.amount_cents = whole_parameter("amount_cents", amount_cents, 1, LARGEST_CENTS)
        self.period = period
        self.spending = dict(spending)
        self.traffic = traffic or Traffic()
        prices = [one.cents for one in self.spending.values()]
        self._cheapest, self._dearest = min(prices), max(prices)
        self._price = ShadowPrice(
            amount_cents,
            self._dearest,
            period_days=period.length_us / DAY_US,
            first=parameter("first_price", first_price, 1e-12, LARGEST_FIRST_PRICE),
            least=parameter("least_price", least_price, 0.0, LARGEST_FIRST_PRICE),
        )
        self._redemption = Redemption()
        self._holds = Holds()
        self._begun: dict[str, int] = {}
        self._number: int | None = None
        self._now_us: int | None = None
        self._decided_us: int | None = None
        self._purse = 0
        self._plan = 0.0
        self._spent = 0

    @property
    def price(self) -> float:
        """What a cent must earn now, in units of reward."""
        return self._price.value

    @property
    def left_cents(self) -> int:
        """What a decision may still take; below 0 where facts overdrew it."""
        return self._purse - sum(self._begun.values())

    @property
    def held_cents(self) -> int:
        """What logged decisions hold, and may or may not spend."""
        return self._holds.cents

    @property
    def spent_cents(self) -> int:
        """What was spent in all periods so far."""
        return self._spent

    def costs(self, ids: tuple[str, ...]) -> Array:
        """What a policy subtracts from the scores: price times what an action spends on average.

        Args:
            ids: The candidates.

        Returns:
            In units of reward, (n_actions,), 0 for an action that is free.
        """
        costs = np.zeros(len(ids))
        spending = self.spending
        for i, action_id in enumerate(ids):
            if action_id in spending:
                costs[i] = min(self.price * self.expected_cents(action_id), LARGEST_REWARD)
        return costs

    def expected_cents(self, action_id: str) -> float:
        """What a decision for this action spends on average."""
        spending = self.spending.get(action_id)
        if spending is None:
            return 0.0
        if spending.hold_minutes is None:
            return float(spending.cents)
        return spending.cents * self._redemption.share(action_id, spending.cents)

    def held_back(self, now_us: int) -> dict[str, Literal["out_of_budget"]]:
        """The actions that there is no money for.

        Args:
            now_us: Microseconds since 1970.
        """
        self.advance(now_us)
        left = self.left_cents
        if left >= self._dearest:
            return {}
        return {name: "out_of_budget" for name, one in self.spending.items() if one.cents > left}

    def begin(self, decision_id: str, action_id: str) -> None:
        """Take the money of a decision that is on its way into the log.

        Raises:
            BookingError: The decision has begun, or was booked, before.
        """
        if decision_id in self._begun or decision_id in self._holds:
            raise BookingError(f"decision {shown(decision_id)} was begun before")
        spending = self.spending.get(action_id)
        if spending is not None:
            self._begun[decision_id] = spending.cents

    def cancel(self, decision_id: str) -> None:
        """Give back what was begun: the row was not kept."""
        self._begun.pop(decision_id, None)

    def decided(self, decision_id: str, action_id: str, now_us: int) -> None:
        """Fold a logged decision at which an action of this budget could have been chosen.

        Free actions count as well: a pace is so much per decision.

        Args:
            decision_id: Its own.
            action_id: What was chosen.
            now_us: When it was decided.

        Raises:
            BookingError: The decision holds money already; then nothing changes.
        """
        if decision_id in self._holds:
            raise BookingError(f"decision {shown(decision_id)} was booked before")
        self._begun.pop(decision_id, None)
        now_us = self.advance(now_us)
        days = self._days_since(now_us)
        expected = self.expected_cents(action_id)
        spending = self.spending.get(action_id)
        if spending is not None:
            self._book(decision_id, action_id, spending, expected)
        remaining = Remaining(self._plan, self._days_left(now_us), self._purse >= self._cheapest)
        self._price.decided(expected, days, remaining)

    def spend(self, decision_id: str, action_id: str, cents: int, now_us: int) -> None:
        """Fold what a decision turned out to spend; its hold ends with it.

        Further amounts of the same decision, such as a refund's negative one, are booked as they
        come.

        Args:
            decision_id: Whose hold it was.
            action_id: What was chosen.
            cents: In minor units; below 0 for money that comes back.
            now_us: When that became known.

        Raises:
            BookingError: ``cents`` is no whole number within bounds; then nothing changes.
        """
        if isinstance(cents, bool) or not isinstance(cents, int) or abs(cents) > LARGEST_CENTS:
            rule = f"must be a whole number within ±{LARGEST_CENTS:g}"
            raise BookingError(f"cents is {shown(cents)}: {rule}")
        self.advance(now_us)
        hold = self._holds.take(decision_id)
        if hold is None:
            self._redemption.late(action_id, cents)
        else:
            self._release(hold, cents)
        self._purse -= cents
        self._plan -= cents
        self._spent += cents

    def advance(self, now_us: int) -> int:
        """Let time pass: holds expire and periods end, in the order in which they do.

        Args:
            now_us: Microseconds since 1970.

        Returns:
            The latest moment seen.
        """
        if self._now_us is not None and now_us <= self._now_us:
            return self._now_us
        number = self.period.number(now_us)
        if self._number is None:
            self._open(number)
        while self._number is not None and self._number < number:
            self._expire(self.period.end_us(self._number) - 1)
            # Nothing happens in a period without holds: on to the last one.
            self._open(number if not self._holds else self._number + 1)
        self._expire(now_us)
        self._now_us = now_us
        return now_us

    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
        """What was folded, for ``policy.model_file.dump``; not what has only begun.

        Returns:
            A manifest, and arrays of what is held.
        """
        ids, arrays = self._holds.state()
        manifest: dict[str, JSON] = {
            "kind": self.kind,
            "schema": self.schema,
            "name": self.name,
            "period": list(self._period_key()),
            "amount_cents": self.amount_cents,
            "number": self._number,
            "now_us": self._now_us,
            "decided_us": self._decided_us,
            "purse": self._purse,
            "plan": self._plan,
            "spent": self._spent,
            "price": self._price.state(),
            "redemption": self._redemption.state(),
            "holds": ids,
        }
        return manifest, arrays
