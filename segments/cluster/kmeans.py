"""k-means over visitors' vectors, fitted so that segments last.

A first fit is plain k-means from ten starts. A refit starts from the centroids before, which alone
keeps nine of ten visitors where they were; `segments.cluster.alignment` then carries the names
over. Runs in a process of its own: nothing here is on the request path.

References:
    S. P. Lloyd, "Least Squares Quantization in PCM", 1982.
    D. Arthur, S. Vassilvitskii, "k-means++: The Advantages of Careful Seeding", SODA 2007.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.alignment import Names, align, first_names
from segments.cluster.describe import describe_clusters, mean_value_cents
from segments.cluster.scaling import RobustScaling
from segments.cluster.segmentation import N_SLOTS, Segment, Segmentation
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.intp]

NOT_BEHAVIOUR: Final = frozenset(
    {
        "known",
        "now_hour_sin",
        "now_hour_cos",
        "now_weekday_sin",
        "now_weekday_cos",
        "session_events",
        "session_depth",
        "session_minutes",
        "tenure_days",
        "unseen_days",
        "recency_intervals",
        "orders_per_30_days",
        "sessions",
        "weekend_order_share",
    }
)
"""Features of the moment rather than of the visitor, or too noisy: segments ignore them."""

UNSTEADY: Final = frozenset(
    {"recency_days", "top_category_share", "category_evenness", "top_brand_share"}
)
"""Features that swing between refits though the visitor stays the same: they count half."""

N_STARTS: Final = 10


def fit_kmeans(
    vectors: npt.NDArray[np.float32],
    feature_names: Sequence[str],
    n_segments: int,
    *,
    previous: Segmentation | None,
    seed: int,
) -> Segmentation:
    """Fits segments, under the names of the previous ones where they continue them.

    Args:
        vectors: one visitor a row, finite, shape (n_visitors, n_features).
        feature_names: of the columns.
        n_segments: 1 to 8; fewer are made if visitors differ in fewer ways.
        previous: the segmentation in use, or None for a first fit. One of other features is
            treated as none, except that its names are not given out again.
        seed: of the random starts and of ties; the same input gives the same segments.

    Raises:
        SegmentationError: if there is no visitor, a value is not finite, or a number is out of
            range; it names the feature or the number.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> vectors = np.repeat([[0.1], [0.9]], 50, axis=0).astype(np.float32)
        >>> fitted = fit_kmeans(vectors, ["orders"], 2, previous=None, seed=0)
        >>> sorted((segment.id, segment.size) for segment in fitted.segments)
        [('s1', 50), ('s2', 50)]
    """
    _check(vectors, feature_names, n_segments)
    columns = [i for i, name in enumerate(feature_names) if name not in NOT_BEHAVIOUR]
    weights = np.array([0.5 if feature_names[i] in UNSTEADY else 1.0 for i in columns])
    scaling = RobustScaling.fit(vectors, np.array(columns, np.intp), weights)
    points = scaling.apply(vectors)
    n_clusters = _n_distinct(points, n_segments)
    refit = previous is not None and previous.feature_names == tuple(feature_names)
    if previous is not None and refit:
        start = _warm_start(
            points, scaling.rescale(previous.centroids, previous.scaling), n_clusters
        )
        labels, centroids = _lloyd(points, n_clusters, start, seed)
        names = align(previous.assign_many(vectors), labels, len(centroids), previous)
    else:
        labels, centroids = _lloyd(points, n_clusters, None, seed)
        labels, centroids = _most_valuable_first(
            labels, centroids, mean_value_cents(vectors, feature_names, labels)
        )
        names = first_names(len(centroids), previous.next_number if previous else 1)
    return Segmentation(
        previous.version + 1 if previous else 1,
        feature_names,
        scaling,
        centroids,
        segments=_segments(vectors, feature_names, labels, names),
        lineage=names.lineage,
        next_number=names.next_number,
    )


def _check(vectors: npt.NDArray[np.float32], names: Sequence[str], n_segments: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != len(names):
        raise SegmentationError(
            f"vectors must have shape (n_visitors, {len(names)}), got {vectors.shape}"
        )
    if not len(vectors):
        raise SegmentationError("no visitors to segment: observe events first")
    if not 1 <= n_segments <= N_SLOTS:
        raise SegmentationError(f"n_segments must be 1 to {N_SLOTS}, got {n_segments}")
    sound: list[bool] = [bool(np.isfinite(column).all()) for column in vectors.T]
    if not all(sound):
        broken = [name for name, is_sound in zip(names, sound, strict=True) if not is_sound]
        raise SegmentationError(f"vectors must be finite; {', '.join(broken)} hold NaN or infinity")
    if NOT_BEHAVIOUR.issuperset(names):
        raise SegmentationError(f"none of {list(names)} describes behaviour: nothing to segment by")


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
    points: Floats, n_clusters: int, start: Floats | None, seed: int
) -> tuple[Labels, Floats]:
    """Labels and centroids of k-means; clusters that end up empty are left out."""
    from sklearn.cluster import KMeans  # noqa: PLC0415 - 300 ms that only a fit should pay
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - likewise
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with scikit-learn

    model = KMeans(
        n_clusters,
        init="k-means++" if start is None else start,
        n_init=N_STARTS if start is None else 1,
        random_state=seed,
    )
    # One thread: several add up in any order, which is not the same bits twice.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of empty clusters, dropped below
        centroids: Floats = model.fit(points).cluster_centers_.astype(np.float64)
    used, labels = np.unique(_nearest(points, centroids), return_inverse=True)
    return labels.astype(np.intp), centroids[used]


def _distances(points: Floats, centroids: Floats) -> Floats:
    """Squared distances less the points' own squares, which no comparison for a point needs."""
    distances: Floats = points @ (-2.0 * centroids.T) + (centroids**2).sum(axis=1)
    return distances


def _nearest(points: Floats, centroids: Floats) -> Labels:
    return np.asarray(_distances(points, centroids).argmin(axis=1), np.intp)


def _most_valuable_first(
    labels: Labels, centroids: Floats, values: list[float | None]
) -> tuple[Labels, Floats]:
    """Clusters in the order in which people want to read them: by value, else by size."""
    sizes = np.bincount(labels, minlength=len(centroids)).tolist()
    by = [float(n) if value is None else value for n, value in zip(sizes, values, strict=True)]
    order = sorted(range(len(by)), key=lambda i: (-by[i], i))
    return np.argsort(order)[labels].astype(np.intp), centroids[order]


def _segments(
    vectors: npt.NDArray[np.float32], feature_names: Sequence[str], labels: Labels, names: Names
) -> list[Segment]:
    ignored = np.array([name in NOT_BEHAVIOUR for name in feature_names])
    words = describe_clusters(vectors, feature_names, labels, ignored)
    values = mean_value_cents(vectors, feature_names, labels)
    segments = []
    for i, segment_id in enumerate(names.ids):
        members = vectors[labels == i]
        segments.append(
            Segment(
                id=segment_id,
                slot=names.slots[i],
                size=len(members),
                share=len(members) / len(vectors),
                description=words[i],
                value_cents=values[i],
                means=tuple(members.mean(axis=0, dtype=np.float64).tolist()),
            )
        )
    return segments
