"""How well apart segments are, and how visitors spread over them.

References:
    P. Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20, 1987.
    D. Davies, D. Bouldin, "A Cluster Separation Measure", IEEE PAMI 1, 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_ROWS: Final = 3_000
"""Visitors that a silhouette looks at: it compares each with each."""


@dataclass(frozen=True, slots=True)
class Separation:
    """Geometry and sizes of the segments.

    Args:
        silhouette: -1 to 1, higher is better; None with fewer than two segments.
        davies_bouldin: at least 0, lower is better; None likewise.
        entropy: of the shares over its maximum, 0 (one segment has all) to 1 (all as large).
        smallest: share of the smallest segment, noise aside.
        noise: share of the visitors in no segment.
    """

    silhouette: float | None
    davies_bouldin: float | None
    entropy: float
    smallest: float
    noise: float


def separation(
    points: npt.NDArray[np.float64], labels: npt.NDArray[np.intp], rng: np.random.Generator
) -> Separation:
    """Measures segments in a space where distances mean something.

    Args:
        points: scaled visitors, shape (n, n_columns).
        labels: their segments, -1 for noise, shape (n,); noise is left out of the distances.
        rng: draws at most 3,000 visitors for the distances.

    Example:
        >>> points = np.array([[0.0], [0.1], [5.0], [5.1]])
        >>> found = separation(points, np.array([0, 0, 1, 1]), np.random.default_rng(0))
        >>> found.entropy, found.silhouette > 0.9
        (1.0, True)
    """
    from sklearn.metrics import davies_bouldin_score, silhouette_score  # noqa: PLC0415 - slow

    inside = labels >= 0
    sizes = np.bincount(labels[inside])
    shares = sizes[sizes > 0] / max(inside.sum(), 1)
    entropy = (
        float(-(shares * np.log(shares)).sum() / np.log(len(shares))) if len(shares) > 1 else 0
    )
    rows = np.flatnonzero(inside)
    if len(rows) > MAX_ROWS:
        rows = np.sort(rng.choice(rows, MAX_ROWS, replace=False))
    n_groups = len(np.unique(labels[rows]))
    silhouette = bouldin = None
    if 1 < n_groups < len(rows):
        silhouette = float(silhouette_score(points[rows], labels[rows]))
        bouldin = float(davies_bouldin_score(points[rows], labels[rows]))
    smallest = float(sizes[sizes > 0].min() / len(labels)) if len(shares) else 0.0
    return Separation(silhouette, bouldin, entropy, smallest, float((~inside).mean()))
