"""Segments that are about to be: visitors who fit into none, and crowd together.

Beside a segmentation in use, between two refits. Each visitor with an event is placed: one farther
from the middle of their segment than nearly all were at the fit is a newcomer, and remembered.
Asked for proposals, the newcomers are clustered by density; a crowd is proposed if far more
visitors are there than were at the fit. A person accepts it or not: nothing changes by itself.

References:
    E. R. Faria, A. Carvalho, J. Gama, "MINAS: Multiclass Learning Algorithm for Novelty Detection
    in Data Streams", Data Mining and Knowledge Discovery 30, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import binom

from segments.cluster.alignment import carry_on
from segments.cluster.assign.base import NOISE
from segments.cluster.assign.centroids import Centroids
from segments.cluster.describe import describe_clusters
from segments.cluster.family import NOT_BEHAVIOUR, Cohort
from segments.cluster.fitting import named
from segments.cluster.kmeans import behaviour_scaling
from segments.cluster.segmentation import MAX_SEGMENTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels
    from segments.cluster.segmentation import Segmentation

MAX_NEWCOMERS: Final = 4_000
"""Remembered at once; the ones longest without an event are let go."""
REACH: Final = 0.99
"""Share of a segment's members at the fit who are no newcomers."""
EDGE: Final = 2.0
"""How far a crowd reaches, in distances of nine in ten of its core from its middle."""
ERROR: Final = 1e-3
"""Probability that a crowd no larger than before is proposed, for all crowds of a look together."""
GROWTH: Final = 3.0
"""How many times as large a share of the visitors a crowd has to be as it was at the fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A crowd that might become a segment.

    Args:
        members: its visitors.
        share: of the visitors with an event since the fit.
        share_before: of the visitors at the fit, those who were there.
        description: in words.
        centre: mean of its members' vectors, shape (n_features,).
    """

    members: tuple[str, ...]
    share: float
    share_before: float
    description: str
    centre: npt.NDArray[np.float64]


class Newcomers:
    """Watches visitors between two refits.

    Args:
        segmentation: in use.
        cohort: the visitors of its fit.

    Raises:
        SegmentationError: if the cohort has other features.

    Example:
        >>> from segments.cluster.fitting import fit_segments
        >>> from segments.cluster.kmeans import KMeans
        >>> rng = np.random.default_rng(0)
        >>> vectors = rng.normal(0.0, 1.0, (200, 2)).astype(np.float32)
        >>> cohort = Cohort(vectors, ("orders", "revenue_cents"))
        >>> fitted = fit_segments(KMeans(2), cohort, previous=None, rng=rng)
        >>> watching = Newcomers(fitted, cohort)
        >>> watching.observe("ann", vectors[0]), watching.observe("bob", np.array([9.0, -9.0]))
        (False, True)
    """

    def __init__(self, segmentation: Segmentation, cohort: Cohort) -> None:
        segmentation.require_features(cohort.feature_names)
        self._segmentation, self._feature_names = segmentation, cohort.feature_names
        self._scaling = behaviour_scaling(cohort)
        points = self._scaling.apply(cohort.vectors)
        labels = segmentation.assign_many(cohort.vectors)
        n_labels = segmentation.assigner.n_labels
        self._middles = np.zeros((n_labels, points.shape[1]))
        self._reach = np.zeros(n_labels)
        for label in range(n_labels):
            self._measure(label, points[labels == label])
        self._old = cohort.vectors
        self._outside = points[self._are_new(points, labels)]
        self._watched: set[str] = set()
        self._new: dict[str, npt.NDArray[np.float32]] = {}

    def observe(self, visitor: str, vector: npt.NDArray[np.floating]) -> bool:
        """Places a visitor after an event.

        Args:
            visitor: the id in use.
            vector: shape (n_features,).

        Returns:
            Whether they are a newcomer.
        """
        self._watched.add(visitor)
        self._new.pop(visitor, None)
        label = self._segmentation.assigner.label(vector)
        if label != NOISE:
            apart = self._scaling.apply(vector) - self._middles[label]
            if float(apart @ apart) <= self._reach[label] ** 2:
                return False
        self._new[visitor] = np.asarray(vector, np.float32)
        if len(self._new) > MAX_NEWCOMERS:
            del self._new[next(iter(self._new))]
        return True

    def __len__(self) -> int:
        """Newcomers that are remembered."""
        return len(self._new)

    def proposals(self, min_visitors: int = 30, min_share: float = 0.01) -> tuple[Proposal, ...]:
        """Crowds that might become segments, the largest first.

        Args:
            min_visitors: members at least, 2 or more.
            min_share: least share of the visitors with an event since the fit.

        Raises:
            SegmentationError: if a number is out of range.
        """
        if min_visitors < 2 or not 0.0 <= min_share <= 1.0:
            raise SegmentationError(
                f"min_visitors must be at least 2 and min_share 0 to 1, got {min_visitors} and "
                f"{min_share}"
            )
        least = max(min_visitors, int(np.ceil(min_share * len(self._watched))))
        if len(self._new) < least:
            return ()
        visitors, vectors = list(self._new), np.stack(list(self._new.values()))
        points = self._scaling.apply(vectors)
        crowds = _crowds(points, least)
        found = []
        for middle, edge in crowds:
            inside = np.linalg.norm(points - middle, axis=1) <= edge
            before = self._share_before(middle, edge)
            if self._has_grown(int(inside.sum()), before, len(crowds)):
                found.append(self._proposal(visitors, vectors, inside, before))
        return tuple(sorted(found, key=lambda one: (-one.share, one.description)))

    def _measure(self, label: int, members: Floats) -> None:
        middle = members.mean(axis=0)
        self._middles[label] = middle
        self._reach[label] = np.quantile(np.linalg.norm(members - middle, axis=1), REACH)

    def _are_new(self, points: Floats, labels: Labels) -> npt.NDArray[np.bool_]:
        if not len(self._middles):
            return np.ones(len(points), np.bool_)
        apart = np.linalg.norm(points - self._middles[labels], axis=1)
        return np.asarray((labels == NOISE) | (apart > self._reach[labels]), np.bool_)

    def _share_before(self, middle: Floats, edge: float) -> float:
        """Of the visitors at the fit, the share that was where a crowd is now."""
        there = np.linalg.norm(self._outside - middle, axis=1) <= edge
        return float(there.sum()) / len(self._old)

    def _has_grown(self, size: int, before: float, n_crowds: int) -> bool:
        watched = len(self._watched)
        expected = before + 1.0 / len(self._old)  # one unseen there is no proof that none was
        by_chance = float(binom.sf(size - 1, watched, min(GROWTH * expected, 1.0)))
        return by_chance < ERROR / n_crowds

    def _proposal(
        self,
        visitors: list[str],
        vectors: npt.NDArray[np.float32],
        inside: npt.NDArray[np.bool_],
        before: float,
    ) -> Proposal:
        members = vectors[inside]
        together = np.vstack([members, self._old])
        kinds = np.repeat([0, 1], [len(members), len(self._old)])
        ignored = np.array([name in NOT_BEHAVIOUR for name in self._feature_names])
        words = describe_clusters(together, self._feature_names, kinds, ignored)
        return Proposal(
            tuple(visitors[i] for i in np.flatnonzero(inside)),
            len(members) / len(self._watched),
            before,
            words[0],
            members.mean(axis=0, dtype=np.float64),
        )


def accepted(segmentation: Segmentation, proposal: Proposal, cohort: Cohort) -> Segmentation:
    """The segmentation with a proposed crowd as one more segment; the others keep their names.

    Args:
        segmentation: in use, of k-means.
        proposal: the crowd.
        cohort: the visitors of now.

    Raises:
        SegmentationError: if the segmentation is of another family, which has no centroid to add,
            or of other features, or nobody of the cohort would be in one of the segments.
    """
    old = segmentation.assigner
    if not isinstance(old, Centroids):
        raise SegmentationError(
            f"a segment can be added to one of k-means, not of {old.kind}: refit it, or make the "
            "segment by hand"
        )
    segmentation.require_features(cohort.feature_names)
    if old.n_labels >= MAX_SEGMENTS:
        raise SegmentationError(f"there are {old.n_labels} segments already, the most there can be")
    model = Centroids(old.scaling, np.vstack([old.centroids, old.scaling.apply(proposal.centre)]))
    labels = model.labels(cohort.vectors)
    if len(np.unique(labels)) < model.n_labels:
        raise SegmentationError(
            "with the new segment another one, or itself, has no members: refit instead"
        )
    names = carry_on(old.labels(cohort.vectors), labels, model.n_labels, segmentation)
    return named(cohort, model, names, segmentation.version + 1)


def _crowds(points: Floats, least: int) -> list[tuple[Floats, float]]:
    """The middles of crowds of at least so many points, and how far they reach."""
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - only a look needs it

    model = HDBSCAN(least, min_samples=min(10, len(points)), copy=True, allow_single_cluster=True)
    labels = model.fit(points).labels_
    found = []
    for label in range(int(labels.max(initial=NOISE)) + 1):
        core = points[labels == label]
        middle = core.mean(axis=0)
        spread = np.quantile(np.linalg.norm(core - middle, axis=1), 0.9)
        found.append((middle, EDGE * float(spread)))
    return found
