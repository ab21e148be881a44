"""Whether a segmentation may take the place of the one in use: by a period that chose neither.

After `choice`, whose winner is the best of many on the period it was chosen on, and therefore
looks better there than it is. On a later period there is one comparison, of two models fixed
beforehand, and it needs no correction for how many were tried.

References:
    B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993 (paired resampling).
    A. Dwork et al., "The Reusable Holdout", Science 349, 2015 (why the held-out period is asked
    once).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.errors import SegmentationError
from segments.evaluation.value import left_out_errors

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner
    from segments.cluster.family import Cohort

N_RESAMPLES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """A challenger against the segmentation in use.

    Args:
        promoted: whether the challenger may take its place.
        reason: why, in words that go on from "it".
        challenger: share of the later period's variance that it foresees: 1 less the errors of
            `left_out_errors` over those of a single segment; below 0 for worse than none.
        incumbent: likewise; None where nothing is in use.
        low: bound below which the difference of the two lies with the error probability; None
            likewise.
    """

    promoted: bool
    reason: str
    challenger: float
    incumbent: float | None
    low: float | None


def weigh(
    challenger: Assigner,
    incumbent: Assigner | None,
    later: Cohort,
    rng: np.random.Generator,
    *,
    incumbent_fails: bool = False,
    margin: float = 0.02,
    error: float = 0.05,
) -> Verdict:
    """Lets a challenger pass that knows more of the future than what is in use.

    One whose incumbent misses the criteria need only not be worse, by more than `margin`.

    Args:
        challenger: fixed before the later period's outcome was looked at.
        incumbent: the model in use, or None.
        later: visitors and outcome of a period that neither was chosen on.
        rng: resamples visitors, both models on the same ones.
        incumbent_fails: whether the one in use misses the criteria that the challenger holds.
        margin: of the share of the variance, at least 0.
        error: probability of promoting one that is not better (or, worse by the margin).

    Raises:
        SegmentationError: if the later cohort has no outcome, or a number is out of range.

    Example:
        >>> from segments.cluster.assign.centroids import Centroids
        >>> from segments.cluster.family import Cohort
        >>> from segments.cluster.scaling import RobustScaling
        >>> vectors = np.arange(100.0, dtype=np.float32)[:, None]
        >>> later = Cohort(vectors, ("orders",), (vectors[:, 0] > 50).astype(np.float64))
        >>> scaling = RobustScaling(np.array([0]), np.array([50.0]), np.array([20.0]))
        >>> good, poor = (Centroids(scaling, np.array(c)[:, None]) for c in ([-1, 1], [-9, 1.5]))
        >>> weigh(good, poor, later, np.random.default_rng(0)).promoted
        True
    """
    if margin < 0.0 or not 0.0 < error < 0.5:
        raise SegmentationError(
            f"margin must be at least 0 and error above 0, under 0.5, got {margin} and {error}"
        )
    outcome = later.needed_target()
    blind = left_out_errors(np.zeros(len(later), np.intp), outcome)
    scale = max(float(blind.mean()), 1e-12)
    theirs = left_out_errors(challenger.labels(later.vectors), outcome) / scale
    value = float((blind / scale - theirs).mean())
    if incumbent is None:
        return Verdict(True, "has nothing to beat", value, None, None)
    ours = left_out_errors(incumbent.labels(later.vectors), outcome) / scale
    known = float((blind / scale - ours).mean())
    low = _lower_bound(ours - theirs, error, rng)
    least = -margin if incumbent_fails else 0.0
    passed = low > least
    return Verdict(passed, _reason(passed, incumbent_fails, low, least), value, known, low)


def _reason(passed: bool, incumbent_fails: bool, low: float, least: float) -> str:
    if passed and incumbent_fails:
        return "holds the criteria that the one in use misses, and knows no less"
    if passed:
        return "knows more of a later period than the one in use"
    return (
        f"is not shown to know enough more of a later period: {low:+.3f} at worst, and it takes "
        f"more than {least:+.3f}"
    )


def _lower_bound(gains: npt.NDArray[np.float64], error: float, rng: np.random.Generator) -> float:
    """The mean of the gains at worst: a quantile over draws of the visitors."""
    means = np.empty(N_RESAMPLES)
    for i in range(N_RESAMPLES):
        means[i] = gains[rng.integers(0, len(gains), len(gains))].mean()
    return float(np.quantile(means, error))
