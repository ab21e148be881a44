"""How far a refit may go: the share of visitors whose segment it changes for the same behaviour.

Families whose models have points between them (centroids, cuts) stop where the budget is used up;
what a refit leaves undone, the next one goes on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner, Labels

_HALVINGS: Final = 14
"""Of the way, in the search. Money is skewed: a hundredth of the way may be too much already, and a
refit that took no step at all would never get anywhere."""

Model = TypeVar("Model", bound="Assigner")


def check_budget(max_churn: float | None) -> None:
    """Refuses what is no share.

    Raises:
        SegmentationError: if it is below 0 or above 1.
    """
    if max_churn is not None and not 0.0 <= max_churn <= 1.0:
        raise SegmentationError(f"max_churn must be a share, 0 to 1, got {max_churn}")


def within_budget(
    vectors: npt.NDArray[np.float32],
    old: Model,
    optimum: Model,
    between: Callable[[float], Model],
    max_churn: float | None,
    fallback: Model | None = None,
) -> Model:
    """The farthest model on the way from the one in use that moves few enough visitors.

    Args:
        vectors: the visitors, shape (n, n_features).
        old: the model in use.
        optimum: what a refit without a budget comes to.
        between: the model at a share of the way, 0 to 1.
        max_churn: share of the visitors, 0 to 1, that fewer than may change; None for no bound.
        fallback: what stands for the model in use where that has a label without a member.

    Returns:
        The optimum where it fits. Where nothing on the way leaves every label a member, the
        fallback; without one, the optimum.
    """
    if max_churn is None:
        return optimum
    if old.n_labels != optimum.n_labels:
        return optimum if fallback is None else fallback
    before = old.labels(vectors)

    def fits(model: Model) -> bool:
        labels = model.labels(vectors)
        moved = float((labels != before).mean())
        within = moved < max_churn or moved == 0.0
        return within and _goes_on(before, labels, model.n_labels)

    if fits(optimum):
        return optimum
    low, high, kept = 0.0, 1.0, old if fits(old) else None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        model = between(middle)
        if fits(model):
            low, kept = middle, model
        else:
            high = middle
    found = fallback if kept is None else kept
    return optimum if found is None else found


def _goes_on(before: Labels, labels: Labels, n_labels: int) -> bool:
    """Whether every label has members, and most of them are whom it had, and most it had stayed.

    Else `segments.cluster.alignment` gives it another name, and all of its members with it.
    """
    stayed = np.bincount(labels[(labels == before) & (labels >= 0)], minlength=n_labels)
    had, has = (np.bincount(one[one >= 0], minlength=n_labels) for one in (before, labels))
    return bool((has > 0).all() and (2 * stayed >= had).all() and (2 * stayed >= has).all())
