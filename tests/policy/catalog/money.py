"""Stories of a budget, for properties: decisions, redemptions and time that passes."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from policy.catalog.budget import Budget
from policy.catalog.pacing.traffic import DAY_US, HOUR_US, Period
from policy.catalog.spending import Spending

AMOUNT = 1_000
HELD = {"coupon": Spending(300, hold_minutes=600), "large": Spending(700, hold_minutes=2_000)}
AT_ONCE = {"mail": Spending(90), "letter": Spending(250)}
NAMES = ("nothing", *HELD, *AT_ONCE)
PERIODS = (Period.daily(), Period.weekly(), Period.total(DAY_US, 3 * DAY_US))


class Step(NamedTuple):
    """What happens next.

    Args:
        action: What is chosen, unless it is held back; None for a redemption.
        passed_us: Time since the step before.
        share: Of the hold that is redeemed.
        kept: Whether the log keeps the row.
    """

    action: str | None
    passed_us: int
    share: float
    kept: bool


stories = st.lists(
    st.builds(
        Step,
        st.sampled_from([*NAMES, None]),
        st.integers(0, 12) | st.integers(0, 40 * HOUR_US),
        st.floats(0.0, 1.0),
        st.booleans() | st.just(True),
    ),
    max_size=60,
)


def a_budget(period: Period, spending: dict[str, Spending]) -> Budget:
    return Budget("shop", AMOUNT, period, spending)


class Teller:
    """Lives a story on a budget as the service would.

    Args:
        budget: A fresh one.

    Attributes:
        facts: What was folded, in order: a method's name and its arguments.
        at_once: (period, cents) of what was spent at decisions.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.now_us = DAY_US // 2
        self.facts: list[tuple[str, tuple[object, ...]]] = []
        self.at_once: list[tuple[int, int]] = []
        self._held: dict[str, str] = {}
        self._n = 0

    @property
    def funded_cents(self) -> int:
        """The amounts of all periods since the first decision."""
        period = self.budget.period
        first, now = period.number(DAY_US // 2), period.number(self.now_us)
        return AMOUNT * period.n_funded(first, now + 1)

    def live(self, step: Step) -> None:
        """One step."""
        self.now_us += step.passed_us
        if step.action is None:
            self._redeem(step)
        else:
            self._decide(step.action, step.kept)

    def _decide(self, wanted: str, kept: bool) -> None:
        budget, decision_id = self.budget, f"d{self._n}"
        self._n += 1
        action = "nothing" if wanted in budget.held_back(self.now_us) else wanted
        budget.begin(decision_id, action)
        if not kept:
            budget.cancel(decision_id)
            return
        self._fold("decided", decision_id, action, self.now_us)
        spending = budget.spending.get(action)
        if spending is not None and spending.hold_minutes is not None:
            self._held[decision_id] = action
        elif spending is not None:
            self.at_once.append((budget.period.number(self.now_us), spending.cents))

    def _redeem(self, step: Step) -> None:
        """A redemption in time: holds that expired are not in the account any more."""
        held = [name for name in self._held if name in self.budget._account.holds]
        due = {name for name, _ in self._due()}
        held = [name for name in held if name not in due]
        if held:
            decision_id = held[int(step.share * (len(held) - 1))]
            action = self._held.pop(decision_id)
            cents = int(step.share * self.budget.spending[action].cents)
            self._fold("spend", decision_id, action, cents, self.now_us)

    def _due(self) -> list[tuple[str, int]]:
        holds = self.budget._account.holds._holds
        return [(k, hold.expires_us) for k, hold in holds.items() if hold.expires_us <= self.now_us]

    def _fold(self, method: str, *arguments: object) -> None:
        getattr(self.budget, method)(*arguments)
        self.facts.append((method, arguments))


def retold(budget: Budget, facts: list[tuple[str, tuple[object, ...]]]) -> Budget:
    """A fresh budget after the same facts."""
    for method, arguments in facts:
        getattr(budget, method)(*arguments)
    return budget
