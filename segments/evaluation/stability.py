"""Whether the same visitors, drawn again, would give the same segments.

A model is fitted anew, without a warm start, on visitors drawn with replacement; it and the
original then both label all visitors. The adjusted Rand index of the two is 1 for the same groups,
0 for chance; the Jaccard index of each segment with its nearest counterpart says which of them
are the shaky ones.

References:
    L. Hubert, P. Arabie, "Comparing Partitions", Journal of Classification 2, 1985.
    C. Hennig, "Cluster-wise assessment of cluster stability", CSDA 52, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner
    from segments.cluster.family import Cohort, Family

    Labels = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Stability:
    """Agreement over the draws.

    Args:
        ari_mean: of the adjusted Rand indices, -0.5 to 1.
        ari_min: the worst of them.
        jaccard: by label, the mean over the draws of its best match, 0 to 1; below 0.6 a segment
            is not one to build on, above 0.85 it is solid.
    """

    ari_mean: float
    ari_min: float
    jaccard: tuple[float, ...]


def bootstrap_stability(
    family: Family,
    cohort: Cohort,
    model: Assigner,
    rng: np.random.Generator,
    n_draws: int = 20,
) -> Stability:
    """How a family's model holds up against drawing the visitors again.

    Args:
        family: how the model was fitted.
        cohort: whom it was fitted on.
        model: as fitted on all of them.
        rng: draws the visitors, and seeds the fits.
        n_draws: number of draws, at least 1.
    """
    labels = model.labels(cohort.vectors)
    indices, overlaps = [], []
    for _ in range(n_draws):
        rows = rng.integers(0, len(cohort), len(cohort))
        again = family.fit(cohort.rows(rows), None, rng).labels(cohort.vectors)
        indices.append(adjusted_rand_index(labels, again))
        overlaps.append(best_jaccard(labels, again, model.n_labels))
    means = np.mean(overlaps, axis=0) if model.n_labels else np.empty(0)
    return Stability(float(np.mean(indices)), min(indices), tuple(means.tolist()))


def adjusted_rand_index(one: Labels, other: Labels) -> float:
    """Agreement of two groupings of the same visitors, noise being a group as any other.

    Args:
        one: labels, at least -1, shape (n,).
        other: likewise.

    Returns:
        1 for the same groups under any names, 0 on average for unrelated ones.

    Example:
        >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
        1.0
    """
    counts = contingency(one, other)
    pairs = _pairs(counts).sum()
    rows, columns = _pairs(counts.sum(axis=1)).sum(), _pairs(counts.sum(axis=0)).sum()
    expected = rows * columns / max(_pairs(np.array(float(len(one)))), 1.0)
    most = 0.5 * (rows + columns)
    # Both all in one group, or both all apart: nothing to disagree on.
    return 1.0 if most == expected else float((pairs - expected) / (most - expected))


def best_jaccard(labels: Labels, again: Labels, n_labels: int) -> npt.NDArray[np.float64]:
    """For each label but noise, the Jaccard index with its best match, shape (n_labels,)."""
    counts = contingency(labels, again, n_labels)[1:, 1:]
    sizes = np.bincount(labels[labels >= 0], minlength=n_labels)
    others = np.bincount(again[again >= 0], minlength=counts.shape[1])
    if not counts.shape[1]:
        return np.zeros(n_labels)
    union = sizes[:, None] + others[None, :] - counts
    best: npt.NDArray[np.float64] = (counts / np.maximum(union, 1)).max(axis=1)
    return best


def contingency(one: Labels, other: Labels, n_one: int = 0) -> npt.NDArray[np.float64]:
    """Visitors by label of either grouping; row and column 0 are noise."""
    n_rows = max(n_one, int(one.max(initial=-1)) + 1) + 1
    counts = np.zeros((n_rows, int(other.max(initial=-1)) + 2))
    np.add.at(counts, (one + 1, other + 1), 1.0)
    return counts


def _pairs(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return counts * (counts - 1.0) / 2.0
