"""The normal interval corrected for skewness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from policy.ope.intervals.base import Interval, checked_level, unknown, value_and_error

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.tally import Tally


def skewed(estimator: Functional, tally: Tally, level: float = 0.95) -> Interval:
    """Hall's transformation: the studentised estimate is made symmetric, then inverted.

        T = (estimate - value) / error,   s = skewness / √n
        g(T) = T + s T²/3 + s² T³/27 + s/6   is close to normal, and strictly rising

    The weights of a log are skewed to the right, and rare large ones are missing from it more often
    than not: this stretches the interval upwards. No resampling.

    Args:
        estimator: Settled.
        tally: Of its columns.
        level: In (0, 1).

    References:
        Hall. On the Removal of Skewness by Transformation. JRSS B 1992.

    Example:
        >>> from policy.ope.estimators.ips import IPS
        >>> from policy.ope.tally import Tally
        >>> rare = Tally.of(np.array([[20.0]] + [[0.0]] * 99), np.arange(100))
        >>> interval = skewed(IPS(), rare)
        >>> round(interval.low, 2), round(interval.high, 2)
        (-0.05, 1.44)
    """
    value, error = value_and_error(estimator, tally)
    if not np.isfinite(error):
        return unknown(checked_level(level), "skewed")
    moved = tally.influences(estimator.gradient(tally.means))
    quantile = float(stdtrit(len(moved) - 1, 0.5 + checked_level(level) / 2.0))
    spread = moved.std()
    s = float(((moved / spread) ** 3).mean() / np.sqrt(len(moved))) if spread else 0.0
    return Interval(
        value - error * _inverse(quantile, s),
        value - error * _inverse(-quantile, s),
        level,
        "skewed",
    )


def _inverse(x: float, s: float) -> float:
    """The T with g(T) = x."""
    if abs(s) < 1e-9:
        return x
    return float((np.cbrt(1.0 + s * (x - s / 6.0)) - 1.0) * 3.0 / s)
