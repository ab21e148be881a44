"""The empirical Bernstein interval: true for every number of rows, given the range of a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy.errors import EvaluationError
from policy.ope.intervals.base import Interval, checked_level, unknown

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.tally import Tally


def empirical_bernstein(
    estimator: Functional, tally: Tally, span: float, level: float = 0.95
) -> Interval:
    """A bound that holds at any sample size, for means of independent rows.

        |V - value| <= √(2 S² log(4/δ) / n) + 7 span log(4/δ) / (3 (n - 1)),    δ = 1 - level

    Args:
        estimator: One that is the mean of one column, chosen before the log was seen.
        tally: Of its column; its rows must be independent.
        span: Distance between the largest and the smallest value that a row can have: for IPS the
            largest possible weight times the range of rewards.
        level: In (0, 1).

    Raises:
        EvaluationError: An estimator that is no mean of one column, or rows beyond the span.

    References:
        Maurer, Pontil. Empirical Bernstein Bounds and Sample Variance Penalization. COLT 2009.

    Example:
        >>> import numpy as np
        >>> from policy.ope.estimators.ips import IPS
        >>> from policy.ope.tally import Tally
        >>> tally = Tally.of(np.array([[0.0], [1.0]] * 50), np.arange(100))
        >>> round(empirical_bernstein(IPS(), tally, 1.0).half_width, 3)
        0.252
    """
    delta = 1.0 - checked_level(level)
    if estimator.n_columns != 1 or tally.sums.shape[1] != 1:
        raise EvaluationError(
            f"{estimator.name} is not the mean of one column: empirical_bernstein bounds ips, "
            "clipped_ips, doubly_robust and the like with a fixed parameter"
        )
    seen = float(tally.largest[0] - tally.smallest[0])
    if seen > span * (1.0 + 1e-9):
        raise EvaluationError(
            f"span is {span}: rows differ by {seen}; it must be the largest possible weight times "
            "the range of rewards"
        )
    n = tally.n_rows
    if n < 2:
        return unknown(level, "empirical_bernstein")
    spread = max(float(tally.row_covariance[0, 0]), 0.0)
    log = math.log(4.0 / delta)
    reach = math.sqrt(2.0 * spread * log / n) + 7.0 * span * log / (3.0 * (n - 1))
    value = estimator.value(tally.means)
    return Interval(value - reach, value + reach, level, "empirical_bernstein")
