"""Bootstraps over the buckets of a tally: percentiles, and the studentised one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.ope.intervals.base import Interval, checked_level, unknown, value_and_error

if TYPE_CHECKING:
    from policy.ope.estimators.base import Functional
    from policy.ope.log import Array
    from policy.ope.tally import Tally

N_RESAMPLES = 1000


def bootstrap(
    estimator: Functional,
    tally: Tally,
    level: float = 0.95,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """Quantiles of the estimate over resampled buckets.

    As short as the normal interval where that is too short; kept because it is what most libraries
    show.

    Args:
        estimator: Settled.
        tally: Of its columns.
        level: In (0, 1).
        rng: Draws the resamples.
        n_resamples: How many.

    References:
        Efron. Bootstrap Methods: Another Look at the Jackknife. Annals of Statistics 1979.

    Example:
        >>> from policy.ope.estimators.ips import IPS
        >>> from policy.ope.tally import Tally
        >>> tally = Tally.of(np.array([[0.0], [1.0]] * 50), np.arange(100))
        >>> bootstrap(IPS(), tally, rng=np.random.default_rng(0)).holds(0.5)
        True
    """
    checked_level(level)
    if np.count_nonzero(tally.counts) < 2:
        return unknown(level, "bootstrap")
    means, _ = _resampled_means(tally, rng, n_resamples)
    values = np.array([estimator.value(row) for row in means])
    low, high = _quantiles(values, level)
    return Interval(low, high, level, "bootstrap")


def studentised(
    estimator: Functional,
    tally: Tally,
    level: float = 0.95,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """The bootstrap of (estimate - value) / error, which is right to second order.

    Stretches to the side that the weights are skewed to. An end is infinite where resamples have no
    variance at all, as with a handful of conversions.

    Args:
        estimator: Settled.
        tally: Of its columns.
        level: In (0, 1).
        rng: Draws the resamples.
        n_resamples: How many.

    References:
        Hall. Theoretical Comparison of Bootstrap Confidence Intervals. Annals of Statistics 1988.

    Example:
        >>> from policy.ope.estimators.ips import IPS
        >>> from policy.ope.tally import Tally
        >>> tally = Tally.of(np.array([[0.0], [1.0]] * 50), np.arange(100))
        >>> studentised(IPS(), tally, rng=np.random.default_rng(0)).holds(0.5)
        True
    """
    checked_level(level)
    value, error = value_and_error(estimator, tally)
    if not np.isfinite(error):
        return unknown(level, "studentised")
    means, draws = _resampled_means(tally, rng, n_resamples)
    values = np.array([estimator.value(row) for row in means])
    gradients = np.array([estimator.gradient(row) for row in means])
    errors = _errors(tally, means, gradients, draws)
    away = values - value
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(away == 0.0, 0.0, away / errors)
    low, high = _quantiles(t, level)
    return Interval(value - high * error, value - low * error, level, "studentised")


def _resampled_means(
    tally: Tally, rng: np.random.Generator, n_resamples: int
) -> tuple[Array, Array]:
    """Means of the columns over resamples, (n_resamples, n_columns), and how often each bucket."""
    filled = tally.counts > 0
    n = int(np.count_nonzero(filled))
    draws = rng.multinomial(n, np.full(n, 1.0 / n), n_resamples).astype(np.float64)
    counts = draws @ tally.counts[filled]
    return (draws @ tally.sums[filled]) / counts[:, None], draws


def _errors(tally: Tally, means: Array, gradients: Array, draws: Array) -> Array:
    """Standard error of each resample's estimate, (n_resamples,)."""
    filled = tally.counts > 0
    counts, sums = tally.counts[filled], tally.sums[filled]
    centre = np.einsum("rc,rc->r", means, gradients)
    moved = gradients @ sums.T - centre[:, None] * counts
    n = len(counts)
    variance = np.einsum("rb,rb->r", draws, moved**2) * n / (n - 1)
    errors: Array = np.sqrt(variance) / (draws @ counts)
    return errors


def _quantiles(values: Array, level: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("-inf"), float("inf")
    # Order statistics, not interpolated: between two infinities lies nothing.
    low, high = np.quantile(
        known, [0.5 - level / 2.0, 0.5 + level / 2.0], method="closest_observation"
    )
    return float(low), float(high)
