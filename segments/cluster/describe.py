"""Says in words what sets each cluster apart.

For each cluster a shallow tree learns to tell its members from all others; the node that does so
best (highest F1 of "in the node" for "in the cluster") gives at most three conditions.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from segments.cluster.phrases import phrase
from segments.features.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Labels = npt.NDArray[np.intp]
    Bounds = dict[int, tuple[float, float]]

MAX_DEPTH: Final = 3
MAX_ROWS: Final = 50_000
"""Visitors that the trees look at; more would not change words."""
EVERYONE: Final = "all visitors"


def describe_clusters(
    vectors: npt.NDArray[np.float32],
    feature_names: Sequence[str],
    labels: Labels,
    ignored: npt.NDArray[np.bool_],
) -> list[str]:
    """A few words on each cluster.

    Args:
        vectors: shape (n_visitors, n_features).
        feature_names: of the columns.
        labels: cluster of each visitor, -1 for none, shape (n_visitors,).
        ignored: features that no description may use, shape (n_features,).

    Returns:
        One description a cluster, such as "buys every 6 days or more often, spends over 40 a
        basket".
    """
    n_clusters = int(labels.max()) + 1
    if n_clusters == 1 and (labels == 0).all():
        return [EVERYONE]
    stride = -(-len(vectors) // MAX_ROWS)
    used = np.flatnonzero(~ignored).tolist()
    names = [feature_names[i] for i in used]
    seen, kinds = vectors[::stride][:, used], labels[::stride]
    return [_describe(seen, kinds == cluster, names) for cluster in range(n_clusters)]


def mean_value_cents(
    vectors: npt.NDArray[np.float32], feature_names: Sequence[str], labels: Labels
) -> list[float | None]:
    """Mean revenue per member of each cluster, undone from its log scale; None without it."""
    n_clusters = int(labels.max()) + 1
    if "revenue_cents" not in feature_names:
        return [None] * n_clusters
    reading = next(r for r in SCHEMA.readings if r.name == "revenue_cents")
    scaled = vectors[:, list(feature_names).index("revenue_cents")].astype(np.float64)
    cents = np.array([reading.natural(x) for x in scaled.tolist()])
    inside = labels >= 0
    sizes = np.bincount(labels[inside], minlength=n_clusters)
    totals = np.bincount(labels[inside], cents[inside], n_clusters) / sizes
    return [float(x) for x in totals]


def _describe(
    vectors: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], names: Sequence[str]
) -> str:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - only a fit needs it

    if not inside.any():
        return EVERYONE
    tree = DecisionTreeClassifier(max_depth=MAX_DEPTH, class_weight="balanced", random_state=0)
    fitted = tree.fit(vectors, inside).tree_
    paths = tree.decision_path(vectors).toarray().astype(bool)
    hits = paths[inside].sum(axis=0)
    f1 = 2.0 * hits / (paths.sum(axis=0) + inside.sum())
    bounds = _bounds(fitted, int(f1.argmax()))
    words = [phrase(names[feature], low, high) for feature, (low, high) in bounds.items()]
    return ", ".join(words) or EVERYONE


def _bounds(tree: Any, node: int) -> Bounds:
    """What must hold of each feature to reach a node: low < value <= high."""
    path: list[tuple[int, float, bool]] = []
    while node:
        left = np.flatnonzero(tree.children_left == node)
        goes_left = len(left) > 0
        parent = int(left[0]) if goes_left else int(np.flatnonzero(tree.children_right == node)[0])
        path.append((int(tree.feature[parent]), float(tree.threshold[parent]), goes_left))
        node = parent
    bounds: Bounds = {}
    for feature, threshold, goes_left in reversed(path):
        low, high = bounds.get(feature, (-inf, inf))
        bounds[feature] = (low, min(high, threshold)) if goes_left else (max(low, threshold), high)
    return bounds
