"""An interval, and what is asked for one.

Behind the tallies: every interval is made from an estimator and its tally alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.tally import Tally


@dataclass(frozen=True, slots=True)
class Interval:
    """A lower and an upper bound on a policy's value.

    Args:
        low: May be -inf: nothing bounds it below.
        high: May be inf.
        level: Share of logs whose interval holds the value, in (0, 1).
        method: What it was made by.

    Example:
        >>> Interval(0.25, 0.75, 0.95, "normal").half_width
        0.25
    """

    low: float
    high: float
    level: float
    method: str

    @property
    def half_width(self) -> float:
        """Half of the distance between the bounds."""
        return (self.high - self.low) / 2.0

    def holds(self, value: float) -> bool:
        """Whether a value is within the bounds."""
        return self.low <= value <= self.high

    def within(self, low: float, high: float) -> Interval:
        """The interval cut to what is possible."""
        return Interval(
            min(max(self.low, low), high), max(min(self.high, high), low), self.level, self.method
        )


def unknown(level: float, method: str) -> Interval:
    """The interval of an estimate that nothing is known of."""
    return Interval(float("-inf"), float("inf"), level, method)


def checked_level(level: float) -> float:
    """A level strictly between 0 and 1.

    Raises:
        EvaluationError: It is not.

    Example:
        >>> checked_level(0.95)
        0.95
    """
    if not 0.0 < level < 1.0:
        raise EvaluationError(f"level is {level}: must be above 0 and below 1, such as 0.95")
    return level


def checked_range(lowest: float, highest: float) -> tuple[float, float]:
    """The bounds that rewards lie in.

    Raises:
        EvaluationError: They are not finite, or no range.

    Example:
        >>> checked_range(0.0, 1.0)
        (0.0, 1.0)
    """
    if not (math.isfinite(lowest) and math.isfinite(highest) and lowest < highest):
        raise EvaluationError(
            f"rewards from {lowest} to {highest}: must be finite bounds, the lower one first"
        )
    return lowest, highest


def value_and_error(estimator: Functional, tally: Tally) -> tuple[float, float]:
    """The estimate of a settled estimator and its standard error; NaN where unknown."""
    means = tally.means
    error = tally.standard_error(estimator.gradient(means))
    return estimator.value(means), error * estimator.stretch(tally)
