"""From visitors to a named segmentation, whatever the family: fit, align, describe.

Off the request path; `api.worker.fit` runs it in a process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segments.cluster.alignment import Names, align, first_names
from segments.cluster.assign.base import NOISE
from segments.cluster.describe import describe_clusters, mean_value_cents
from segments.cluster.family import NOT_BEHAVIOUR
from segments.cluster.segmentation import (
    MAX_SEGMENTS,
    NO_SLOT,
    NOISE_ID,
    Segment,
    Segmentation,
)
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner, Labels
    from segments.cluster.family import Cohort, Family

NOISE_WORDS = "like no segment"


def fit_segments(
    family: Family, cohort: Cohort, *, previous: Segmentation | None, rng: np.random.Generator
) -> Segmentation:
    """Fits segments, under the names of the previous ones where they continue them.

    Args:
        family: how.
        cohort: whom.
        previous: the segmentation in use, of any family, or None for a first fit. One of other
            features is treated as none, except that its names are not given out again.
        rng: of random starts and ties.

    Raises:
        SegmentationError: if the family cannot be fitted on the cohort, or makes more than 12
            segments.

    Example:
        >>> from segments.cluster.family import Cohort
        >>> from segments.cluster.kmeans import KMeans
        >>> vectors = np.repeat([[0.1], [0.9]], 50, axis=0).astype(np.float32)
        >>> cohort, rng = Cohort(vectors, ("orders",)), np.random.default_rng(0)
        >>> fitted = fit_segments(KMeans(2), cohort, previous=None, rng=rng)
        >>> sorted((segment.id, segment.size) for segment in fitted.segments)
        [('s1', 50), ('s2', 50)]
    """
    warm = previous is not None and previous.feature_names == cohort.feature_names
    assigner = family.fit(cohort, previous.assigner if previous and warm else None, rng)
    if assigner.n_labels > MAX_SEGMENTS:
        raise SegmentationError(
            f"{assigner.n_labels} segments; at most {MAX_SEGMENTS} can be told apart by people"
        )
    labels = assigner.labels(cohort.vectors)
    churn = None
    if previous is not None and warm:
        before = previous.assign_many(cohort.vectors)
        names = align(before, labels, assigner.n_labels, previous)
        churn = _churn([one.id for one in previous.segments], before, names.ids, labels)
    else:
        assigner = assigner.reordered(_most_valuable_first(cohort, labels, assigner.n_labels))
        names = first_names(assigner.n_labels, previous.next_number if previous else 1)
    return named(cohort, assigner, names, previous.version + 1 if previous else 1, churn)


def named(
    cohort: Cohort, assigner: Assigner, names: Names, version: int, churn: float | None = None
) -> Segmentation:
    """A segmentation of a model whose labels have names, described by its visitors.

    Args:
        cohort: whom the segments are described by; each label occurs among them.
        assigner: the model.
        names: of its labels.
        version: of the segmentation.
        churn: share of the visitors whom the version before called otherwise.
    """
    return Segmentation(
        version,
        cohort.feature_names,
        assigner,
        segments=_segments(cohort, assigner, assigner.labels(cohort.vectors), names),
        lineage=names.lineage,
        next_number=names.next_number,
        churn=churn,
    )


def _churn(old_ids: Sequence[str], before: Labels, new_ids: Sequence[str], labels: Labels) -> float:
    """Share of the visitors who are called otherwise; where the same name is, nothing changed."""
    old = [name for name in old_ids if name != NOISE_ID]
    codes = {name: code for code, name in enumerate(dict.fromkeys([*old, *new_ids]))}
    was = np.array([*(codes[name] for name in old), NOISE])[before]  # -1 is the last
    became = np.array([*(codes[name] for name in new_ids), NOISE])[labels]
    return float((was != became).mean())


def _most_valuable_first(cohort: Cohort, labels: Labels, n_labels: int) -> list[int]:
    """Labels in the order in which people want to read them: by value, else by size."""
    values = mean_value_cents(cohort.vectors, cohort.feature_names, labels)
    sizes = np.bincount(labels[labels != NOISE], minlength=n_labels).tolist()
    by = [float(n) if value is None else value for n, value in zip(sizes, values, strict=True)]
    return sorted(range(n_labels), key=lambda i: (-by[i], i))


def _segments(cohort: Cohort, assigner: Assigner, labels: Labels, names: Names) -> list[Segment]:
    vectors, feature_names = cohort.vectors, cohort.feature_names
    ignored = np.array([name in NOT_BEHAVIOUR for name in feature_names])
    words = assigner.words(feature_names)
    if words is None:
        words = describe_clusters(vectors, feature_names, labels, ignored)
    values = mean_value_cents(vectors, feature_names, labels)
    segments = [
        _segment(vectors, labels == i, (segment_id, names.slots[i]), (words[i], values[i]))
        for i, segment_id in enumerate(names.ids)
    ]
    noise = labels == NOISE
    if noise.any():
        value = mean_value_cents(vectors[noise], feature_names, np.zeros(noise.sum(), np.intp))[0]
        segments.append(_segment(vectors, noise, (NOISE_ID, NO_SLOT), (NOISE_WORDS, value)))
    return segments


def _segment(
    vectors: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    name: tuple[str, int],
    said: tuple[str, float | None],
) -> Segment:
    members = vectors[inside]
    return Segment(
        id=name[0],
        slot=name[1],
        size=len(members),
        share=len(members) / len(vectors),
        description=said[0],
        value_cents=said[1],
        means=tuple(members.mean(axis=0, dtype=np.float64).tolist()),
    )
