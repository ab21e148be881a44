"""Lloyd's iterations, and where they start: what every family that has centroids shares.

Points in whatever space a family measures distances in; behind `kmeans` and `neural`.

References:
    S. P. Lloyd, "Least Squares Quantization in PCM", 1982.
    D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.family import sklearn_state

if TYPE_CHECKING:
    from segments.cluster.assign.base import Floats, Labels

N_STARTS: Final = 10


def n_distinct(points: Floats, at_most: int) -> int:
    """How many different rows there are, counted up to `at_most`.

    Args:
        points: shape (n_points, n_columns).
        at_most: beyond it the count ends.

    Example:
        >>> n_distinct(np.array([[0.0], [1.0], [0.0]]), 8)
        2
    """
    few = len(np.unique(points[:1_000], axis=0))  # nearly always enough, and not n log n
    return min(at_most, few if few >= at_most else len(np.unique(points, axis=0)))


def warm_start(points: Floats, centroids: Floats, n_clusters: int) -> Floats:
    """The old centroids, less the emptiest or with the loneliest points, to make `n_clusters`.

    Args:
        points: shape (n_points, n_columns).
        centroids: of the model in use, in the same space, shape (n_old, n_columns).
        n_clusters: how many are wanted.
    """
    sizes = np.bincount(_nearest(points, centroids), minlength=len(centroids))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:n_clusters])
    start = centroids[kept]
    while len(start) < n_clusters:
        loneliness = _distances(points, start).min(axis=1) + (points**2).sum(axis=1)
        start = np.vstack([start, points[loneliness.argmax()]])
    return start


def lloyd(
    points: Floats, n_clusters: int, start: Floats | None, rng: np.random.Generator
) -> Floats:
    """Centroids of k-means; clusters that end up empty are left out.

    Args:
        points: shape (n_points, n_columns).
        n_clusters: at least 1.
        start: centroids to start from, shape (n_clusters, n_columns); None for the best of ten
            random starts.
        rng: seeds the starts.

    Returns:
        Shape (at most n_clusters, n_columns).
    """
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


def _distances(points: Floats, centroids: Floats) -> Floats:
    """Squared distances less the points' own squares, which no comparison for a point needs."""
    distances: Floats = points @ (-2.0 * centroids.T) + (centroids**2).sum(axis=1)
    return distances


def _nearest(points: Floats, centroids: Floats) -> Labels:
    return np.asarray(_distances(points, centroids).argmin(axis=1), np.intp)
