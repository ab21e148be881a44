"""Intervals for rates over baskets when the households are what is independent.

Where it stands: scores of the policies in, estimates for the report out.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; the ends are NaN where there are fewer than two clusters."""

    value: float
    low: float
    high: float
    n_samples: int
    n_clusters: int


def clustered_mean(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64]) -> Estimate:
    r"""Mean of `values` with an interval that is robust to dependence within clusters.

    The mean is a ratio of two sums over clusters, r = Σ_h y_h / Σ_h n_h, with y_h the sum of the
    values of cluster h and n_h their number. Its linearised variance is
    H / (H − 1) · Σ_h (y_h − r n_h)² / (Σ_h n_h)²; the interval takes Student's t with H − 1
    degrees of freedom. For two policies on the same baskets, pass the differences of their hits:
    the pairing is then part of the estimate.

    Args:
        values: Shape (n_samples,), at least one.
        clusters: The cluster that each value belongs to, shape (n_samples,).

    Example:
        >>> estimate = clustered_mean(np.array([1.0, 0.0, 1.0, 1.0]), np.array([1, 1, 2, 2]))
        >>> estimate.value, estimate.n_clusters
        (0.75, 2)

    References:
        Cochran, Sampling Techniques (3rd ed., 1977), section 6.3 (ratio estimates) and chapter 9A
        (clusters of unequal size).
    """
    names, labels = np.unique(clusters, return_inverse=True)
    sums = np.bincount(labels, weights=values)
    sizes = np.bincount(labels)
    mean = float(values.mean())
    half = _half_width(sums - mean * sizes, len(values)) if len(names) > 1 else float("nan")
    return Estimate(mean, mean - half, mean + half, len(values), len(names))


def _half_width(residuals: npt.NDArray[np.float64], n_samples: int) -> float:
    n_clusters = len(residuals)
    variance = n_clusters / (n_clusters - 1) * float(residuals @ residuals) / n_samples**2
    return float(stdtrit(n_clusters - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)
