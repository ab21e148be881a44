"""Guardrails: metrics that may not get worse while another gets better.

Behind the lift of each metric, in front of whoever has to decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.errors import EvaluationError
from policy.lift.lift import PLANNED_VISITORS, lift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.lift.lift import Lift
    from policy.lift.outcomes import Outcomes


class Standing(StrEnum):
    """Where a guardrail stands."""

    SAFE = "safe"
    OPEN = "open"
    HURT = "hurt"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric and how much worse it may get.

    Args:
        name: Such as ``returns``.
        tolerance: Largest change for the worse that is accepted, in the metric's unit a visitor,
            at least 0.
        higher_is_better: Of margin, yes; of returns and unsubscribes, no.

    Raises:
        EvaluationError: A tolerance below 0 or not finite.
    """

    name: str
    tolerance: float
    higher_is_better: bool

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0.0):
            raise EvaluationError(
                f"tolerance of {self.name} is {self.tolerance}: must be at least 0 and finite"
            )

    def standing(self, found: Lift) -> Standing:
        """What a lift of the metric says: hurt, or safe, whatever its interval holds; else open."""
        low, high = found.interval.low, found.interval.high
        if not self.higher_is_better:
            low, high = -high, -low
        if high < -self.tolerance:
            return Standing.HURT
        return Standing.SAFE if low >= -self.tolerance else Standing.OPEN


@dataclass(frozen=True, slots=True)
class Guarded:
    """A guardrail with what was measured.

    Args:
        guardrail: The metric and its tolerance.
        lift: Of the metric, with an interval at its share of the level.
    """

    guardrail: Guardrail
    lift: Lift

    @property
    def standing(self) -> Standing:
        """Hurt, safe or open."""
        return self.guardrail.standing(self.lift)


def standings(
    guardrails: Sequence[Guardrail],
    treated: Mapping[str, Outcomes],
    control: Mapping[str, Outcomes],
    level: float = 0.95,
    planned_visitors: int = PLANNED_VISITORS,
) -> dict[str, Standing]:
    """Where each guardrail stands; the level is for all of them together, at all times at once.

    Args:
        guardrails: Of different names.
        treated: Outcomes of each metric.
        control: The same of the control group.
        level: In (0, 1).
        planned_visitors: Where the intervals should be narrowest.

    Raises:
        EvaluationError: Two of one name, or a metric that was not measured.

    Example:
        >>> import numpy as np
        >>> from policy.lift.outcomes import Outcomes
        >>> rng = np.random.default_rng(0)
        >>> groups = [{"returns": Outcomes.of(rng.binomial(1, p, 9_000))} for p in (0.2, 0.1)]
        >>> standings([Guardrail("returns", 0.01, higher_is_better=False)], *groups)
        {'returns': <Standing.HURT: 'hurt'>}
    """
    found = guarded(guardrails, treated, control, level, planned_visitors)
    return {one.guardrail.name: one.standing for one in found}


def guarded(
    guardrails: Sequence[Guardrail],
    treated: Mapping[str, Outcomes],
    control: Mapping[str, Outcomes],
    level: float = 0.95,
    planned_visitors: int = PLANNED_VISITORS,
) -> list[Guarded]:
    """The same with the lift of each metric; see ``standings``.

    Raises:
        EvaluationError: As there.
    """
    names = [one.name for one in guardrails]
    if len(set(names)) < len(names):
        raise EvaluationError(f"guardrails are called {names}: names must differ")
    missing = [name for name in names if name not in treated or name not in control]
    if missing:
        raise EvaluationError(f"guardrails {missing} were not measured in both groups")
    each = 1.0 - (1.0 - level) / max(len(names), 1)
    return [
        Guarded(one, lift(treated[one.name], control[one.name], each, planned_visitors))
        for one in guardrails
    ]
