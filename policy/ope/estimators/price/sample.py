"""Logged prices seen from one target policy: what was drawn, how densely, and what it wants.

Between a log with the density of each draw, as the service keeps it, and the kernel estimators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from policy.ope.log import Array, Ints


@dataclass(frozen=True, slots=True, eq=False)
class PriceSample:
    """Rows of a log of prices, or of other numbers out of a range.

    Args:
        price: What was shown, in any unit, (n,).
        density: Of the logging policy at it, per that unit, above 0, (n,).
        reward: What it earned, finite, (n,).
        wanted: What the target policy would have shown, (n,).
        low: Lowest price that could have been drawn, (n,); None where nothing bounds it.
        high: Highest one, (n,); given with ``low``.
        cluster: Whose row it was, (n,); None where every row stands for itself.

    Raises:
        EvaluationError: Shapes that differ, a density that is not above 0, a reward that is not
            finite, or a wanted price out of bounds.

    Example:
        >>> sample = PriceSample(np.array([5.0]), np.array([0.1]), np.ones(1), np.array([6.0]))
        >>> len(sample.price)
        1
    """

    price: Array
    density: Array
    reward: Array
    wanted: Array
    low: Array | None = None
    high: Array | None = None
    cluster: Ints | None = None

    def __post_init__(self) -> None:
        n = len(self.price)
        for name in ("density", "reward", "wanted", "low", "high", "cluster"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise EvaluationError(f"{name} has shape {values.shape}: must be {(n,)}")
        _refuse(self.density, ~(self.density > 0.0), "density", "must be above 0")
        _refuse(self.reward, ~np.isfinite(self.reward), "reward", "must be finite")
        if (self.low is None) != (self.high is None):
            raise EvaluationError("low and high are bounds of one range: give both, or none")
        if self.low is not None and self.high is not None:
            outside = ~((self.wanted >= self.low) & (self.wanted <= self.high))
            _refuse(self.wanted, outside, "wanted", "must be a price that the log could have drawn")


def _refuse(values: Array, wrong: np.ndarray, name: str, rule: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EvaluationError(f"{name} of row {row} is {values[row]}: {rule}")
