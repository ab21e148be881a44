"""The normal interval corrected for skewness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from policy.ope.intervals.base import Interval, checked_level, unknown, value_and_error

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.tally import Tally

FEWEST_FREEDOM = 3.0


def skewed(estimator: Functional, tally: Tally, level: float = 0.95) -> Interval:
    """Hall's transformation: the studentised estimate is made symmetric, then inverted.

        T = (estimate - value) / error,   s = skewness / √n
        g(T) = T + s T²/3 + s² T³/27 + s/6   is close to Student's t, and strictly rising
        degrees of freedom = n / (kurtosis - 1 - skewness²)

    The weights of a log are skewed to the right, and rare large ones are missing from it more often
    than not: this stretches the interval upwards. The error itself is known the less the heavier
    the tails are; the skewness has accounted for what of that moves with the estimate, and the
    degrees of freedom are for the rest. Theory has 2 n above; but where tails are heavy the
    kurtosis of a sample is too low, mostly by more than half. No resampling.

    Args:
        estimator: Settled.
        tally: Of its columns.
        level: In (0, 1).

    References:
        Hall. On the Removal of Skewness by Transformation. JRSS B 1992.
        Satterthwaite. An Approximate Distribution of Estimates of Variance Components. Biometrics
        1946.

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
    spread = moved.std()
    scaled = moved / spread if spread else moved
    skewness = float((scaled**3).mean())
    freedom = _freedom(len(moved), skewness, float((scaled**4).mean()))
    quantile = float(stdtrit(freedom, 0.5 + checked_level(level) / 2.0))
    s = skewness / np.sqrt(len(moved))
    return Interval(
        value - error * _inverse(quantile, s),
        value - error * _inverse(-quantile, s),
        level,
        "skewed",
    )


def _freedom(n: int, skewness: float, kurtosis: float) -> float:
    """How well the error is known, in degrees of freedom."""
    excess = kurtosis - 1.0 - skewness**2
    return max(min(n / excess, n - 1.0), FEWEST_FREEDOM) if excess > 0.0 else n - 1.0


def _inverse(x: float, s: float) -> float:
    """The T with g(T) = x."""
    if abs(s) < 1e-9:
        return x
    return float((np.cbrt(1.0 + s * (x - s / 6.0)) - 1.0) * 3.0 / s)
