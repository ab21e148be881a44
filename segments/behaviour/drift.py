"""Whether a population still is the one that a model was fitted on.

Per feature the population stability index and the two-sample Kolmogorov-Smirnov statistic; over
segments the matrix of transitions. Between two matrices of `Pipeline.matrix`, of any two times.

References:
    N. Siddiqi, "Credit Risk Scorecards", 2006 (PSI and its rules of thumb).
    F. Massey, "The Kolmogorov-Smirnov Test for Goodness of Fit", JASA 46, 1951.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.errors import SegmentsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.floating]

N_BINS: Final = 10
SHIFTED: Final = 0.25
"""A PSI above this is another population, by the usual rule of thumb; below 0.1 it is the same."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature has moved.

    Args:
        feature: its name.
        psi: population stability index, at least 0.
        ks: largest distance between the two distribution functions, 0 to 1.
        p_value: of that distance under no change; of many features some are small by chance.
    """

    feature: str
    psi: float
    ks: float
    p_value: float

    @property
    def shifted(self) -> bool:
        """Whether the PSI says that this is another population."""
        return self.psi > SHIFTED


def feature_drift(
    feature_names: Sequence[str], before: Floats, after: Floats
) -> tuple[FeatureDrift, ...]:
    """Every feature, the most moved first.

    Args:
        feature_names: of the columns.
        before: visitors then, shape (n_before, n_features).
        after: visitors now, shape (n_after, n_features).

    Raises:
        SegmentsError: if there are no visitors at one of the times, or shapes do not fit.

    Example:
        >>> then = np.random.default_rng(0).normal(0.0, 1.0, (500, 1))
        >>> feature_drift(["orders"], then, then + 1.0)[0].shifted
        True
    """
    n = len(feature_names)
    for name, values in (("before", before), ("after", after)):
        if values.ndim != 2 or values.shape[1] != n or not len(values):
            raise SegmentsError(f"{name} must have shape (n > 0, {n}), got {values.shape}")
    found = [
        FeatureDrift(name, psi(then, now), *_ks(then, now))
        for name, then, now in zip(feature_names, before.T, after.T, strict=True)
    ]
    return tuple(sorted(found, key=lambda drift: -drift.psi))


def psi(before: Floats, after: Floats) -> float:
    """Sum over ten bins of (q - p) log(q / p), the bins holding a tenth each before.

    Half a visitor is added to each bin, lest a logarithm be of 0. Values that repeat make fewer
    bins.

    Args:
        before: values then, shape (n_before,).
        after: values now, shape (n_after,).
    """
    cuts = np.unique(np.quantile(before, np.arange(1, N_BINS) / N_BINS))
    p, q = (
        np.bincount(np.searchsorted(cuts, values, side="left"), minlength=len(cuts) + 1) + 0.5
        for values in (before, after)
    )
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def transition_matrix(
    before: Sequence[str], after: Sequence[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Where the members of each segment are now.

    Args:
        before: segment of each visitor then.
        after: segment of the same visitors now.

    Returns:
        Segment ids, and shape (n, n): row i holds the shares of segment i's members by segment
        now; the row of one that had no members is 0.

    Raises:
        SegmentsError: if the two are of different lengths.

    Example:
        >>> ids, shares = transition_matrix(["s1", "s1", "s2"], ["s1", "s2", "s2"])
        >>> ids, shares.tolist()
        (('s1', 's2'), [[0.5, 0.5], [0.0, 1.0]])
    """
    if len(before) != len(after):
        raise SegmentsError(f"{len(before)} visitors before and {len(after)} after: must be equal")
    ids = tuple(sorted({*before, *after}))
    at = {segment: i for i, segment in enumerate(ids)}
    counts = np.zeros((len(ids), len(ids)))
    np.add.at(counts, ([at[one] for one in before], [at[one] for one in after]), 1.0)
    shares: npt.NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return ids, shares


def _ks(before: Floats, after: Floats) -> tuple[float, float]:
    from scipy.stats import ks_2samp  # noqa: PLC0415 - a second that only a report should pay

    found = ks_2samp(before, after, method="asymp")
    return float(found.statistic), float(found.pvalue)
