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

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.assign.centroids import Centroids
from segments.cluster.churn_budget import check_budget, within_budget
from segments.cluster.family import UNSTEADY, Cohort, sklearn_state
from segments.cluster.fitting import fit_segments
from segments.cluster.scaling import RobustScaling
from segments.cluster.segmentation import N_SLOTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner, Floats, Labels
    from segments.cluster.segmentation import Segmentation

N_STARTS: Final = 10


@dataclass(frozen=True, slots=True)
class KMeans:
    """The family of k-means.

    Args:
        n_segments: 1 to 8; fewer are made if visitors differ in fewer ways.
        max_churn: of a refit, see `segments.cluster.churn_budget`; None for no bound.

    Raises:
        SegmentationError: if a number is out of range.
    """

    n_segments: int
    max_churn: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_segments <= N_SLOTS:
            raise SegmentationError(f"n_segments must be 1 to {N_SLOTS}, got {self.n_segments}")
        check_budget(self.max_churn)

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> Centroids:
        """See `Family.fit`."""
        scaling = behaviour_scaling(cohort)
        points = scaling.apply(cohort.vectors)
        n_clusters = _n_distinct(points, self.n_segments)
        if not isinstance(previous, Centroids):
            return Centroids(scaling, _lloyd(points, n_clusters, None, rng))
        start = scaling.rescale(previous.centroids, previous.scaling)
        optimum = Centroids(
            scaling, _lloyd(points, n_clusters, _warm_start(points, start, n_clusters), rng)
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


def behaviour_scaling(cohort: Cohort) -> RobustScaling:
    """The scaling under which distances between visitors are measured."""
    columns = cohort.behaviour()
    names = cohort.feature_names
    weights = np.array([0.5 if names[i] in UNSTEADY else 1.0 for i in columns])
    return RobustScaling.fit(cohort.vectors, columns, weights)


def _n_distinct(points: Floats, at_most: int) -> int:
    """How many different rows there are, counted up to `at_most`."""
    few = len(np.unique(points[:1_000], axis=0))  # nearly always enough, and not n log n
    return min(at_most, few if few >= at_most else len(np.unique(points, axis=0)))


def _warm_start(points: Floats, centroids: Floats, n_clusters: int) -> Floats:
    """The old centroids, less the emptiest or with the loneliest points, to make `n_clusters`."""
    sizes = np.bincount(_nearest(points, centroids), minlength=len(centroids))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:n_clusters])
    start = centroids[kept]
    while len(start) < n_clusters:
        loneliness = _distances(points, start).min(axis=1) + (points**2).sum(axis=1)
        start = np.vstack([start, points[loneliness.argmax()]])
    return start


def _lloyd(
    points: Floats, n_clusters: int, start: Floats | None, rng: np.random.Generator
) -> Floats:
    """Centroids of k-means; clusters that end up empty are left out."""
    from sklearn.cluster import KMeans as Lloyd  # noqa: PLC0415 - 300 ms that only a fit pays
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - likewise
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with scikit-learn

    model = Lloyd(
        n_clusters,
        init="k-means++" if start is None else start,
        n_init=N_STARTS if start is None else 1,
        random_state=sklearn_state(rng),
    )
    # One thread: several add up in any order, which is not the same bits twice.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of empty clusters, dropped below
        centroids: Floats = model.fit(points).cluster_centers_.astype(np.float64)
    return centroids[np.unique(_nearest(points, centroids))]


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


def _distances(points: Floats, centroids: Floats) -> Floats:
    """Squared distances less the points' own squares, which no comparison for a point needs."""
    distances: Floats = points @ (-2.0 * centroids.T) + (centroids**2).sum(axis=1)
    return distances


def _nearest(points: Floats, centroids: Floats) -> Labels:
    return np.asarray(_distances(points, centroids).argmin(axis=1), np.intp)
