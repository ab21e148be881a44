"""Between two refits: centroids that follow the visitors who have just been active.

A refit looks at everybody and costs seconds; this looks at those with an event since the last time
and costs microseconds each. Every centroid moves to the mean of its old members and the active ones
(MacQueen's update), as far as a churn budget allows. Names stay, segments neither come nor go: that
is for a refit, and for `emerging`.

References:
    J. MacQueen, "Some Methods for Classification and Analysis of Multivariate Observations", 1967.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segments.cluster.alignment import carry_on
from segments.cluster.assign.centroids import Centroids
from segments.cluster.churn_budget import check_budget, within_budget
from segments.cluster.fitting import named
from segments.errors import SegmentationError

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.cluster.family import Cohort
    from segments.cluster.segmentation import Segmentation


def mini_refit(
    segmentation: Segmentation,
    cohort: Cohort,
    active: npt.NDArray[np.bool_],
    max_churn: float = 0.01,
) -> Segmentation:
    """The segmentation with its centroids moved towards the visitors who were active.

    Args:
        segmentation: in use, of k-means.
        cohort: the visitors of now, by whom segments are described.
        active: which of them had an event since the last fit or mini-refit, shape (n_visitors,).
        max_churn: of all visitors, the share who may be put elsewhere for the same behaviour.

    Returns:
        The same object if nobody was active, or no move keeps to the budget.

    Raises:
        SegmentationError: if the segmentation is of another family or other features, or the budget
            is no share.

    Example:
        >>> from segments.cluster.family import Cohort
        >>> from segments.cluster.kmeans import fit_kmeans
        >>> vectors = np.repeat([[0.1], [0.9]], 50, axis=0).astype(np.float32)
        >>> fitted = fit_kmeans(vectors, ["orders"], 2, previous=None, seed=0)
        >>> later = Cohort(vectors + np.float32(0.02), ("orders",))
        >>> mini_refit(fitted, later, np.ones(100, np.bool_)).version
        2
    """
    check_budget(max_churn)
    segmentation.require_features(cohort.feature_names)
    old = segmentation.assigner
    if not isinstance(old, Centroids):
        raise SegmentationError(
            f"only k-means has centroids to move; this is {old.kind}: refit it instead"
        )
    if not active.any():
        return segmentation
    before = old.labels(cohort.vectors)
    wanted = _moved(old, cohort.vectors[active], before[active], segmentation)

    def between(way: float) -> Centroids:
        return Centroids(old.scaling, (1.0 - way) * old.centroids + way * wanted.centroids)

    found = within_budget(cohort.vectors, old, wanted, between, max_churn)
    after = found.labels(cohort.vectors)
    churn = float((after != before).mean())
    if len(np.unique(after)) < found.n_labels or churn > max_churn:
        return segmentation
    names = carry_on(before, after, found.n_labels, segmentation)
    return named(cohort, found, names, segmentation.version + 1)


def _moved(
    old: Centroids,
    vectors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.intp],
    segmentation: Segmentation,
) -> Centroids:
    """Each centroid as the mean of its members at the fit and its active ones."""
    points = old.scaling.apply(vectors)
    sizes = np.array([float(segment.size) for segment in segmentation.segments[: old.n_labels]])
    n_active = np.bincount(labels, minlength=old.n_labels).astype(np.float64)
    sums = np.zeros_like(old.centroids)
    np.add.at(sums, labels, points)
    weights = np.maximum(sizes + n_active, 1.0)[:, None]
    return Centroids(old.scaling, (sizes[:, None] * old.centroids + sums) / weights)
