"""The normal interval, with Student's quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from policy.ope.intervals.base import Interval, checked_level, unknown, value_and_error

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.tally import Tally


def normal(estimator: Functional, tally: Tally, level: float = 0.95) -> Interval:
    """Estimate ± quantile × standard error, by the central limit theorem.

    Right for many rows of moderate weights. Too short, on the side of the large rewards, where few
    rows carry the estimate: then use ``skewed`` or ``studentised``.

    Args:
        estimator: Settled.
        tally: Of its columns.
        level: In (0, 1).

    Example:
        >>> from policy.ope.estimators.ips import IPS
        >>> from policy.ope.tally import Tally
        >>> tally = Tally.of(np.array([[0.0], [1.0]] * 50), np.arange(100))
        >>> round(normal(IPS(), tally).half_width, 4)
        0.0997
    """
    value, error = value_and_error(estimator, tally)
    if not np.isfinite(error):
        return unknown(checked_level(level), "normal")
    freedom = np.count_nonzero(tally.counts) - 1
    reach = float(stdtrit(freedom, 0.5 + checked_level(level) / 2.0)) * error
    return Interval(value - reach, value + reach, level, "normal")
