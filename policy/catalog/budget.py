"""A budget: money per period that showing actions may spend, and its pace.

In front of the policy, which gets what an action costs in units of reward, and of eligibility,
which holds back what there is no money for. A fold over the log of decisions and of what they
spent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bounds import LARGEST_REWARD, whole_parameter
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.holds import Hold
from policy.catalog.in_flight import InFlight
from policy.catalog.pacing.account import Account, Left
from policy.catalog.pacing.pace import Pace
from policy.catalog.pacing.shadow_price import FIRST_PRICE
from policy.catalog.pacing.traffic import Traffic
from policy.catalog.terms import check_terms
from policy.errors import BookingError, ParameterError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from policy.catalog.pacing.traffic import Period
    from policy.catalog.spending import Spending
    from policy.model_file import JSON


class Budget:
    """So much money a period, never overdrawn by a decision, and paced to last.

    Two things have to be there before an action may be shown. **Cover**: a decision takes the whole
    cost of its action out of the purse at once; what a redemption did not use, or all of it when
    the hold expires, goes back in. So money spent plus money held is never more than the amounts of
    the periods so far, whoever redeems. **Plan**: what it spends on average must be left of what
    the period has to spend; from the plan follows the shadow price. Money that is spent at the
    decision counts whole in both, so no period ever spends more of it than its amount.

    What is left over at the end of a period lapses, but not what came back from a hold: that is
    there for the next one, as is what was spent too much.

    **In the log and before.** A decision counts from ``begin``, while its row is on its way into
    the log; ``decided`` makes it part of the fold, or ``cancel`` forgets it. Rows that are folded
    are facts: they are booked whatever is left. So is money spent after its hold expired: it is
    taken out of what there is, if need be below 0, and then out of the next period. Only
    ``decided`` and ``spend`` change what is folded: who reads the log again has the same state.

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
        >>> from policy.catalog.spending import Spending
        >>> budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300)})
        >>> budget.held_back(now_us=0)
        {}
        >>> budget.decided("d1", "coupon", now_us=0)
        >>> budget.left_at(now_us=1).plan_cents, budget.held_back(now_us=1)
        (200.0, {'coupon': 'out_of_budget'})
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
        self._dearest = max(one.cents for one in self.spending.values())
        self._least_price = least_price
        self._pace = Pace(
            amount_cents,
            period,
            self.spending.values(),
            traffic or Traffic(),
            first_price=first_price,
            least_price=least_price,
        )
        self._account = Account(amount_cents, period)
        self._in_flight = InFlight()

    @property
    def price(self) -> float:
        """What a cent must earn now, in units of reward."""
        return self._pace.price

    @property
    def spent_cents(self) -> int:
        """What was spent in all periods so far."""
        return self._account.spent_cents

    @property
    def held_cents(self) -> int:
        """What logged decisions hold, and may or may not spend."""
        return self._account.holds.amount

    def left_at(self, now_us: int) -> Left:
        """What there is at a moment, without what is on its way into the log."""
        left, taken = self._account.left_at(now_us), self._in_flight.amount
        return Left(left.purse_cents - taken, left.plan_cents - taken, left.back_cents)

    def costs(self, ids: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """What a policy subtracts from the scores: price times what an action spends on average.

        Args:
            ids: The candidates.

        Returns:
            In units of reward, (n_actions,), 0 for an action that is free.
        """
        cents = np.array([self.expected_cents(action_id) for action_id in ids])
        return np.minimum(self.price * cents, LARGEST_REWARD)

    def expected_cents(self, action_id: str) -> float:
        """What a decision for this action spends on average."""
        spending = self.spending.get(action_id)
        if spending is None:
            return 0.0
        if spending.hold_minutes is None:
            return float(spending.cents)
        return spending.cents * self._account.redemption.share(action_id, spending.cents)

    def held_back(self, now_us: int) -> dict[str, Literal["out_of_budget"]]:
        """The actions that there is no money for.

        Args:
            now_us: Microseconds since 1970.
        """
        left = self.left_at(now_us)
        if min(left.purse_cents, left.plan_cents) >= self._dearest:
            return {}
        return {name: "out_of_budget" for name in self.spending if not self._affords(name, left)}

    def begin(self, decision_id: str, action_id: str) -> None:
        """Take the money of a decision that is on its way into the log.

        Raises:
            BookingError: The decision has begun, or holds money, already; then nothing changes.
        """
        self._check_new(decision_id)
        spending = self.spending.get(action_id)
        if spending is not None:
            self._in_flight.begin(decision_id, spending.cents)

    def cancel(self, decision_id: str) -> None:
        """Give back what was begun: the row was not kept."""
        self._in_flight.end(decision_id)

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
        self._check_new(decision_id)
        self._in_flight.end(decision_id)
        account = self._account
        now_us = account.advance(now_us)
        expected = self.expected_cents(action_id)
        cover_cents = self._take(decision_id, action_id, expected, now_us)
        spendable = any(self._affords(name, account.left) for name in self.spending)
        self._pace.decided(expected, cover_cents, now_us, account, spendable=spendable)

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
        self._account.advance(now_us)
        self._account.redeem(decision_id, action_id, cents)

    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
        """What was folded, for ``policy.model_file.dump``; not what has only begun.

        Returns:
            A manifest, and arrays of what is held.
        """
        account, arrays = self._account.state()
        return self._terms() | {"pace": self._pace.state(), "account": account}, arrays

    def load_state(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Resume from ``state``, to the bit.

        Raises:
            StateError: The state is damaged or that of a budget on other terms; then nothing
                changes.
        """
        check_terms(manifest, self._terms())
        account, loaded = manifest.get("account"), Account(self.amount_cents, self.period)
        if not isinstance(account, dict):
            raise StateError(f"saved account is {shown(account)}: the file is damaged")
        loaded.load_state(account, arrays)
        self._pace.load_state(manifest.get("pace"))
        self._account = loaded

    def _check_new(self, decision_id: str) -> None:
        if decision_id in self._account.holds:
            raise BookingError(f"decision {shown(decision_id)} was booked before")

    def _affords(self, action_id: str, left: Left) -> bool:
        covered = self.spending[action_id].cents <= left.purse_cents
        return covered and self.expected_cents(action_id) <= left.plan_cents

    def _take(self, decision_id: str, action_id: str, expected: float, now_us: int) -> int:
        """Spend or hold what an action costs; returns that."""
        spending = self.spending.get(action_id)
        if spending is None:
            return 0
        expires_us = spending.expires_us(now_us)
        if expires_us is None:
            self._account.spend(spending.cents)
        else:
            hold = Hold(action_id, spending.cents, expires_us, expected)
            self._account.take(decision_id, hold)
        return spending.cents

    def _terms(self) -> dict[str, JSON]:
        """What this state was made under."""
        period = self.period
        return {
            "kind": self.kind,
            "schema": self.schema,
            "name": self.name,
            "amount_cents": self.amount_cents,
            "period": [period.start_us, period.length_us, period.repeats],
            "least_price": self._least_price,
            "spending": {
                name: [one.cents, one.hold_minutes] for name, one in sorted(self.spending.items())
            },
        }
