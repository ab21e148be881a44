"""DBSCAN and HDBSCAN: segments where visitors crowd, and honest noise where they do not.

Density clustering answers how many kinds of visitors there are instead of being told, and refuses
to put the odd ones anywhere. A fit keeps at most 512 points of the clusters, which decide for
every visitor, those of the fit included: a visitor near none of them is noise.

References:
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A Density-Based Algorithm for Discovering Clusters
    in Large Spatial Databases with Noise", KDD 1996.
    R. Campello, D. Moulavi, J. Sander, "Density-Based Clustering Based on Hierarchical Density
    Estimates", PAKDD 2013.
    V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, "Finding a Kneedle in a Haystack", ICDCSW 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.assign.base import NOISE
from segments.cluster.assign.core_points import CorePoints
from segments.cluster.kmeans import behaviour_scaling
from segments.cluster.segmentation import N_SLOTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from segments.cluster.assign.base import Assigner, Floats, Labels
    from segments.cluster.family import Cohort
    from segments.cluster.scaling import RobustScaling

MAX_ROWS: Final = 10_000
"""Visitors that a fit looks at: density costs n log n at best, n² in many dimensions."""
MAX_POINTS: Final = 512
"""Points that are kept: one comparison with all of them takes a few microseconds."""
_REACH: Final = 0.9
"""Of a cluster's members, the share whose own distance to the cluster sets its radius."""


@dataclass(frozen=True, slots=True)
class Dbscan:
    """The family of DBSCAN.

    Args:
        min_samples: visitors within the radius that make a core point, itself included.
        radius: in scaled units; None takes the knee of the sorted distances to the
            `min_samples`-th neighbour. A refit keeps the scaling before, so that it means the same.
        features: names of those that distances are measured in; None for all of behaviour.

    Raises:
        SegmentationError: if a number is out of range.
    """

    min_samples: int = 10
    radius: float | None = None
    features: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_count("min_samples", self.min_samples)
        if self.radius is not None and not 0.0 < self.radius < np.inf:
            raise SegmentationError(f"radius must be positive and finite, got {self.radius}")

    def fit(
        self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator
    ) -> CorePoints:
        """See `Family.fit`."""
        from sklearn.cluster import DBSCAN  # noqa: PLC0415 - only a fit needs it

        scaling, points = _points(cohort, previous, self.features, rng)
        radius = self.radius
        if radius is None:
            radius = max(_knee(_to_kth(points, self.min_samples)), 1e-9)
        found = DBSCAN(eps=radius, min_samples=self.min_samples).fit(points)
        core = np.zeros(len(points), np.bool_)
        core[found.core_sample_indices_] = True
        labels = np.where(core, found.labels_, NOISE).astype(np.intp)
        return _model(scaling, points, labels, radius, rng)


@dataclass(frozen=True, slots=True)
class Hdbscan:
    """The family of HDBSCAN.

    Args:
        min_share: share of the visitors that a cluster has at least, 0 to 0.5.
        min_samples: neighbours that make a density.
        features: names of those that distances are measured in; None for all of behaviour.

    Raises:
        SegmentationError: if a number is out of range.
    """

    min_share: float = 0.03
    min_samples: int = 10
    features: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_count("min_samples", self.min_samples)
        if not 0.0 < self.min_share <= 0.5:
            raise SegmentationError(f"min_share must be above 0, at most 0.5, got {self.min_share}")

    def fit(
        self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator
    ) -> CorePoints:
        """See `Family.fit`."""
        from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - only a fit needs it

        scaling, points = _points(cohort, previous, self.features, rng)
        least = max(2, round(self.min_share * len(points)))
        if len(points) <= least:
            return _nothing(scaling)
        n_neighbours = min(self.min_samples, len(points))
        found = HDBSCAN(least, min_samples=n_neighbours, copy=True, allow_single_cluster=True)
        labels = found.fit(points).labels_.astype(np.intp)
        return _model(scaling, points, labels, None, rng)


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise SegmentationError(f"{name} must be at least 1, got {value}")


def _points(
    cohort: Cohort,
    previous: Assigner | None,
    features: tuple[str, ...] | None,
    rng: np.random.Generator,
) -> tuple[RobustScaling, Floats]:
    """The scaling, and the scaled visitors, a sample of them if there are many."""
    vectors = cohort.vectors
    if len(vectors) > MAX_ROWS:
        vectors = vectors[np.sort(rng.choice(len(vectors), MAX_ROWS, replace=False))]
    scaling = behaviour_scaling(cohort, features)
    if isinstance(previous, CorePoints) and previous.scaling.is_of(scaling.columns):
        scaling = previous.scaling
    return scaling, scaling.apply(vectors)


def _to_kth(points: Floats, k: int, among: Floats | None = None) -> Floats:
    """Distance of each point to its k-th nearest, itself being the first where it is among."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 - only a fit needs it

    others = points if among is None else among
    search = NearestNeighbors(n_neighbors=min(k, len(others))).fit(others)
    distances: Floats = search.kneighbors(points)[0][:, -1]
    return distances


def _knee(distances: Floats) -> float:
    """Where sorted distances turn from slowly to steeply rising: farthest below the chord."""
    ordered = np.sort(distances)
    rise = ordered - ordered[0]
    height = max(float(rise[-1]), 1e-12)
    return float(ordered[(np.linspace(0.0, 1.0, len(ordered)) - rise / height).argmax()])


def _nothing(scaling: RobustScaling) -> CorePoints:
    """A model of no clusters, to which everyone is noise."""
    width = len(scaling.columns)
    return CorePoints(scaling, np.empty((0, width)), np.empty(0, np.intp), np.empty(0))


def _model(
    scaling: RobustScaling,
    points: Floats,
    labels: Labels,
    radius: float | None,
    rng: np.random.Generator,
) -> CorePoints:
    """Keeps some of the clusters' points, and how near to them a member has to be."""
    sizes = np.bincount(labels[labels != NOISE])
    kept = np.argsort(-sizes, kind="stable")[: min(N_SLOTS, int((sizes > 0).sum()))]
    if not len(kept):
        return _nothing(scaling)
    chosen, chosen_labels, radii = [], [], []
    share = MAX_POINTS / max(int(sizes[kept].sum()), MAX_POINTS)
    for new, old in enumerate(kept.tolist()):
        members = points[labels == old]
        n_kept = max(1, int(share * len(members)))
        some = members[np.sort(rng.choice(len(members), n_kept, replace=False))]
        chosen.append(some)
        chosen_labels.append(np.full(n_kept, new, np.intp))
        radii.append(_radius(members, some, radius))
    return CorePoints(scaling, np.vstack(chosen), np.concatenate(chosen_labels), np.array(radii))


def _radius(members: Floats, some: Floats, radius: float | None) -> float:
    """How near to one of the kept points a member is, nine times of ten.

    A kept point would be its own nearest, so it is its second nearest that counts.
    """
    if radius is not None and len(some) == len(members):
        return radius
    if len(members) == 1:
        return radius or 0.0
    k = 2 if len(some) > 1 else 1
    reach = float(np.quantile(_to_kth(members, k, some), _REACH))
    return max(reach, radius or 0.0)
