"""How much of what is held for an action is spent in the end.

Beside the shadow price: a coupon that one in ten redeems costs a tenth of its face on average.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy.errors import StateError, shown

if TYPE_CHECKING:
    from policy.model_file import JSON

KEPT = 0.998
"""What of the past counts on after each hold that ended: a memory of 500."""

ALL = ""
"""The name of all actions together; no action has it."""


class Redemption:
    """The share of held money that is spent, for each action, drawn towards that of all.

        share(a) = (spent(a) + w · share(all)) / (held(a) + w),   w = 20 times what a holds at once

    Before anything ended all of it is expected to be spent: too careful rather than too generous.
    Only holds that ended count. Who redeems does so before a hold expires, so in the first days
    the share is estimated too high, on the careful side again.

    Example:
        >>> redemption = Redemption()
        >>> redemption.share("coupon", 100)
        1.0
        >>> for spent in [100] + [0] * 9: redemption.ended("coupon", 100, spent)
        >>> 0.1 < redemption.share("coupon", 100) < 0.2
        True
    """

    def __init__(self) -> None:
        self._totals: dict[str, tuple[float, float]] = {}

    def share(self, action_id: str, cents: int) -> float:
        """Share of a hold of so many cents that will be spent, in [0, 1]."""
        held, spent = self._totals.get(ALL, (0.0, 0.0))
        everybodys = (spent + cents) / (held + cents)
        held, spent = self._totals.get(action_id, (0.0, 0.0))
        weight = 20.0 * cents
        return min(max((spent + weight * everybodys) / (held + weight), 0.0), 1.0)

    def ended(self, action_id: str, held_cents: int, spent_cents: int) -> None:
        """A hold was redeemed, wholly or in part, or expired."""
        self._add(action_id, held_cents, spent_cents)

    def late(self, action_id: str, spent_cents: int) -> None:
        """Money was spent, or came back, after its hold had ended."""
        self._add(action_id, 0, spent_cents)

    def state(self) -> dict[str, JSON]:
        """Everything counted."""
        return {name: [held, spent] for name, (held, spent) in self._totals.items()}

    @classmethod
    def of_state(cls, state: JSON) -> Redemption:
        """What gave this state, to the bit.

        Raises:
            StateError: Not pairs of finite numbers.
        """
        if not isinstance(state, dict):
            raise StateError(f"saved redemption is {shown(state)}: must be pairs by action")
        redemption = cls()
        redemption._totals = {name: _pair(name, saved) for name, saved in state.items()}
        return redemption

    def _add(self, action_id: str, held_cents: int, spent_cents: int) -> None:
        kept = KEPT if held_cents else 1.0
        for name in (ALL, action_id):
            held, spent = self._totals.get(name, (0.0, 0.0))
            self._totals[name] = (kept * held + held_cents, kept * spent + spent_cents)


def _pair(name: str, saved: JSON) -> tuple[float, float]:
    match saved:
        case [float(held), float(spent)] if math.isfinite(held) and math.isfinite(spent):
            return held, spent
    raise StateError(f"saved redemption of {shown(name)} is {shown(saved)}: must be two numbers")
