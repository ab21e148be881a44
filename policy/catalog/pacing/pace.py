"""The pace of a budget: from what is left and the visits to come, what a cent must earn.

Under the budget, between its account and its shadow price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.bounds import parameter
from policy.catalog.pacing.shadow_price import Remaining, ShadowPrice
from policy.catalog.pacing.traffic import DAY_US
from policy.catalog.spending import MINUTE_US
from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.catalog.pacing.account import Account
    from policy.catalog.pacing.traffic import Period, Traffic
    from policy.catalog.spending import Spending
    from policy.model_file import JSON

LARGEST_FIRST_PRICE = 1e3


class Pace:
    """Tells the shadow price of each decision, and of what later ones have left.

    Args:
        amount_cents: For each period.
        period: What the amount is for.
        spending: What the actions cost.
        traffic: How visits spread over a week.
        first_price: Where the price begins, in units of reward per cent.
        least_price: What a cent must earn, in units of reward.

    Raises:
        ParameterError: A price is out of its range.

    Example:
        >>> from policy.catalog.pacing.account import Account
        >>> from policy.catalog.pacing.traffic import Period, Traffic
        >>> from policy.catalog.spending import Spending
        >>> day, account = Period.daily(), Account(500, Period.daily())
        >>> pace = Pace(500, day, [Spending(100)], Traffic(), first_price=0.01)
        >>> for now_us in (account.advance(0), account.advance(60_000_000)):
        ...     pace.decided(100.0, 100, now_us, account, spendable=True)
        >>> pace.price > 0.01
        True
    """

    def __init__(
        self,
        amount_cents: int,
        period: Period,
        spending: Collection[Spending],
        traffic: Traffic,
        *,
        first_price: float,
        least_price: float = 0.0,
    ) -> None:
        self._traffic = traffic
        self._longest_hold_us = max(one.hold_minutes or 1 for one in spending) * MINUTE_US
        self._price = ShadowPrice(
            amount_cents,
            max(one.cents for one in spending),
            period_days=period.length_us / DAY_US,
            first=parameter("first_price", first_price, 1e-12, LARGEST_FIRST_PRICE),
            least=parameter("least_price", least_price, 0.0, LARGEST_FIRST_PRICE),
        )
        self._decided_us: int | None = None

    @property
    def price(self) -> float:
        """What a cent must earn now, in units of reward."""
        return self._price.value

    def decided(
        self, cents: float, cover_cents: int, now_us: int, account: Account, *, spendable: bool
    ) -> None:
        """Learn from a decision.

        Args:
            cents: What it spends on average.
            cover_cents: What it spends at worst.
            now_us: When it was decided; never earlier than the one before.
            account: After it.
            spendable: Whether anything can still be bought.
        """
        before_us, self._decided_us = self._decided_us, now_us
        days = None if before_us is None else self._traffic.days(before_us, now_us)
        # Cover that comes back can be taken again.
        turns = (account.ends_us - now_us) / self._longest_hold_us
        remaining = Remaining(
            account.left.plan_cents,
            max(turns, 1.0) * account.left.purse_cents + turns * account.holds.amount,
            self._traffic.days(now_us, account.ends_us),
            spendable,
        )
        self._price.decided(cents, cover_cents, days, remaining)

    def state(self) -> dict[str, JSON]:
        """Everything learned."""
        return {"decided_us": self._decided_us, "price": self._price.state()}

    def load_state(self, state: JSON) -> None:
        """Resume from ``state``, to the bit.

        Raises:
            StateError: Something is missing or impossible; then nothing changes.
        """
        match state:
            case {"decided_us": int() | None as decided_us, "price": dict() as price}:
                self._price.load_state(price)
                self._decided_us = decided_us
            case _:
                rule = "must hold decided_us and a price: the file is damaged"
                raise StateError(f"saved pace is {shown(state)}: {rule}")
