"""What one decision takes out of a budget.

Where the configuration's costs enter; ``budget`` adds them up.
"""

from __future__ import annotations

from dataclasses import dataclass

from policy.bounds import whole_parameter
from policy.catalog.action import LARGEST_CENTS

MINUTE_US = 60_000_000
LONGEST_HOLD_MINUTES = 10 * 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class Spending:
    """The cost of an action.

    Args:
        cents: What one decision for it costs at most, in minor units, at least 1.
        hold_minutes: Where it is spent only later, at a redemption: for how long it is held, after
            which it counts as not spent. None for what is spent at the decision.

    Raises:
        ParameterError: A number is out of its range.

    Example:
        >>> Spending(500, hold_minutes=60).expires_us(now_us=0)
        3600000000
    """

    cents: int
    hold_minutes: int | None = None

    def __post_init__(self) -> None:
        whole_parameter("cents", self.cents, 1, LARGEST_CENTS)
        if self.hold_minutes is not None:
            whole_parameter("hold_minutes", self.hold_minutes, 1, LONGEST_HOLD_MINUTES)

    def expires_us(self, now_us: int) -> int | None:
        """First moment at which what is held now is free again; None for what is spent at once."""
        return None if self.hold_minutes is None else now_us + self.hold_minutes * MINUTE_US
