"""A family of estimators, of which the data choose one.

In front of the clipped, switching and shrinking estimators: nobody is asked for their parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.estimators.base import Estimator, Functional
from policy.ope.estimators.clipped_ips import ClippedIPS
from policy.ope.estimators.dros import DRos
from policy.ope.estimators.switch_dr import SwitchDR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.ope.log import Array
    from policy.ope.sample import Sample
    from policy.ope.tally import Tally

Z = 1.0
"""Standard errors of a half-width: with 1.96, biases of several errors pass for chance."""

SHARE = np.sqrt(6.0) - 1.0
BOUNDS = (1e4, 1e3, 300.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
SHRINKAGES = (1e8, 1e6, 1e5, 1e4, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)


class Tuned(Estimator):
    """Chooses among estimators of falling variance and rising bias, by SLOPE (Lepski's principle).

    With estimates V_j and half-widths W_j, it takes the last i such that for every j before it

        |V_i - V_j|  <=  W_i + (√6 - 1) W_j

    and the mean squared error is within a constant of that of the best one.

    Args:
        members: Of one column each, the least biased first.

    Raises:
        EvaluationError: No members, or one of several columns.

    References:
        Su, Srinath, Krishnamurthy. Adaptive Estimator Selection for Off-Policy Evaluation. ICML
        2020.
        Tucker, Lee. Improved Estimator Selection for Off-Policy Evaluation. 2021.

    Example:
        >>> Tuned([DRos(100.0), DRos(1.0)]).n_columns
        2
    """

    name: str = "tuned"

    def __init__(self, members: Sequence[Estimator]) -> None:
        if not members or any(member.n_columns != 1 for member in members):
            raise EvaluationError("members must be estimators of one column, and at least one")
        self.members = tuple(members)
        self.n_columns = len(self.members)
        self.name = f"{members[0].name}_slope"
        self.needs_model = any(m.needs_model for m in members)

    def columns(self, sample: Sample) -> Array:
        """The column of each member."""
        return np.hstack([member.columns(sample) for member in self.members])

    def settled(self, tally: Tally) -> Functional:
        """The member that SLOPE takes."""
        column = slope(tally.means, self._widths(tally))
        return Settled(self.name, column, self.n_columns)

    def _widths(self, tally: Tally) -> Array:
        moved = tally.influences(np.eye(self.n_columns))
        if len(moved) < 2:
            return np.full(self.n_columns, np.inf)
        widths = Z * moved.std(axis=0, ddof=1) / np.sqrt(len(moved))
        # The theory wants widths that never rise along the family; chance may make them.
        falling: Array = np.minimum.accumulate(np.nan_to_num(widths, nan=np.inf))
        return falling


class Settled(Functional):
    """One member of a family, by its column.

    Args:
        name: Of the family.
        column: Which one it is.
        n_columns: How many there are.

    Example:
        >>> Settled("dros_slope", 1, 3).value(np.array([1.0, 2.0, 3.0]))
        2.0
    """

    name: str = "settled"

    def __init__(self, name: str, column: int, n_columns: int) -> None:
        self.name = name
        self.column = column
        self.n_columns = n_columns

    def value(self, means: Array) -> float:
        """Its own column's mean."""
        return float(means[self.column])

    def gradient(self, means: Array) -> Array:
        """1 on its own column."""
        gradient = np.zeros(self.n_columns)
        gradient[self.column] = 1.0
        return gradient


def slope(estimates: Array, widths: Array) -> int:
    """Which of several estimates to take.

    Args:
        estimates: The least biased first, (n,).
        widths: Half-widths of their intervals, never rising, (n,).

    Example:
        >>> slope(np.array([1.0, 1.1, 3.0]), np.array([1.0, 0.5, 0.1]))
        1
    """
    chosen = 0
    for i in range(1, len(estimates)):
        distance = abs(estimates[i] - estimates[:i])
        if not (distance <= widths[i] + SHARE * widths[:i]).all():
            break
        chosen = i
    return chosen


def tuned_clipped_ips() -> Tuned:
    """Clipped IPS with its bound chosen from the data."""
    return Tuned([ClippedIPS(bound) for bound in BOUNDS])


def tuned_switch_dr() -> Tuned:
    """SWITCH-DR with its bound chosen from the data."""
    return Tuned([SwitchDR(bound) for bound in BOUNDS])


def tuned_dros() -> Tuned:
    """DRos with its shrinkage chosen from the data."""
    return Tuned([DRos(shrinkage) for shrinkage in SHRINKAGES])
