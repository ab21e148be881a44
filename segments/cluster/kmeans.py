"""k-means over visitors' vectors, fitted so that segments last.

A first fit is plain k-means from ten starts. A refit starts from the centroids before, which alone
keeps nine of ten visitors where they were, and with a churn budget goes only as far towards the
new optimum as that allows; `segments.cluster.alignment` then carries the names over. Runs in a
process of its own: nothing here is on the request path.

References:
    S. P. Lloyd, "Least Squares Quantization in PCM", 1982.
    D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from segments.cluster.assign.centroids import Centroids
from segments.cluster.churn_budget import check_budget, within_budget
from segments.cluster.family import UNSTEADY, Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.lloyd import lloyd, n_distinct, warm_start
from segments.cluster.scaling import RobustScaling
from segments.cluster.segmentation import N_SLOTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner
    from segments.cluster.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class KMeans:
    """The family of k-means.

    Args:
        n_segments: 1 to 8; fewer are made if visitors differ in fewer ways.
        max_churn: of a refit, see `segments.cluster.churn_budget`; None for no bound.
        features: names of those that distances are measured in; None for all of behaviour.

    Raises:
        SegmentationError: if a number is out of range.
    """

    n_segments: int
    max_churn: float | None = None
    features: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_segments <= N_SLOTS:
            raise SegmentationError(f"n_segments must be 1 to {N_SLOTS}, got {self.n_segments}")
        check_budget(self.max_churn)

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> Centroids:
        """See `Family.fit`."""
        scaling = behaviour_scaling(cohort, self.features)
        points = scaling.apply(cohort.vectors)
        n_clusters = n_distinct(points, self.n_segments)
        if not isinstance(previous, Centroids) or not previous.scaling.is_of(scaling.columns):
            return Centroids(scaling, lloyd(points, n_clusters, None, rng))
        start = scaling.rescale(previous.centroids, previous.scaling)
        optimum = Centroids(
            scaling, lloyd(points, n_clusters, warm_start(points, start, n_clusters), rng)
        )
        return within_budget(
            cohort.vectors,
            previous,
            optimum,
            partial(_between, previous, optimum),
            self.max_churn,
            _filled(previous, cohort) if previous.n_labels == self.n_segments else None,
        )


def fit_kmeans(
    vectors: npt.NDArray[np.float32],
    feature_names: Sequence[str],
    n_segments: int,
    *,
    previous: Segmentation | None,
    seed: int,
) -> Segmentation:
    """Fits k-means segments, under the names of the previous ones where they continue them.

    Args:
        vectors: one visitor a row, finite, shape (n_visitors, n_features).
        feature_names: of the columns.
        n_segments: 1 to 8; fewer are made if visitors differ in fewer ways.
        previous: the segmentation in use, or None for a first fit; see `fit_segments`.
        seed: of the random starts and of ties; the same input gives the same segments.

    Raises:
        SegmentationError: if there is no visitor, a value is not finite, or a number is out of
            range; it names the feature or the number.

    Example:
        >>> vectors = np.repeat([[0.1], [0.9]], 50, axis=0).astype(np.float32)
        >>> fitted = fit_kmeans(vectors, ["orders"], 2, previous=None, seed=0)
        >>> sorted((segment.id, segment.size) for segment in fitted.segments)
        [('s1', 50), ('s2', 50)]
    """
    cohort = Cohort(vectors, tuple(feature_names))
    rng = np.random.default_rng(seed)
    return fit_segments(KMeans(n_segments), cohort, previous=previous, rng=rng)


def behaviour_scaling(cohort: Cohort, features: Sequence[str] | None = None) -> RobustScaling:
    """The scaling under which distances between visitors are measured.

    Args:
        cohort: whose spread sets the scale.
        features: names of those that count; None for all of behaviour.

    Raises:
        SegmentationError: if the cohort lacks one of them, or has none of behaviour.
    """
    columns = cohort.behaviour(features)
    names = cohort.feature_names
    weights = np.array([0.5 if names[i] in UNSTEADY else 1.0 for i in columns])
    return RobustScaling.fit(cohort.vectors, columns, weights)


def _filled(model: Centroids, cohort: Cohort) -> Centroids:
    """The same without clusters that nobody is in any more; it puts everybody where they were."""
    return Centroids(model.scaling, model.centroids[np.unique(model.labels(cohort.vectors))])


def _between(old: Centroids, new: Centroids, way: float) -> Centroids:
    """A model part of the way from one to another; its scaling moves along, lest it jump."""
    a, b = old.scaling, new.scaling
    scaling = RobustScaling(
        b.columns,
        (1.0 - way) * a.centre + way * b.centre,
        (1.0 - way) * a.scale + way * b.scale,
    )
    raw = (1.0 - way) * (old.centroids * a.scale + a.centre)
    raw += way * (new.centroids * b.scale + b.centre)
    return Centroids(scaling, (raw - scaling.centre) / scaling.scale)
